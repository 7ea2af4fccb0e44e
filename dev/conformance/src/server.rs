//! The server: reads its options from the suite, and serves until SIGTERM.
//!
//! With a program's path as its argument it is a gateway: that program is the suite's own server for gRPC, and gets all calls.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic_serve::{App, ClientCertificates, CorsOptions, Gateway, Methods, ServeOptions, Tls, Upstream};

use crate::pb::conformance_service_server::ConformanceServiceServer;
use crate::pb::{DESCRIPTORS, HttpVersion, Protocol, ServerCompatRequest, ServerCompatResponse, TlsCreds};
use crate::pipe;
use crate::service::Conformance;

/// Its address, which the suite's certificate is for.
const HOST: &str = "127.0.0.1";

/// Serves until SIGTERM.
pub fn run() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(serve())
}

async fn serve() -> Result<()> {
    let request: ServerCompatRequest =
        pipe::read(&mut tokio::io::stdin()).await?.context("the suite sent no request")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let listener = TcpListener::bind((HOST, 0)).await.context("cannot listen")?;
    let upstream = match std::env::args_os().nth(1) {
        Some(program) => Some(OtherServer::start(program.as_ref(), &request).await?),
        None => None,
    };
    let routes = match &upstream {
        Some(upstream) => Gateway::new(Upstream::new(&upstream.url)?).into(),
        None => routes(&request)?,
    };
    let app = App::new(routes)
        .methods(Methods::from_descriptors(DESCRIPTORS)?)
        .max_message_size(limit(&request)?)
        .cors(CorsOptions::any_origin().any_header());
    let (options, pem_cert) = options(&request)?;

    let port = listener.local_addr()?.port().into();
    let response = ServerCompatResponse { host: HOST.to_owned(), port, pem_cert };
    pipe::write(&mut tokio::io::stdout(), &response.encode_to_vec()).await?;
    let shutdown = async move {
        terminate.recv().await;
    };
    tonic_serve::serve(listener, app, options, shutdown).await.context("cannot serve")
}

/// The suite's own server, behind the gateway.
struct OtherServer {
    url: String,
    /// Killed when dropped.
    _child: Child,
}

impl OtherServer {
    /// Starts `program` with gRPC in cleartext and the limit of `request`.
    async fn start(program: &Path, request: &ServerCompatRequest) -> Result<Self> {
        let request = ServerCompatRequest {
            protocol: Protocol::Grpc.into(),
            http_version: HttpVersion::HttpVersion2.into(),
            message_receive_limit: request.message_receive_limit,
            ..Default::default()
        };
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut stdin = child.stdin.take().context("it has no standard input")?;
        pipe::write(&mut stdin, &request.encode_to_vec()).await?;
        let mut stdout = child.stdout.take().context("it has no standard output")?;
        let response: ServerCompatResponse =
            pipe::read(&mut stdout).await?.context("the other server sent no response")?;
        // It ends with its standard input.
        child.stdin = Some(stdin);
        Ok(Self { url: format!("http://{}:{}", response.host, response.port), _child: child })
    }
}

/// The server's options, and the certificate that clients have to trust.
fn options(request: &ServerCompatRequest) -> Result<(ServeOptions, Vec<u8>)> {
    let mut options = ServeOptions::default();
    if !request.use_tls {
        return Ok((options, Vec::new()));
    }
    let TlsCreds { cert, key } = request.server_creds.clone().context("there is no certificate")?;
    let mut tls = Tls::from_pem(&cert, &key)?;
    if !request.client_tls_cert.is_empty() {
        tls = tls.verify_clients(&request.client_tls_cert, ClientCertificates::Required)?;
    }
    if request.http_version() == HttpVersion::HttpVersion1 {
        // A browser always chooses HTTP/2 where it is offered.
        tls = tls.http1_only();
    }
    options.tls = Some(tls);
    Ok((options, cert))
}

/// Limit of a client's message, bytes.
fn limit(request: &ServerCompatRequest) -> Result<usize> {
    match request.message_receive_limit {
        0 => Ok(usize::MAX),
        limit => Ok(limit.try_into()?),
    }
}

fn routes(request: &ServerCompatRequest) -> Result<Routes> {
    let mut service = ConformanceServiceServer::new(Conformance);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Deflate, CompressionEncoding::Zstd] {
        service = service.accept_compressed(encoding).send_compressed(encoding);
    }
    Ok(Routes::new(service.max_decoding_message_size(limit(request)?)))
}
