//! The limit of open files and sockets.

/// Open files other than connections of clients: the database's, the log, files of the page being sent, connections that are
/// being refused or closed, and those of the ports for operators and redirects.
#[cfg(unix)]
const OTHER_FILES: u64 = 192;

/// Raises the soft limit of open files to the hard limit. Returns the number of connections that fit: `wanted`, or what a
/// lower limit leaves after `OTHER_FILES`, but at least three eighths of the limit.
#[cfg(unix)]
pub fn raise_limit(wanted: usize) -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "cannot raise the number of open files");
        }
    }
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let fit = connections_that_fit(files);
    if fit >= wanted {
        return wanted;
    }
    tracing::warn!(
        files.limit = files,
        connections.limit = fit,
        connections.wanted = wanted,
        "the limit of open files allows fewer connections than configured"
    );
    fit
}

#[cfg(unix)]
fn connections_that_fit(files: u64) -> usize {
    let fit = (files * 3 / 8).max(files.saturating_sub(OTHER_FILES)).max(1);
    usize::try_from(fit).unwrap_or(usize::MAX)
}

/// There is no such limit on other systems.
#[cfg(not(unix))]
pub fn raise_limit(wanted: usize) -> usize {
    wanted
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_other_uses() {
        assert_eq!(connections_that_fit(64), 24);
        assert_eq!(connections_that_fit(256), 96);
        assert_eq!(connections_that_fit(1_024), 832);
        assert_eq!(connections_that_fit(1), 1);
    }
}
