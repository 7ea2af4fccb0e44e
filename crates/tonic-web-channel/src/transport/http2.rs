//! The codes of HTTP/2 errors, for every transport over HTTP/2.
//!
//! Specification: RFC 9113, section 7; "Errors" of `PROTOCOL-HTTP2.md`.

use std::fmt;

use grpc_wire::status::code_of_reset;
use tonic::{Code, Status};

use crate::error::Error;

/// An error code of RST_STREAM and GOAWAY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ErrorCode(pub(super) u32);

impl ErrorCode {
    pub(super) const REFUSED_STREAM: Self = Self(7);
}

#[cfg(feature = "socket")]
impl ErrorCode {
    pub(super) const NO_ERROR: Self = Self(0);
    pub(super) const PROTOCOL_ERROR: Self = Self(1);
    pub(super) const FLOW_CONTROL_ERROR: Self = Self(3);
    pub(super) const FRAME_SIZE_ERROR: Self = Self(6);
    pub(super) const CANCEL: Self = Self(8);
    pub(super) const COMPRESSION_ERROR: Self = Self(9);
    pub(super) const ENHANCE_YOUR_CALM: Self = Self(11);
}

/// The names of the codes, in their order.
const NAMES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(self.0 as usize) {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

/// The status for a call that the server reset with `code`. `text` describes the reset.
pub(super) fn status_of_reset(code: ErrorCode, text: &str) -> Status {
    if code == ErrorCode::REFUSED_STREAM {
        return Error::NotProcessed { reason: text.to_owned() }.into();
    }
    let code = Code::from_i32(code_of_reset(code.0));
    Status::new(code, format!("the server reset the call ({text})"))
}

/// The status for an error of `h2` that ended one call. `None` when it ended the connection in another way.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn status_of(error: &h2::Error) -> Option<Status> {
    // A server that stops names the last call that it processes.
    if error.is_go_away() && error.is_remote() {
        return Some(Error::NotProcessed { reason: error.to_string() }.into());
    }
    if !error.is_reset() {
        return None;
    }
    let code = ErrorCode(error.reason().map_or(u32::MAX, Into::into));
    if code == ErrorCode::REFUSED_STREAM && !error.is_remote() {
        return Some(Status::unavailable(format!("the call was reset ({error})")));
    }
    Some(status_of_reset(code, &error.to_string()))
}
