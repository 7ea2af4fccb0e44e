//! Logging: one line per event on standard error, a sentence with named fields.
//!
//! Message texts, names, tokens and addresses are never logged.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Default levels of noisy libraries, some of which log headers; the filter can override them. h2 warns of clients that
/// break a limit, once per connection: a client could fill the log. async_nats logs addresses.
const NOISY_LIBRARIES: &str =
    "async_nats=warn,h2=error,hyper=warn,hyper_util=warn,tower=warn,tonic=warn,tonic_web=warn";

/// Starts logging for the process. Further calls have no effect.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::new(format!("{NOISY_LIBRARIES},{}", config.filter));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let started = match config.format {
        LogFormat::Text => logs.with_ansi(stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
}
