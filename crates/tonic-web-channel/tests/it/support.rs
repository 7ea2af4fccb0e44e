//! A real server with scripted answers, and an observer that records events.

pub(crate) mod canned;
#[cfg(feature = "socket")]
pub(crate) mod greeter;
#[cfg(feature = "socket")]
pub(crate) mod tunnel;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures_util::Stream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_web_channel::observe::{CallEvent, CallEventKind};

/// A request for the health of `service`.
pub(crate) fn ask_for(service: &str) -> Request<HealthCheckRequest> {
    Request::new(HealthCheckRequest { service: service.to_owned() })
}

/// A request for the health of any service.
pub(crate) fn ask() -> Request<HealthCheckRequest> {
    ask_for("any")
}

pub(crate) type Answer = Result<HealthCheckResponse, Status>;

/// Answers by the name of the service that is asked for: `hang` never, `missing` with `NOT_FOUND`,
/// everything else well. `Watch` sends what [`TestServer::watched`] is given.
pub(crate) struct TestServer {
    pub(crate) addr: SocketAddr,
    /// The metadata of each call, as it came.
    pub(crate) calls: mpsc::Receiver<MetadataMap>,
    /// For each `Watch`, where to put its answers; closed when the client has left.
    pub(crate) watched: mpsc::Receiver<mpsc::Sender<Answer>>,
}

struct Service {
    calls: mpsc::Sender<MetadataMap>,
    watched: mpsc::Sender<mpsc::Sender<Answer>>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (calls_in, calls) = mpsc::channel(16);
        let (watched_in, watched) = mpsc::channel(16);
        let service = Service { calls: calls_in, watched: watched_in };
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(HealthServer::new(service))
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        Self { addr, calls, watched }
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.addr)
    }
}

#[tonic::async_trait]
impl Health for Service {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.calls.send(request.metadata().clone()).await.unwrap();
        match request.get_ref().service.as_str() {
            "hang" => std::future::pending().await,
            "missing" => Err(Status::not_found("no such service: missing")),
            _ => Ok(Response::new(HealthCheckResponse { status: 1 })),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Answer> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.calls.send(request.metadata().clone()).await.unwrap();
        let (sender, receiver) = mpsc::channel(16);
        self.watched.send(sender).await.unwrap();
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// The recorded events, one short line each.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(crate) fn observer(&self) -> impl Fn(&CallEvent) + Send + Sync + 'static {
        let seen = self.0.clone();
        move |event| {
            let line = match &event.kind {
                CallEventKind::Started { path, .. } => format!("started {path}"),
                CallEventKind::AttemptStarted { attempt, .. } => format!("attempt {attempt}"),
                CallEventKind::MessageSent { bytes, .. } => format!("sent {bytes}"),
                CallEventKind::Headers { .. } => "headers".to_owned(),
                CallEventKind::MessageReceived { bytes, .. } => format!("received {bytes}"),
                CallEventKind::Ended { status, .. } => format!("ended {:?}", status.code()),
                other => format!("{other:?}"),
            };
            seen.lock().unwrap().push(line);
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}
