//! What becomes of a cursor: nothing but the cursor and the room decides it.

use proto::chat::v1 as pb;

use crate::chat::types::{ClientCursor, RoomView};

/// What becomes of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) recovery: pb::Recovery,
    pub(super) lost: pb::LostReason,
    /// Events above this one follow.
    pub(super) after: u64,
}

impl Answer {
    pub(super) fn fresh(view: &RoomView) -> Self {
        Self { recovery: pb::Recovery::Fresh, lost: pb::LostReason::Unspecified, after: view.head }
    }
}

/// What the log that `view` shows makes of a client's cursor. `stored` is the fingerprint of the event at the
/// cursor, where the cursor has one to compare it with.
pub(super) fn answer(
    cursor: Option<&ClientCursor>,
    stored: Option<u64>,
    view: &RoomView,
    replay_limit: u64,
) -> Answer {
    let Some(cursor) = cursor else { return Answer::fresh(view) };
    let lost = |lost| Answer { recovery: pb::Recovery::Lost, lost, after: view.head };
    if cursor.epoch != view.epoch {
        return lost(pb::LostReason::Epoch);
    }
    let Some(missed) = view.head.checked_sub(cursor.seq) else { return lost(pb::LostReason::Future) };
    if stored.is_some_and(|stored| stored != cursor.fingerprint) {
        return lost(pb::LostReason::History);
    }
    let (recovery, after) = if replay_limit > 0 && missed > replay_limit {
        (pb::Recovery::Limited, view.head - replay_limit)
    } else {
        (pb::Recovery::Full, cursor.seq)
    };
    Answer { recovery, lost: pb::LostReason::Unspecified, after }
}
