//! The server of all clients, which also hands out the pages' jobs.
//!
//! A page may connect to its own server alone, so it asks for its jobs by `SayHello`, with its number as metadata and its
//! report as the name.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use proto::helloworld::server::greeter_server::{Greeter, GreeterServer};
use proto::helloworld::{HelloReply, HelloRequest};
use tokio::net::TcpListener;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use tonic_serve::{App, ServeOptions};

use super::case::{Client, GREETING};
use super::page::{JobQueue, Page};

/// The number of the asking page.
const PAGE_KEY: &str = "x-bench-page";
/// Number of messages of a stream.
const COUNT_KEY: &str = "x-bench-count";
/// Bytes of each message's text.
const SIZE_KEY: &str = "x-bench-size";

/// A server on a free port, until this program ends.
pub(crate) struct Server {
    addr: SocketAddr,
    queues: Arc<JobQueues>,
    last: AtomicU32,
}

type JobQueues = Mutex<HashMap<u32, JobQueue>>;

impl Server {
    pub(crate) async fn start(pages: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let queues = Arc::new(JobQueues::default());
        let greeter = GreeterServer::new(BenchGreeter { queues: queues.clone() });
        let app = App::new(Routes::new(greeter)).page(tonic_serve::Page::new(pages));
        tokio::spawn(tonic_serve::serve(listener, app, ServeOptions::default(), std::future::pending()));
        Ok(Self { addr, queues, last: AtomicU32::new(0) })
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A page for a browser to open.
    pub(crate) fn page(&self, client: Client) -> Page {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let url = format!("{}/?client={}&page={number}", self.url(), client.module());
        let (page, queue) = Page::new(client, url);
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).insert(number, queue);
        page
    }
}

struct BenchGreeter {
    queues: Arc<JobQueues>,
}

#[tonic::async_trait]
impl Greeter for BenchGreeter {
    type SayHelloStreamReplyStream = BoxStream<'static, Result<HelloReply, Status>>;
    type SayHelloBidiStreamStream = BoxStream<'static, Result<HelloReply, Status>>;

    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        let message = match number(request.metadata(), PAGE_KEY)? {
            None => GREETING.to_owned(),
            Some(page) => {
                let queue = self.queues.lock().unwrap_or_else(PoisonError::into_inner).get(&page).cloned();
                let queue = queue.ok_or_else(|| Status::not_found("there is no such page"))?;
                queue.next(&request.get_ref().name).await.map_err(Status::unavailable)?
            }
        };
        Ok(Response::new(HelloReply { message }))
    }

    async fn say_hello_stream_reply(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<Self::SayHelloStreamReplyStream>, Status> {
        let wanted =
            |key| number(request.metadata(), key)?.ok_or_else(|| Status::invalid_argument("how many?"));
        let (count, size) = (wanted(COUNT_KEY)?, wanted(SIZE_KEY)?);
        let reply = HelloReply { message: "x".repeat(size as usize) };
        let replies = (0..count).map(move |_| Ok(reply.clone()));
        Ok(Response::new(stream::iter(replies).boxed()))
    }

    async fn say_hello_bidi_stream(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<Self::SayHelloBidiStreamStream>, Status> {
        let replies =
            request.into_inner().map(|name| name.map(|_| HelloReply { message: GREETING.to_owned() }));
        Ok(Response::new(replies.boxed()))
    }

    /// The number of requests, and the bytes of their names.
    async fn say_hello_client_stream(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloReply>, Status> {
        let mut requests = request.into_inner();
        let (mut count, mut bytes) = (0, 0);
        while let Some(request) = requests.message().await? {
            count += 1;
            bytes += request.name.len();
        }
        Ok(Response::new(HelloReply { message: format!("{count} {bytes}") }))
    }
}

/// The number that the metadata `key` holds, `None` when it is absent.
fn number(metadata: &MetadataMap, key: &str) -> Result<Option<u32>, Status> {
    let Some(value) = metadata.get(key) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Status::invalid_argument(format!("{key} is not a number")))
}
