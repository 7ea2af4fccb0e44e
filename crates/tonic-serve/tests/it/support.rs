//! A server with a service whose state tests can read, and clients close to the wire.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tonic::service::Routes;
use tonic_serve::{App, ServeOptions};

use crate::echo::{self, EchoServer};

/// Time for any step before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Sends 16 KiB at a time without end.
pub(crate) const ENDLESS: &str = "/test.Test/Endless";
/// Sends [`SMALL_CHUNKS`] chunks of [`SMALL_CHUNK`] bytes, all of which are ready at once.
pub(crate) const SMALL: &str = "/test.Test/Small";
pub(crate) const SMALL_CHUNKS: usize = 4_000;
pub(crate) const SMALL_CHUNK: usize = 500;
/// Responds with a head and then nothing.
pub(crate) const SILENT: &str = "/test.Test/Silent";
/// Responds with as many bytes as its header `x-bytes` says, and with as many again for each [`Watch::release`], twice.
pub(crate) const PAUSED: &str = "/test.Test/Paused";
/// Responds with [`LONG_RESPONSE`] bytes at once, after its request.
pub(crate) const LONG: &str = "/test.Test/Long";
/// Bytes of a response of [`LONG`].
pub(crate) const LONG_RESPONSE: usize = 1024 * 1024;
/// Responds when [`Watch::release`] is notified, after its request.
pub(crate) const HELD: &str = "/test.Test/Held";

/// The state of the service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// Bytes that the endless streams and the long responses have produced.
    pub(crate) produced: Arc<AtomicUsize>,
    /// Streams that exist.
    pub(crate) streams: Arc<AtomicUsize>,
    /// Calls to [`HELD`] whose request has come.
    pub(crate) held: Arc<AtomicUsize>,
    pub(crate) release: Arc<Notify>,
    /// Bytes of responses of [`LONG`] in memory.
    pub(crate) alive: Arc<AtomicUsize>,
    /// The maximum of these.
    pub(crate) most_alive: Arc<AtomicUsize>,
}

/// Bytes that are counted while they exist.
struct Counted {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(self.bytes.len(), Ordering::SeqCst);
    }
}

/// Counts a stream while it exists.
struct Living(Arc<AtomicUsize>);

impl Living {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Watch {
    fn routes(&self) -> Routes {
        let (endless, silent, held, long) = (self.clone(), self.clone(), self.clone(), self.clone());
        let paused = self.clone();
        let other: Router = Routes::default().into_axum_router();
        other
            .route(ENDLESS, post(move || endless.endless()))
            .route(SMALL, post(small))
            .route(PAUSED, post(move |request| paused.paused(request)))
            .route(SILENT, post(move || silent.silent()))
            .route(HELD, post(move |request| held.held(request)))
            .route(LONG, post(move |request| long.long(request)))
            .into()
    }

    /// An application with this service and the echo service.
    fn app(&self) -> App {
        App::new(self.routes().add_service(EchoServer))
            .methods(echo::methods())
            .max_message_size_of("test.Echo", echo::MAX_MESSAGE)
    }

    async fn endless(self) -> Response<Body> {
        let living = Living::new(&self.streams);
        let produced = self.produced;
        grpc(Body::from_stream(stream::repeat_with(move || {
            let _living = &living;
            produced.fetch_add(16 * 1024, Ordering::SeqCst);
            Ok::<_, Infallible>(Bytes::from(vec![0; 16 * 1024]))
        })))
    }

    async fn silent(self) -> Response<Body> {
        let living = Living::new(&self.streams);
        grpc(Body::from_stream(stream::once(async move {
            let _living = living;
            std::future::pending::<Result<Bytes, Infallible>>().await
        })))
    }

    async fn paused(self, request: Request<Body>) -> Response<Body> {
        let bytes = request.headers()["x-bytes"].to_str().unwrap().parse::<usize>().unwrap();
        read_whole(request).await;
        let living = Arc::new(Living::new(&self.streams));
        grpc(Body::from_stream(stream::iter(0..3).then(move |number| {
            let (release, _living) = (Arc::clone(&self.release), Arc::clone(&living));
            async move {
                if number > 0 {
                    release.notified().await;
                }
                Ok::<_, Infallible>(Bytes::from(vec![b'a' + number; bytes]))
            }
        })))
    }

    async fn long(self, request: Request<Body>) -> Response<Body> {
        read_whole(request).await;
        self.produced.fetch_add(LONG_RESPONSE, Ordering::SeqCst);
        let alive = self.alive.fetch_add(LONG_RESPONSE, Ordering::SeqCst) + LONG_RESPONSE;
        self.most_alive.fetch_max(alive, Ordering::SeqCst);
        let bytes = Counted { bytes: vec![0; LONG_RESPONSE], alive: self.alive };
        grpc(Body::from(Bytes::from_owner(bytes)))
    }

