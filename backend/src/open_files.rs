//! How many files and sockets the process may have open.

/// Lets the process open as many as the system allows it to, instead of the few that it is given at
/// first: every connection is one. Says so when that is not enough for `connections`.
#[cfg(unix)]
pub fn allow(connections: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "cannot raise the number of open files");
        }
    }
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if allowed < connections as u64 {
        tracing::warn!(allowed, connections, "the system allows fewer open files than connections");
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub fn allow(_connections: usize) {}
