//! The relay of the page's sockets.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use conformance::tunnel;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

/// A relay to `allowed` alone; its URL without the server's address.
async fn relay(allowed: SocketAddr) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("ws://{}/tunnel", listener.local_addr().unwrap());
    let route = tunnel::route(move |address| address == allowed);
    let app = Router::new().route("/tunnel/{host}/{port}", route);
    tokio::spawn(axum::serve(listener, app).into_future());
    url
}

#[tokio::test]
async fn bytes_are_copied_in_both_directions() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut server, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 4];
        server.read_exact(&mut bytes).await.unwrap();
        server.write_all(b"pong").await.unwrap();
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        (bytes, rest)
    });
    let url = format!("{}/127.0.0.1/{}", relay(address).await, address.port());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "h2ts".parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    socket.send(Message::binary("pi")).await.unwrap();
    socket.send(Message::binary("ng and more")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::binary("pong"));
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    assert_eq!(server.await.unwrap(), (*b"ping", b" and more".to_vec()));
}

#[tokio::test]
async fn only_addresses_of_open_cases_are_reached() {
    let allowed = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let relay = relay(allowed).await;
    for address in ["127.0.0.1/10", "192.0.2.1/9", "example.com/9"] {
        match connect_async(format!("{relay}/{address}")).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 403, "{address}"),
            other => panic!("{address}: {:?}", other.map(drop)),
        }
    }
}
