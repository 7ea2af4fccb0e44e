//! The commands as the README writes them, each run once.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use harness::START_TIMEOUT;

use super::count::Count;
use super::free_port;
use crate::command::{Program, cargo, program};
use crate::dist;
use crate::page;
use crate::server::{Server, binary};
use crate::target;

/// Time limit of a command that may have to build first.
const BUILD_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The server's address in `Trunk.toml`.
const SERVER_PORT: &str = "127.0.0.1:50051";
/// Pause between two greetings, milliseconds.
const INTERVAL_MS: u32 = 500;

pub(crate) fn run(count: &mut Count, path: &OsStr) -> Result<()> {
    let data = target().join("smoke-data");
    std::fs::remove_dir_all(&data).ok();
    for words in ["run -p backend --", "run backend"] {
        count.check("commands", &format!("cargo {words} starts the server"), starts(words, &data));
    }
    count.check(
        "commands",
        "trunk serve passes calls on, and streams without buffering",
        trunk_serve(path, &data),
    );
    // The last, because it builds the same program with another feature.
    count.check("commands", "the program of cargo xtask dist needs nothing beside it", one_file());
    Ok(())
}

/// After the word `backend`, cargo passes everything on, flags too.
fn starts(words: &str, data: &Path) -> Result<()> {
    let data = data.display().to_string();
    let flags = ["--listen", "127.0.0.1:0", "--data", data.as_str()];
    let arguments: Vec<&str> = words.split(' ').chain(flags).collect();
    let (sender, listening) = std::sync::mpsc::channel();
    let (mut child, _reader) = cargo(arguments).start_reading(move |line| {
        if line.starts_with("listening on http://127.0.0.1:") {
            // Only the first is waited for.
            sender.send(()).ok();
        }
    })?;
    listening.recv_timeout(BUILD_TIMEOUT).context("it does not listen")?;
    child.end();
    Ok(())
}

/// Runs the program in an empty folder and without an environment.
fn one_file() -> Result<()> {
    let folder = target().join("smoke-dist");
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder)?;
    let built = dist::build("dev")?;
    let program = folder.join("chinwag");
    std::fs::rename(&built, &program)?;

    let licences = in_empty_environment(&program, &["licences"]).output().context("it prints no licences")?;
    ensure!(licences.contains("\ntokio "), "tokio is not among the licences");
    let (sender, listening) = std::sync::mpsc::channel();
    let (mut child, _reader) =
        in_empty_environment(&program, &["--listen", "127.0.0.1:0"]).start_reading(move |line| {
            // Only the first is waited for.
            line.strip_prefix("listening on http://").map(|address| sender.send(address.to_owned()).ok());
        })?;
    let address = listening.recv_timeout(START_TIMEOUT).context("it does not listen")?;
    let page = get(&address, "/room/general")?;
    ensure!(page.starts_with("HTTP/1.1 200"), "/room/general is not a page: {page}");
    let script = page.split("<script type=\"module\" src=\"").nth(1).and_then(|rest| rest.split('"').next());
    let script = script.context("the page names no script")?;
    let script = get(&address, &format!("/{script}"))?;
    ensure!(script.starts_with("HTTP/1.1 200"), "the page's script is not there: {script}");
    child.end();
    Ok(())
}

fn in_empty_environment(binary: &Path, arguments: &[&str]) -> Program {
    let words = ["-i".as_ref(), binary.as_os_str()];
    let words = words.into_iter().chain(arguments.iter().map(AsRef::as_ref));
    let folder = binary.parent().unwrap_or(binary);
    program("env", words).in_folder(folder)
}

fn trunk_serve(path: &OsStr, data: &Path) -> Result<()> {
    let data = data.display().to_string();
    let flags = ["--listen", SERVER_PORT, "--data", data.as_str(), "--log", "warn"];
    let _server = Server::start(&binary("debug"), &flags)
        .with_context(|| format!("the server has to listen on {SERVER_PORT} for this"))?;
    let port = free_port()?;
    let address = format!("127.0.0.1:{port}");
    let dist = page::for_development();
    std::fs::create_dir_all(&dist)?;
    let mut trunk = trunk(port, &dist).env("PATH", path).start()?;

    let started = Instant::now();
    let page = loop {
        ensure!(trunk.is_alive(), "trunk ended");
        ensure!(started.elapsed() < BUILD_TIMEOUT, "trunk does not serve the page");
        match get(&address, "/room/general") {
            Ok(page) if page.contains("_bg.wasm") => break page,
            _ => std::thread::sleep(Duration::from_millis(500)),
        }
    };
    ensure!(page.starts_with("HTTP/1.1 200"), "/room/general is not a page: {page}");
    greetings_come_one_by_one(&address)
}

fn trunk(port: u16, dist: &Path) -> Program {
    let (port, dist) = (port.to_string(), dist.display().to_string());
    program("trunk", ["serve", "--port", port.as_str(), "--dist", dist.as_str(), "--no-autoreload=true"])
}

fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: text/html\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Three greetings through the proxy: a buffering one would deliver all at once.
fn greetings_come_one_by_one(address: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    // One gRPC frame with the message `HelloRequest { name: "trunk" }`.
    let body = [0, 0, 0, 0, 7, 0x0a, 5, b't', b'r', b'u', b'n', b'k'];
    write!(
        stream,
        "POST /helloworld.Greeter/SayHelloStreamReply HTTP/1.1\r\nhost: {address}\r\n\
         content-type: application/grpc-web+proto\r\nx-greeter-count: 3\r\n\
         x-greeter-interval-ms: {INTERVAL_MS}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)?;

    let (mut answer, mut buffer, mut first) = (Vec::new(), [0; 4096], None);
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..length]);
        if first.is_none() && text(&answer).contains("Hello, trunk!") {
            first = Some(Instant::now());
        }
    }
    let answer = text(&answer);
    let Some(first) = first else { bail!("no greeting came: {answer}") };
    ensure!(answer.matches("Hello, trunk!").count() == 3, "not three greetings: {answer}");
    ensure!(answer.contains("grpc-status:0"), "no status: {answer}");
    // The end comes two intervals after the first.
    let apart = first.elapsed();
    ensure!(apart > Duration::from_millis(INTERVAL_MS.into()), "all came within {apart:?}");
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
