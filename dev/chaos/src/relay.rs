//! A relay between clients and servers, or between two servers, which can break connections, also in one direction.
//!
//! It passes bytes on and knows no protocol.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Number of loopback addresses of the connections to the server, in turn: the server must not count all well-behaved
/// clients as one address.
const SOURCES: u64 = 200;

/// The treatment of a connection, or of one of its directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Each chunk of bytes is passed on after this delay.
    Pass(Duration),
    /// Nothing is passed on, and the connection stays open.
    Silent,
    /// It is closed.
    Cut,
}

/// The treatment of both directions of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Modes {
    pub(crate) to_server: Mode,
    pub(crate) to_client: Mode,
}

impl Modes {
    pub(crate) fn both(mode: Mode) -> Self {
        Self { to_server: mode, to_client: mode }
    }

    fn is_cut(&self) -> bool {
        self.to_server == Mode::Cut || self.to_client == Mode::Cut
    }
}

impl Default for Modes {
    /// Everything is passed on at once.
    fn default() -> Self {
        Self::both(Mode::Pass(Duration::ZERO))
    }
}

type Links = Arc<Mutex<Connections>>;

#[derive(Debug, Default)]
struct Connections {
    open: HashMap<u64, watch::Sender<Modes>>,
    /// The treatment of the ones to come.
    new: Modes,
}

