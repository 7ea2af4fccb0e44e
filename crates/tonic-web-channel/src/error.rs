//! The reasons for which a call fails on this side of the network, each with its code and a sentence that says what to
//! check.
//!
//! A failure that the server reported is no [`Error`]: its [`Status`] has no such source.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use grpc_wire::reader::{BodyEnd, ReadError};
use grpc_wire::status::code_of_http;
use tonic::{Code, Status};

#[cfg(not(target_arch = "wasm32"))]
const CONNECT_ADVICE: &str = "its name, its port, that it runs, and whether it speaks TLS";
/// A browser does not tell a page why a WebSocket was not opened.
#[cfg(target_arch = "wasm32")]
const CONNECT_ADVICE: &str = "its name, its port, that it runs and takes WebSockets from pages of this origin, that proxies \
     pass the upgrade on, and that the page's content security policy lists it under connect-src";

/// The reason for which a call failed without a verdict of the server.
///
/// It is the source of the [`Status`] that the call returns; [`Error::from_status`] finds it there. The codes are those
/// that gRPC's description of the status codes prescribes for failures that a library detects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The browser reports that there is no network, and the subscription makes no attempt meanwhile. `UNAVAILABLE`.
    #[error("this machine is offline; check its network connection")]
    Offline,
    /// No connection could be made, so the request was not sent. `UNAVAILABLE`.
    ///
    /// In a browser it is the WebSocket of the transport `Socket`.
    #[error("the server at {origin} cannot be reached ({reason}); check {CONNECT_ADVICE}")]
    Connect {
        /// The address that was called.
        origin: String,
        /// The reason that the operating system, the TLS library or the browser gives.
        reason: String,
    },
    /// `fetch` failed. A browser hides the reason from the page, and whether the server received the request.
    /// `UNAVAILABLE`.
    #[error("{}", fetch_failed(.origin, *.offline))]
    Fetch {
        /// The address that was called.
        origin: String,
        /// The message of the browser's error.
        reason: String,
        /// Whether the browser also reports that there is no network. It was lost during the call, or the server is on
        /// this machine, which is called without a network too.
        offline: bool,
    },
    /// The server does not answer in HTTP/2: it speaks HTTP/1.1 only, or expects TLS. Only natively. `UNAVAILABLE`.
    #[error(
        "there is no HTTP/2 server at {origin}, or it expects TLS; check the port and whether the address needs \
         https instead of http"
    )]
    NotHttp2 {
        /// The address that was called.
        origin: String,
    },
    /// The connection was lost before the call was complete. `UNAVAILABLE`.
    #[error("the connection to the server was lost before the call was complete ({reason})")]
    ConnectionLost {
        /// The reason that the browser or the operating system gives.
        reason: String,
    },
    /// The call sends and receives at once, which a browser can only do over a WebSocket, and none could be opened. The
    /// call was not sent. `UNAVAILABLE`.
    #[error("this call needs a WebSocket, because it sends and receives at once: {reason}")]
    NeedsSocket {
        /// The reason why no WebSocket is open.
        reason: String,
    },
    /// The server refused the call before it did anything for it, because it stops or is busy. Repeating the call is
    /// safe. Only over HTTP/2. `UNAVAILABLE`.
    #[error("the server refused the call before processing it ({reason})")]
    NotProcessed {
        /// The error of HTTP/2.
        reason: String,
    },
    /// The answer has an HTTP status other than 200 and is not gRPC: it comes from a proxy or another kind of server.
    /// The code follows gRPC's table "HTTP to gRPC Status Code Mapping".
    #[error(
        "something between here and the server answered with HTTP status {status} instead of gRPC; check {}",
        place_to_check(*.status)
    )]
    Http {
        /// The HTTP status.
        status: u16,
    },
    /// The answer has HTTP status 200 and a content type other than gRPC's. `UNKNOWN`.
    #[error("the answer has content type `{found}` instead of gRPC's; check that {}", check_of_type(.found))]
    ContentType {
        /// The content type of the answer; empty for none.
        found: String,
    },
    /// The response body ended properly for HTTP, but before its trailers. `INTERNAL`.
    #[error("the response ended {}, before its status came; check for a proxy that cuts responses", place(*.end))]
    Truncated {
        /// The part of the body in which it ended.
        end: BodyEnd,
    },
    /// The response breaks the protocol. `INTERNAL`.
    #[error("the response breaks the gRPC protocol: {reason}")]
    Protocol {
        /// The rule that it breaks.
        reason: String,
    },
    /// A response message exceeds the limit of this channel. `RESOURCE_EXHAUSTED`.
    #[error("the response has a message of {size} bytes; this channel accepts at most {limit}")]
    MessageTooLarge {
        /// The size of the message in bytes, as far as it is known.
        size: u64,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The headers or trailers of the response exceed the limit of this channel. `RESOURCE_EXHAUSTED`.
    #[error("the response has more than {limit} bytes of metadata, which is this channel's limit")]
    MetadataTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The messages of a request stream exceed the size of a request that a browser can send. The request was not
    /// sent. `RESOURCE_EXHAUSTED`.
    #[error(
        "the request has more than {limit} bytes, which is the limit where a browser sends it in one piece"
    )]
    RequestTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// As many calls are open as the channel allows. The request was not sent. `RESOURCE_EXHAUSTED`.
    #[error("{limit} calls are open, which is this channel's limit")]
    TooManyCalls {
        /// The limit.
        limit: usize,
    },
    /// The method answers with exactly one message, and the response has another number of messages. `UNIMPLEMENTED`.
    #[error("the method answers with one message, and the response has {found}")]
    Cardinality {
        /// The number of messages in the response.
        found: MessageCount,
    },
    /// The caller's cancellation token was cancelled. `CANCELLED`.
    #[error("the call was cancelled")]
    Cancelled,
    /// The deadline passed. `DEADLINE_EXCEEDED`.
    #[error("the deadline of {} passed before the call was complete", seconds(*.timeout))]
    Deadline {
        /// The time that the call was given.
        timeout: Duration,
    },
    /// Nothing came from the server within the idle timeout. `UNAVAILABLE`.
    #[error(
        "nothing came from the server for {}; a stream that is quiet for longer needs heartbeats, or a longer idle timeout",
        seconds(*.timeout)
    )]
    Idle {
        /// The idle timeout.
        timeout: Duration,
    },
}

