//! What a status code says about trying again, and statuses read off headers.

use http::HeaderMap;
use tonic::{Code, Status};

/// Whether the same call may succeed later without anybody changing it.
///
/// After gRPC's description of the status codes. `UNKNOWN` and `INTERNAL` count as transient,
/// because proxies and browsers report lost connections as these; repeat only calls that are safe to
/// repeat.
pub fn is_transient(code: Code) -> bool {
    match code {
        Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

/// The code's name as the specification writes it, as in `DEADLINE_EXCEEDED`.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The status in `headers`, which are a response's trailers or the headers of a response without a
/// body. `None` when they have none.
///
/// Details are left out: this is for showing, and malformed ones must not disturb it.
pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Status> {
    let mut plain = HeaderMap::new();
    for name in ["grpc-status", "grpc-message"] {
        if let Some(value) = headers.get(name) {
            plain.insert(name, value.clone());
        }
    }
    Status::from_header_map(&plain)
}

pub(crate) fn deadline_exceeded() -> Status {
    Status::deadline_exceeded("the deadline passed before the call was complete")
}
