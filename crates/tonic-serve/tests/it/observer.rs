//! The reports to an observer: calls with method and code, connections with protocol, bytes, and reached limits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_serve::{
    AllowedHosts, CallHead, CallSpan, CallTracer, EndedCall, KnownMethod, Limit, LimitOutcome, Observer,
    Protocol, ServeOptions,
};

use crate::echo::{SERVER_STREAM, UNARY, request};
use crate::socket;
use crate::support::{ENDLESS, Http1, Http2, PAUSED, SILENT, Server, eventually};
use crate::wire::{Way, call, send, send_over};

#[derive(Debug, Default)]
struct Recorder {
    begun: Mutex<Vec<Option<String>>>,
    ended: Mutex<Vec<(Option<String>, Code)>>,
    opened: Mutex<Vec<Protocol>>,
    closed: Mutex<Vec<Protocol>>,
    limits: Mutex<Vec<(Limit, LimitOutcome)>>,
    received: AtomicUsize,
    sent: AtomicUsize,
}

fn path(method: Option<KnownMethod<'_>>) -> Option<String> {
    method.map(|method| method.path.to_owned())
}

impl Observer for Recorder {
    fn call_began(&self, method: Option<KnownMethod<'_>>) {
        self.begun.lock().unwrap().push(path(method));
    }

    fn call_ended(&self, call: &EndedCall<'_>) {
        self.ended.lock().unwrap().push((path(call.method), call.code));
    }

    fn connection_opened(&self, protocol: Protocol) {
        self.opened.lock().unwrap().push(protocol);
    }

    fn connection_closed(&self, protocol: Protocol) {
        self.closed.lock().unwrap().push(protocol);
    }

    fn bytes_received(&self, bytes: usize) {
        self.received.fetch_add(bytes, Ordering::SeqCst);
    }

    fn bytes_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes, Ordering::SeqCst);
    }

    fn limit_reached(&self, limit: Limit, outcome: LimitOutcome) {
        self.limits.lock().unwrap().push((limit, outcome));
    }
}

impl Recorder {
    fn ended(&self) -> Vec<(Option<String>, Code)> {
        self.ended.lock().unwrap().clone()
    }
}

async fn start(change: impl FnOnce(&mut ServeOptions)) -> (Server, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let observer = Arc::clone(&recorder);
    let server = Server::start_app(
        |options| {
            options.observer = Some(observer);
            change(options);
        },
        |app| app.allowed_hosts(AllowedHosts::new(["test".parse().unwrap()])),
    )
    .await;
    (server, recorder)
}

