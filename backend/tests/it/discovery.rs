//! Health and reflection.

use futures_util::FutureExt as _;
use proto::health::v1::health_check_response::ServingStatus;
use proto::health::v1::health_client::HealthClient;
use proto::health::v1::{HealthCheckRequest, HealthListRequest};
use proto::helloworld::greeter_client::GreeterClient;
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use tonic_reflection::pb::v1alpha;

use crate::support::TestServer;

async fn reflect(server: &TestServer, request: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let mut client = ServerReflectionClient::new(server.channel());
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let answer: ServerReflectionResponse = answers.next().await.unwrap().unwrap();
    answer.message_response.unwrap()
}

#[tokio::test]
async fn server_and_services_report_serving() {
    let server = TestServer::start().await;
    let mut health = HealthClient::new(server.channel());

    for service in ["", "helloworld.Greeter", "chat.v1.ChatService"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service:?}");
    }
    let unknown = health.check(HealthCheckRequest { service: "unknown".to_owned() }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    server.shutdown().await;
}

#[tokio::test]
async fn health_lists_the_server_and_its_services() {
    let server = TestServer::start().await;
    let mut health = HealthClient::new(server.channel());

    let list = health.list(HealthListRequest {}).await.unwrap().into_inner().statuses;

    assert_eq!(list.len(), 3, "{list:?}");
    for service in ["", "helloworld.Greeter", "chat.v1.ChatService"] {
        assert_eq!(list[service].status(), ServingStatus::Serving, "{service:?}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn watch_of_an_unknown_service_stays_open() {
    let server = TestServer::start().await;
    let mut health = HealthClient::new(server.channel());
    let unknown = HealthCheckRequest { service: "unknown".to_owned() };

    let mut watch = health.watch(unknown).await.unwrap().into_inner();

    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    assert!(watch.next().now_or_never().is_none(), "the stream has ended");
    server.shutdown().await;
}

#[tokio::test]
async fn health_watch_reports_the_shutdown() {
    let server = TestServer::start().await;
    let mut health = HealthClient::new(server.channel());
    let watch = HealthCheckRequest { service: String::new() };
    let mut watch = health.watch(watch).await.unwrap().into_inner();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::Serving);

    let (next, ()) = tokio::join!(watch.next(), server.shutdown());

    assert_eq!(next.unwrap().unwrap().status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn reflection_lists_every_service() {
    let server = TestServer::start().await;

    let MessageResponse::ListServicesResponse(list) =
        reflect(&server, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list")
    };

    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in [
        "helloworld.Greeter",
        "chat.v1.ChatService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn reflection_describes_the_contracts() {
    let server = TestServer::start().await;
    for symbol in ["helloworld.Greeter.SayHello", "chat.v1.ChatService"] {
        let answer = reflect(&server, MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
        let MessageResponse::FileDescriptorResponse(files) = answer else { panic!("{symbol}: {answer:?}") };
        assert!(!files.file_descriptor_proto.is_empty());
    }
    server.shutdown().await;
}

#[tokio::test]
async fn reflection_has_the_comments_of_the_contracts() {
    let server = TestServer::start().await;

    let symbol = MessageRequest::FileContainingSymbol("helloworld.Greeter".to_owned());
    let MessageResponse::FileDescriptorResponse(files) = reflect(&server, symbol).await else {
        panic!("no files")
    };

    let text = files.file_descriptor_proto.concat();
    let comment = b"One greeting per name, as names arrive.";
    assert!(text.windows(comment.len()).any(|window| window == comment));
    server.shutdown().await;
}

#[tokio::test]
async fn reflection_v1alpha_is_answered() {
    let server = TestServer::start().await;
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
    };

    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel());
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();

    assert!(answers.next().await.unwrap().unwrap().message_response.is_some());
    server.shutdown().await;
}

#[tokio::test]
async fn unknown_service_is_unimplemented_with_its_path() {
    let server = TestServer::start().await;
    let mut channel = tonic::client::Grpc::new(server.channel());
    channel.ready().await.unwrap();
    let codec =
        tonic_prost::ProstCodec::<proto::helloworld::HelloRequest, proto::helloworld::HelloReply>::default();
    let path = "/unknown.Service/Method".parse().unwrap();

    let request = tonic::Request::new(proto::helloworld::HelloRequest::default());
    let status = channel.unary(request, path, codec).await.unwrap_err();

    assert_eq!(
        (status.code(), status.message()),
        (Code::Unimplemented, "unknown method /unknown.Service/Method")
    );
    // The connection is still usable.
    assert!(
        GreeterClient::new(server.channel())
            .say_hello(proto::helloworld::HelloRequest::default())
            .await
            .is_ok()
    );
    server.shutdown().await;
}
