//! Why a name cannot be used: found before the call, or said by the server.

use chat_model::name::{NameError, NameKind, check_name};
use tonic::{Code, Status};

use crate::{
    i18n::{Messages, fill},
    status::{Failure, field_violations},
};

/// Why a name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not valid.
    Invalid(NameError),
    /// It is in use.
    Taken,
    /// The server's reason.
    ByServer(String),
    /// The call failed for another reason.
    Failed(Failure),
}

impl Refusal {
    /// A refusal that needs no call.
    pub(super) fn before_call(kind: NameKind, name: &str) -> Option<Refusal> {
        check_name(kind, name).err().map(Refusal::Invalid)
    }

    /// The refusal of a failed call.
    pub(super) fn of(status: &Status) -> Refusal {
        match status.code() {
            Code::AlreadyExists => Refusal::Taken,
            Code::InvalidArgument => {
                let violation = field_violations(status).into_iter().next();
                let reason = violation.map(|violation| violation.description);
                Refusal::ByServer(reason.unwrap_or_else(|| status.message().to_owned()))
            }
            _ => Refusal::Failed(status.into()),
        }
    }

    /// The sentence for a person.
    pub(super) fn sentence(&self, kind: NameKind, m: &Messages) -> String {
        let sentence = match (self, kind) {
            (Refusal::Invalid(NameError::Empty), NameKind::User) => m.name_empty,
            (Refusal::Invalid(NameError::Empty), NameKind::Room) => m.room_name_empty,
            (Refusal::Invalid(NameError::TooLong), NameKind::User) => m.name_too_long,
            (Refusal::Invalid(NameError::TooLong), NameKind::Room) => m.room_name_too_long,
            (Refusal::Taken, NameKind::User) => m.name_taken,
            (Refusal::Taken, NameKind::Room) => m.room_name_taken,
            (Refusal::ByServer(reason), _) => return fill(m.name_refused, &[("reason", reason)]),
            (Refusal::Failed(failure), _) => return failure.sentence(m),
        };
        sentence.to_owned()
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
            "This name is already taken. Choose another."
        );
        for language in Language::ALL {
            let m = language.messages();
            for kind in [NameKind::User, NameKind::Room] {
                let refused = Refusal::of(&Status::invalid_argument("has a bell in it"));
                assert!(refused.sentence(kind, m).contains("has a bell in it"));
                let failed = Refusal::of(&Status::unavailable("gone"));
                assert_eq!(failed.sentence(kind, m), m.status_unavailable);
            }
        }
    }
}
