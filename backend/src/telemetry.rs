//! Logs: one line per event on standard error, as a sentence with named fields.
//!
//! What people write, their names, tokens and addresses are never logged.

use tracing_subscriber::EnvFilter;

use crate::config::LogConfig;

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::new(&config.filter);
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if logs.try_init().is_err() {
        tracing::debug!("logging had been started before");
    }
}
