//! A call as a text that repeats it elsewhere: a command for `grpcurl` or `buf curl`, or a program in Rust. Tokens are placeholders.

mod program;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use grpc_wire::method::MethodKind;

pub(super) use self::program::program;
use super::metadata::Row;
use crate::shell::{decimal_seconds, host, quoted};

/// The header with the token, for a shell that replaces the variable.
const TOKEN_HEADER: &str = "\"authorization: Bearer $TOKEN\"";

/// The call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CallToCopy {
    /// The server's address, with the path before that of the method if there is one.
    pub(super) url: String,
    /// `package.Service/Method`.
    pub(super) method: String,
    /// The sides that send a stream.
    pub(super) kind: MethodKind,
    /// The messages as JSON texts.
    pub(super) requests: Vec<String>,
    /// The same as bytes.
    pub(super) messages: Vec<Bytes>,
    /// The metadata.
    pub(super) metadata: Vec<Row>,
    /// Whether a bearer token is sent.
    pub(super) has_token: bool,
    /// The deadline.
    pub(super) deadline: Option<Duration>,
    /// Name of the file with the descriptors; `None` where the server's reflection has them.
    pub(super) descriptors: Option<String>,
}

impl CallToCopy {
    /// The metadata without blank rows. Values that may be secrets are placeholders.
    fn rows(&self) -> impl Iterator<Item = (String, String)> {
        self.metadata.iter().filter(|row| !row.is_blank()).map(|row| {
            let key = row.key();
            let value = if row.is_secret() { ["<", &key, ">"].concat() } else { row.value.trim().to_owned() };
            (key, value)
        })
    }
}

/// The command for `grpcurl`; `None` for an address with a path, for which it has no flag.
pub(super) fn grpcurl(call: &CallToCopy) -> Option<String> {
    let (_, rest) = call.url.split_once("://")?;
    if rest.contains('/') {
        return None;
    }
    let mut command = Command::new("grpcurl");
    if call.url.starts_with("http:") {
        command.word("-plaintext");
    }
    if let Some(file) = &call.descriptors {
        command.option("-protoset", &quoted(file));
    }
    if call.has_token {
        command.option("-H", TOKEN_HEADER);
    }
    for (key, value) in call.rows() {
        command.option("-H", &quoted(&[&key, ": ", &value].concat()));
    }
    if let Some(deadline) = call.deadline {
        command.option("-max-time", &decimal_seconds(deadline));
    }
    command.option("-d", &quoted(&call.requests.join("\n")));
    command.line(&[&host(&call.url), " ", &quoted_if_needed(&call.method)].concat());
    Some(command.0)
}

/// The command for `buf curl`, which has no flag for a deadline.
pub(super) fn buf_curl(call: &CallToCopy) -> String {
    let mut command = Command::new("buf curl --protocol grpc");
    if call.url.starts_with("http:") {
        command.word("--http2-prior-knowledge");
    }
    if let Some(file) = &call.descriptors {
        command.option("--schema", &quoted(file));
    }
    if call.has_token {
        command.option("--header", TOKEN_HEADER);
    }
    for (key, value) in call.rows() {
        command.option("--header", &quoted(&[&key, ": ", &value].concat()));
    }
    command.option("--data", &quoted(&call.requests.join("\n")));
    command.line(&quoted_if_needed(&[&call.url, "/", &call.method].concat()));
    command.0
}

/// A command whose arguments stand on lines of their own.
struct Command(String);

impl Command {
    fn new(program: &str) -> Command {
        Command(program.to_owned())
    }

    fn word(&mut self, word: &str) {
        self.0.push(' ');
        self.0.push_str(word);
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(" \\\n  ");
        self.0.push_str(text);
    }

    fn option(&mut self, flag: &str, argument: &str) {
        self.line(&[flag, " ", argument].concat());
    }
}

/// A text as one argument, which is easier to read without quotation marks.
fn quoted_if_needed(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:-[]".contains(&byte));
    // Brackets are a pattern, unless nothing matches it.
    if is_plain && !text.contains('[') { text.to_owned() } else { quoted(text) }
}