    async fn held(self, request: Request<Body>) -> Response<Body> {
        read_whole(request).await;
        self.held.fetch_add(1, Ordering::SeqCst);
        self.release.notified().await;
        grpc(Body::empty())
    }
}

async fn small() -> Response<Body> {
    let chunks = (0..SMALL_CHUNKS).map(|_| Ok::<_, Infallible>(Bytes::from_static(&[0; SMALL_CHUNK])));
    grpc(Body::from_stream(stream::iter(chunks)))
}

/// Reads a request to its end, as generated servers do before they call a unary handler. Its messages may be invalid.
async fn read_whole(request: Request<Body>) {
    request.into_body().collect().await.ok();
}

fn grpc(body: Body) -> Response<Body> {
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

/// A running server.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) watch: Watch,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(change: impl FnOnce(&mut ServeOptions)) -> Self {
        Self::start_app(change, |app| app).await
    }

    /// Also changes the application.
    pub(crate) async fn start_app(
        change: impl FnOnce(&mut ServeOptions),
        change_app: impl FnOnce(App) -> App,
    ) -> Self {
        let watch = Watch::default();
        let app = change_app(watch.app());
        Self::start_with((Ipv4Addr::LOCALHOST, 0).into(), change, app, watch).await
    }

    /// Starts at an address that has been in use.
    #[cfg(feature = "gateway")]
    pub(crate) async fn start_at(addr: SocketAddr) -> Self {
        let watch = Watch::default();
        Self::start_with(addr, |_| {}, watch.app(), watch).await
    }

    /// Serves `app`, which passes calls on.
    #[cfg(feature = "gateway")]
    pub(crate) async fn start_gateway(change: impl FnOnce(&mut ServeOptions), app: App) -> Self {
        Self::start_with((Ipv4Addr::LOCALHOST, 0).into(), change, app, Watch::default()).await
    }

    async fn start_with(
        addr: SocketAddr,
        change: impl FnOnce(&mut ServeOptions),
        app: App,
        watch: Watch,
    ) -> Self {
        let mut options = ServeOptions::default();
        change(&mut options);
        let listener = tonic_serve::listen(addr).unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            stopped.await.ok();
        };
        let task = tokio::spawn(tonic_serve::serve(listener, app, options, shutdown));
        Self { addr, watch, stop: Some(stop), task }
    }

    pub(crate) fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until `serve` has returned, and returns the duration.
    pub(crate) async fn stopped(mut self) -> Duration {
        self.begin_stop();
        let start = Instant::now();
        timeout(PATIENCE, self.task).await.expect("the server did not stop in time").unwrap().unwrap();
        start.elapsed()
    }
}

/// A connection with gRPC-Web over HTTP/1.1.
pub(crate) struct Http1(http1::SendRequest<Empty<Bytes>>);

impl Http1 {
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap()).await
    }

    pub(crate) async fn over(stream: TcpStream) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn call(&mut self, path: &str) -> Response<Incoming> {
        let request =
            Request::post(path).header("host", "test").header("content-type", "application/grpc-web");
        let response = self.0.send_request(request.body(Empty::new()).unwrap());
        timeout(PATIENCE, response).await.expect("no response in time").unwrap()
    }
}

/// A connection with gRPC over HTTP/2. Cloning shares the connection.
#[derive(Clone)]
pub(crate) struct Http2(http2::SendRequest<Empty<Bytes>>, Arc<JoinHandle<hyper::Result<()>>>);

impl Http2 {
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap(), 64 * 1024).await
    }

    /// `window`: bytes of each response that the server may send before some are read.
    pub(crate) async fn over(stream: TcpStream, window: u32) -> Self {
        // Sends window updates at once; otherwise the server would wait for a delayed acknowledgement.
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(window)
            .initial_connection_window_size(1024 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .unwrap();
        Self(sender, Arc::new(tokio::spawn(connection)))
    }

    /// Without a timeout, for calls that may never get a response.
    pub(crate) async fn send(&mut self, path: &str) -> hyper::Result<Response<Incoming>> {
        let request = Request::post(format!("http://test{path}")).header("content-type", "application/grpc");
        self.0.send_request(request.body(Empty::new()).unwrap()).await
    }

    pub(crate) async fn call(&mut self, path: &str) -> Response<Incoming> {
        timeout(PATIENCE, self.send(path)).await.expect("no response in time").unwrap()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.1.is_finished()
    }
}

/// A connection from 127.0.0.`host`, which is another address of this machine.
pub(crate) async fn connect_from(host: u8, addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into()).unwrap();
    socket.connect(addr).await.unwrap()
}

/// Reads until the other side closes, and returns the duration.
pub(crate) async fn closed(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection stays open");
    // A reset closes it, too.
    read.ok();
    start.elapsed()
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
