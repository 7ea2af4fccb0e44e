//! The client of another project in our sockets: `grpc-webnext-client`, without a browser.

use std::future::ready;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use grpc_webnext_client::{CallOptions, Client, Code, ConnectOptions, Transport, TransportError};
use tokio::task::LocalSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::echo::{self, BIDI, CLIENT_STREAM, SERVER_STREAM, UNARY};
use crate::socket::open;
use crate::support::{PATIENCE, Server};

/// A client of one socket. Its bytes are moved by a task of the local set.
async fn client(server: &Server) -> Client {
    let (sink, stream) = open(server.addr, &[]).await.split();
    let payloads = stream.filter_map(|message| {
        ready(match message {
            Ok(Message::Binary(payload)) => Some(payload.to_vec()),
            _ => None,
        })
    });
    let sink = sink
        .sink_map_err(|error| TransportError(error.to_string()))
        .with(|payload: Vec<u8>| ready(Ok::<_, TransportError>(Message::Binary(Bytes::from(payload)))));
    let transport = Transport::new(Box::pin(payloads), Box::pin(sink));
    let (client, driver) = Client::over_transport(transport, "test", ConnectOptions::default());
    tokio::task::spawn_local(driver);
    client
}

/// Runs a test on the client's one thread.
async fn locally(test: impl Future<Output = ()>) {
    timeout(PATIENCE, LocalSet::new().run_until(test)).await.expect("the calls do not end in time");
}

#[tokio::test]
async fn all_four_kinds_of_calls_of_grpc_webnext_work() {
    let server = Server::start(|_| {}).await;
    locally(async {
        let client = client(&server).await;
        let unary = client.unary(UNARY, echo::encoded("a"), CallOptions::new()).await.unwrap();
        assert_eq!(unary.message, echo::encoded("a"));

        let mut down =
            client.server_streaming(SERVER_STREAM, echo::encoded("a"), CallOptions::new()).await.unwrap();
        for expected in ["first", "a", "a"] {
            assert_eq!(down.message().await.unwrap(), Some(echo::encoded(expected)));
        }
        assert_eq!(down.finish().await.code, Code::Ok);

        let texts = || stream::iter(["a", "b", "c"].map(echo::encoded));
        let up = client.client_streaming(CLIENT_STREAM, texts(), CallOptions::new()).await.unwrap();
        assert_eq!(up.message, echo::encoded("abc"));

        let mut both = client.bidi_streaming(BIDI, texts(), CallOptions::new()).await.unwrap();
        for expected in ["a", "b", "c"] {
            assert_eq!(both.message().await.unwrap(), Some(echo::encoded(expected)));
        }
        assert_eq!(both.finish().await.code, Code::Ok);
    })
    .await;
}

#[tokio::test]
async fn grpc_webnext_gets_the_status_of_a_refused_call() {
    let server = Server::start(|_| {}).await;
    locally(async {
        let client = client(&server).await;
        let long = echo::encoded(&"x".repeat(echo::MAX_MESSAGE + 1));
        let refused = client.unary(UNARY, long, CallOptions::new()).await.unwrap_err();
        assert_eq!(refused.code, Code::ResourceExhausted);
        let unknown = client.unary("/test.Echo/Unknown", Vec::new(), CallOptions::new()).await.unwrap_err();
        assert_eq!(unknown.code, Code::Unimplemented);
    })
    .await;
}
