//! The rooms in memory, and the published heads of their logs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::store::RoomRow;
use super::types::{RoomId, RoomKey};

/// A published room.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) key: RoomKey,
    pub(super) id: RoomId,
    pub(super) epoch: u64,
    head: AtomicU64,
}

impl Room {
    /// The last committed event; the tail has it or is about to get it.
    pub(super) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Called by the writer after the commit and before it publishes to the tail.
    pub(super) fn advance(&self, head: u64) {
        self.head.store(head, Ordering::Release);
    }
}

/// All rooms, in order of creation and by id. At most [`MAX_ROOMS`](proto::limits::chat::MAX_ROOMS); rooms are never removed.
#[derive(Debug, Default)]
pub(super) struct Directory {
    inner: RwLock<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    by_key: Vec<Arc<Room>>,
    by_id: HashMap<RoomId, Arc<Room>>,
}

impl Directory {
    /// Adds the next room in order of creation.
    pub(super) fn add(&self, row: &RoomRow) {
        let room = Arc::new(Room {
            key: row.key,
            id: row.id.clone(),
            epoch: row.epoch,
            head: AtomicU64::new(row.head),
        });
        let mut inner = self.inner.write();
        debug_assert_eq!(row.key.index(), inner.by_key.len());
        inner.by_id.insert(row.id.clone(), room.clone());
        inner.by_key.push(room);
    }

    /// The room with this id.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Room>> {
        self.inner.read().by_id.get(id).cloned()
    }

    /// The room with this key.
    pub(super) fn get(&self, key: RoomKey) -> Option<Arc<Room>> {
        self.inner.read().by_key.get(key.index()).cloned()
    }

    /// The heads of all rooms, in order of creation.
    pub(super) fn heads(&self) -> Vec<(RoomKey, u64)> {
        self.inner.read().by_key.iter().map(|room| (room.key, room.head())).collect()
    }
}
