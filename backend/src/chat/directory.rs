//! The rooms in memory: what they are, and how far their logs have been published.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::store::RoomRow;
use super::types::{RoomId, RoomKey};

/// A room that readers may know of.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) key: RoomKey,
    pub(super) id: RoomId,
    pub(super) epoch: u64,
    head: AtomicU64,
}

impl Room {
    /// The last event that was committed and handed to the tail, or is about to be.
    pub(super) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Called by the writer after the commit and before the tail learns of it.
    pub(super) fn advance(&self, head: u64) {
        self.head.store(head, Ordering::Release);
    }
}

/// All rooms, by creation and by id. There are at most `MAX_ROOMS`, and none goes away.
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
    /// Adds the room that comes next by creation.
    pub(super) fn add(&self, row: &RoomRow) {
        let room = Arc::new(Room {
            key: row.key,
            id: row.id.clone(),
            epoch: row.epoch,
            head: AtomicU64::new(row.head),
        });
        let mut inner = self.write();
        debug_assert_eq!(row.key.index(), inner.by_key.len());
        inner.by_id.insert(row.id.clone(), room.clone());
        inner.by_key.push(room);
    }

    /// The room with this id.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Room>> {
        self.read().by_id.get(id).cloned()
    }

    /// The room with this key.
    pub(super) fn get(&self, key: RoomKey) -> Option<Arc<Room>> {
        self.read().by_key.get(key.index()).cloned()
    }

    /// The heads of all rooms, by creation.
    pub(super) fn heads(&self) -> Vec<(RoomKey, u64)> {
        self.read().by_key.iter().map(|room| (room.key, room.head())).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Rooms> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Rooms> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}
