//! Why a name cannot be used: found before the call, or said by the server.

use chat_model::name::{NameError, NameKind, check_name};
use tonic::{Code, Status};

use crate::{
    chat::effects::identity::{self, NotKept},
    i18n::Messages,
    status::{Failure, error_reason, field_violations},
};

/// Why a name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Refusal {
    /// It is not valid.
    Invalid(NameError),
    /// It is in use.
    Taken,
    /// The server refused it for a reason that this page does not know.
    Unknown,
    /// Nobody has this name and this recovery code.
    WrongCode,
    /// It is not a recovery code.
    InvalidCode,
    /// The browser did not keep the session.
    NotKept(NotKept),
    /// The call failed for another reason.
    Failed(Failure),
}

impl Refusal {
    /// A refusal that needs no call.
    pub(super) fn before_call(kind: NameKind, name: &str) -> Option<Refusal> {
        check_name(kind, name).err().map(Refusal::Invalid)
    }

    /// Whether it is shown at the recovery code.
    pub(super) fn is_about_code(&self) -> bool {
        matches!(self, Refusal::WrongCode | Refusal::InvalidCode)
    }

    /// The refusal of a failed call.
    fn of(status: &Status) -> Refusal {
        if tonic_web_channel::Error::from_status(status).is_some() {
            return Refusal::Failed(status.into());
        }
        match status.code() {
            Code::AlreadyExists => Refusal::Taken,
            Code::PermissionDenied => Refusal::WrongCode,
            Code::InvalidArgument => Refusal::of_field(status),
            _ => Refusal::Failed(status.into()),
        }
    }

    fn of_field(status: &Status) -> Refusal {
        if let Some(error) = error_reason(status).and_then(|reason| NameError::from_reason(&reason)) {
            return Refusal::Invalid(error);
        }
        match field_violations(status).into_iter().next() {
            Some(violation) if violation.field == "recovery_code" => Refusal::InvalidCode,
            _ => Refusal::Unknown,
        }
    }

    /// The sentence for a person.
    pub(super) fn sentence(&self, kind: NameKind, m: &Messages) -> String {
        let sentence = match (self, kind) {
            (Refusal::Invalid(NameError::Empty), NameKind::User) => m.name_empty,
            (Refusal::Invalid(NameError::Empty), NameKind::Room) => m.room_name_empty,
            (Refusal::Invalid(NameError::TooLong), NameKind::User) => m.name_too_long,
            (Refusal::Invalid(NameError::TooLong), NameKind::Room) => m.room_name_too_long,
            (Refusal::Invalid(NameError::Invisible), _) => m.name_invisible,
            (Refusal::Invalid(NameError::MixesScripts), _) => m.name_mixes_scripts,
            (Refusal::WrongCode, _) => m.recovery_wrong,
            (Refusal::InvalidCode, _) => m.recovery_invalid,
            (Refusal::NotKept(NotKept::NeedsHttps), _) => m.cookie_needs_https,
            (Refusal::NotKept(NotKept::Blocked), _) => m.cookie_blocked,
            (Refusal::Taken, NameKind::User) => m.name_taken,
            (Refusal::Taken, NameKind::Room) => m.room_name_taken,
            (Refusal::Unknown, _) => m.name_refused,
            (Refusal::Failed(failure), _) => return failure.sentence(m),
        };
        sentence.to_owned()
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Refusal {
        Refusal::of(&status)
    }
}

impl From<identity::Failure> for Refusal {
    fn from(failure: identity::Failure) -> Refusal {
        match failure {
            identity::Failure::Call(status) => Refusal::of(&status),
            identity::Failure::NotKept(reason) => Refusal::NotKept(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn a_refusal_has_a_sentence_in_each_language() {
        let taken = Refusal::of(&Status::already_exists("x"));
        assert_eq!(
            taken.sentence(NameKind::User, Language::English.messages()),
            "That name is taken. Choose another."
        );
        for language in Language::ALL {
            let m = language.messages();
            for kind in [NameKind::User, NameKind::Room] {
                let refused = Refusal::of(&Status::invalid_argument("has a bell in it"));
                // The server's text is in the server's language.
                assert_eq!(refused.sentence(kind, m), m.name_refused);
                let failed = Refusal::of(&Status::unavailable("gone"));
                assert_eq!(failed.sentence(kind, m), m.status_unavailable);
            }
        }
    }
}