/// The number of messages in a response that should have had exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageCount {
    /// No message.
    Zero,
    /// Two or more messages.
    Several,
}

impl fmt::Display for MessageCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zero => "none",
            Self::Several => "more than one",
        })
    }
}

impl Error {
    /// The code of this error's [`Status`].
    pub fn code(&self) -> Code {
        match self {
            Self::Offline
            | Self::Connect { .. }
            | Self::Fetch { .. }
            | Self::NotHttp2 { .. }
            | Self::ConnectionLost { .. }
            | Self::NeedsSocket { .. }
            | Self::NotProcessed { .. }
            | Self::Idle { .. } => Code::Unavailable,
            Self::Http { status } => Code::from_i32(code_of_http(*status)),
            Self::ContentType { .. } => Code::Unknown,
            Self::Truncated { .. } | Self::Protocol { .. } => Code::Internal,
            Self::MessageTooLarge { .. }
            | Self::MetadataTooLarge { .. }
            | Self::RequestTooLarge { .. }
            | Self::TooManyCalls { .. } => Code::ResourceExhausted,
            Self::Cardinality { .. } => Code::Unimplemented,
            Self::Cancelled => Code::Cancelled,
            Self::Deadline { .. } => Code::DeadlineExceeded,
        }
    }

    /// The error behind `status`. None when the server reported the status.
    pub fn from_status(status: &Status) -> Option<&Self> {
        status.source()?.downcast_ref()
    }

    /// Whether the server has certainly not processed the request, so that repeating the call is always safe.
    pub fn is_not_sent(&self) -> bool {
        matches!(
            self,
            Self::Offline
                | Self::Connect { .. }
                | Self::NeedsSocket { .. }
                | Self::NotProcessed { .. }
                | Self::RequestTooLarge { .. }
                | Self::TooManyCalls { .. }
        )
    }

    /// Whether something other than a gRPC server answered: a proxy, a load balancer, a web server. Then the code says
    /// nothing about the call. For example, an HTTP 404 has the code `UNIMPLEMENTED`, and the server may well
    /// implement the method.
    pub fn is_not_grpc(&self) -> bool {
        matches!(self, Self::Http { .. } | Self::ContentType { .. } | Self::NotHttp2 { .. })
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let mut status = Self::new(error.code(), error.to_string());
        status.set_source(Arc::new(error));
        status
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::SecondMessage => Self::Cardinality { found: MessageCount::Several },
            ReadError::MessageTooLarge { size, limit } => Self::MessageTooLarge { size: size.into(), limit },
            ReadError::TrailersTooLarge { limit } => Self::MetadataTooLarge { limit },
            other => Self::Protocol { reason: other.to_string() },
        }
    }
}

