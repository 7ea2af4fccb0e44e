//! The server that everybody calls, which is also how pages are told what to do.
//!
//! A page may connect to its own server alone, so it asks for its jobs by `SayHello`, with its number as
//! metadata and what it has measured as the name.

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
use super::page::{Desk, Page};

/// The number of the page that asks for a job.
const PAGE_KEY: &str = "x-bench-page";
/// How many messages a stream has.
const COUNT_KEY: &str = "x-bench-count";
/// How many bytes the text of each has.
const SIZE_KEY: &str = "x-bench-size";

/// A server on a port of its own, until this program ends.
pub(crate) struct Server {
    addr: SocketAddr,
    desks: Arc<Desks>,
    last: AtomicU32,
}

type Desks = Mutex<HashMap<u32, Desk>>;

impl Server {
    pub(crate) async fn start(pages: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let desks = Arc::new(Desks::default());
        let greeter = GreeterServer::new(BenchGreeter { desks: desks.clone() });
        let app = App::new(Routes::new(greeter)).page(tonic_serve::Page::new(pages));
        tokio::spawn(tonic_serve::serve(listener, app, ServeOptions::default(), std::future::pending()));
        Ok(Self { addr, desks, last: AtomicU32::new(0) })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A page that is to be opened.
    pub(crate) fn page(&self, client: Client) -> Page {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let url = format!("{}/?client={}&page={number}", self.url(), client.module());
        let (page, desk) = Page::new(client, url);
        self.desks.lock().unwrap_or_else(PoisonError::into_inner).insert(number, desk);
        page
    }
}

struct BenchGreeter {
    desks: Arc<Desks>,
}

#[tonic::async_trait]
impl Greeter for BenchGreeter {
    type SayHelloStreamReplyStream = BoxStream<'static, Result<HelloReply, Status>>;
    type SayHelloBidiStreamStream = BoxStream<'static, Result<HelloReply, Status>>;

    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        let message = match number(request.metadata(), PAGE_KEY)? {
            None => GREETING.to_owned(),
            Some(page) => {
                let desk = self.desks.lock().unwrap_or_else(PoisonError::into_inner).get(&page).cloned();
                let desk = desk.ok_or_else(|| Status::not_found("there is no such page"))?;
                desk.next(&request.get_ref().name).await.map_err(Status::unavailable)?
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
        _: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<Self::SayHelloBidiStreamStream>, Status> {
        Err(Status::unimplemented("nobody measures this"))
    }

    async fn say_hello_client_stream(
        &self,
        _: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloReply>, Status> {
        Err(Status::unimplemented("nobody measures this"))
    }
}

/// The number that the metadata `key` holds, `None` when it is absent.
fn number(metadata: &MetadataMap, key: &str) -> Result<Option<u32>, Status> {
    let Some(value) = metadata.get(key) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Status::invalid_argument(format!("{key} is no number")))
}