/// A relay in front of servers. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) addr: SocketAddr,
    links: Links,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Listens on a free port; connections go on to the servers in turn, or to the next one that accepts them.
    pub(crate) async fn start(servers: Vec<SocketAddr>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let links = Links::default();
        let accepting = tokio::spawn(accept(listener, servers.into(), links.clone()));
        Ok(Self { addr, links, accepting })
    }

    /// Brings a `share` of the connections into `mode`, at least one, and returns their ids.
    pub(crate) fn disturb(&self, rng: &mut Rng, share: f64, mode: Mode) -> Vec<u64> {
        let links = lock(&self.links);
        let mut ids: Vec<u64> = links.open.keys().copied().collect();
        ids.sort_unstable();
        rng.shuffle(&mut ids);
        ids.truncate(((ids.len() as f64 * share).ceil() as usize).max(1));
        set(&links, &ids, mode);
        ids
    }

    /// Brings these connections into `mode`, if they still exist.
    pub(crate) fn set(&self, ids: &[u64], mode: Mode) {
        set(&lock(&self.links), ids, mode);
    }

    /// Changes the treatment of all connections, and of those to come.
    pub(crate) fn change_all(&self, change: impl Fn(&mut Modes)) {
        let mut links = lock(&self.links);
        change(&mut links.new);
        links.open.values().for_each(|modes| modes.send_modify(&change));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(links: &Links) -> MutexGuard<'_, Connections> {
    links.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set(links: &Connections, ids: &[u64], mode: Mode) {
    for sender in ids.iter().filter_map(|id| links.open.get(id)) {
        sender.send_replace(Modes::both(mode));
    }
}

async fn accept(listener: TcpListener, servers: Arc<[SocketAddr]>, links: Links) {
    for id in 0.. {
        let Ok((client, _)) = listener.accept().await else {
            // No descriptors are left until connections end.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let mut connections = lock(&links);
        let (sender, modes) = watch::channel(connections.new);
        connections.open.insert(id, sender);
        drop(connections);
        let (links, servers) = (links.clone(), servers.clone());
        tokio::spawn(async move {
            // Either side may close at any time, which closes the other.
            link(client, &servers, id, modes).await.ok();
            lock(&links).open.remove(&id);
        });
    }
}

async fn link(
    client: TcpStream,
    servers: &[SocketAddr],
    id: u64,
    modes: watch::Receiver<Modes>,
) -> io::Result<()> {
    if modes.borrow().is_cut() {
        return Ok(());
    }
    let source = Ipv4Addr::new(127, 0, 1, u8::try_from(id % SOURCES).unwrap_or(0) + 1);
    let server = connect_to_one(source, servers, id as usize).await?;
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = modes.clone();
    tokio::select! {
        result = pump(from_client, to_server, modes.clone(), |modes| modes.to_server) => result,
        result = pump(from_server, to_client, modes, |modes| modes.to_client) => result,
        _ = cut.wait_for(Modes::is_cut) => Ok(()),
    }
}

/// A connection to the server whose turn it is, or to the next one that accepts it.
async fn connect_to_one(source: Ipv4Addr, servers: &[SocketAddr], turn: usize) -> io::Result<TcpStream> {
    let mut refused = io::Error::from(io::ErrorKind::NotFound);
    for turn in (turn..).take(servers.len()) {
        match connect(source, servers[turn % servers.len()]).await {
            Ok(server) => return Ok(server),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// A connection to `server` from a loopback address.
pub(crate) async fn connect(source: Ipv4Addr, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut modes: watch::Receiver<Modes>,
    direction: fn(&Modes) -> Mode,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        passing(&mut modes, direction).await;
        let length = from.read(&mut buffer).await?;
        // It may have become silent meanwhile. Then the end of a side is not passed on, either.
        sleep(passing(&mut modes, direction).await).await;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

/// Waits until bytes may pass, and returns their delay.
async fn passing(modes: &mut watch::Receiver<Modes>, direction: fn(&Modes) -> Mode) -> Duration {
    let passes = modes.wait_for(|modes| matches!(direction(modes), Mode::Pass(_))).await;
    match passes.map(|modes| direction(&modes)) {
        Ok(Mode::Pass(delay)) => delay,
        // The relay was dropped.
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::PATIENCE;

    /// A relay in front of an echo server, and a working connection through both.
    async fn echo() -> (Relay, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok();
                });
            }
        });
        let relay = Relay::start(vec![addr]).await.unwrap();
        let mut client = TcpStream::connect(relay.addr).await.unwrap();
        client.write_all(b"1").await.unwrap();
        assert_eq!(next(&mut client).await, Some(b'1'));
        (relay, client)
    }

    async fn next(client: &mut TcpStream) -> Option<u8> {
        let byte = tokio::time::timeout(PATIENCE, client.read_u8()).await;
        byte.expect("neither a byte nor an end").ok()
    }

    #[tokio::test]
    async fn a_silent_connection_passes_on_its_bytes_later() {
        let (relay, mut client) = echo().await;
        let silent = relay.disturb(&mut Rng::with_seed(1), 1.0, Mode::Silent);
        client.write_all(b"2").await.unwrap();
        // Another connection is not silent, and is served meanwhile.
        let mut other = TcpStream::connect(relay.addr).await.unwrap();
        other.write_all(b"3").await.unwrap();
        assert_eq!(next(&mut other).await, Some(b'3'));
        assert_eq!(client.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        relay.set(&silent, Mode::Pass(Duration::ZERO));
        assert_eq!(next(&mut client).await, Some(b'2'));
    }

    #[tokio::test]
    async fn a_server_that_does_not_accept_is_passed_over() {
        let (echo, _client) = echo().await;
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        let relay = Relay::start(vec![gone, echo.addr]).await.unwrap();
        for _ in 0..2 {
            let mut client = TcpStream::connect(relay.addr).await.unwrap();
            client.write_all(b"4").await.unwrap();
            assert_eq!(next(&mut client).await, Some(b'4'));
        }
    }

    #[tokio::test]
    async fn one_direction_of_a_new_connection_is_silent() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = Relay::start(vec![listener.local_addr().unwrap()]).await.unwrap();
        relay.change_all(|modes| modes.to_client = Mode::Silent);
        let mut client = TcpStream::connect(relay.addr).await.unwrap();
        client.write_all(b"5").await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        assert_eq!(next(&mut server).await, Some(b'5'));
        server.write_all(b"6").await.unwrap();
        client.write_all(b"7").await.unwrap();
        assert_eq!(next(&mut server).await, Some(b'7'));
        relay.change_all(|modes| modes.to_client = Mode::Cut);
        assert_eq!(next(&mut client).await, None, "the server's byte was held back until the end");
    }

    #[tokio::test]
    async fn no_connection_is_made_while_all_are_cut() {
        let (relay, mut client) = echo().await;
        relay.change_all(|modes| modes.to_server = Mode::Cut);
        assert_eq!(next(&mut client).await, None);
        let mut refused = TcpStream::connect(relay.addr).await.unwrap();
        assert_eq!(next(&mut refused).await, None);
        relay.change_all(|modes| *modes = Modes::default());
        let mut served = TcpStream::connect(relay.addr).await.unwrap();
        served.write_all(b"7").await.unwrap();
        assert_eq!(next(&mut served).await, Some(b'7'));
    }

    #[tokio::test]
    async fn a_silent_connection_can_be_cut() {
        let (relay, mut client) = echo().await;
        let silent = relay.disturb(&mut Rng::with_seed(1), 1.0, Mode::Silent);
        relay.set(&silent, Mode::Cut);
        assert_eq!(next(&mut client).await, None);
    }
}
