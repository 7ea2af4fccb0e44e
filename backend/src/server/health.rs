//! The gRPC health service: for the server as a whole the answer of `/readyz`, for each service its own.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use proto::chat::v1::server::chat_service_server::SERVICE_NAME as CHAT;
use proto::health::v1::health_check_response::ServingStatus;
use proto::health::v1::health_server::{Health, HealthServer};
use proto::health::v1::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use proto::helloworld::server::greeter_server::SERVICE_NAME as GREETER;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::interval;
use tonic::{Request, Response, Status};
use tonic_serve::Readiness;

use crate::chat::Chat;

/// Name of the server as a whole.
const SERVER: &str = "";

/// Interval in which `Watch` notices changes that notify nobody: full limits, and a disk that hangs.
const INTERVAL: Duration = Duration::from_secs(1);

/// The services in the order of their names, each with its status.
type Statuses = [(&'static str, ServingStatus); 3];

/// The readiness of a server with this chat: it can store messages.
pub(super) fn readiness(chat: &Chat) -> Readiness {
    let chat = chat.clone();
    Readiness::new(move || chat.check_writable())
}

/// The health service. `tasks` runs the watch for changes.
pub(super) fn service(
    chat: &Chat,
    readiness: &Readiness,
    tasks: &mut JoinSet<()>,
) -> HealthServer<HealthService> {
    let source = Source { chat: chat.clone(), readiness: readiness.clone() };
    let (changes, changed) = watch::channel(source.statuses());
    tasks.spawn(source.clone().follow(changes));
    HealthServer::new(HealthService { source, changed })
}

/// The things that the statuses depend on.
#[derive(Clone, Debug)]
struct Source {
    chat: Chat,
    readiness: Readiness,
}

impl Source {
    fn statuses(&self) -> Statuses {
        let status = |serves| if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
        let drains = self.readiness.is_draining();
        [
            (SERVER, status(self.readiness.check().is_ok())),
            (CHAT, status(!drains && self.chat.check_writable().is_ok())),
            (GREETER, status(!drains)),
        ]
    }

    /// Publishes changes. Ends only with its task.
    async fn follow(self, changes: watch::Sender<Statuses>) {
        let mut storage = self.chat.health();
        let mut ticks = interval(INTERVAL);
        loop {
            let drains = self.readiness.is_draining();
            tokio::select! {
                _ = ticks.tick() => {}
                // The sender is a part of the chat.
                _ = storage.changed() => {}
                () = self.readiness.draining(), if !drains => {}
            }
            let statuses = self.statuses();
            changes.send_if_modified(|old| std::mem::replace(old, statuses) != statuses);
        }
    }
}

/// Implements the generated service trait.
#[derive(Debug)]
pub(super) struct HealthService {
    source: Source,
    changed: watch::Receiver<Statuses>,
}

fn find(statuses: &Statuses, service: &str) -> Option<ServingStatus> {
    statuses.iter().find(|(name, _)| *name == service).map(|(_, status)| *status)
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

type Changes = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match find(&self.source.statuses(), &request.get_ref().service) {
            Some(status) => Ok(Response::new(response(status))),
            None => Err(Status::not_found("this server has no such service")),
        }
    }

    async fn list(
        &self,
        _request: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        let statuses = self.source.statuses().map(|(name, status)| (name.to_owned(), response(status)));
        Ok(Response::new(HealthListResponse { statuses: statuses.into() }))
    }

    type WatchStream = Changes;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Changes>, Status> {
        let service = request.into_inner().service;
        let mut changed = self.changed.clone();
        changed.mark_changed();
        let state = (changed, service, None);
        let changes = stream::unfold(state, async move |(mut changed, service, last)| {
            loop {
                changed.changed().await.ok()?;
                let status = find(&changed.borrow_and_update(), &service);
                let status = status.unwrap_or(ServingStatus::ServiceUnknown);
                if last != Some(status) {
                    return Some((Ok(response(status)), (changed, service, Some(status))));
                }
            }
        });
        Ok(Response::new(changes.boxed()))
    }
}
