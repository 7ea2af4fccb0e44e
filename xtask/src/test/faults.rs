//! A server that answers wrongly on order, for what only a browser can show.
//!
//! It writes what HTTP servers do not let one write: a body that ends in the middle of a message, a connection that
//! breaks inside the trailers, an answer without CORS headers. What it does is the last part of the path, as in
//! `/Faults/cut-message`. It knows HTTP/1.1 as far as a browser's requests need it.

mod answers;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};

use self::answers::{Answer, answer};

/// How long `/gone/NAME` waits until the client of `/hang/NAME` has gone, or has even come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Listens on `port` until the program ends.
pub(super) fn start(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot listen on port {port} for answers that are wrong"))?;
    let gone = Arc::<Gone>::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let gone = Arc::clone(&gone);
            // A client that leaves early is part of the play.
            std::thread::spawn(move || serve(stream, &gone).ok());
        }
    });
    Ok(())
}

/// The clients that have left a call that was not answered, by the call's name.
#[derive(Default)]
struct Gone {
    count: Mutex<BTreeMap<String, usize>>,
    changed: Condvar,
}

impl Gone {
    fn add(&self, name: &str) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default() += 1;
        self.changed.notify_all();
    }

    fn has_come(&self, name: &str) -> bool {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(count, PATIENCE, |count| !count.contains_key(name));
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
fn serve(mut stream: TcpStream, gone: &Gone) -> Result<()> {
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
                stream.write_all(&bytes)?;
                // Nothing more comes but the end of the connection.
                reader.read_to_end(&mut Vec::new()).ok();
                gone.add(name);
                return Ok(());
            }
            Answer::WhenGone(name, yes, no) => {
                stream.write_all(if gone.has_come(name) { &yes } else { &no })?;
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
