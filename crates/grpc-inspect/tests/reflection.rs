//! Tests of reflection: against tonic's server of both versions, and against one that answers as it is told to.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use grpc_inspect::codec::BytesCodec;
use grpc_inspect::decode::to_json;
use grpc_inspect::encode::from_json;
use grpc_inspect::json::JsonOptions;
use grpc_inspect::pool::PoolErrorKind;
use grpc_inspect::reflection::{ReflectionError, ReflectionVersion, fetch, fetch_symbol};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, ServiceDescriptorProto};
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, HeaderValue, Request, Response, uri::PathAndQuery};
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse,
};
use tonic_reflection::server::Builder;

fn builder() -> Builder<'static> {
    Builder::configure().register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
}

fn no_metadata() -> MetadataMap {
    MetadataMap::new()
}

#[tokio::test]
async fn all_services_of_a_server_of_version_1_are_fetched() {
    let server = Routes::new(builder().build_v1().unwrap());
    let reflection = fetch(server, &no_metadata()).await.unwrap();
    assert_eq!(reflection.version, ReflectionVersion::V1);
    let mut services = reflection.services.clone();
    services.sort();
    assert_eq!(
        services,
        ["chat.v1.ChatService", "grpc.reflection.v1.ServerReflection", "helloworld.Greeter"]
    );
    assert!(reflection.refused.is_empty(), "{:?}", reflection.refused);
    for service in &services {
        assert!(reflection.pool.service(service).unwrap().methods().len() > 0);
    }
}

#[tokio::test]
async fn a_server_of_version_1alpha_alone_is_asked_in_its_version() {
    let server = Routes::new(builder().build_v1alpha().unwrap());
    let reflection = fetch(server, &no_metadata()).await.unwrap();
    assert_eq!(reflection.version, ReflectionVersion::V1Alpha);
    assert!(reflection.pool.method("/chat.v1.ChatService/Join").is_some());
}

#[tokio::test]
async fn a_call_that_ends_with_not_found_is_a_refusal() {
    let server = builder().with_service_name("p.Nothing").with_service_name("helloworld.Greeter");
    let reflection = fetch(Routes::new(server.build_v1().unwrap()), &no_metadata()).await.unwrap();
    assert_eq!(reflection.refused["p.Nothing"], "symbol 'p.Nothing' not found");
    assert!(reflection.pool.service("helloworld.Greeter").is_some());
}

#[tokio::test]
async fn a_server_without_reflection_is_told_apart() {
    let error = fetch(Routes::default(), &no_metadata()).await.unwrap_err();
    assert!(matches!(error, ReflectionError::Unsupported(_)), "{error:?}");
}

#[tokio::test]
async fn a_method_is_called_without_generated_code() {
    let server = Routes::new(builder().build_v1().unwrap());
    let reflection = fetch(server.clone(), &no_metadata()).await.unwrap();
    let method = reflection.pool.method("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo").unwrap();
    let request = from_json(method.request(), r#"{"fileByFilename":"helloworld.proto"}"#).unwrap();

    let mut grpc = tonic::client::Grpc::new(server);
    grpc.ready().await.unwrap();
    let path = PathAndQuery::try_from(method.path()).unwrap();
    let requests = tonic::codegen::tokio_stream::once(Bytes::from(request));
    let response = grpc.streaming(tonic::Request::new(requests), path, BytesCodec).await.unwrap();
    let message = response.into_inner().message().await.unwrap().unwrap();

    let json = to_json(method.response(), &message, &JsonOptions::compact()).json;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["originalRequest"]["fileByFilename"], "helloworld.proto");
    assert_eq!(json["fileDescriptorResponse"]["fileDescriptorProto"].as_array().unwrap().len(), 1, "{json}");
}

/// The requests to a scripted server, in order, with the metadata `x-key`.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A server of version 1 that answers each request by a function; none is a response without a message.
#[derive(Clone)]
struct Scripted {
    answer: fn(&MessageRequest) -> Option<MessageResponse>,
    asked: Asked,
}

impl Scripted {
    fn new(answer: fn(&MessageRequest) -> Option<MessageResponse>) -> Scripted {
        Scripted { answer, asked: Asked::default() }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(name, _)| name.clone()).collect()
    }
}

