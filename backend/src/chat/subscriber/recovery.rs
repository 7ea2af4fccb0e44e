//! The recovery of a cursor. Depends only on the cursor and the room.

use proto::chat::v1 as pb;

use crate::chat::types::{ClientCursor, RoomView};

/// The recovery of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoomRecovery {
    pub(super) recovery: pb::Recovery,
    pub(super) lost: pb::LostReason,
    /// The events that follow are above this number.
    pub(super) after: u64,
}

impl RoomRecovery {
    pub(super) fn fresh(view: &RoomView) -> Self {
        Self { recovery: pb::Recovery::Fresh, lost: pb::LostReason::Unspecified, after: view.head }
    }
}

/// Decides the recovery of a client's cursor in the log of `view`. `stored` is the fingerprint of the stored event at the
/// cursor, if the cursor has one to compare with.
pub(super) fn recover(
    cursor: Option<&ClientCursor>,
    stored: Option<u64>,
    view: &RoomView,
    replay_limit: u64,
) -> RoomRecovery {
    let Some(cursor) = cursor else { return RoomRecovery::fresh(view) };
    let lost = |lost| RoomRecovery { recovery: pb::Recovery::Lost, lost, after: view.head };
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
    RoomRecovery { recovery, lost: pb::LostReason::Unspecified, after }
}
