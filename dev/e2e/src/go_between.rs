//! A proxy between browser and server that spoils the answers of one method, as bad proxies and bad networks do.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::Context as _;

use crate::Result;

/// What happens to the answer of the method.
#[derive(Clone, Debug)]
pub enum Spoil {
    /// It is passed on as it is.
    Nothing,
    /// These bytes stand for it, a whole HTTP response, and the connection is closed.
    Answer(Vec<u8>),
    /// The connection is closed without an answer.
    Close,
}

/// Passes everything on to a server, but for what it was told to spoil. Ends with this program.
#[derive(Debug)]
pub struct GoBetween {
    addr: SocketAddr,
    spoil: Arc<Mutex<Spoil>>,
}

impl GoBetween {
    /// Listens on a free port, in front of the server at `url`; it spoils the answers of the calls to `method`.
    pub fn start(url: &str, method: &'static str) -> Result<GoBetween> {
        let server = url.strip_prefix("http://").context("the server's address is no http")?.parse()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let spoil = Arc::new(Mutex::new(Spoil::Nothing));
        let between = GoBetween { addr, spoil: spoil.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                let spoil = spoil.clone();
                // Either side may leave at any time.
                thread::spawn(move || pass(stream, server, method, &spoil).ok());
            }
        });
        Ok(between)
    }

    /// As a browser goes there.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What happens to the answers from now on.
    pub fn spoil(&self, spoil: Spoil) {
        *self.spoil.lock().unwrap_or_else(PoisonError::into_inner) = spoil;
    }
}

/// One request and its answer: each connection is used once, so that every request is seen.
fn pass(browser: TcpStream, server: SocketAddr, method: &str, spoil: &Mutex<Spoil>) -> std::io::Result<()> {
    let mut reader = BufReader::new(browser.try_clone()?);
    let mut head = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
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

    let is_meant = head.starts_with(format!("POST {method} ").as_bytes());
    let spoil =
        if is_meant { spoil.lock().unwrap_or_else(PoisonError::into_inner).clone() } else { Spoil::Nothing };
    let mut browser = browser;
    match spoil {
        Spoil::Close => {}
        Spoil::Answer(answer) => browser.write_all(&answer)?,
        Spoil::Nothing => {
            let mut server = TcpStream::connect(server)?;
            server.write_all(&head)?;
            server.write_all(b"connection: close\r\n\r\n")?;
            server.write_all(&body)?;
            std::io::copy(&mut server, &mut browser)?;
        }
    }
    browser.shutdown(Shutdown::Write)?;
    // What the browser still says is read, so that closing does not take the answer with it.
    std::io::copy(&mut reader, &mut std::io::sink())?;
    Ok(())
}