impl tower::Service<Request<Body>> for Scripted {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Scripted { answer, asked } = self.clone();
        Box::pin(async move {
            let key = request.headers().get("x-key").map(|value| value.to_str().unwrap().to_owned());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let request = ServerReflectionRequest::decode(&body[5..]).unwrap().message_request.unwrap();
            let name = match &request {
                MessageRequest::FileByFilename(name) | MessageRequest::FileContainingSymbol(name) => {
                    name.clone()
                }
                _ => "services".to_owned(),
            };
            asked.lock().unwrap().push((name, key));
            let message = answer(&request).map(|response| {
                let message =
                    ServerReflectionResponse { message_response: Some(response), ..Default::default() };
                message.encode_to_vec()
            });
            let framed = message
                .map(|message| [&[0], (message.len() as u32).to_be_bytes().as_slice(), &message].concat());
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let body = Full::new(Bytes::from(framed.unwrap_or_default()))
                .with_trailers(async move { Some(Ok::<_, Infallible>(trailers)) });
            let response = Response::builder().header("content-type", "application/grpc");
            Ok(response.body(Body::new(body)).unwrap())
        })
    }
}

fn services(names: &[&str]) -> Option<MessageResponse> {
    let service = names.iter().map(|name| ServiceResponse { name: (*name).to_owned() }).collect();
    Some(MessageResponse::ListServicesResponse(ListServiceResponse { service }))
}

fn files(files: &[FileDescriptorProto]) -> Option<MessageResponse> {
    let file_descriptor_proto = files.iter().map(|file| file.encode_to_vec()).collect();
    Some(MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto }))
}

fn error(words: &str) -> Option<MessageResponse> {
    let error = ErrorResponse { error_code: 5, error_message: words.to_owned() };
    Some(MessageResponse::ErrorResponse(error))
}

/// A file with a service or a message of its name, and imports.
fn file(name: &str, imports: &[&str]) -> FileDescriptorProto {
    let is_service = name.starts_with('S');
    let message = DescriptorProto { name: Some(name.to_owned()), ..Default::default() };
    let service = ServiceDescriptorProto { name: Some(name.to_owned()), ..Default::default() };
    FileDescriptorProto {
        name: Some(format!("{name}.proto")),
        dependency: imports.iter().map(|name| format!("{name}.proto")).collect(),
        service: if is_service { vec![service] } else { vec![] },
        message_type: if is_service { vec![] } else { vec![message] },
        ..Default::default()
    }
}

#[tokio::test]
async fn each_file_is_asked_for_once_and_metadata_goes_with_each_call() {
    let server = Scripted::new(|request| match request {
        MessageRequest::ListServices(_) => services(&["S1", "S2"]),
        MessageRequest::FileContainingSymbol(name) => files(&[file(name, &["A", "B"])]),
        MessageRequest::FileByFilename(name) if name == "A.proto" => files(&[file("A", &["B", "C"])]),
        MessageRequest::FileByFilename(name) => files(&[file(name.trim_end_matches(".proto"), &[])]),
        _ => None,
    });
    let mut metadata = no_metadata();
    metadata.insert("x-key", "secret".parse().unwrap());
    let reflection = fetch(server.clone(), &metadata).await.unwrap();
    let mut asked = server.asked();
    assert_eq!(asked[0], "services");
    asked.sort();
    assert_eq!(asked, ["A.proto", "B.proto", "C.proto", "S1", "S2", "services"]);
    assert!(server.asked.lock().unwrap().iter().all(|(_, key)| key.as_deref() == Some("secret")));
    assert_eq!(reflection.pool.files().count(), 5);
}

#[tokio::test]
async fn a_response_with_files_of_several_services_saves_calls() {
    let server = Scripted::new(|request| match request {
        MessageRequest::ListServices(_) => services(&["S1", "S2", "S3", "S4", "S5", "S6"]),
        _ => files(&[1, 2, 3, 4, 5, 6].map(|number| file(&format!("S{number}"), &[]))),
    });
    let reflection = fetch(server.clone(), &no_metadata()).await.unwrap();
    assert_eq!(server.asked(), ["services", "S1", "S2", "S3", "S4"]);
    assert_eq!(reflection.pool.services().count(), 6);
}

#[tokio::test]
async fn a_service_that_is_not_described_and_a_file_that_is_not_needed_are_told() {
    let server = Scripted::new(|request| match request {
        MessageRequest::ListServices(_) => services(&["S1", "S2"]),
        MessageRequest::FileContainingSymbol(name) if name == "S1" => files(&[file("S1", &["A"])]),
        _ => error("not here"),
    });
    let reflection = fetch(server, &no_metadata()).await.unwrap();
    assert!(reflection.pool.service("S1").is_some() && reflection.pool.service("S2").is_none());
    let refused: Vec<_> =
        reflection.refused.iter().map(|(name, words)| (name.as_str(), words.as_str())).collect();
    assert_eq!(refused, [("A.proto", "not here"), ("S2", "not here")]);
}

