//! Why a call failed on this side of the network: each reason with its code, and the words that say what to
//! check.
//!
//! A failure that the server reported is no `Error`; its [`Status`] has no such source.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use grpc_wire::reader::{BodyEnd, ReadError};
use grpc_wire::status::code_of_http;
use tonic::{Code, Status};

/// Why a call failed before, beside or instead of what the server had to say.
///
/// It is the source of the [`Status`] that the call returns; [`Error::of`] finds it there. The codes are
/// those that gRPC's description of the status codes gives to what a library notices by itself.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The browser says that there is no network. The call has not left. `UNAVAILABLE`.
    #[error("this machine is offline; check its network connection")]
    Offline,
    /// No connection was made, and it is certain that the call has not left. `UNAVAILABLE`.
    #[error("the server at {origin} cannot be reached ({reason}); check its name, its port and that it runs")]
    Connect {
        /// Where it was looked for.
        origin: String,
        /// What the system says.
        reason: String,
    },
    /// `fetch` failed. Browsers hide from a page which of the possible reasons it was, and whether the
    /// server has seen the call. `UNAVAILABLE`.
    #[error("{}", fetch_failed(.origin, *.offline))]
    Fetch {
        /// Where it was looked for.
        origin: String,
        /// What the browser says.
        reason: String,
        /// Whether the browser says that there is no network, too: it was lost under way, or the server is on
        /// this machine, which is called all the same.
        offline: bool,
    },
    /// The connection broke while the response was read. `UNAVAILABLE`.
    #[error("the connection to the server was lost before the call was complete ({reason})")]
    ConnectionLost {
        /// What the browser or the system says.
        reason: String,
    },
    /// Something answered with an HTTP status and no gRPC: a proxy, or another server. The code is by
    /// gRPC's table "HTTP to gRPC Status Code Mapping".
    #[error(
        "something between here and the server answered with HTTP status {status} instead of gRPC; check the \
         proxy and the address"
    )]
    Http {
        /// The HTTP status.
        status: u16,
    },
    /// HTTP says that all is well, but the content type is none of gRPC's. `UNKNOWN`.
    #[error(
        "the answer has content type `{found}` instead of gRPC's; check that the address is the server's"
    )]
    ContentType {
        /// The content type that came; empty for none.
        found: String,
    },
    /// The response ended properly as HTTP, but before its trailers. `INTERNAL`.
    #[error("the response ended {}, before its status came; check for a proxy that cuts responses", place(*.end))]
    Truncated {
        /// Where it ended.
        end: BodyEnd,
    },
    /// What came breaks the protocol. `INTERNAL`.
    #[error("the response breaks the gRPC protocol: {reason}")]
    Protocol {
        /// How.
        reason: String,
    },
    /// A message is longer than this channel takes. `RESOURCE_EXHAUSTED`.
    #[error("a message of {size} bytes came, and this channel takes at most {limit}")]
    MessageTooLarge {
        /// Its length, in bytes, as far as it is known.
        size: u64,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Headers or trailers are longer than this channel takes. `RESOURCE_EXHAUSTED`.
    #[error("metadata of more than {limit} bytes came, which is the most that this channel takes")]
    MetadataTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The caller's messages are together longer than what a browser's request is collected to. The call has not
    /// left. `RESOURCE_EXHAUSTED`.
    #[error(
        "the request's messages are together longer than {limit} bytes, and a browser sends them in one piece"
    )]
    RequestTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// As many calls are open as the channel allows. The call has not left. `RESOURCE_EXHAUSTED`.
    #[error("{limit} calls are open, which is the most that this channel allows at once")]
    TooManyCalls {
        /// The limit.
        limit: usize,
    },
    /// One response message is due, and another number came. `UNIMPLEMENTED`.
    #[error("the method answers with one message, and {found} came")]
    Cardinality {
        /// `none` or `more than one`.
        found: &'static str,
    },
    /// The caller's token was cancelled. `CANCELLED`.
    #[error("the call was cancelled")]
    Cancelled,
    /// The deadline passed. `DEADLINE_EXCEEDED`.
    #[error("the deadline of {} passed before the call was complete", seconds(*.timeout))]
    Deadline {
        /// What the call was given.
        timeout: Duration,
    },
    /// Nothing came for longer than the stream's idle timeout. `UNAVAILABLE`.
    #[error("nothing came from the server for {}", seconds(*.timeout))]
    Idle {
        /// How long nothing may come.
        timeout: Duration,
    },
}

impl Error {
    /// The code that this error has as a [`Status`].
    pub fn code(&self) -> Code {
        match self {
            Self::Offline
            | Self::Connect { .. }
            | Self::Fetch { .. }
            | Self::ConnectionLost { .. }
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

    /// The error behind `status`, when it was this side that failed.
    pub fn of(status: &Status) -> Option<&Self> {
        status.source()?.downcast_ref()
    }

    /// Whether it is certain that no server has seen the call, so that repeating it is always safe.
    pub fn never_left(&self) -> bool {
        matches!(
            self,
            Self::Offline | Self::Connect { .. } | Self::RequestTooLarge { .. } | Self::TooManyCalls { .. }
        )
    }
}

/// The sentence: the fields are in it, and what writes them otherwise is long code for a page.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
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
            ReadError::SecondMessage => Self::Cardinality { found: "more than one" },
            ReadError::MessageTooLarge { size, limit } => Self::MessageTooLarge { size: size.into(), limit },
            ReadError::TrailersTooLarge { limit } => Self::MetadataTooLarge { limit },
            other => Self::Protocol { reason: other.to_string() },
        }
    }
}

/// What somebody sent, for a sentence: each byte as the character of that number, which for ASCII is what it is.
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
        "the server at {origin} cannot be reached, or it does not allow calls from this page's origin (CORS), \
         and a browser does not tell a page which; check that the server runs, and the allowed origins"
    )
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

/// Without the formatting of floating-point numbers, which is longer than all the sentences here.
fn seconds(duration: Duration) -> String {
    let (whole, ms) = (duration.as_secs(), duration.subsec_millis());
    if ms == 0 { format!("{whole} s") } else { format!("{whole}.{ms:03} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_a_status_is_found_again_and_has_the_same_code() {
        let error = Error::Http { status: 502 };

        let status = Status::from(error.clone());

        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(Error::of(&status), Some(&error));
        assert_eq!(Error::of(&Status::unavailable("said by the server")), None);
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
}
