//! A server that answers wrongly on order, for what only a browser can show.
//!
//! It writes what HTTP servers do not let one write: a body that ends in the middle of a message, a connection that
//! breaks inside the trailers, an answer without CORS headers. What it does is the last part of the path, as in
//! `/Faults/cut-message`. It knows HTTP/1.1 as far as a browser's requests need it.

mod answers;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};

use self::answers::{Answer, answer};

/// How long `/come/NAME` and `/gone/NAME` wait until the client of `/hang/NAME` has come, and has gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Listens on `port` until the program ends.
pub(super) fn start(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot listen on port {port} for answers that are wrong"))?;
    let clients = Arc::<Clients>::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let clients = Arc::clone(&clients);
            // A client that leaves early is part of the play.
            std::thread::spawn(move || serve(stream, &clients).ok());
        }
    });
    Ok(())
}

/// The clients whose call is not answered, by the call's name.
#[derive(Default)]
struct Clients {
    came: Names,
    gone: Names,
}

/// Names that are waited for.
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
        let waited = self.changed.wait_timeout_while(known, PATIENCE, |known| !known.contains(name));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

struct Request {
    method: String,
    path: String,
    /// The lines of the headers, as they came.
    headers: Vec<String>,
    body: Vec<u8>,
    /// Which one it is on its connection, from 1.
    ordinal: usize,
}

/// Answers requests until the client closes the connection or an answer says that it ends.
fn serve(mut stream: TcpStream, clients: &Clients) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    for ordinal in 1.. {
        let Some(request) = read(&mut reader, ordinal)? else { break };
        match answer(&request) {
            Answer::Whole(bytes) => stream.write_all(&bytes)?,
            Answer::Pieces(pieces) => {
                for piece in pieces {
                    stream.write_all(&piece)?;
                }
            }
            Answer::ThenCut(bytes) => {
                stream.write_all(&bytes)?;
                return Ok(());
            }
            Answer::ThenHang(name, bytes) => {
                clients.came.add(name);
                stream.write_all(&bytes)?;
                // Nothing more comes but the end of the connection.
                reader.read_to_end(&mut Vec::new()).ok();
                clients.gone.add(name);
                return Ok(());
            }
            Answer::WhenCome(name, yes, no) => {
                stream.write_all(if clients.came.wait_for(name) { &yes } else { &no })?;
            }
            Answer::WhenGone(name, yes, no) => {
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
