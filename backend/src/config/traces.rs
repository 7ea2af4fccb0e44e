//! Traces: where the server sends those of its calls, and whether pages begin them.

use clap::{ArgAction, Args};
use http::Uri;

use super::{Config, refuse};

/// The flag as clap writes it in its own errors.
const ENDPOINT: &str = "--otlp-endpoint <URL>";

/// Traces of calls.
#[derive(Args, Clone, Debug, Default)]
pub struct TracesConfig {
    /// An OpenTelemetry collector that gets a span of each call over gRPC, such as http://127.0.0.1:4317. Calls
    /// join the trace that they name in traceparent. OTEL_TRACES_SAMPLER and the other standard variables apply
    #[arg(long, env = "CHINWAG_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,

    /// Pages begin a trace with each of their calls, by sending traceparent
    #[arg(long, env = "CHINWAG_TRACE_PAGES", value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    pub trace_pages: bool,
}

impl TracesConfig {
    /// Whether pages of other origins may send the headers of traces.
    pub(crate) fn are_wanted(&self) -> bool {
        self.trace_pages || self.otlp_endpoint.is_some()
    }
}

impl Config {
    /// Refuses an endpoint that is not one, and the flag where the program cannot send traces.
    pub(super) fn check_traces(&self) -> Result<(), clap::Error> {
        let Some(endpoint) = &self.traces.otlp_endpoint else { return Ok(()) };
        if !cfg!(feature = "otlp") {
            let reason = "this program was built without traces; build it by `cargo xtask dist` or with the feature otlp";
            return Err(refuse(ENDPOINT, endpoint, reason));
        }
        match endpoint.parse::<Uri>() {
            Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some() => {
                Ok(())
            }
            _ => Err(refuse(ENDPOINT, endpoint, "it has to be a URL such as http://127.0.0.1:4317")),
        }
    }
}
