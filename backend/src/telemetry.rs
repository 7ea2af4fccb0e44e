//! Logs: one line per event on standard error, a sentence with named fields.
//!
//! What people write, their names, tokens and addresses are never logged.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Libraries that log more than a server wants to read, headers of calls among it: quiet unless they are
/// named in the filter. What h2 warns of is a client that breaks a limit, once for each of its connections: a
/// client could fill the log.
const QUIET: &str = "h2=error,hyper=warn,hyper_util=warn,tower=warn,tonic=warn,tonic_web=warn";

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::new(format!("{QUIET},{}", config.filter));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let started = match config.format {
        LogFormat::Text => logs.with_ansi(stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
}
