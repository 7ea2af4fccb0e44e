//! Kinds of frames and names of their parts.

use grpc_inspect::{frame::Direction, hex::PartKind};

use crate::{
    i18n::{Language, Messages, fill},
    intl,
};

/// The content of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A message.
    Message(Direction),
    /// The trailers.
    Trailers,
}

/// The value of a part's `data-part` attribute, for the style sheet.
pub(super) fn part_slug(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Flags => "flag",
        PartKind::Length => "length",
        PartKind::Message => "message",
        PartKind::Trailers => "trailers",
    }
}

pub(super) fn part_name(m: &Messages, kind: PartKind) -> &'static str {
    match kind {
        PartKind::Flags => m.calls_part_flags,
        PartKind::Length => m.calls_part_length,
        PartKind::Message => m.message,
        PartKind::Trailers => m.calls_trailers,
    }
}

pub(crate) fn byte_count(m: &Messages, language: Language, bytes: u64) -> String {
    fill(m.calls_bytes, &[("count", &intl::number(language, bytes))])
}
