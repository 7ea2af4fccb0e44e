//! All four kinds of Greeter call over native gRPC.

use proto::helloworld::HelloRequest;
use proto::helloworld::greeter_client::GreeterClient;

use crate::support::TestServer;

#[tokio::test]
async fn a_name_is_greeted() {
    let server = TestServer::start().await;
    let mut greeter = GreeterClient::new(server.channel());

    let reply = greeter.say_hello(HelloRequest { name: "World".to_owned() }).await.unwrap();

    assert_eq!(reply.into_inner().message, "Hello, World!");
    server.shutdown().await;
}
