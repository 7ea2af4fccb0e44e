//! The stream against tokio-tungstenite, and over connections that take or bring few bytes at a time.

use futures_util::{SinkExt as _, StreamExt as _};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::*;

/// A server and a client over a pipe of `size` bytes.
async fn pair(size: usize) -> (WebSocket<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (server, client) = duplex(size);
    let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    (WebSocket::new(server, Bytes::new()), client)
}

/// The bytes that the client receives until the end, and the code of the Close frame.
async fn received(mut client: WebSocketStream<DuplexStream>) -> (Vec<u8>, Option<u16>) {
    let (mut bytes, mut code) = (Vec::new(), None);
    let receiving = async {
        while let Some(Ok(message)) = client.next().await {
            match message {
                Message::Binary(payload) => bytes.extend_from_slice(&payload),
                Message::Close(frame) => code = frame.map(|frame| frame.code.into()),
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), receiving).await.expect("no end in time");
    (bytes, code)
}

#[tokio::test]
async fn bytes_come_through_in_both_directions() {
    let (mut server, mut client) = pair(1000).await;
    let echo = tokio::spawn(async move {
        let mut bytes = vec![0; 70_000];
        server.read_exact(&mut bytes).await.unwrap();
        server.write_all(&bytes).await.unwrap();
        server.shutdown().await.unwrap();
    });
    let sent: Vec<u8> = (0..70_000_u32).map(|number| number.to_be_bytes()[3]).collect();
    for part in sent.chunks(30_000) {
        client.send(Message::binary(part.to_vec())).await.unwrap();
    }
    assert_eq!(received(client).await, (sent, Some(1000)));
    echo.await.unwrap();
}

#[tokio::test]
async fn bytes_after_the_handshake_are_read_first() {
    let (server, mut client) = duplex(100);
    let frame = [0x82, 0x83, 0, 0, 0, 0, b'a', b'b', b'c'];
    client.write_all(&frame[4..]).await.unwrap();
    let mut server = WebSocket::new(server, Bytes::copy_from_slice(&frame[..4]));
    let mut read = [0; 3];
    server.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"abc");
}

#[tokio::test]
async fn a_ping_is_answered_between_frames() {
    let (mut server, mut client) = pair(1000).await;
    client.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
    client.send(Message::binary("a")).await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'a');
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"there?")));

    // The pipe takes only a part of the frame, and the ping comes then.
    let writing = tokio::spawn(async move {
        server.write_all(&[7; 3000]).await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'b');
        server.flush().await.unwrap();
        server
    });
    client.send(Message::Ping(Bytes::from_static(b"again?"))).await.unwrap();
    client.send(Message::binary("b")).await.unwrap();
    let mut binary = 0;
    loop {
        match client.next().await.unwrap().unwrap() {
            Message::Binary(payload) => binary += payload.len(),
            Message::Pong(payload) => break assert_eq!(payload, "again?"),
            message => panic!("{message:?}"),
        }
    }
    assert_eq!(binary, 3000);
    writing.await.unwrap();
}

#[tokio::test]
async fn a_close_frame_ends_the_stream_and_is_answered() {
    let (mut server, mut client) = pair(1000).await;
    client.send(Message::binary("last")).await.unwrap();
    let frame = CloseFrame { code: 3001.into(), reason: "done".into() };
    client.close(Some(frame)).await.unwrap();
    let mut bytes = Vec::new();
    server.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"last");
    let (received, closed) = tokio::join!(received(client), server.shutdown());
    assert_eq!(received, (Vec::new(), Some(3001)));
    closed.unwrap();
}

#[tokio::test]
async fn a_violation_ends_the_stream_after_the_bytes_before_it() {
    let (mut server, mut client) = pair(1000).await;
    client.send(Message::binary("good")).await.unwrap();
    client.send(Message::text("bad")).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut bytes = Vec::new();
        let error = server.read_to_end(&mut bytes).await.unwrap_err();
        (bytes, error.kind())
    });
    assert_eq!(received(client).await, (Vec::new(), Some(1003)));
    assert_eq!(reading.await.unwrap(), (b"good".to_vec(), io::ErrorKind::InvalidData));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_close_frame_is_left_after_a_second() {
    let (mut server, mut client) = duplex(100);
    let mut socket = WebSocket::new(&mut server, Bytes::new());
    socket.set_close_code(CloseCode::GOING_AWAY);
    let start = tokio::time::Instant::now();
    socket.shutdown().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), LINGER.as_secs());
    let mut frame = [0; 4];
    client.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame, [0x88, 2, 0x03, 0xe9]);

    // Nor does it wait longer for one that takes nothing.
    let (mut server, _client) = duplex(1);
    let mut socket = WebSocket::new(&mut server, Bytes::new());
    let start = tokio::time::Instant::now();
    socket.shutdown().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), LINGER.as_secs());
}

proptest! {
    #[test]
    fn writes_of_any_length_come_through(
        writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 1..20),
        size in 1_usize..50,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let sent = writes.concat();
        let (bytes, code) = runtime.block_on(async {
            let (mut server, client) = pair(size).await;
            tokio::spawn(async move {
                for write in writes {
                    let (a, b) = write.split_at(write.len() / 3);
                    let mut buf = bytes::Buf::chain(a, b);
                    server.write_all_buf(&mut buf).await.unwrap();
                }
                server.shutdown().await.unwrap();
            });
            received(client).await
        });
        prop_assert_eq!(bytes, sent);
        prop_assert_eq!(code, Some(1000));
    }
}
