//! The least that a server of subscribers does: one `write(2)` for each subscriber and message, without a runtime.
//!
//! A connection whose first line is `publish` sends messages, one a line. All before it are subscribers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use anyhow::Result;

/// The first line of the connection that sends messages.
pub(super) const PUBLISH: &str = "publish";
/// The head of each response.
pub(super) const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
/// Longest request of a subscriber, bytes.
const MAX_REQUEST: usize = 1024;
/// Bytes of a message on the wire: about as many as an event of the chat has, in its chunk.
const MESSAGE: usize = 180;

/// Accepts subscribers until a connection publishes, and ends with that.
pub(crate) fn run() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut subscribers = Vec::new();
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut request = [0; MAX_REQUEST];
        let read = stream.read(&mut request)?;
        stream.write_all(HEAD)?;
        if request[..read].starts_with(PUBLISH.as_bytes()) {
            return write_messages(stream, &mut subscribers);
        }
        subscribers.push(stream);
    }
}

fn write_messages(publisher: TcpStream, subscribers: &mut [TcpStream]) -> Result<()> {
    for message in BufReader::new(publisher).lines() {
        let mut message = message?.into_bytes();
        message.resize(MESSAGE, b'.');
        for subscriber in &mut *subscribers {
            subscriber.write_all(&message)?;
        }
    }
    Ok(())
}
