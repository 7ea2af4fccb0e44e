//! A failed call in words: a sentence for a person, and the refused fields.

mod details;

use std::time::Duration;

use tonic::{Code, Status};
use tonic_web_channel::Error;

pub(crate) use self::details::{detail_types, error_reason, field_violations, field_violations_in};
use crate::{
    i18n::{Messages, fill},
    js_std,
};

/// The name of a status code, such as `DEADLINE_EXCEEDED`.
pub(crate) fn code_name(code: Code) -> &'static str {
    grpc_wire::status::code_name(code as i32)
}

/// The sentence of a status code: the failure, and the next step.
pub(crate) fn sentence(m: &Messages, code: Code) -> &'static str {
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

/// The reason of a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The status code.
    pub(crate) code: Code,
    /// The channel's error; `None` when the server reported the failure.
    error: Option<Error>,
    /// The server's pushback: the delay that it asks for.
    pushback: Option<Duration>,
}

impl Failure {
    /// The sentence: the failure and the next step.
    pub(crate) fn sentence(&self, m: &Messages) -> String {
        let Some(error) = &self.error else { return self.reported_by_server(m) };
        let (template, argument) = match error {
            Error::Offline => (m.error_offline, String::new()),
            Error::Connect { .. } => (m.status_unavailable, String::new()),
            Error::Fetch { offline: true, .. } => (m.error_no_network, String::new()),
            Error::Fetch { .. } => (m.error_fetch, String::new()),
            Error::ConnectionLost { .. } => (m.error_lost, String::new()),
            Error::NeedsSocket { .. } => (m.error_needs_socket, String::new()),
            Error::NotProcessed { .. } => (m.error_not_processed, String::new()),
            Error::Http { status } => (m.error_http, status.to_string()),
            Error::ContentType { found } if found.is_empty() => (m.error_no_content_type, String::new()),
            Error::ContentType { found } => (m.error_content_type, found.clone()),
            Error::Truncated { .. } => (m.error_truncated, String::new()),
            Error::Protocol { .. } => (m.error_protocol, String::new()),
            Error::MessageTooLarge { limit, .. } | Error::MetadataTooLarge { limit } => {
                (m.error_too_large, limit.to_string())
            }
            Error::RequestTooLarge { limit } => (m.error_request_too_large, limit.to_string()),
            Error::TooManyCalls { limit } => (m.error_too_many_calls, limit.to_string()),
            Error::Cardinality { .. } => (m.status_unimplemented, String::new()),
            Error::Cancelled => (m.status_cancelled, String::new()),
            Error::Deadline { timeout } => (m.error_deadline, limit_text(m, *timeout)),
            Error::Idle { timeout } => (m.error_idle, limit_text(m, *timeout)),
            // The enum may grow; new variants have the sentence of their code.
            _ => (sentence(m, self.code), String::new()),
        };
        fill(template, &[("value", &argument)])
    }

    /// The sentence of a failure that the server reported.
    fn reported_by_server(&self, m: &Messages) -> String {
        match (self.code, self.pushback) {
            (Code::ResourceExhausted, Some(wait)) => {
                let seconds = wait.as_millis().div_ceil(1_000).max(1).to_string();
                fill(m.status_exhausted_wait, &[("seconds", &seconds)])
            }
            _ => sentence(m, self.code).to_owned(),
        }
    }
}

/// A time limit: below a second in milliseconds, otherwise in seconds.
fn limit_text(m: &Messages, limit: Duration) -> String {
    if limit < Duration::from_secs(1) {
        fill(m.milliseconds, &[("value", &limit.subsec_millis().to_string())])
    } else {
        fill(m.seconds, &[("value", &js_std::double(limit.as_secs_f64()))])
    }
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Failure {
        Failure {
            code: status.code(),
            error: Error::from_status(status).cloned(),
            pushback: tonic_web_channel::retry::retry_after(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    /// An error of each kind, with a part of its sentence.
    fn errors() -> Vec<(Error, &'static str)> {
        let reason = "x".to_owned();
        let origin = "http://a:1".to_owned();
        let limit = 4_096;
        let timeout = Duration::from_millis(1_500);
        vec![
            (Error::Offline, ""),
            (Error::Connect { origin: origin.clone(), reason: reason.clone() }, ""),
            (Error::Fetch { origin: origin.clone(), reason: reason.clone(), offline: true }, ""),
            (Error::Fetch { origin, reason: reason.clone(), offline: false }, ""),
            (Error::ConnectionLost { reason: reason.clone() }, ""),
            (Error::NeedsSocket { reason: reason.clone() }, "WebSocket"),
            (Error::NotProcessed { reason: reason.clone() }, ""),
            (Error::Http { status: 502 }, "502"),
            (Error::ContentType { found: "text/html".to_owned() }, "text/html"),
            (Error::ContentType { found: String::new() }, ""),
            (Error::Truncated { end: tonic_web_channel::BodyEnd::InsideMessage }, ""),
            (Error::Protocol { reason }, "gRPC-Web"),
            (Error::MessageTooLarge { size: 5_000, limit }, "4096"),
            (Error::RequestTooLarge { limit }, "4096"),
            (Error::TooManyCalls { limit: 6 }, "6"),
            (Error::Cardinality { found: tonic_web_channel::MessageCount::Zero }, ""),
            (Error::Cancelled, ""),
            (Error::Deadline { timeout }, "1.5"),
            (Error::Idle { timeout }, "1.5"),
        ]
    }

    #[test]
    fn every_channel_error_has_a_sentence_of_its_own() {
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

    /// The page calls its own origin, which needs no permission.
    #[test]
    fn no_sentence_speaks_of_other_origins() {
        for language in Language::ALL {
            for (_, text) in language.messages().entries() {
                assert!(!text.contains("CORS"), "{text}");
            }
        }
    }

    #[test]
    fn a_short_deadline_is_named_in_milliseconds() {
        let sentence = |timeout| {
            let error = Error::Deadline { timeout: Duration::from_millis(timeout) };
            Failure::from(&Status::from(error)).sentence(Language::English.messages())
        };
        assert!(sentence(1).starts_with("The deadline of 1 ms passed"), "{}", sentence(1));
        assert!(sentence(20_000).starts_with("The deadline of 20 s passed"), "{}", sentence(20_000));
    }

    #[test]
    fn a_failure_reported_by_the_server_has_the_sentence_of_its_code() {
        let m = Language::English.messages();
        let failure = Failure::from(&Status::unavailable("shutting down"));
        assert_eq!(failure.sentence(m), m.status_unavailable);
    }

    #[test]
    fn a_pushback_is_shown_in_seconds() {
        let mut status = Status::resource_exhausted("too many");
        status.metadata_mut().insert("grpc-retry-pushback-ms", 1_200.into());
        let sentence = |language: Language| Failure::from(&status).sentence(language.messages());
        assert_eq!(sentence(Language::English), "The server asks to wait. Try again in 2 s.");
        assert!(sentence(Language::Chinese).contains('2'));
    }

    #[test]
    fn every_code_has_a_name_and_a_sentence() {
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
