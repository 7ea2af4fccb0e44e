//! The chat's errors, and their mapping to gRPC statuses.

use std::collections::HashMap;
use std::time::Duration;

use proto::limits::chat::{ERROR_DOMAIN, MAX_ROOMS};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::health::Fault;
use super::random::RandomError;
use super::store::StoreError;
use super::types::InvalidField;
use crate::error_chain::ErrorChain;
use crate::rates::RateExceeded;

/// Retry delay after a read or a write that found its queue full.
const FULL_QUEUE_PAUSE: Duration = Duration::from_secs(1);

/// Retry delay after a read that took too long: its cause has to end first.
const SLOW_READ_PAUSE: Duration = Duration::from_secs(5);

/// Retry delay after a write that was refused because nothing can be stored.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChatError {
    #[error("a field breaks a rule")]
    Invalid(#[from] InvalidField),
    #[error("somebody with a live session has this name")]
    NameInUse,
    #[error("no user has this name and recovery code")]
    WrongRecoveryCode,
    #[error("a room has this name")]
    RoomNameInUse,
    #[error("no such room")]
    RoomNotFound,
    #[error("the server has as many rooms as it allows")]
    TooManyRooms,
    #[error("the user has made as many rooms as one may")]
    TooManyOwnRooms { allowed: usize },
    #[error(transparent)]
    RateExceeded(#[from] RateExceeded),
    #[error("the user has as many streams open as allowed")]
    TooManyStreams { allowed: usize },
    #[error("no valid session")]
    NoSession,
    #[error("the session was ended")]
    SessionEnded,
    #[error("too many writes wait")]
    TooManyWrites,
    #[error("too many reads wait")]
    TooManyReads,
    #[error("a read took too long")]
    ReadTookTooLong,
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("the system gave no random numbers")]
    Random(#[from] RandomError),
    #[error("the log that servers share does not answer")]
    LogUnavailable,
    #[error("nothing can be stored")]
    CannotStore(Fault),
    #[error("the store failed")]
    Store(#[source] StoreError),
}

impl From<StoreError> for ChatError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::ShuttingDown,
            StoreError::Busy => Self::TooManyReads,
            StoreError::TookTooLong => Self::ReadTookTooLong,
            other => Self::Store(other),
        }
    }
}

impl From<ChatError> for Status {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Invalid(field) => invalid(field),
            ChatError::NameInUse => {
                Status::already_exists("Somebody here already uses this name. Please choose another.")
            }
            ChatError::WrongRecoveryCode => {
                Status::permission_denied("Nobody here has this name and this recovery code.")
            }
            ChatError::RoomNameInUse => {
                Status::already_exists("There already is a room with this name. Please choose another.")
            }
            ChatError::RoomNotFound => Status::not_found("There is no such room."),
            ChatError::TooManyRooms => Status::resource_exhausted(format!(
                "This server has as many rooms as it allows ({MAX_ROOMS})."
            )),
            ChatError::TooManyOwnRooms { allowed } => Status::resource_exhausted(format!(
                "You have made as many rooms as one person may ({allowed})."
            )),
            ChatError::RateExceeded(refusal) => tonic_serve::retry_later(refusal.to_string(), refusal.after),
            ChatError::TooManyStreams { allowed } => Status::resource_exhausted(format!(
                "You have as many live connections open as allowed ({allowed}). Close another window first."
            )),
            ChatError::NoSession => Status::unauthenticated("You are not signed in. Please join first."),
            ChatError::SessionEnded => Status::unauthenticated("You were signed out. Join again to go on."),
            ChatError::TooManyWrites => tonic_serve::retry_later(
                "More is being written than this server can store. Try again in a second.",
                FULL_QUEUE_PAUSE,
            ),
            ChatError::TooManyReads => tonic_serve::retry_later(
                "You have too many requests open. Try again in a second.",
                FULL_QUEUE_PAUSE,
            ),
            ChatError::ReadTookTooLong => tonic_serve::retry_later(
                "The server took too long to read this. Try again in a few seconds.",
                SLOW_READ_PAUSE,
            ),
            ChatError::ShuttingDown => {
                Status::unavailable("The server is shutting down or restarting. Try again shortly.")
            }
            ChatError::Random(error) => {
                tracing::error!(%error, "the system gave no random numbers");
                Status::internal("The server could not do this. Try again later.")
            }
            ChatError::LogUnavailable => log_unavailable(),
            ChatError::CannotStore(fault) => cannot_store(fault),
            ChatError::Store(source) => store_failed(&source),
        }
    }
}

