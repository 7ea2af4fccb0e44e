//! How many files and sockets the process may have open.

/// Open files that are not connections: the database's, the log, files of the page that are being sent, and
/// connections that are being refused or have to make room.
#[cfg(unix)]
const RESERVE: u64 = 192;

/// Lets the process open as many files as the system allows it to, instead of the few that it is given at
/// first, and says how many connections fit: `wanted`, or what a lower limit leaves beside the other files. A
/// process with few files uses three eighths of them for connections.
#[cfg(unix)]
pub fn allow(wanted: usize) -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "cannot raise the number of open files");
        }
    }
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let fit = fitting(files);
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
fn fitting(files: u64) -> usize {
    let fit = (files * 3 / 8).max(files.saturating_sub(RESERVE)).max(1);
    usize::try_from(fit).unwrap_or(usize::MAX)
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub fn allow(wanted: usize) -> usize {
    wanted
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(fitting(64), 24);
        assert_eq!(fitting(256), 96);
        assert_eq!(fitting(1_024), 832);
        assert_eq!(fitting(1), 1);
    }
}
