//! The metrics of the server, in the text format of Prometheus.
//!
//! `http` counts what the HTTP side tells, `state` reads at each scrape what the server knows anyway, `process` what the system
//! knows of the process. The chat has counters of its own. No label names a person, a room or an address, and every label has a
//! bounded number of values.

mod http;
#[cfg(target_os = "linux")]
mod process;
mod state;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "cluster")]
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;
use tonic_serve::Methods;

use self::http::HttpMetrics;
use self::state::State;
#[cfg(feature = "cluster")]
pub(crate) use self::state::gauge;
use crate::chat::Chat;
use crate::rates::Rates;

/// The content type of [`Metrics::encode`].
pub(crate) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// All metrics of a server.
pub(crate) struct Metrics {
    registry: Registry,
    http: Arc<HttpMetrics>,
}

impl Metrics {
    /// The metrics of a server with these methods.
    pub(crate) fn new(methods: &Methods, chat: &Chat, rates: &Arc<Rates>) -> Self {
        let mut registry = Registry::default();
        let http = Arc::new(HttpMetrics::new(methods, &mut registry));
        chat.register_metrics(&mut registry);
        registry.register_collector(Box::new(State::new(chat.clone(), Arc::clone(rates))));
        #[cfg(target_os = "linux")]
        registry.register_collector(Box::new(process::Process));
        Self { registry, http }
    }

    /// Adds metrics that only some servers have.
    #[cfg(feature = "cluster")]
    pub(crate) fn with(mut self, collector: impl Collector) -> Self {
        self.registry.register_collector(Box::new(collector));
        self
    }

    /// The observer of the HTTP side.
    pub(crate) fn observer(&self) -> Arc<HttpMetrics> {
        Arc::clone(&self.http)
    }

    /// The current values. Reads files, so it may block.
    pub(crate) fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