fn invalid(InvalidField { field, sentence, reason }: InvalidField) -> Status {
    let mut details = ErrorDetails::with_bad_request_violation(field, sentence.as_str());
    if let Some(reason) = reason {
        details.set_error_info(reason, ERROR_DOMAIN, HashMap::new());
    }
    Status::with_error_details(Code::InvalidArgument, sentence, details)
}

/// The client must not see internal failures.
fn store_failed(source: &StoreError) -> Status {
    if source.fault() == Some(Fault::Damaged) {
        // The damage was logged when it was found.
        tracing::debug!(error = %ErrorChain(source), "a reader met damage");
        return Status::internal("The server could not read this: its database is damaged.");
    }
    tracing::error!(error = %ErrorChain(source), "the chat's store failed");
    Status::internal("The server could not read or store this. Try again later.")
}

/// The outcome of a write may be unknown: a repeat with the same operation id gets its first answer.
fn log_unavailable() -> Status {
    let details = ErrorDetails::with_retry_info(Some(STORE_RETRY));
    let sentence = "The server cannot reach the other servers at the moment. Try again shortly.";
    Status::with_error_details(Code::Unavailable, sentence, details)
}

/// The writer has logged the cause. Temporary faults come with a retry delay.
fn cannot_store(fault: Fault) -> Status {
    match fault {
        Fault::DiskFull => tonic_serve::retry_later(
            "The server's disk is full. This was not stored; it can be sent again when there is room.",
            STORE_RETRY,
        ),
        Fault::WriteFailed => {
            let details = ErrorDetails::with_retry_info(Some(STORE_RETRY));
            let sentence = "The server cannot write to its disk at the moment. This was not stored.";
            Status::with_error_details(Code::Unavailable, sentence, details)
        }
        Fault::LogUnanswered => log_unavailable(),
        Fault::LogDiverged | Fault::LogTrimmed | Fault::LogNewer => Status::unavailable(
            "This server can no longer follow the others. Nothing can be stored here until it is looked after.",
        ),
        Fault::Replaced => Status::unavailable(
            "The server's database was removed or replaced while it ran. Nothing can be stored until the server is \
             started again.",
        ),
        Fault::Damaged => Status::unavailable(
            "The server's database is damaged. Nothing can be stored until it is repaired.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_field_is_named_in_the_details() {
        let status: Status = ChatError::from(InvalidField::new("text", "A message cannot be empty.")).into();

        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "A message cannot be empty.");
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].field, "text");
        assert_eq!(violations[0].description, "A message cannot be empty.");
    }

    #[test]
    fn silent_log_is_unavailable_with_a_sentence_and_a_delay() {
        for error in [ChatError::LogUnavailable, ChatError::CannotStore(Fault::LogUnanswered)] {
            let status: Status = error.into();
            assert_eq!(status.code(), Code::Unavailable);
            assert!(status.message().contains("cannot reach the other servers"), "{}", status.message());
            assert!(status.get_details_retry_info().is_some());
        }
    }

    #[test]
    fn internal_failures_are_not_disclosed() {
        let status: Status = ChatError::from(StoreError::from(rusqlite::Error::InvalidQuery)).into();

        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("quer"), "{}", status.message());
    }
}
