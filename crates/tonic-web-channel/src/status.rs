//! Statuses in headers, and the codes after which a retry may help.

use grpc_wire::metadata;
use grpc_wire::status::{GRPC_MESSAGE, repair_message};
pub(crate) use grpc_wire::status::{GRPC_STATUS, GRPC_STATUS_DETAILS};
use http::HeaderMap;
use tonic::{Code, Status};

use crate::observe::{EventRef, Reporter};

/// Whether the same call may succeed later without a change by anybody.
///
/// After gRPC's description of the status codes. `UNKNOWN` and `INTERNAL` count as transient, because proxies and
/// browsers report lost connections as these; retry only calls that are safe to repeat.
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

/// The code in `headers`, which are the trailers of a response or the headers of a response without a body.
pub(crate) fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get(GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// The status in `headers` without its details. `None` when they have none.
pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Status> {
    let mut plain = HeaderMap::new();
    for name in [GRPC_STATUS, GRPC_MESSAGE] {
        if let Some(value) = headers.get(&name) {
            plain.insert(name, value.clone());
        }
    }
    Status::from_header_map(&plain)
}

/// Repairs the status in `headers` where `tonic` would lose its code or panic: it replaces the code when
/// `grpc-message` is not UTF-8, and panics when `grpc-status-details-bin` is not base64. Warns of lost details.
pub(crate) fn repair(headers: &mut HeaderMap, reporter: &Reporter) {
    repair_message(headers);
    if remove_malformed_details(headers) {
        reporter
            .report(&EventRef::Warning("grpc-status-details-bin is not base64; the status has no details"));
    }
}

/// Copies the headers of a status from `from` to `to`.
pub(crate) fn copy(from: &HeaderMap, to: &mut HeaderMap) {
    for name in [GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS] {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
}

/// Removes the headers of a status.
pub(crate) fn remove(headers: &mut HeaderMap) {
    for name in [GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS] {
        headers.remove(name);
    }
}

fn remove_malformed_details(headers: &mut HeaderMap) -> bool {
    let details = headers.get(GRPC_STATUS_DETAILS).map(|value| metadata::decode_binary(value.as_bytes()));
    let is_malformed = matches!(details, Some(Err(_)));
    if is_malformed {
        headers.remove(GRPC_STATUS_DETAILS);
    }
    is_malformed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_details_that_tonic_panics_on_are_removed() {
        for (details, is_malformed) in [
            ("CAU", false),
            ("CAU=", false),
            ("", false),
            ("C", true),
            ("CA U", true),
            ("CAU, CAU", true),
            ("CAV", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_STATUS, "5".parse().unwrap());
            headers.insert(GRPC_STATUS_DETAILS, details.parse().unwrap());

            assert_eq!(remove_malformed_details(&mut headers), is_malformed, "{details:?}");
            assert_eq!(Status::from_header_map(&headers).unwrap().code(), Code::NotFound);
        }
    }
}
