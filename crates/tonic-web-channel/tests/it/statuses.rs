//! Statuses that servers and proxies write in unusual ways, over HTTP/2 and over gRPC-Web.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_web_channel::{Builder, Channel, Error, InProcess, Method, MethodKind, RetryPolicy};

/// A response without messages.
#[derive(Clone, Default)]
struct Answer {
    headers: HeaderMap,
    trailers: HeaderMap,
}

impl Answer {
    fn header(mut self, name: &'static str, value: &[u8]) -> Self {
        self.headers.insert(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    fn trailer(mut self, name: &'static str, value: &[u8]) -> Self {
        self.trailers.insert(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    fn head(&self) -> Response<()> {
        let mut head = Response::new(());
        *head.headers_mut() = self.headers.clone();
        head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        head
    }
}

/// The status of a unary call over HTTP/2 and over gRPC-Web.
async fn statuses(answer: Answer) -> Vec<Status> {
    let mut statuses = Vec::new();
    for builder in [over_http_2(answer.clone()).await, over_grpc_web(&answer)] {
        let check = Method::new("/grpc.health.v1.Health/Check", MethodKind::Unary);
        let request = HealthCheckRequest { service: "any".to_owned() };
        let channel = builder.retry(RetryPolicy::never()).methods([check]).build().unwrap();
        statuses.push(HealthClient::new(channel).check(request).await.unwrap_err());
    }
    statuses
}

async fn over_http_2(answer: Answer) -> Builder {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(client).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut body = respond.send_response(answer.head(), false).unwrap();
            body.send_trailers(answer.trailers.clone()).unwrap();
        }
    });
    Channel::builder(uri)
}

fn over_grpc_web(answer: &Answer) -> Builder {
    let answer = answer.clone();
    let service = tower::service_fn(move |_: Request<Body>| {
        let trailers = Frame::<Bytes>::trailers(answer.trailers.clone());
        let frames = futures_util::stream::iter([Ok::<_, Infallible>(trailers)]);
        let response = answer.head().map(|()| StreamBody::new(frames));
        async move { Ok::<_, Infallible>(response) }
    });
    Channel::builder("http://in.process").transport(InProcess::new(service))
}

#[tokio::test]
async fn a_status_in_the_headers_counts_when_the_trailers_have_none() {
    let answer = Answer::default().header("grpc-status", b"7").header("grpc-message", b"members only");
    for status in statuses(answer.clone()).await {
        assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "members only"));
        assert_eq!(Error::of(&status), None, "it is the server's");
    }
    for status in statuses(answer.trailer("x-room", b"general")).await {
        assert_eq!(status.code(), Code::PermissionDenied);
        assert_eq!(status.metadata().get("x-room").unwrap(), "general");
    }
}

#[tokio::test]
async fn a_message_that_is_not_utf_8_keeps_its_code() {
    for message in [&b"caf%E9"[..], b"caf\xe9"] {
        let in_trailers = Answer::default().trailer("grpc-status", b"5").trailer("grpc-message", message);
        let in_headers = Answer::default().header("grpc-status", b"5").header("grpc-message", message);
        for status in [statuses(in_trailers).await, statuses(in_headers).await].concat() {
            assert_eq!((status.code(), status.message()), (Code::NotFound, "caf\u{fffd}"));
        }
    }
}
