//! The server's program.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use conformance::pb::{ServerCompatRequest, ServerCompatResponse};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use prost::Message as _;

fn start() -> Child {
    Command::new(env!("CARGO_BIN_EXE_conformance-server"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn it_reports_its_address_and_ends_on_sigterm() {
    let mut server = start();
    let request = ServerCompatRequest::default().encode_to_vec();
    let mut stdin = server.stdin.take().unwrap();
    stdin.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stdin.write_all(&request).unwrap();
    // The suite closes it at once; the server must go on.
    drop(stdin);

    let mut stdout = server.stdout.take().unwrap();
    let mut length = [0; 4];
    stdout.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
    stdout.read_exact(&mut answer).unwrap();
    let answer = ServerCompatResponse::decode(&*answer).unwrap();
    TcpStream::connect((answer.host.as_str(), answer.port.try_into().unwrap())).unwrap();
    assert_eq!(answer.pem_cert, b"");

    kill(Pid::from_raw(server.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(server.wait().unwrap().success());
}

#[test]
fn the_error_names_a_missing_request() {
    let mut server = start();
    drop(server.stdin.take());
    let output = server.wait_with_output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("the suite sent no request"), "{text}");
}
