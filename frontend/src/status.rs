//! What a failed call says: its code's name, a sentence for a person, and the fields that were
//! refused.

pub use channel::code_name;
use prost::Message as _;
use tonic::{Code, Status};

use crate::i18n::Messages;

/// What happened and what to do, in the reader's language.
pub fn sentence(m: &Messages, code: Code) -> &'static str {
    match code {
        Code::Ok => m.status_ok,
        Code::Cancelled => m.status_cancelled,
        Code::DeadlineExceeded => m.status_deadline,
        Code::InvalidArgument | Code::OutOfRange => m.status_invalid,
        Code::NotFound => m.status_not_found,
        Code::AlreadyExists => m.status_exists,
        Code::PermissionDenied => m.status_denied,
        Code::ResourceExhausted => m.status_exhausted,
        Code::Unauthenticated => m.status_unauthenticated,
        Code::Unimplemented => m.status_unimplemented,
        Code::Unavailable => m.status_unavailable,
        Code::Unknown | Code::Internal | Code::DataLoss | Code::Aborted | Code::FailedPrecondition => {
            m.status_internal
        }
    }
}

/// A field that the server refused.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct FieldViolation {
    /// Its path in the request, such as `name`.
    #[prost(string, tag = "1")]
    pub field: String,
    /// Why, in the server's words.
    #[prost(string, tag = "2")]
    pub description: String,
}

/// The fields that the status' `google.rpc.BadRequest` names.
pub fn field_violations(status: &Status) -> Vec<FieldViolation> {
    field_violations_in(status.details())
}

/// The same from the bytes of `grpc-status-details-bin`.
pub fn field_violations_in(details: &[u8]) -> Vec<FieldViolation> {
    // Details of any other shape say nothing about fields.
    let details = RpcStatus::decode(details).unwrap_or_default().details;
    details
        .into_iter()
        .filter(|detail| detail.type_url.ends_with("/google.rpc.BadRequest"))
        .filter_map(|detail| BadRequest::decode(detail.value.as_slice()).ok())
        .flat_map(|bad_request| bad_request.field_violations)
        .collect()
}

/// The type names of what `grpc-status-details-bin` holds.
pub fn detail_types(details: &[u8]) -> Vec<String> {
    let details = RpcStatus::decode(details).unwrap_or_default().details;
    details.into_iter().map(|detail| detail.type_url).collect()
}

// The three messages of googleapis' google/rpc/status.proto and error_details.proto that are read
// here, with the fields that are read.

#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<FieldViolation>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    fn refused(field: &str, description: &str) -> Vec<u8> {
        let violation = FieldViolation { field: field.to_owned(), description: description.to_owned() };
        let bad_request = BadRequest { field_violations: vec![violation] };
        let any = Any {
            type_url: "type.googleapis.com/google.rpc.BadRequest".to_owned(),
            value: bad_request.encode_to_vec(),
        };
        RpcStatus { details: vec![any] }.encode_to_vec()
    }

    #[test]
    fn the_refused_field_is_read_from_the_details() {
        let details = refused("name", "too long");
        let status = Status::with_details(Code::InvalidArgument, "refused", details.into());
        let [violation] = field_violations(&status).try_into().unwrap();
        assert_eq!((violation.field.as_str(), violation.description.as_str()), ("name", "too long"));
    }

    #[test]
    fn details_that_are_no_details_name_no_field() {
        assert!(field_violations_in(&[]).is_empty());
        assert!(field_violations_in(&[0xff, 0xff, 0xff]).is_empty());
        assert!(detail_types(b"\x1a\x02").is_empty());
    }

    #[test]
    fn every_code_has_its_own_name_and_a_sentence_in_each_language() {
        let mut names: Vec<&str> = (0..=16).map(|code| code_name(Code::from_i32(code))).collect();
        names.dedup();
        assert_eq!(names.len(), 17);
        for language in Language::ALL {
            for code in 0..=16 {
                assert!(!sentence(language.messages(), Code::from_i32(code)).is_empty());
            }
        }
    }
}
