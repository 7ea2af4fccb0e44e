//! Metrics of calls, connections, bytes and limits, as the HTTP side tells them.
//!
//! The names of calls' metrics are those that servers of gRPC have elsewhere (`grpc_server_handled_total`).

use std::array;
use std::collections::HashMap;
use std::sync::OnceLock;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tonic::Code;
use tonic_serve::{EndedCall, KnownMethod, Limit, LimitOutcome, Methods, Observer, Protocol};

/// Bounds of the durations of calls, seconds.
const CALL_SECONDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The label of calls whose method is not declared, and whose path anybody can make up.
const UNKNOWN: &str = "unknown";

/// The codes of gRPC by their numbers, spelled as in other servers.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    grpc_type: &'static str,
    grpc_service: String,
    grpc_method: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    grpc_type: &'static str,
    grpc_service: String,
    grpc_method: String,
    grpc_code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProtocolLabels {
    protocol: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
    outcome: &'static str,
}

type Seconds = Family<MethodLabels, Histogram, fn() -> Histogram>;

/// The counts of the HTTP side.
#[derive(Debug)]
pub(crate) struct HttpMetrics {
    started: Family<MethodLabels, Counter>,
    handled: Family<CodeLabels, Counter>,
    seconds: Seconds,
    open_calls: Gauge,
    methods: HashMap<String, MethodMetrics>,
    unknown: MethodMetrics,
    connections: Family<ProtocolLabels, Counter>,
    open_connections: Family<ProtocolLabels, Gauge>,
    received: Counter,
    sent: Counter,
    limits: Family<LimitLabels, Counter>,
}

/// The metrics of one method. Each is looked up once, at its first use, so that a call takes no lock and no allocation.
#[derive(Debug)]
struct MethodMetrics {
    labels: MethodLabels,
    started: OnceLock<Counter>,
    seconds: OnceLock<Histogram>,
    handled: [OnceLock<Counter>; CODES.len()],
}

impl MethodMetrics {
    fn new(grpc_type: &'static str, grpc_service: &str, grpc_method: &str) -> Self {
        let (grpc_service, grpc_method) = (grpc_service.to_owned(), grpc_method.to_owned());
        Self {
            labels: MethodLabels { grpc_type, grpc_service, grpc_method },
            started: OnceLock::new(),
            seconds: OnceLock::new(),
            handled: array::from_fn(|_| OnceLock::new()),
        }
    }

    fn of(method: KnownMethod<'_>) -> Self {
        let grpc_type = match (method.kind.client_streaming(), method.kind.server_streaming()) {
            (false, false) => "unary",
            (true, false) => "client_stream",
            (false, true) => "server_stream",
            (true, true) => "bidi_stream",
        };
        let path = method.path.trim_start_matches('/');
        let (service, name) = path.split_once('/').unwrap_or((path, UNKNOWN));
        Self::new(grpc_type, service, name)
    }

    fn with_code(&self, grpc_code: &'static str) -> CodeLabels {
        let MethodLabels { grpc_type, grpc_service, grpc_method } = self.labels.clone();
        CodeLabels { grpc_type, grpc_service, grpc_method, grpc_code }
    }
}

impl HttpMetrics {
    /// Registers the metrics of a server with these methods.
    pub(super) fn new(methods: &Methods, registry: &mut Registry) -> Self {
        let methods = methods.iter().map(|method| (method.path.to_owned(), MethodMetrics::of(method)));
        let metrics = Self {
            started: Family::default(),
            handled: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            open_calls: Gauge::default(),
            methods: methods.collect(),
            unknown: MethodMetrics::new(UNKNOWN, UNKNOWN, UNKNOWN),
            connections: Family::default(),
            open_connections: Family::default(),
            received: Counter::default(),
            sent: Counter::default(),
            limits: Family::default(),
        };
        metrics.begin_at_zero();
        metrics.register(registry);
        metrics
    }

