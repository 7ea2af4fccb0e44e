//! The server of all clients, which also hands out the pages' jobs.
//!
//! A page may connect to its own server alone, so it asks for its jobs by `SayHello`, with its number as metadata and its
//! report as the name.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use proto::helloworld::server::greeter_server::{Greeter, GreeterServer};
use proto::helloworld::{HelloReply, HelloRequest};
use tokio::net::TcpListener;
use tokio::time::interval;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use tonic_serve::{App, ServeOptions};

use super::addresses::Addresses;
use super::case::{Distance, GREETING};
use super::client::{Client, Served};
use super::page::{JobQueue, Page};

/// The number of the asking page.
const PAGE_KEY: &str = "x-bench-page";
/// Number of messages of a stream.
pub(crate) const COUNT_KEY: &str = "x-bench-count";
/// Bytes of each message's text.
pub(crate) const SIZE_KEY: &str = "x-bench-size";

/// Messages of a stream in a second; all at once without it.
pub(crate) const PACE_KEY: &str = "x-bench-per-second";

/// A server on a free port, until this program ends.
pub(crate) struct Server {
    addresses: Addresses,
    queues: Arc<JobQueues>,
    last: AtomicU32,
}

type JobQueues = Mutex<HashMap<u32, JobQueue>>;

impl Server {
    /// `proxy`: the program of the peers that need another server.
    pub(crate) async fn start(pages: &Path, proxy: Option<&Path>) -> Result<Self> {
        let queues = Arc::new(JobQueues::default());
        // Some clients call other servers than the page's.
        let page = tonic_serve::Page::new(pages)
            .allow_source("connect-src", "http://127.0.0.1:*")?
            .allow_source("connect-src", "ws://127.0.0.1:*")?;
        let addr = serve(queues.clone(), |app| app.page(page)).await?;
        Ok(Self { addresses: Addresses::around(addr, proxy).await?, queues, last: AtomicU32::new(0) })
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addresses.page())
    }

    /// A page for a browser to open; `None` when the client's server is not there.
    pub(crate) fn page(&self, client: Client, distance: Distance) -> Option<Page> {
        let server = self.addresses.of(client.served(), distance)?;
        let page = self.addresses.of(Served::Page, distance)?;
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let module = client.module();
        let url = format!("http://{page}/?client={module}&page={number}&server=http://{server}");
        let (page, queue) = Page::new(client, url);
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).insert(number, queue);
        Some(page)
    }
}

/// Serves calls alone, as a program of its own, for the measurement of a server.
pub(crate) async fn serve_alone() -> Result<()> {
    let addr = serve(Arc::default(), |app| app).await?;
    println!("listening on http://{addr}");
    std::future::pending().await
}

async fn serve(queues: Arc<JobQueues>, change: impl FnOnce(App) -> App) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    let app = change(App::new(Routes::new(GreeterServer::new(BenchGreeter { queues }))));
    tokio::spawn(tonic_serve::serve(listener, app, ServeOptions::default(), std::future::pending()));
    Ok(addr)
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
        let replies = stream::iter((0..count).map(move |_| Ok(reply.clone())));
        let Some(pace) = number(request.metadata(), PACE_KEY)? else {
            return Ok(Response::new(replies.boxed()));
        };
        let mut ticks = interval(Duration::from_secs(1) / pace.max(1));
        let ticks = stream::poll_fn(move |cx| ticks.poll_tick(cx).map(Some));
        Ok(Response::new(replies.zip(ticks).map(|(reply, _)| reply).boxed()))
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
