//! What a failed call says: its code's name, a sentence for a person, and the fields that were
//! refused.

use std::time::Duration;

use prost::Message as _;
use tonic::{Code, Status};
use tonic_web_channel::Error;

use crate::{
    i18n::{Messages, fill},
    lean,
};

/// The name of a code as the specification writes it, such as `DEADLINE_EXCEEDED`.
pub fn code_name(code: Code) -> &'static str {
    grpc_wire::status::code_name(code as i32)
}

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

/// Why a call failed, as far as the page tells reasons apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code.
    pub code: Code,
    /// What went wrong on this side of the network; none when the server said so.
    error: Option<Error>,
    /// How long the server asks to wait before the call is repeated.
    retry_after: Option<Duration>,
}

impl Failure {
    /// What happened, whether the work is safe and what to do, in the reader's language.
    pub fn sentence(&self, m: &Messages) -> String {
        let Some(error) = &self.error else { return self.said_by_server(m) };
        let seconds = |duration: &std::time::Duration| lean::double(duration.as_secs_f64());
        let (template, argument) = match error {
            Error::Offline => (m.error_offline, String::new()),
            Error::Connect { .. } => (m.status_unavailable, String::new()),
            Error::Fetch { offline: true, .. } => (m.error_no_network, String::new()),
            Error::Fetch { .. } => (m.error_fetch, String::new()),
            Error::ConnectionLost { .. } => (m.error_lost, String::new()),
            Error::Http { status } => (m.error_http, status.to_string()),
            Error::ContentType { found } if found.is_empty() => (m.error_no_content_type, String::new()),
            Error::ContentType { found } => (m.error_content_type, found.clone()),
            Error::Truncated { .. } => (m.error_truncated, String::new()),
            Error::Protocol { .. } => (m.error_protocol, String::new()),
            Error::MessageTooLarge { limit, .. } | Error::MetadataTooLarge { limit } => {
                (m.error_too_large, limit.to_string())
            }
            Error::TooManyCalls { limit } => (m.error_too_many_calls, limit.to_string()),
            Error::Cardinality { .. } => (m.status_unimplemented, String::new()),
            Error::Cancelled => (m.status_cancelled, String::new()),
            Error::Deadline { timeout } => (m.error_deadline, seconds(timeout)),
            Error::Idle { timeout } => (m.error_idle, seconds(timeout)),
            // What later channels tell apart has the words of its code until it has its own.
            _ => (sentence(m, self.code), String::new()),
        };
        fill(template, &[("value", &argument)])
    }
}

impl Failure {
    /// The sentence of a failure that the server reported.
    fn said_by_server(&self, m: &Messages) -> String {
        match (self.code, self.retry_after) {
            (Code::ResourceExhausted, Some(wait)) => {
                let seconds = wait.as_millis().div_ceil(1_000).max(1).to_string();
                fill(m.status_exhausted_wait, &[("seconds", &seconds)])
            }
            _ => sentence(m, self.code).to_owned(),
        }
    }
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Failure {
        Failure {
            code: status.code(),
            error: Error::from_status(status).cloned(),
            retry_after: tonic_web_channel::retry::retry_after(status),
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

    /// One of each, with what its sentence has to name.
    fn errors() -> Vec<(Error, &'static str)> {
        let reason = "x".to_owned();
        let origin = "http://a:1".to_owned();
        let limit = 4_096;
        let timeout = Duration::from_millis(1_500);
        vec![
            (Error::Offline, ""),
            (Error::Connect { origin: origin.clone(), reason: reason.clone() }, ""),
            (Error::Fetch { origin: origin.clone(), reason: reason.clone(), offline: true }, ""),
            (Error::Fetch { origin, reason: reason.clone(), offline: false }, "CORS"),
            (Error::ConnectionLost { reason: reason.clone() }, ""),
            (Error::Http { status: 502 }, "502"),
            (Error::ContentType { found: "text/html".to_owned() }, "text/html"),
            (Error::ContentType { found: String::new() }, ""),
            (Error::Truncated { end: tonic_web_channel::BodyEnd::InsideMessage }, ""),
            (Error::Protocol { reason }, "gRPC-Web"),
            (Error::MessageTooLarge { size: 5_000, limit }, "4096"),
            (Error::TooManyCalls { limit: 6 }, "6"),
            (Error::Cardinality { found: tonic_web_channel::MessageCount::Zero }, ""),
            (Error::Cancelled, ""),
            (Error::Deadline { timeout }, "1.5"),
            (Error::Idle { timeout }, "1.5"),
        ]
    }

    #[test]
    fn every_failure_on_this_side_has_a_sentence_of_its_own_that_names_what_is_to_be_checked() {
        for language in Language::ALL {
            let m = language.messages();
            let mut sentences = std::collections::BTreeSet::new();
            for (error, named) in errors() {
                let sentence = Failure::from(&Status::from(error.clone())).sentence(m);
                assert!(sentence.contains(named), "{error:?}: {sentence}");
                assert!(!sentence.contains('{'), "{sentence}");
                assert!(sentences.insert(sentence), "{error:?} has the sentence of another");
            }
        }
    }

    #[test]
    fn what_the_server_says_has_the_sentence_of_its_code() {
        let m = Language::English.messages();
        let failure = Failure::from(&Status::unavailable("shutting down"));
        assert_eq!(failure.sentence(m), m.status_unavailable);
    }

    #[test]
    fn a_server_that_says_when_to_come_again_has_that_said_in_full_seconds() {
        let mut status = Status::resource_exhausted("too many");
        status.metadata_mut().insert("grpc-retry-pushback-ms", 1_200.into());
        let sentence = |language: Language| Failure::from(&status).sentence(language.messages());
        assert_eq!(sentence(Language::English), "The server asks to wait. Try again in 2 s.");
        assert!(sentence(Language::Chinese).contains('2'));
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
