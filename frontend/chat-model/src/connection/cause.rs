//! Why a call or the stream fails, and the numbers by which tabs tell each other.

/// Why a call or the stream failed, other than by a verdict of the server on its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The stream ended.
    Ended,
    /// No connection could be made, or it broke.
    Unreachable,
    /// Nothing came in time.
    Silent,
    /// Short calls are answered, but nothing of the stream came in time.
    StreamSilent,
    /// Something other than the server answered with this HTTP status.
    Http(u16),
    /// Something other than the server answered with a web page or the like.
    WebPage,
    /// The answer was cut off or is not valid.
    Broken,
    /// The server asks to come back later.
    Busy,
    /// The server has no chat: a gateway to other services.
    NoChat,
    /// The server allows no calls from pages of this address.
    NotAllowed,
    /// The user has as many streams open as allowed.
    TooManyStreams,
    /// Each tab has a stream, and the browser opens no more connections.
    TooManyTabs,
}

/// The causes in the order of their numbers, from 1. An HTTP status is its own number.
const NUMBERED_CAUSES: [Cause; 11] = [
    Cause::Ended,
    Cause::Unreachable,
    Cause::Silent,
    Cause::StreamSilent,
    Cause::WebPage,
    Cause::Broken,
    Cause::Busy,
    Cause::TooManyStreams,
    Cause::TooManyTabs,
    Cause::NoChat,
    Cause::NotAllowed,
];

impl Cause {
    /// The number by which one tab tells another.
    pub fn to_number(self) -> f64 {
        match self {
            Cause::Http(status) => f64::from(status),
            cause => NUMBERED_CAUSES.iter().position(|one| *one == cause).map_or(0.0, |at| at as f64 + 1.0),
        }
    }

    /// Reads a number. `None` for 0 and unknown ones.
    pub fn from_number(number: f64) -> Option<Cause> {
        match number as u16 {
            0 => None,
            status @ 100.. => Some(Cause::Http(status)),
            at => NUMBERED_CAUSES.get(usize::from(at) - 1).copied(),
        }
    }

    /// Whether calls other than the stream are likely to succeed.
    pub(super) fn allows_calls(self) -> bool {
        matches!(self, Cause::StreamSilent | Cause::Busy | Cause::TooManyStreams)
    }
}
