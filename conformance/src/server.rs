//! The server's program: told by the suite what to listen with, it serves until it is told to end.

use anyhow::{Context as _, Result, ensure};
use edge::{App, ServeOptions};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;

use crate::pb::conformance_service_server::ConformanceServiceServer;
use crate::pb::{ServerCompatRequest, ServerCompatResponse};
use crate::pipe;
use crate::service::Conformance;

/// Where it listens. The suite's own certificate is for this address.
const HOST: &str = "127.0.0.1";

/// Serves until SIGTERM.
pub fn run() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(serve())
}

async fn serve() -> Result<()> {
    let request: ServerCompatRequest =
        pipe::read(&mut tokio::io::stdin()).await?.context("the suite asks for nothing")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let listener = TcpListener::bind((HOST, 0)).await.context("cannot listen")?;
    let app = App::new(routes(&request)?);
    ensure!(!request.use_tls, "TLS: not yet");

    let port = listener.local_addr()?.port().into();
    let response = ServerCompatResponse { host: HOST.to_owned(), port, ..ServerCompatResponse::default() };
    pipe::write(&mut tokio::io::stdout(), &response.encode_to_vec()).await?;
    let shutdown = async move {
        terminate.recv().await;
    };
    edge::serve(listener, app, ServeOptions::default(), shutdown).await.context("cannot serve")
}

fn routes(request: &ServerCompatRequest) -> Result<Routes> {
    let mut service = ConformanceServiceServer::new(Conformance);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Deflate, CompressionEncoding::Zstd] {
        service = service.accept_compressed(encoding).send_compressed(encoding);
    }
    if request.message_receive_limit > 0 {
        service = service.max_decoding_message_size(request.message_receive_limit.try_into()?);
    }
    Ok(Routes::new(service))
}