#[tokio::test]
async fn a_file_that_is_needed_and_missing_is_an_error_that_names_it() {
    let server = Scripted::new(|request| match request {
        MessageRequest::ListServices(_) => services(&["S1"]),
        MessageRequest::FileContainingSymbol(_) => {
            let mut needing = file("S1", &["A"]);
            let field = FieldDescriptorProto {
                name: Some("a".to_owned()),
                number: Some(1),
                type_name: Some(".A".to_owned()),
                ..Default::default()
            };
            needing.message_type = vec![DescriptorProto {
                name: Some("M".to_owned()),
                field: vec![field],
                ..Default::default()
            }];
            files(&[needing])
        }
        _ => error("not here"),
    });
    let error = fetch(server, &no_metadata()).await.unwrap_err();
    let ReflectionError::Descriptors(error) = error else { panic!("{error:?}") };
    assert_eq!((error.file.as_str(), error.element.as_str()), ("S1.proto", "M.a"));
    let missing = vec!["A.proto".to_owned()];
    assert_eq!(error.kind, PoolErrorKind::UnknownType { name: "A".to_owned(), missing });
}

#[tokio::test]
async fn a_server_that_answers_something_else_ends_in_an_error() {
    let other_file = Scripted::new(|request| match request {
        MessageRequest::ListServices(_) => services(&["S1"]),
        MessageRequest::FileContainingSymbol(_) => files(&[file("S1", &["A"])]),
        _ => files(&[file("B", &[])]),
    });
    let reflection = fetch(other_file.clone(), &no_metadata()).await.unwrap();
    assert_eq!(reflection.refused["A.proto"], "the response has other files");
    assert_eq!(other_file.asked(), ["services", "S1", "A.proto"], "it is not asked again");

    let nothing = fetch(Scripted::new(|_| None), &no_metadata()).await.unwrap_err();
    assert!(matches!(nothing, ReflectionError::InvalidResponse { .. }), "{nothing:?}");
    let list = fetch(Scripted::new(|_| services(&["S1"])), &no_metadata()).await.unwrap_err();
    assert!(matches!(&list, ReflectionError::InvalidResponse { request } if request == "S1"), "{list:?}");
    let refused = fetch(Scripted::new(|_| error("no")), &no_metadata()).await.unwrap_err();
    assert!(matches!(&refused, ReflectionError::Refused { message, .. } if message == "no"), "{refused:?}");
}

#[tokio::test]
async fn files_without_an_end_are_too_many() {
    let server = Scripted::new(|request| match request {
        MessageRequest::ListServices(_) => services(&["S1"]),
        MessageRequest::FileContainingSymbol(_) => files(&[file("S1", &["1"])]),
        MessageRequest::FileByFilename(name) => {
            let number: u64 = name.trim_end_matches(".proto").parse().unwrap();
            files(&[file(&number.to_string(), &[&(number + 1).to_string()])])
        }
        _ => None,
    });
    let error = fetch(server, &no_metadata()).await.unwrap_err();
    assert!(matches!(error, ReflectionError::TooLarge), "{error:?}");
}

#[tokio::test]
async fn a_symbol_that_no_service_names_is_fetched_later() {
    let server = Scripted::new(|request| match request {
        MessageRequest::ListServices(_) => services(&["S1"]),
        MessageRequest::FileContainingSymbol(name) if name == "X" => error("what is X"),
        MessageRequest::FileContainingSymbol(name) => files(&[file(name, &["B"])]),
        MessageRequest::FileByFilename(_) => files(&[file("B", &[])]),
        _ => None,
    });
    let mut reflection = fetch(server.clone(), &no_metadata()).await.unwrap();
    let version = reflection.version;
    fetch_symbol(server.clone(), &no_metadata(), version, "A", &mut reflection.files).await.unwrap();
    assert!(reflection.files.build().unwrap().message("A").is_some());
    let error = fetch_symbol(server, &no_metadata(), version, "X", &mut reflection.files).await.unwrap_err();
    assert_eq!(error.to_string(), "the server does not describe \"X\": what is X");
    assert!(reflection.files.has_file("A.proto"), "the files stay");
}
