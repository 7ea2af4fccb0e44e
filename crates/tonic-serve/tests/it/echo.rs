//! A service with methods of all four kinds, made of tonic's parts as generated code is, and its messages.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use grpc_wire::content_type::WireFormat;
use grpc_wire::message;
use grpc_wire::reader::{Piece, Reader, Rules};
use grpc_wire::web::trailers;
use http::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::server::{
    ClientStreamingService, Grpc, NamedService, ServerStreamingService, StreamingService, UnaryService,
};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tonic_serve::{ClientAddress, Methods, TrailingMetadata};
use tower::Service;

/// Responds with its request, or as [`answer`] says.
pub(crate) const UNARY: &str = "/test.Echo/Unary";
/// Responds three times.
pub(crate) const SERVER_STREAM: &str = "/test.Echo/ServerStream";
/// Responds with all messages in one.
pub(crate) const CLIENT_STREAM: &str = "/test.Echo/ClientStream";
/// Responds to each message as it comes.
pub(crate) const BIDI: &str = "/test.Echo/Bidi";

/// Largest message of the service, in bytes.
pub(crate) const MAX_MESSAGE: usize = 1000;

/// Key of the trailing metadata of a success.
pub(crate) const TRAILER: &str = "x-after";

/// The methods above, without those of the other test service.
pub(crate) fn methods() -> Methods {
    let method = |name: &str, client_streaming, server_streaming| MethodDescriptorProto {
        name: Some(name.to_owned()),
        client_streaming: Some(client_streaming),
        server_streaming: Some(server_streaming),
        ..Default::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Echo".to_owned()),
        method: vec![
            method("Unary", false, false),
            method("ServerStream", false, true),
            method("ClientStream", true, false),
            method("Bidi", true, true),
        ],
        ..Default::default()
    };
    let file = FileDescriptorProto {
        package: Some("test".to_owned()),
        service: vec![service],
        ..Default::default()
    };
    Methods::from_descriptors(&FileDescriptorSet { file: vec![file] }.encode_to_vec()).unwrap()
}

type Answers = BoxStream<'static, Result<String, Status>>;

/// The response to a message, some of which are commands.
async fn answer(request: &Request<String>) -> Result<String, Status> {
    match request.get_ref().as_str() {
        "wait" => std::future::pending().await,
        "panic" => {
            // Earlier messages are sent by then.
            tokio::task::yield_now().await;
            panic!("in a handler, on purpose")
        }
        "caller" => {
            let certificates = request.peer_certs().map_or(0, |certificates| certificates.len());
            Ok(format!("{} {certificates}", request.remote_addr().unwrap()))
        }
        "client" => Ok(request.extensions().get::<ClientAddress>().unwrap().0.to_string()),
        "headers" => {
            let value = |name| request.metadata().get(name).map_or("-", |value| value.to_str().unwrap());
            Ok(["cookie", "origin", "sec-fetch-site", "x-forwarded-for", "x-real-ip"].map(value).join(" "))
        }
        "binary" => {
            let values = request.metadata().get_all_bin("x-data-bin").iter();
            Ok(values
                .map(|value| format!("{:?}", &value.to_bytes().unwrap()[..]))
                .collect::<Vec<_>>()
                .join(" "))
        }
        text => Ok(text.to_owned()),
    }
}

fn with_metadata<T>(message: T) -> Response<T> {
    let mut metadata = MetadataMap::new();
    metadata.append(TRAILER, "one".parse().unwrap());
    metadata.append(TRAILER, "two".parse().unwrap());
    metadata.append("grpc-status", "13".parse().unwrap());
    let mut response = Response::new(message);
    response.metadata_mut().insert("x-before", "head".parse().unwrap());
    response.metadata_mut().insert("set-cookie", "a=b".parse().unwrap());
    response.extensions_mut().insert(TrailingMetadata(metadata));
    response
}

#[derive(Clone, Copy)]
struct Handler;

impl UnaryService<String> for Handler {
    type Response = String;
    type Future = BoxFuture<'static, Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        Box::pin(async move { answer(&request).await.map(with_metadata) })
    }
}

impl ServerStreamingService<String> for Handler {
    type Response = String;
    type ResponseStream = Answers;
    type Future = Ready<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let request = std::sync::Arc::new(request);
        let answers = stream::iter(0..3).then(move |number| {
            let request = std::sync::Arc::clone(&request);
            async move {
                // The first response always comes.
                if number == 0 { Ok("first".to_owned()) } else { answer(&request).await }
            }
        });
        ready(Ok(Response::new(answers.boxed())))
    }
}

impl ClientStreamingService<String> for Handler {
    type Response = String;
    type Future = BoxFuture<'static, Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        Box::pin(async move {
            let mut messages = request.into_inner();
            let mut all = String::new();
            while let Some(message) = messages.message().await? {
                all.push_str(&message);
            }
            Ok(with_metadata(all))
        })
    }
}

impl StreamingService<String> for Handler {
    type Response = String;
    type ResponseStream = Answers;
    type Future = Ready<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner().boxed())))
    }
}

/// The service, like a generated server.
#[derive(Clone, Copy)]
pub(crate) struct EchoServer;

impl NamedService for EchoServer {
    const NAME: &'static str = "test.Echo";
}

impl Service<HttpRequest<Body>> for EchoServer {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let mut grpc = Grpc::new(ProstCodec::<String, String>::default())
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(MAX_MESSAGE);
        Box::pin(async move {
            Ok(match request.uri().path() {
                UNARY => grpc.unary(Handler, request).await,
                SERVER_STREAM => grpc.server_streaming(Handler, request).await,
                CLIENT_STREAM => grpc.client_streaming(Handler, request).await,
                BIDI => grpc.streaming(Handler, request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// A message with this text.
pub(crate) fn encoded(text: &str) -> Vec<u8> {
    text.to_owned().encode_to_vec()
}

/// A request with these messages.
pub(crate) fn request(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| message::encode(0, &encoded(text))).collect()
}

/// The messages of a response, and the trailers in a gRPC-Web body.
pub(crate) fn parse(body: &[u8]) -> (Vec<String>, HeaderMap) {
    let mut reader = Reader::new(WireFormat::GrpcWeb, Rules::UNLIMITED);
    reader.feed(Bytes::copy_from_slice(body));
    let (mut messages, mut trailers) = (BytesMut::new(), HeaderMap::new());
    while let Some(piece) = reader.next(&mut |_| {}).unwrap() {
        match piece {
            Piece::Messages(bytes) | Piece::Compressed(bytes) => messages.extend_from_slice(&bytes),
            Piece::Trailers { block, .. } => trailers = trailers::parse(&block).unwrap(),
        }
    }
    let mut texts = Vec::new();
    while let Some((_, payload)) = message::split_first(&mut messages) {
        texts.push(String::decode(payload).unwrap());
    }
    assert!(messages.is_empty(), "the response ends inside a message");
    (texts, trailers)
}
