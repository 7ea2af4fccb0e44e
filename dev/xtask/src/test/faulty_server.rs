//! A server with faulty responses, for tests that need a browser.
//!
//! It sends bytes that HTTP libraries refuse to send: a body that ends in the middle of a message, a connection that
//! breaks inside the trailers, a response without CORS headers. The last part of the path chooses the response, as in
//! `/Faults/cut-message`. It implements only the HTTP/1.1 that a browser's requests need.

mod responses;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};

use self::responses::{Action, respond};

/// Time that `/come/NAME` and `/gone/NAME` wait for the client of `/hang/NAME` to connect and to disconnect.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Listens on `port` until the program ends.
pub(super) fn start(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot listen on port {port} for faulty responses"))?;
    let clients = Arc::<Clients>::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let clients = Arc::clone(&clients);
            // Tests disconnect early.
            std::thread::spawn(move || serve(stream, &clients).ok());
        }
    });
    Ok(())
}

/// Clients whose call is not answered, by the call's name.
#[derive(Default)]
struct Clients {
    came: Names,
    gone: Names,
}

/// A set of names that threads wait for.
#[derive(Default)]
struct Names {
    known: Mutex<BTreeSet<String>>,
    changed: Condvar,
}

impl Names {
    fn add(&self, name: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        self.changed.notify_all();
    }

    fn wait_for(&self, name: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(known, CLIENT_TIMEOUT, |known| !known.contains(name));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

struct Request {
    method: String,
    path: String,
    /// The header lines, unchanged.
    headers: Vec<String>,
    body: Vec<u8>,
    /// Its number on its connection, from 1.
    ordinal: usize,
}

/// Answers requests until the client or a response ends the connection.
fn serve(mut stream: TcpStream, clients: &Clients) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    for ordinal in 1.. {
        let Some(request) = read(&mut reader, ordinal)? else { break };
        match respond(&request) {
            Action::Whole(bytes) => stream.write_all(&bytes)?,
            Action::Pieces(pieces) => {
                for piece in pieces {
                    stream.write_all(&piece)?;
                }
            }
            Action::ThenCut(bytes) => {
                stream.write_all(&bytes)?;
                return Ok(());
            }
            Action::ThenHang(name, bytes) => {
                clients.came.add(name);
                stream.write_all(&bytes)?;
                // The client sends nothing more before it disconnects.
                reader.read_to_end(&mut Vec::new()).ok();
                clients.gone.add(name);
                return Ok(());
            }
            Action::WhenCome(name, yes, no) => {
                stream.write_all(if clients.came.wait_for(name) { &yes } else { &no })?;
            }
            Action::WhenGone(name, yes, no) => {
                stream.write_all(if clients.gone.wait_for(name) { &yes } else { &no })?;
            }
        }
    }
    Ok(())
}

fn read(reader: &mut BufReader<TcpStream>, ordinal: usize) -> Result<Option<Request>> {
    let Some(first) = line(reader)? else { return Ok(None) };
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    let mut length = 0;
    while let Some(header) = line(reader)?.filter(|line| !line.is_empty()) {
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        headers.push(header);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, path, headers, body, ordinal }))
}

fn line(reader: &mut BufReader<TcpStream>) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}
