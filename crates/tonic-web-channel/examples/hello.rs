//! A generated client on a channel: one unary call, then a stream that reconnects.
//!
//! Start a server (`cargo run -p backend`), then `cargo run -p tonic-web-channel --example hello`. In a page the same code
//! runs under `wasm_bindgen_futures::spawn_local`.

use std::time::Duration;

use futures_util::StreamExt as _;
use proto::helloworld::HelloRequest;
use proto::helloworld::greeter_client::GreeterClient;
use tonic::Request;
use tonic_web_channel::{Channel, RequestExt as _, State, Subscription, SubscriptionOptions, Update};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example shows what it gets")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let channel = Channel::builder("http://127.0.0.1:50051").deadline(Duration::from_secs(5)).build()?;

    let mut client = GreeterClient::new(channel);
    let reply = client.say_hello(HelloRequest { name: "World".to_owned() }).await?;
    println!("{}", reply.into_inner().message);

    let (mut updates, _handle) =
        Subscription::new(SubscriptionOptions::new(), client, |mut client| async move {
            let mut request = Request::new(HelloRequest { name: "World".to_owned() });
            request.no_deadline();
            client.say_hello_stream_reply(request).await
        });
    // Dropping the subscription after ten updates cancels the call.
    for _ in 0..10 {
        match updates.next().await {
            Some(Update::Message(reply)) => println!("{}", reply.message),
            Some(Update::State(State::TransientFailure { next, status, .. })) => match next.left() {
                Some(left) => println!("lost ({}), next attempt in {left:?}", status.message()),
                None => println!("lost ({}), waiting for the network", status.message()),
            },
            Some(Update::State(state)) => println!("{state:?}"),
            None => break,
        }
    }
    Ok(())
}