    /// Series that begin at their first event hide that event from rates.
    fn begin_at_zero(&self) {
        for protocol in [Protocol::Http1, Protocol::Http2, Protocol::WebSocket].map(protocol_labels) {
            drop(self.connections.get_or_create(&protocol));
            drop(self.open_connections.get_or_create(&protocol));
        }
        for limit in Limit::ALL {
            drop(self.limits.get_or_create(&limit_labels(limit, LimitOutcome::Refused)));
        }
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("grpc_server_started", "Calls whose head came", self.started.clone());
        registry.register("grpc_server_handled", "Calls that ended, by code", self.handled.clone());
        let help = "Time from the head of a call to its status, streams included";
        registry.register("grpc_server_handling_seconds", help, self.seconds.clone());
        registry.register(
            "chinwag_open_calls",
            "Calls that are open, streams included",
            self.open_calls.clone(),
        );
        let help = "Connections that made a request, by protocol";
        registry.register("chinwag_connections", help, self.connections.clone());
        let help = "Open connections that made a request, by protocol";
        registry.register("chinwag_open_connections", help, self.open_connections.clone());
        registry.register("chinwag_received_bytes", "Bytes from clients, inside TLS", self.received.clone());
        registry.register("chinwag_sent_bytes", "Bytes to clients, inside TLS", self.sent.clone());
        let help = "Times that a limit of connections, calls or buffered bytes was reached, by consequence";
        registry.register("chinwag_limit_reached", help, self.limits.clone());
    }

    fn method(&self, method: Option<KnownMethod<'_>>) -> &MethodMetrics {
        method.and_then(|method| self.methods.get(method.path)).unwrap_or(&self.unknown)
    }
}

impl Observer for HttpMetrics {
    fn call_began(&self, method: Option<KnownMethod<'_>>) {
        let method = self.method(method);
        method.started.get_or_init(|| self.started.get_or_create_owned(&method.labels)).inc();
        self.open_calls.inc();
    }

    fn call_ended(&self, call: &EndedCall<'_>) {
        let method = self.method(call.method);
        let code = code_index(call.code);
        let create = || self.handled.get_or_create_owned(&method.with_code(CODES[code]));
        method.handled[code].get_or_init(create).inc();
        let seconds = method.seconds.get_or_init(|| self.seconds.get_or_create_owned(&method.labels));
        seconds.observe(call.duration.as_secs_f64());
        self.open_calls.dec();
    }

    fn connection_opened(&self, protocol: Protocol) {
        let labels = protocol_labels(protocol);
        self.connections.get_or_create(&labels).inc();
        self.open_connections.get_or_create(&labels).inc();
    }

    fn connection_closed(&self, protocol: Protocol) {
        self.open_connections.get_or_create(&protocol_labels(protocol)).dec();
    }

    fn bytes_received(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }

    fn bytes_sent(&self, bytes: usize) {
        self.sent.inc_by(bytes as u64);
    }

    fn limit_reached(&self, limit: Limit, outcome: LimitOutcome) {
        self.limits.get_or_create(&limit_labels(limit, outcome)).inc();
    }
}

/// The index of a code in [`CODES`].
fn code_index(code: Code) -> usize {
    usize::try_from(i32::from(code)).unwrap_or_default().min(CODES.len() - 1)
}

fn protocol_labels(protocol: Protocol) -> ProtocolLabels {
    let protocol = match protocol {
        Protocol::Http1 => "http1",
        Protocol::Http2 => "http2",
        Protocol::WebSocket => "websocket",
        _ => UNKNOWN,
    };
    ProtocolLabels { protocol }
}

fn limit_labels(limit: Limit, outcome: LimitOutcome) -> LimitLabels {
    let limit = match limit {
        Limit::Connections => "connections",
        Limit::ConnectionsPerAddress => "connections_per_address",
        Limit::Calls => "calls",
        Limit::CallsPerAddress => "calls_per_address",
        Limit::BufferedBytes => "buffered_bytes",
        Limit::BufferedBytesPerAddress => "buffered_bytes_per_address",
        Limit::BufferedBytesPerConnection => "buffered_bytes_per_connection",
        _ => UNKNOWN,
    };
    let outcome = match outcome {
        LimitOutcome::Refused => "refused",
        LimitOutcome::ClosedIdle => "closed_idle",
        LimitOutcome::ClosedBusy => "closed_busy",
        LimitOutcome::Waited => "waited",
        _ => UNKNOWN,
    };
    LimitLabels { limit, outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_the_order_of_their_numbers() {
        for (number, name) in CODES.into_iter().enumerate() {
            let code = Code::from(i32::try_from(number).unwrap());
            assert_eq!(code_index(code), number);
            let spelled = if code == Code::Cancelled { "Canceled".to_owned() } else { format!("{code:?}") };
            assert!(name.eq_ignore_ascii_case(&spelled), "{spelled} {name}");
        }
    }
}
