//! Sessions in sockets: a socket has the cookie of its handshake, and a call in it the session of that moment.

use std::future::ready;
use std::io;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper_util::rt::TokioIo;
use proto::chat::v1 as pb;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::chat_client::Person;
use crate::support::{PATIENCE, TestServer};

/// The bytes in a WebSocket of the server's own page, which has these cookies.
async fn open(
    url: &str,
    cookies: &[String],
) -> io::Result<TokioIo<impl AsyncRead + AsyncWrite + Unpin + Send + 'static + use<>>> {
    let mut request = url.replacen("http", "ws", 1).into_client_request().map_err(io::Error::other)?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", "h2ts".parse().unwrap());
    headers.insert("origin", url.parse().unwrap());
    for cookie in cookies {
        headers.append("cookie", cookie.parse().unwrap());
    }
    let (socket, _) = tokio_tungstenite::connect_async(request).await.map_err(io::Error::other)?;
    let (sink, stream) = socket.split();
    let payloads = stream.filter_map(|message| {
        ready(match message {
            Ok(Message::Binary(payload)) => Some(Ok(payload)),
            Ok(_) => None,
            Err(error) => Some(Err(io::Error::other(error))),
        })
    });
    let message = |payload: Bytes| ready(Ok::<_, io::Error>(Message::Binary(payload)));
    let sink = sink.sink_map_err(io::Error::other).with(message);
    Ok(TokioIo::new(tokio::io::join(StreamReader::new(payloads), SinkWriter::new(CopyToBytes::new(sink)))))
}

/// A client in one socket of a page with these cookies.
async fn client(server: &TestServer, cookies: Vec<String>) -> ChatServiceClient<Channel> {
    let url = server.url();
    let connector = service_fn(move |_| {
        let (url, cookies) = (url.clone(), cookies.clone());
        async move { open(&url, &cookies).await }
    });
    let channel =
        Endpoint::from_shared(server.url()).unwrap().connect_with_connector(connector).await.unwrap();
    ChatServiceClient::new(channel)
}

fn cookie(person: &Person) -> Vec<String> {
    vec![format!("chinwag_session={}", person.token)]
}

#[tokio::test]
async fn session_that_ends_is_over_in_a_socket_that_stays_open() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let mut socket = client(&server, cookie(&ada)).await;
    assert_eq!(socket.list_rooms(pb::ListRoomsRequest::default()).await.unwrap().get_ref().rooms.len(), 1);
    let subscribe = pb::SubscribeRequest { cursors: vec![], replay_limit: 0 };
    let mut frames = socket.subscribe(subscribe).await.unwrap().into_inner();
    frames.message().await.unwrap().unwrap();

    // By `fetch`, as the page does.
    ada.client.sign_out(pb::SignOutRequest::default()).await.unwrap();

    let end = async { while let Some(_frame) = frames.message().await.transpose().and_then(Result::ok) {} };
    timeout(PATIENCE, end).await.expect("the stream goes on without a session");
    let status = socket.list_rooms(pb::ListRoomsRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn session_that_begins_is_there_in_the_next_socket() {
    let server = TestServer::start().await;
    let mut before = client(&server, vec![]).await;
    let refused = before.list_rooms(pb::ListRoomsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    let ada = Person::join(server.channel(), "Ada").await;
    let refused = before.list_rooms(pb::ListRoomsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut after = client(&server, cookie(&ada)).await;
    after.list_rooms(pb::ListRoomsRequest::default()).await.unwrap();
}
