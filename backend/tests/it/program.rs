//! The real program: arguments, environment, and shutdown.

use std::net::Ipv4Addr;
use std::process::Stdio;

use http::HeaderValue;
use http_body_util::BodyExt as _;
use proto::helloworld::HelloRequest;
use proto::helloworld::greeter_client::GreeterClient;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::http::{Http, open, web_call};
use crate::support::{ChildServer, PATIENCE, command, listening_address};

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the program to its end.
async fn run(args: &[&str], env: &[(&str, &str)]) -> Ended {
    let mut command = command();
    command.args(args).envs(env.iter().copied()).stderr(Stdio::piped());
    let output = timeout(PATIENCE, command.output()).await.expect("the program did not end in time").unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

// Longer than 50 lines because of its table.
#[tokio::test]
async fn invalid_values_are_refused_naming_flag_value_and_what_is_allowed() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    for (flag, variable, value, allowed) in [
        ("--listen", "CHINWAG_LISTEN", "50051", "an IP address and a port"),
        ("--admin", "CHINWAG_ADMIN", "9090", "an IP address and a port"),
        ("--redirect-http", "CHINWAG_REDIRECT_HTTP", "80", "an IP address and a port"),
        ("--data", "CHINWAG_DATA", file, "it has to be a directory"),
        ("--page", "CHINWAG_PAGE", file, "it has to be a directory"),
        ("--log", "CHINWAG_LOG", "backend=loud", "off, error, warn, info, debug, trace"),
        ("--log-format", "CHINWAG_LOG_FORMAT", "xml", "text, json"),
        ("--cors-origin", "CHINWAG_CORS_ORIGIN", "localhost:8080", "http:// or https://"),
        ("--cors-origin", "CHINWAG_CORS_ORIGIN", "null", "every sandboxed page"),
        ("--cors-origin", "CHINWAG_CORS_ORIGIN", "https://*.example", "list every origin"),
        ("--cors-header", "CHINWAG_CORS_HEADER", "x y", "the name of one header"),
        ("--cors-header", "CHINWAG_CORS_HEADER", "*", "the name of one header"),
        ("--connect-source", "CHINWAG_CONNECT_SOURCE", "https://a https://b", "the address of one server"),
        ("--connect-source", "CHINWAG_CONNECT_SOURCE", "'unsafe-inline'", "the address of one server"),
        ("--host", "CHINWAG_HOST", "https://chat.example", "a host name without scheme and port"),
        ("--trusted-proxy", "CHINWAG_TRUSTED_PROXY", "10.0.0.0/33", "an IP address or a range"),
        ("--keep-alive", "CHINWAG_KEEP_ALIVE", "0", "a whole number of seconds from 1"),
        ("--keep-alive", "CHINWAG_KEEP_ALIVE", "75s", "a whole number of seconds from 1"),
        ("--web-sockets", "CHINWAG_WEB_SOCKETS", "maybe", "true, false"),
        ("--secure-cookie", "CHINWAG_SECURE_COOKIE", "maybe", "true, false"),
        ("--rates", "CHINWAG_RATES", "maybe", "true, false"),
        ("--rate-send-user", "CHINWAG_RATE_SEND_USER", "5/s", "BURST:COUNT/PERIOD"),
        ("--rooms-per-user", "CHINWAG_ROOMS_PER_USER", "many", "invalid digit"),
        ("--max-connections", "CHINWAG_MAX_CONNECTIONS", "0", "a whole number from 1"),
        (
            "--max-connections-per-address",
            "CHINWAG_MAX_CONNECTIONS_PER_ADDRESS",
            "-1",
            "a whole number from 1",
        ),
        ("--max-calls", "CHINWAG_MAX_CALLS", "many", "a whole number from 1"),
        ("--max-calls-per-address", "CHINWAG_MAX_CALLS_PER_ADDRESS", "0", "a whole number from 1"),
        ("--max-buffered-bytes", "CHINWAG_MAX_BUFFERED_BYTES", "1e9", "a whole number from 1"),
        (
            "--max-buffered-bytes-per-address",
            "CHINWAG_MAX_BUFFERED_BYTES_PER_ADDRESS",
            "0",
            "a whole number from 1",
        ),
        (
            "--max-buffered-bytes-per-connection",
            "CHINWAG_MAX_BUFFERED_BYTES_PER_CONNECTION",
            "0",
            "a whole number from 1",
        ),
    ] {
        let data = dir.path().join("data");
        let others = [("CHINWAG_DATA", data.to_str().unwrap()), ("CHINWAG_LISTEN", "127.0.0.1:0")];
        let by_flag = run(&[&format!("{flag}={value}")], &others).await;
        let by_variable = run(&[], &[&others[..], &[(variable, value)]].concat()).await;
        for ended in [by_flag, by_variable] {
            assert_eq!(ended.code, Some(2), "{flag}: {}", ended.stderr);
            assert_eq!(ended.stdout, "", "{flag}: it had listened already");
            for part in [flag, value, allowed] {
                assert!(ended.stderr.contains(part), "{part:?} is not in {}", ended.stderr);
            }
        }
    }
}

