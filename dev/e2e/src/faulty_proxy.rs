//! A proxy between browser and server that replaces the responses for one path, as faulty networks do.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use anyhow::Context as _;

use crate::Result;

/// The treatment of the path's responses.
#[derive(Clone, Debug)]
pub enum Fault {
    /// They are passed on.
    None,
    /// These bytes, a whole HTTP response, replace them, and the connection is closed.
    Response(Vec<u8>),
    /// The connection is closed without a response.
    Close,
    /// No response comes, and the connection stays open until the browser closes it.
    Silence,
    /// The server gets the request, and its response is lost.
    LoseResponse,
    /// They are passed on when they have ended: never, for a stream. The server keeps the stream, also when the browser has gone.
    Buffer,
}

/// The state that all connections share.
#[derive(Debug)]
struct Shared {
    fault: Fault,
    /// Times of the path's requests.
    requests: Vec<Instant>,
}

/// Passes requests on to a server, and responses back unless a fault replaces them. Runs until this program ends.
#[derive(Debug)]
pub struct FaultyProxy {
    addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl FaultyProxy {
    /// Listens on a free port in front of the server at `url`. Faults concern the requests whose path begins with `path`, as
    /// that of a method.
    pub fn start(url: &str, path: &'static str) -> Result<FaultyProxy> {
        let server = url
            .strip_prefix("http://")
            .context("the server's address does not begin with http://")?
            .parse()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Mutex::new(Shared { fault: Fault::None, requests: Vec::new() }));
        let proxy = FaultyProxy { addr, shared: shared.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                let shared = shared.clone();
                // Either side may disconnect at any time.
                thread::spawn(move || pass(stream, server, path, &shared).ok());
            }
        });
        Ok(proxy)
    }

    /// Its address for browsers.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Replaces the responses from now on.
    pub fn set_fault(&self, fault: Fault) {
        lock(&self.shared).fault = fault;
    }

    /// The times of all requests for the path.
    pub fn requests(&self) -> Vec<Instant> {
        lock(&self.shared).requests.clone()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The head of a request, without the headers of its connection, and its body; `None` when none came.
fn read_request(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let mut head = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if !lower.starts_with("connection:") {
            head.extend_from_slice(line.as_bytes());
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((head, body)))
}

/// One request and its response. Each connection carries one request, so that none is missed.
fn pass(browser: TcpStream, server: SocketAddr, path: &str, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut reader = BufReader::new(browser.try_clone()?);
    let Some((head, body)) = read_request(&mut reader)? else { return Ok(()) };
    let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let is_meant = target.starts_with(path.as_bytes());
    let fault = if is_meant {
        let mut shared = lock(shared);
        shared.requests.push(Instant::now());
        shared.fault.clone()
    } else {
        Fault::None
    };
    let mut browser = browser;
    match fault {
        Fault::Close => {}
        Fault::Silence => drop(std::io::copy(&mut reader, &mut std::io::sink())?),
        Fault::Response(response) => browser.write_all(&response)?,
        Fault::LoseResponse => {
            let mut server = send(server, &head, &body)?;
            std::io::copy(&mut server, &mut std::io::sink())?;
        }
        Fault::None | Fault::Buffer => {
            let mut server = send(server, &head, &body)?;
            let mut response = Vec::new();
            if matches!(fault, Fault::Buffer) {
                server.read_to_end(&mut response)?;
            }
            browser.write_all(&response)?;
            std::io::copy(&mut server, &mut browser)?;
        }
    }
    browser.shutdown(Shutdown::Write)?;
    // Closing with unread bytes would reset the connection, and the response would be lost.
    std::io::copy(&mut reader, &mut std::io::sink())?;
    Ok(())
}

fn send(server: SocketAddr, head: &[u8], body: &[u8]) -> std::io::Result<TcpStream> {
    let mut server = TcpStream::connect(server)?;
    server.write_all(head)?;
    server.write_all(b"connection: close\r\n\r\n")?;
    server.write_all(body)?;
    Ok(server)
}
