//! A call as a program in Rust: tonic's client on our channel, with the message's bytes, so that no code has to be generated.

use grpc_wire::method::MethodKind;

use super::CallToCopy;

/// The program.
pub(in super::super) fn program(call: &CallToCopy) -> String {
    let mut text = Text::default();
    dependencies(&mut text, call);
    imports(&mut text, call);
    text.line(0, "#[tokio::main]");
    text.line(0, "async fn main() -> Result<(), Box<dyn std::error::Error>> {");
    text.line(1, &format_line("let channel = Channel::builder(", &string(&call.url), ").build()?;"));
    requests(&mut text, call);
    options(&mut text, call);
    let path = string(&["/", &call.method].concat());
    text.line(1, &format_line("let path = PathAndQuery::from_static(", &path, ");"));
    text.line(1, "let mut client = Grpc::new(channel);");
    text.line(1, "client.ready().await?;");
    responses(&mut text, call.kind);
    text.line(1, "Ok(())");
    text.line(0, "}");
    text.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, depth: usize, line: &str) {
        self.0.push_str(&"    ".repeat(depth));
        self.0.push_str(line);
        self.0.push('\n');
    }
}

fn dependencies(text: &mut Text, call: &CallToCopy) {
    text.line(0, "// [dependencies]");
    text.line(0, "// bytes = \"1\"");
    text.line(0, "// grpc-inspect = { version = \"0.1\", features = [\"client\"] }");
    text.line(0, "// http = \"1\"");
    text.line(0, "// tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }");
    if call.kind.client_streaming() {
        text.line(0, "// tokio-stream = \"0.1\"");
    }
    text.line(0, "// tonic = { version = \"0.14\", default-features = false }");
    text.line(
        0,
        match call.url.starts_with("http:") {
            true => "// tonic-web-channel = \"0.1\"",
            false => "// tonic-web-channel = { version = \"0.1\", features = [\"tls-native-roots\"] }",
        },
    );
}

fn imports(text: &mut Text, call: &CallToCopy) {
    if call.deadline.is_some() {
        text.line(0, "use std::time::Duration;");
    }
    text.line(0, "use bytes::Bytes;");
    text.line(0, "use grpc_inspect::codec::BytesCodec;");
    text.line(0, "use http::uri::PathAndQuery;");
    text.line(0, "use tonic::Request;");
    text.line(0, "use tonic::client::Grpc;");
    if call.rows().any(|(key, _)| key.ends_with("-bin")) {
        text.line(0, "use tonic::metadata::MetadataValue;");
    }
    text.line(0, "use tonic_web_channel::Channel;");
    text.line(0, "");
}

fn requests(text: &mut Text, call: &CallToCopy) {
    let has_options = call.deadline.is_some() || call.has_token || call.rows().next().is_some();
    let binding = if has_options { "let mut request = " } else { "let request = " };
    if !call.kind.client_streaming() {
        let json = call.requests.first().map_or("{}", String::as_str);
        let bytes = call.messages.first().map_or(&[][..], |bytes| bytes);
        comment(text, 1, json);
        text.line(1, &format_line("let message = Bytes::from_static(", &byte_string(bytes), ");"));
        text.line(1, &[binding, "Request::new(message);"].concat());
        return;
    }
    text.line(1, "let messages: Vec<Bytes> = vec![");
    for (json, bytes) in call.requests.iter().zip(&call.messages) {
        comment(text, 2, json);
        text.line(2, &format_line("Bytes::from_static(", &byte_string(bytes), "),"));
    }
    text.line(1, "];");
    text.line(1, &[binding, "Request::new(tokio_stream::iter(messages));"].concat());
}

fn options(text: &mut Text, call: &CallToCopy) {
    if let Some(deadline) = call.deadline {
        let millis = deadline.as_millis().to_string();
        text.line(1, &format_line("request.set_timeout(Duration::from_millis(", &millis, "));"));
    }
    if call.has_token {
        text.line(1, "let token = std::env::var(\"TOKEN\")?;");
        text.line(
            1,
            "request.metadata_mut().append(\"authorization\", format!(\"Bearer {token}\").parse()?);",
        );
    }
    for (key, value) in call.rows() {
        if key.ends_with("-bin") {
            let value: String = value.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
            let value = value.replace('-', "+").replace('_', "/");
            let bytes = grpc_wire::metadata::decode_binary(value.as_bytes()).unwrap_or_default();
            let value = ["MetadataValue::from_bytes(", &byte_string(&bytes), ")"].concat();
            text.line(1, &["request.metadata_mut().append_bin(", &string(&key), ", ", &value, ");"].concat());
        } else {
            let value = [&string(&value), ".parse()?"].concat();
            text.line(1, &["request.metadata_mut().append(", &string(&key), ", ", &value, ");"].concat());
        }
    }
}

fn responses(text: &mut Text, kind: MethodKind) {
    let function = match kind {
        MethodKind::Unary => "unary",
        MethodKind::ServerStreaming => "server_streaming",
        MethodKind::ClientStreaming => "client_streaming",
        MethodKind::Bidirectional => "streaming",
    };
    let call = ["client.", function, "(request, path, BytesCodec).await?.into_inner();"].concat();
    if !kind.server_streaming() {
        text.line(1, &["let reply = ", &call].concat());
        text.line(1, "println!(\"{reply:?}\");");
        return;
    }
    text.line(1, &["let mut replies = ", &call].concat());
    text.line(1, "while let Some(reply) = replies.message().await? {");
    text.line(2, "println!(\"{reply:?}\");");
    text.line(1, "}");
}

fn comment(text: &mut Text, depth: usize, lines: &str) {
    for line in lines.lines() {
        text.line(depth, ["// ", line].concat().trim_end());
    }
}

fn format_line(before: &str, value: &str, after: &str) -> String {
    [before, value, after].concat()
}

/// A string of Rust.
fn string(text: &str) -> String {
    let mut literal = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => literal.extend(['\\', letter]),
            letter if letter.is_control() => literal.extend(letter.escape_unicode()),
            letter => literal.push(letter),
        }
    }
    literal.push('"');
    literal
}

/// A byte string of Rust.
fn byte_string(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut literal = String::from("b\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => literal.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => literal.push(char::from(*byte)),
            byte => {
                let digits = [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
                literal.extend(['\\', 'x', digits[0], digits[1]]);
            }
        }
    }
    literal.push('"');
    literal
}
