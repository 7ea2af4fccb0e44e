//! An empty page of another origin.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
};

use crate::Result;

const PAGE: &str = "<!doctype html><html lang=\"en\"><title>other origin</title></html>";

/// Serves it until this program ends.
#[derive(Debug)]
pub struct OtherOrigin {
    addr: SocketAddr,
}

impl OtherOrigin {
    /// Listens on a free port.
    pub fn start() -> Result<OtherOrigin> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                // A browser may open a connection and never use it.
                thread::spawn(move || answer(stream).ok());
            }
        });
        Ok(OtherOrigin { addr })
    }

    /// The origin in the form of the `Origin` header.
    pub fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }
}

/// The same for every request.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{PAGE}",
        PAGE.len()
    )
}
