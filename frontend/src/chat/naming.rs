//! Why a name that a person chose cannot be used: checked here before asking, and read from the
//! server's refusal.

use tonic::{Code, Status};

use crate::{
    i18n::{Messages, fill},
    status::{self, Failure},
};

/// What is being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Oneself; see `JoinRequest.name`.
    Person,
    /// A room; see `CreateRoomRequest.name`.
    Room,
}

impl Subject {
    fn longest(self) -> usize {
        match self {
            Subject::Person => proto::limits::chat::MAX_USER_NAME_CHARS,
            Subject::Room => proto::limits::chat::MAX_ROOM_NAME_CHARS,
        }
    }
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Empty,
    TooLong,
    Taken,
    /// In the server's words.
    ByServer(String),
    /// The call failed for another reason.
    Failed(Failure),
}

impl Refused {
    /// What can be said without asking the server, which cuts white space as this does.
    pub(crate) fn before_asking(subject: Subject, name: &str) -> Option<Refused> {
        match name.split_whitespace().collect::<Vec<_>>().join(" ").chars().count() {
            0 => Some(Refused::Empty),
            length if length > subject.longest() => Some(Refused::TooLong),
            _ => None,
        }
    }

    /// The server's refusal.
    pub(crate) fn by_server(refusal: &Status) -> Refused {
        match refusal.code() {
            Code::AlreadyExists => Refused::Taken,
            Code::InvalidArgument => {
                let named = status::field_violations(refusal).into_iter().next();
                Refused::ByServer(
                    named.map_or_else(|| refusal.message().to_owned(), |field| field.description),
                )
            }
            _ => Refused::Failed(refusal.into()),
        }
    }

    /// What the person is told.
    pub(crate) fn sentence(&self, subject: Subject, m: &Messages) -> String {
        let plain = match (self, subject) {
            (Refused::Empty, Subject::Person) => m.name_empty,
            (Refused::Empty, Subject::Room) => m.room_name_empty,
            (Refused::TooLong, Subject::Person) => m.name_too_long,
            (Refused::TooLong, Subject::Room) => m.room_name_too_long,
            (Refused::Taken, Subject::Person) => m.name_taken,
            (Refused::Taken, Subject::Room) => m.room_name_taken,
            (Refused::ByServer(reason), _) => return fill(m.name_refused, &[("reason", reason)]),
            (Refused::Failed(failure), _) => return failure.sentence(m),
        };
        plain.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn a_name_is_measured_as_the_server_does() {
        let before = |name: &str| Refused::before_asking(Subject::Person, name);
        assert_eq!(before("  \t "), Some(Refused::Empty));
        assert_eq!(before(&"é".repeat(40)), None);
        assert_eq!(before(&"é".repeat(41)), Some(Refused::TooLong));
        assert_eq!(before(&format!("  {}  b  ", "a".repeat(38))), None);
        assert_eq!(Refused::before_asking(Subject::Room, &"é".repeat(60)), None);
        assert_eq!(Refused::before_asking(Subject::Room, &"é".repeat(61)), Some(Refused::TooLong));
    }

    #[test]
    fn a_refusal_is_said_plainly_in_each_language() {
        let taken = Refused::by_server(&Status::already_exists("x"));
        assert_eq!(
            taken.sentence(Subject::Person, Language::English.messages()),
            "Somebody here has this name. Choose another."
        );
        for language in Language::ALL {
            let m = language.messages();
            for subject in [Subject::Person, Subject::Room] {
                let refused = Refused::by_server(&Status::invalid_argument("has a bell in it"));
                assert!(refused.sentence(subject, m).contains("has a bell in it"));
                let failed = Refused::by_server(&Status::unavailable("gone"));
                assert_eq!(failed.sentence(subject, m), m.status_unavailable);
            }
        }
    }
}