#[tokio::test]
async fn calls_end_once_with_method_and_code_in_every_format() {
    let (server, recorder) = start(|_| {}).await;
    for way in Way::ALL {
        recorder.ended.lock().unwrap().clear();
        recorder.begun.lock().unwrap().clear();
        for (path, frames) in [
            (UNARY, request(&["a"])),
            (SERVER_STREAM, request(&["a"])),
            (UNARY, request(&["panic"])),
            (UNARY, request(&["a", "b"])),
            ("/evil.Service/Method", request(&["a"])),
            ("/evil.Service/Other", request(&["a"])),
        ] {
            send(server.addr, way, call(way, path, &frames)).await;
        }
        let mut late = call(way, UNARY, &request(&["wait"]));
        late.headers_mut().insert("grpc-timeout", "50m".parse().unwrap());
        send(server.addr, way, late).await;
        let mut odd = call(way, UNARY, &request(&["a"]));
        odd.headers_mut().insert("grpc-timeout", "soon".parse().unwrap());
        send(server.addr, way, odd).await;

        let (unary, stream) = (Some(UNARY.to_owned()), Some(SERVER_STREAM.to_owned()));
        let expected = [
            (unary.clone(), Code::Ok),
            (stream, Code::Ok),
            (unary.clone(), Code::Internal),
            (unary.clone(), Code::Unimplemented),
            // A method that nobody declared has no name: clients could make up any number of them.
            (None, Code::Unimplemented),
            (None, Code::Unimplemented),
            (unary.clone(), Code::DeadlineExceeded),
            (unary, Code::InvalidArgument),
        ];
        assert_eq!(recorder.ended(), expected, "{way:?}");
        let begun = recorder.begun.lock().unwrap().clone();
        assert_eq!(begun, expected.map(|(path, _)| path), "{way:?}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn call_of_a_client_that_leaves_ends_as_cancelled() {
    let (server, recorder) = start(|_| {}).await;
    let mut client = Http2::open(server.addr).await;
    let body = client.call(SILENT).await.into_body();
    assert_eq!(recorder.ended(), []);

    drop(body);
    drop(client);

    eventually("the call ends", || recorder.ended() == [(None, Code::Cancelled)]).await;
    server.stopped().await;
}

#[tokio::test]
async fn refused_calls_are_counted_with_their_code() {
    let (server, recorder) = start(|_| {}).await;
    let mut foreign = call(Way::Web, UNARY, &request(&["a"]));
    foreign.headers_mut().insert("host", "evil.example".parse().unwrap());
    send(server.addr, Way::Web, foreign).await;
    assert_eq!(recorder.ended(), [(Some(UNARY.to_owned()), Code::PermissionDenied)]);
    server.stopped().await;

    let (server, recorder) = start(|options| options.max_calls = 1).await;
    let mut client = Http2::open(server.addr).await;
    let silent = client.call(SILENT).await;

    let refused = send(server.addr, Way::Native, call(Way::Native, UNARY, &request(&["a"]))).await;

    assert_eq!(refused.code(), "8");
    assert_eq!(recorder.ended().last(), Some(&(Some(UNARY.to_owned()), Code::ResourceExhausted)));
    assert_eq!(recorder.limits.lock().unwrap().clone(), [(Limit::Calls, LimitOutcome::Refused)]);
    drop(silent);
    server.stopped().await;
}

#[tokio::test]
async fn connections_are_told_by_protocol_and_bytes_once() {
    let (server, recorder) = start(|_| {}).await;
    let mut web = Http1::open(server.addr).await;
    drop(web.call(UNARY).await.into_body().collect().await.unwrap());
    let mut native = Http2::open(server.addr).await;
    drop(native.call(UNARY).await.into_body().collect().await.unwrap());
    let (received, sent) = (recorder.received.load(Ordering::SeqCst), recorder.sent.load(Ordering::SeqCst));
    assert!(received > 100 && sent > 100, "{received} {sent}");
    assert_eq!(recorder.opened.lock().unwrap().clone(), [Protocol::Http1, Protocol::Http2]);
    assert_eq!(recorder.closed.lock().unwrap().clone(), []);
    drop((web, native));
    eventually("both close", || recorder.closed.lock().unwrap().len() == 2).await;
    recorder.opened.lock().unwrap().clear();
    recorder.closed.lock().unwrap().clear();

    let (stream, _) = socket::bytes(socket::open(server.addr, &[]).await);
    let message = "a".repeat(900);
    let before = recorder.received.load(Ordering::SeqCst);
    let answer = send_over(stream, Way::Native, call(Way::Native, UNARY, &request(&[&message]))).await;

    assert_eq!(answer.messages, [message]);
    // The bytes of a socket are those of its connection, not both.
    let received = recorder.received.load(Ordering::SeqCst) - before;
    assert!((900..1800).contains(&received), "{received}");
    let opened = recorder.opened.lock().unwrap().clone();
    assert_eq!(opened, [Protocol::Http1, Protocol::WebSocket]);
    assert_eq!(recorder.closed.lock().unwrap().first(), Some(&Protocol::Http1));
    server.stopped().await;
    eventually("the socket closes", || recorder.closed.lock().unwrap().len() == 2).await;
}

/// The heads and the ends of calls, as a tracer hears them.
#[derive(Clone, Debug, Default)]
struct Trace(Arc<Mutex<Vec<String>>>);

impl CallTracer for Trace {
    fn begin(&self, head: &CallHead<'_>) -> Box<dyn CallSpan> {
        let parent = head.headers.get("traceparent").map_or("", |value| value.to_str().unwrap());
        let line = format!("{:?} at {:?} of {parent:?}", path(head.method), head.host);
        self.0.lock().unwrap().push(line);
        Box::new(self.clone())
    }
}

impl CallSpan for Trace {
    fn end(&mut self, code: Code) {
        self.0.lock().unwrap().push(code.to_string());
    }
}

#[tokio::test]
async fn tracer_hears_the_head_and_the_code_of_each_call() {
    let trace = Trace::default();
    let tracer = Arc::new(trace.clone());
    let server = Server::start(|options| *options = std::mem::take(options).tracer(tracer)).await;
    for way in Way::ALL {
        let mut traced = call(way, UNARY, &request(&["a"]));
        traced.headers_mut().insert("traceparent", "00-01-02-01".parse().unwrap());
        assert_eq!(send(server.addr, way, traced).await.code(), "0", "{way:?}");
        send(server.addr, way, call(way, "/test.Echo/Unknown", &request(&["a"]))).await;

        let heard = std::mem::take(&mut *trace.0.lock().unwrap());
        let expected = [
            "Some(\"/test.Echo/Unary\") at Some(\"test\") of \"00-01-02-01\"".to_owned(),
            Code::Ok.to_string(),
            "None at Some(\"test\") of \"\"".to_owned(),
            Code::Unimplemented.to_string(),
        ];
        assert_eq!(heard, expected, "{way:?}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn message_after_a_pause_is_charged_until_the_client_takes_it() {
    const MESSAGE: usize = 8 * 1024 * 1024;
    const LIMIT: usize = 1024 * 1024;
    let (server, recorder) = start(|options| options.max_buffered_bytes_per_address = LIMIT).await;
    let mut paused = TcpStream::connect(server.addr).await.unwrap();
    let call = format!(
        "POST {PAUSED} HTTP/1.1\r\nhost: test\r\ncontent-type: application/grpc-web\r\nx-bytes: {MESSAGE}\r\n\
         content-length: 0\r\n\r\n"
    );
    paused.write_all(call.as_bytes()).await.unwrap();
    let mut first = vec![0; MESSAGE];
    paused.read_exact(&mut first).await.unwrap();
    // The second message is more than the socket takes at once.
    server.watch.release.notify_one();
    let waited = || {
        let limits = recorder.limits.lock().unwrap();
        limits.contains(&(Limit::BufferedBytesPerAddress, LimitOutcome::Waited))
    };
    // Other calls from this address wait for room then.
    let mut other = Http2::over(TcpStream::connect(server.addr).await.unwrap(), 65_535).await;
    let mut body = other.call(ENDLESS).await.into_body();
    let reading = tokio::spawn(async move { while body.frame().await.is_some() {} });
    eventually("the other call waits", waited).await;
    reading.abort();
}
