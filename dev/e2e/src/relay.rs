//! A relay between browser and server that can fall silent, as networks do, and counts the streams through it. In front of several
//! servers it is a balancer.

use std::{
    collections::HashMap,
    io::{Read, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::Context as _;

use crate::Result;

/// The beginning of a request that opens a stream.
const SUBSCRIBE: &[u8] = b"POST /chat.v1.ChatService/Subscribe ";

/// The beginning of a request that sends a message.
const SEND: &[u8] = b"POST /chat.v1.ChatService/SendMessage ";

/// Passes bytes on. Runs until this program ends.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Even while bytes pass. A connection lives in the period in which it was opened: after a silence it stays dead.
    period: AtomicU64,
    /// The open connections by their ids, each with whether its last request was a stream.
    links: Mutex<HashMap<usize, bool>>,
    /// Requests that send a message.
    sends: AtomicU64,
}

impl Relay {
    /// Listens on a free port in front of the server at `url`.
    pub fn start(url: &str) -> Result<Relay> {
        let server =
            url.strip_prefix("http://").context("the address does not begin with http://")?.parse()?;
        Relay::to_first(&[server])
    }

    /// A balancer that passes each connection on to the first of the servers that accepts it.
    pub fn to_first(servers: &[SocketAddr]) -> Result<Relay> {
        Relay::listen(servers.to_vec(), |_| 0)
    }

    /// A balancer that passes connections on to the servers in turn, or to the next one that accepts them.
    pub fn in_turn(servers: &[SocketAddr]) -> Result<Relay> {
        Relay::listen(servers.to_vec(), |id| id)
    }

    /// `first` is the index of the server that is tried first for a connection.
    fn listen(servers: Vec<SocketAddr>, first: fn(usize) -> usize) -> Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let relay = Relay { addr: listener.local_addr()?, shared: Arc::default() };
        let shared = relay.shared.clone();
        thread::spawn(move || {
            for (id, browser) in (0..).zip(listener.incoming().map_while(std::io::Result::ok)) {
                let (shared, mut servers) = (shared.clone(), servers.clone());
                let first = first(id) % servers.len();
                servers.rotate_left(first);
                // Either side may disconnect at any time.
                thread::spawn(move || link(id, &browser, &servers, &shared).ok());
            }
        });
        Ok(relay)
    }

    /// Its address for browsers.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Passes nothing on from now on, and closes nothing. New connections are accepted and are silent, too.
    pub fn fall_silent(&self) {
        self.shared.period.fetch_or(1, Ordering::SeqCst);
    }

    /// Passes on what comes over new connections. The old ones stay silent.
    pub fn speak(&self) {
        self.shared.period.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of requests so far that send a message.
    pub fn sends(&self) -> u64 {
        self.shared.sends.load(Ordering::SeqCst)
    }

    /// The number of open streams.
    pub fn streams(&self) -> usize {
        self.shared.links().values().filter(|is_stream| **is_stream).count()
    }
}

impl Shared {
    fn links(&self) -> MutexGuard<'_, HashMap<usize, bool>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn link(id: usize, browser: &TcpStream, servers: &[SocketAddr], shared: &Shared) -> std::io::Result<()> {
    let period = shared.period.load(Ordering::SeqCst);
    // It goes on to the next one after any error.
    let server = TcpStream::connect(servers)?;
    shared.links().insert(id, false);
    thread::scope(|scope| {
        scope.spawn(|| {
            pump(&server, browser, shared, period, |_| ()).ok();
        });
        pump(browser, &server, shared, period, |chunk| {
            if chunk.starts_with(b"POST ") || chunk.starts_with(b"GET ") {
                shared.links().insert(id, chunk.starts_with(SUBSCRIBE));
                shared.sends.fetch_add(chunk.starts_with(SEND).into(), Ordering::SeqCst);
            }
        })
        .ok();
        // The browser has closed its side: the server's has no reader.
        shared.links().remove(&id);
        server.shutdown(Shutdown::Both).ok();
    });
    Ok(())
}

fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    shared: &Shared,
    period: u64,
    seen: impl Fn(&[u8]),
) -> std::io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer)?;
        let is_dead = period % 2 == 1 || shared.period.load(Ordering::SeqCst) != period;
        match (length, is_dead) {
            (0, true) => return Ok(()),
            (0, false) => return to.shutdown(Shutdown::Write),
            (_, true) => {}
            (_, false) => {
                seen(&buffer[..length]);
                to.write_all(&buffer[..length])?;
            }
        }
    }
}