/// `bytes` as text for an error, one character per byte (ISO 8859-1). Header values are ASCII nearly always.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn fetch_failed(origin: &str, offline: bool) -> String {
    if offline {
        return format!(
            "the server at {origin} did not answer, and this machine is offline; check its network connection"
        );
    }
    format!(
        "the server at {origin} cannot be reached, or the browser blocks the call, and tells it only in its console; \
         check that the server runs{}, that it allows this page's origin and the call's headers (CORS), and that this \
         page's content security policy allows the server (CSP connect-src)",
        if origin.starts_with("https:") { " with a certificate that the browser trusts" } else { "" }
    )
}

/// The things to check after an answer that is not gRPC.
fn place_to_check(status: u16) -> &'static str {
    match status {
        // A proxy's own, where the server does not answer it: 500 is trunk's.
        500 | 502..=504 => {
            "that the server behind the proxy runs, that the proxy has its address, and that both speak the same version of HTTP"
        }
        _ => "the proxy and the address",
    }
}

fn check_of_type(found: &str) -> &'static str {
    if found.starts_with("application/grpc") {
        "the server speaks gRPC-Web, which pages need, and not only native gRPC"
    } else {
        "the address is the server's"
    }
}

fn place(end: BodyEnd) -> &'static str {
    match end {
        // The status may be among headers that the page is not allowed to see.
        BodyEnd::Empty if cfg!(target_arch = "wasm32") => {
            "with nothing in it (a server of another origin has to expose `grpc-status` by CORS)"
        }
        BodyEnd::Empty => "with nothing in it",
        BodyEnd::AfterMessage => "after a message",
        BodyEnd::InsidePrefix => "inside the prefix of a message",
        BodyEnd::InsideMessage => "inside a message",
        BodyEnd::InsideTrailers => "inside its trailers",
        BodyEnd::InsideBase64 => "inside a group of base64",
        BodyEnd::Complete => "after its trailers",
    }
}

/// `duration` in seconds, without the standard library's formatting of floating-point numbers, which is more code than
/// all sentences here.
fn seconds(duration: Duration) -> String {
    let (whole, ms) = (duration.as_secs(), duration.subsec_millis());
    if ms == 0 { format!("{whole} s") } else { format!("{whole}.{ms:03} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_found_in_its_status_with_the_same_code() {
        let error = Error::Http { status: 502 };

        let status = Status::from(error.clone());

        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(Error::from_status(&status), Some(&error));
        assert_eq!(Error::from_status(&Status::unavailable("from the server")), None);
    }

    #[test]
    fn http_statuses_have_the_codes_of_the_specification() {
        let cases = [
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
            (200, Code::Unknown),
            (500, Code::Unknown),
            (418, Code::Unknown),
        ];
        for (http, code) in cases {
            assert_eq!(Error::Http { status: http }.code(), code, "{http}");
        }
    }

    #[test]
    fn debug_shows_the_fields() {
        let error = Error::MessageTooLarge { size: 5, limit: 4 };
        assert_eq!(format!("{error:?}"), "MessageTooLarge { size: 5, limit: 4 }");
    }

    #[test]
    fn failed_fetch_names_cors_and_csp() {
        let error = Error::Fetch { origin: "http://a:1".to_owned(), reason: String::new(), offline: false };
        let text = error.to_string();
        assert!(text.contains("CORS") && text.contains("CSP connect-src"), "{text}");
    }

    #[test]
    fn readme_lists_every_error() {
        let source = include_str!("error.rs");
        let (variants, _) = source.split_once("pub enum Error {").unwrap().1.split_once("\n}\n").unwrap();
        let names = variants.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix([',', '{']));
        let names: Vec<_> =
            names.map(str::trim_end).filter(|name| name.starts_with(char::is_uppercase)).collect();
        assert!(names.contains(&"Offline") && names.contains(&"Idle"), "{names:?}");
        for name in names {
            assert!(
                include_str!("../README.md").contains(&format!("| `{name}` |")),
                "{name} is not in the README"
            );
        }
    }
}
