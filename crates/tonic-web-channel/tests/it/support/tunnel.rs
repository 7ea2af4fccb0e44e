//! A WebSocket server that passes bytes on to an HTTP/2 server, and can be cut off or fall silent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// The treatment of open and new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It passes bytes on.
    Open,
    /// It closes its connections, and refuses new ones with HTTP status 404.
    Refusing,
    /// It closes its connections, and accepts new ones without the subprotocol.
    OtherProtocol,
    /// It passes nothing on, and closes nothing.
    Silent,
}

/// A running tunnel.
pub(crate) struct Tunnel {
    pub(crate) addr: SocketAddr,
    mode: watch::Sender<Mode>,
    accepted: Arc<AtomicUsize>,
    /// Whether messages are cut into single bytes.
    bytewise: Arc<AtomicBool>,
}

impl Tunnel {
    /// A tunnel to the HTTP/2 server at `target`.
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Open);
        let (accepted, bytewise) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, single) = (accepted.clone(), bytewise.clone());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let (modes, single) = (modes.clone(), single.clone());
                tokio::spawn(async move { pass(client, target, modes, &single).await });
            }
        });
        Self { addr, mode, accepted, bytewise }
    }

    pub(crate) fn uri(&self) -> http::Uri {
        format!("http://{}", self.addr).parse().unwrap()
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(crate) fn cut_into_bytes(&self) {
        self.bytewise.store(true, Ordering::Relaxed);
    }

    /// Connections that were accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn pass(
    client: TcpStream,
    target: SocketAddr,
    mut modes: watch::Receiver<Mode>,
    bytewise: &AtomicBool,
) {
    let mode = *modes.borrow_and_update();
    #[expect(clippy::result_large_err, reason = "the type is the library's")]
    let answer = move |request: &Request, mut response: Response| {
        if mode == Mode::Refusing {
            return Err(Response::builder().status(404).body(None).unwrap().map(|_: Option<String>| None));
        }
        if mode == Mode::Open {
            let protocol = request.headers()["sec-websocket-protocol"].clone();
            response.headers_mut().insert("sec-websocket-protocol", protocol);
        }
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(client, answer).await else { return };
    let mut server = TcpStream::connect(target).await.unwrap();
    let mut bytes = [0; 16 * 1024];
    loop {
        let silent = *modes.borrow() == Mode::Silent;
        tokio::select! {
            changed = modes.changed() => {
                if changed.is_err() || matches!(*modes.borrow(), Mode::Refusing | Mode::OtherProtocol) {
                    return;
                }
            }
            message = socket.next(), if !silent => match message {
                Some(Ok(Message::Binary(bytes))) => server.write_all(&bytes).await.unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return,
            },
            read = server.read(&mut bytes), if !silent => match read {
                Ok(0) | Err(_) => {
                    socket.close(None).await.ok();
                    return;
                }
                Ok(length) => {
                    let piece = if bytewise.load(Ordering::Relaxed) { 1 } else { length };
                    for piece in bytes[..length].chunks(piece) {
                        if socket.send(Message::Binary(piece.to_vec().into())).await.is_err() {
                            return;
                        }
                    }
                }
            },
        }
    }
}