#[tokio::test]
async fn help_documents_every_flag_with_its_variable() {
    let help = run(&["--help"], &[]).await;

    assert_eq!(help.code, Some(0));
    for flag in [
        "--listen",
        "--admin",
        "--redirect-http",
        "--data",
        "--page",
        "--log",
        "--log-format",
        "--cors-origin",
        "--cors-header",
        "--connect-source",
        "--host",
        "--trusted-proxy",
        "--keep-alive",
        "--web-sockets",
        "--secure-cookie",
        "--tls-certificate",
        "--tls-key",
        "--rates",
        "--rate-join-address",
        "--rate-join-all",
        "--rate-room-user",
        "--rate-room-address",
        "--rate-room-all",
        "--rate-send-user",
        "--rate-send-address",
        "--rate-send-all",
        "--rate-call-user",
        "--rate-anonymous-address",
        "--rate-anonymous-all",
        "--rooms-per-user",
        "--max-connections",
        "--max-connections-per-address",
        "--max-calls",
        "--max-calls-per-address",
        "--max-buffered-bytes",
        "--max-buffered-bytes-per-address",
        "--max-buffered-bytes-per-connection",
    ] {
        let variable = format!("CHINWAG_{}", flag[2..].to_uppercase().replace('-', "_"));
        assert!(help.stdout.contains(flag) && help.stdout.contains(&variable), "{flag}: {}", help.stdout);
    }
}

#[tokio::test]
async fn used_port_is_named_with_the_flag_that_changes_it() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let dir = TempDir::new().unwrap();

    let ended = run(&["--listen", &addr, "--data", dir.path().to_str().unwrap()], &[]).await;

    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    for part in [addr.as_str(), "another program uses the port", "--listen"] {
        assert!(ended.stderr.contains(part), "{part:?} is not in {}", ended.stderr);
    }
}

#[tokio::test]
async fn command_backend_starts_the_server() {
    let dir = TempDir::new().unwrap();
    let mut command = command();
    command.args(["backend", "--listen=127.0.0.1:0", "--log=off"]).current_dir(dir.path());
    let mut child = command.spawn().unwrap();

    let addr = listening_address(&mut child).await;

    assert!(TcpStream::connect(addr).await.is_ok());
    child.kill().await.unwrap();
}

#[tokio::test]
async fn signal_ends_open_calls_with_a_status_and_the_program_with_success() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = ChildServer::start().await;
        let mut call = web_call(
            "application/grpc-web",
            "/helloworld.Greeter/SayHelloStreamReply",
            &HelloRequest::default(),
        );
        call.headers_mut().insert("x-greeter-interval-ms", HeaderValue::from_static("60000"));
        let mut body = open(server.addr, Http::One, call).await.into_body();
        body.frame().await.unwrap().unwrap();

        server.send(signal);

        let last =
            timeout(PATIENCE, body.collect()).await.expect("the stream did not end").unwrap().to_bytes();
        let last = String::from_utf8_lossy(&last);
        assert!(last.contains("grpc-status:14\r\n"), "{signal:?}: {last:?}");
        assert_eq!(server.exit_status().await.code(), Some(0), "{signal:?}");
        assert!(TcpStream::connect(server.addr).await.is_err(), "{signal:?}");
    }
}

#[tokio::test]
async fn idle_client_does_not_delay_the_shutdown() {
    let mut server = ChildServer::start().await;
    let mut greeter = GreeterClient::new(server.channel());
    greeter.say_hello(HelloRequest::default()).await.unwrap();
    let silent = TcpStream::connect(server.addr).await.unwrap();

    let start = std::time::Instant::now();
    let status = server.terminate().await;

    assert_eq!(status.code(), Some(0));
    assert!(start.elapsed().as_secs() < 3, "it took {:?}", start.elapsed());
    drop(silent);
}

#[tokio::test]
async fn killed_server_restarts_on_the_same_port_for_the_same_client() {
    let mut server = ChildServer::start().await;
    let mut greeter = GreeterClient::new(server.channel());
    greeter.say_hello(HelloRequest::default()).await.unwrap();

    server.kill().await;
    assert!(greeter.say_hello(HelloRequest::default()).await.is_err());
    server.restart().await;

    assert!(greeter.say_hello(HelloRequest::default()).await.is_ok());
    assert_eq!(server.terminate().await.code(), Some(0));
}
