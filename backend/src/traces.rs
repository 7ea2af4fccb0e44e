//! Spans of calls for OpenTelemetry, which are sent to a collector over gRPC.
//!
//! Only methods of the contracts are named. No address, no name and no token is an attribute.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use http::uri::Authority;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use tonic::Code;
use tonic_serve::{CallHead, CallSpan, CallTracer};

/// The name of the service, unless `OTEL_SERVICE_NAME` says another one.
const SERVICE: &str = "chinwag";

/// The name of spans of unknown methods, whose paths anybody can make up.
const UNKNOWN: &str = "unknown method";

/// Time for the spans that wait to be sent at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends a span of each call.
///
/// At most 2,048 spans wait to be sent (`OTEL_BSP_MAX_QUEUE_SIZE`); more are dropped, which the library logs.
#[derive(Clone)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

impl Traces {
    /// Connects to the collector at the first span. Needs a runtime.
    pub(crate) fn start(endpoint: &str) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
        let name = std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| SERVICE.to_owned());
        let resource = Resource::builder()
            .with_service_name(name)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Self { tracer: provider.tracer(SERVICE), provider })
    }

    /// Sends the spans that wait, for a short time.
    pub(crate) async fn finish(self) {
        let flush = move || self.provider.shutdown_with_timeout(FLUSH_TIMEOUT);
        match tokio::task::spawn_blocking(flush).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "some traces were not sent"),
            Err(error) => tracing::warn!(%error, "the traces could not be ended"),
        }
    }
}

impl CallTracer for Traces {
    fn begin(&self, head: &CallHead<'_>) -> Box<dyn CallSpan> {
        let parent =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(head.headers));
        let path = head.method.map(|method| method.path.trim_start_matches('/').to_owned());
        let mut attributes = vec![KeyValue::new("rpc.system", "grpc")];
        if let Some((service, method)) = path.as_deref().and_then(|path| path.split_once('/')) {
            attributes.push(KeyValue::new("rpc.service", service.to_owned()));
            attributes.push(KeyValue::new("rpc.method", method.to_owned()));
        }
        if let Some(host) = head.host.and_then(|host| host.parse::<Authority>().ok()) {
            attributes.push(KeyValue::new("server.address", host.host().to_owned()));
            attributes.extend(host.port_u16().map(|port| KeyValue::new("server.port", i64::from(port))));
        }
        let builder = self.tracer.span_builder(path.unwrap_or_else(|| UNKNOWN.to_owned()));
        let builder = builder.with_kind(SpanKind::Server).with_attributes(attributes);
        Box::new(CallOfTrace(self.tracer.build_with_context(builder, &parent)))
    }
}

/// The span of a call.
#[derive(Debug)]
struct CallOfTrace(Span);

impl CallSpan for CallOfTrace {
    fn end(&mut self, code: Code) {
        let Self(span) = self;
        span.set_attribute(KeyValue::new("rpc.grpc.status_code", i64::from(i32::from(code))));
        if is_error_of_server(code) {
            span.set_status(Status::error(code.description()));
        }
        span.end();
    }
}

/// The codes that the conventions of OpenTelemetry for gRPC count as errors of a server.
fn is_error_of_server(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The headers of a call, for the library.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
