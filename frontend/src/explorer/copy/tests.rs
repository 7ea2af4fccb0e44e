//! Commands as a shell reads them, and programs that compile.

use std::process::Command;

use super::*;

/// The programs of `program_for`, which have to compile.
#[cfg(not(target_arch = "wasm32"))]
#[allow(clippy::print_stdout, dead_code, reason = "they are compiled, not run")]
mod programs {
    mod unary {
        include!("tests/unary.txt");
    }
    mod bidirectional {
        include!("tests/bidirectional.txt");
    }
}

fn row(key: &str, value: &str) -> Row {
    Row { key: key.to_owned(), value: value.to_owned() }
}

fn unary() -> CallToCopy {
    CallToCopy {
        url: "http://127.0.0.1:50051".to_owned(),
        method: "helloworld.Greeter/SayHello".to_owned(),
        kind: MethodKind::Unary,
        requests: vec!["{\n  \"name\": \"Ada's \\\"世界\\\" $HOME\"\n}".to_owned()],
        messages: vec![Bytes::from_static(b"\n\x03\"\\\xe4")],
        metadata: vec![
            row("X-Note", "it's `here`"),
            row("", ""),
            row("x-api-key", "s3cret"),
            row("trace-bin", "AP8Q"),
        ],
        has_token: true,
        deadline: Some(Duration::from_millis(1_500)),
        descriptors: None,
    }
}

fn bidirectional() -> CallToCopy {
    CallToCopy {
        url: "https://api.example/grpc".to_owned(),
        method: "helloworld.Greeter/SayHelloBidiStream".to_owned(),
        kind: MethodKind::Bidirectional,
        requests: vec!["{\"name\": \"a\"}".to_owned(), "{}".to_owned()],
        messages: vec![Bytes::from_static(b"\n\x01a"), Bytes::new()],
        metadata: Vec::new(),
        has_token: false,
        deadline: None,
        descriptors: Some("my services.binpb".to_owned()),
    }
}

/// The arguments that a program gets when a shell runs the command.
fn arguments(command: &str) -> Vec<String> {
    let (program, rest) = command.split_once(' ').unwrap();
    // A function takes the program's place.
    let script = format!("{program}() {{ printf '%s\\0' \"$@\"; }}\n{program} {rest}");
    let output = Command::new("sh").args(["-euc", &script]).env("TOKEN", "t0ken").output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn grpcurl_gets_what_the_call_has() {
    let call = unary();
    let expected = [
        "-plaintext",
        "-H",
        "authorization: Bearer t0ken",
        "-H",
        "x-note: it's `here`",
        "-H",
        "x-api-key: <x-api-key>",
        "-H",
        "trace-bin: AP8Q",
        "-max-time",
        "1.5",
        "-d",
        &call.requests[0],
        "127.0.0.1:50051",
        "helloworld.Greeter/SayHello",
    ];
    assert_eq!(arguments(&grpcurl(&call).unwrap()), expected);
}

#[test]
fn grpcurl_has_no_flag_for_a_path() {
    assert_eq!(grpcurl(&bidirectional()), None);
}

#[test]
fn buf_curl_gets_what_the_call_has() {
    let expected = [
        "curl",
        "--protocol",
        "grpc",
        "--schema",
        "my services.binpb",
        "--data",
        "{\"name\": \"a\"}\n{}",
        "https://api.example/grpc/helloworld.Greeter/SayHelloBidiStream",
    ];
    assert_eq!(arguments(&buf_curl(&bidirectional())), expected);
    let call = unary();
    let found = arguments(&buf_curl(&call));
    assert_eq!(found[3], "--http2-prior-knowledge");
    assert!(found.contains(&"authorization: Bearer t0ken".to_owned()));
    assert_eq!(found.last().unwrap(), "http://127.0.0.1:50051/helloworld.Greeter/SayHello");
}

#[test]
fn an_ipv6_address_is_no_pattern() {
    let call = CallToCopy { url: "http://[::1]:50051".to_owned(), ..unary() };
    assert_eq!(arguments(&buf_curl(&call)).last().unwrap(), "http://[::1]:50051/helloworld.Greeter/SayHello");
    assert_eq!(arguments(&grpcurl(&call).unwrap())[13], "[::1]:50051");
}

#[test]
fn no_text_has_a_token_or_a_secret() {
    let call = unary();
    for text in [grpcurl(&call).unwrap(), buf_curl(&call), program(&call)] {
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("TOKEN"), "{text}");
    }
}

#[test]
fn programs_are_those_that_compile() {
    assert_eq!(program(&unary()), include_str!("tests/unary.txt"));
    assert_eq!(program(&bidirectional()), include_str!("tests/bidirectional.txt"));
}
