//! Names of users and rooms, checked before the server is asked, and the server's reasons to refuse one.

use proto::limits::chat as limits;

/// The thing that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A user; see `JoinRequest.name`.
    User,
    /// A room; see `CreateRoomRequest.name`.
    Room,
}

impl NameKind {
    /// Longest name, in Unicode scalar values.
    fn max_chars(self) -> usize {
        match self {
            NameKind::User => limits::MAX_USER_NAME_CHARS,
            NameKind::Room => limits::MAX_ROOM_NAME_CHARS,
        }
    }
}

/// A name that the server would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It has no characters but white space.
    Empty,
    /// It is too long.
    TooLong,
    /// It has an invisible character. Only the server finds that.
    Invisible,
    /// One of its words mixes alphabets. Only the server finds that.
    MixesScripts,
}

impl NameError {
    /// The server's reason, in the `google.rpc.ErrorInfo` of its refusal.
    pub fn from_reason(reason: &str) -> Option<NameError> {
        match reason {
            limits::NAME_EMPTY => Some(NameError::Empty),
            limits::NAME_TOO_LONG => Some(NameError::TooLong),
            limits::NAME_INVISIBLE => Some(NameError::Invisible),
            limits::NAME_MIXES_SCRIPTS => Some(NameError::MixesScripts),
            _ => None,
        }
    }
}

/// Checks a name. Like the server, it counts a run of white space as one character.
pub fn check_name(kind: NameKind, name: &str) -> Result<(), NameError> {
    match name.split_whitespace().collect::<Vec<_>>().join(" ").chars().count() {
        0 => Err(NameError::Empty),
        length if length > kind.max_chars() => Err(NameError::TooLong),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_measured_like_the_server_does() {
        let user = |name: &str| check_name(NameKind::User, name);
        assert_eq!(user("  \t "), Err(NameError::Empty));
        assert_eq!(user(&"é".repeat(40)), Ok(()));
        assert_eq!(user(&"é".repeat(41)), Err(NameError::TooLong));
        assert_eq!(user(&format!("  {}  b  ", "a".repeat(38))), Ok(()));
        assert_eq!(check_name(NameKind::Room, &"é".repeat(60)), Ok(()));
        assert_eq!(check_name(NameKind::Room, &"é".repeat(61)), Err(NameError::TooLong));
    }
}
