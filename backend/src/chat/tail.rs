//! The tail: the newest events of all logs in memory, as encoded frames that all subscribers share.
//!
//! Bounded by count and bytes, independent of its readers: a reader that has fallen behind the oldest entry has to read
//! the store. Knows nothing of readers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use proto::EncodedSubscribeResponse;

use super::types::RoomKey;
use super::wakers::{ReaderWaker, Wakers};

/// Maximum number of frames in the tail. Readers that are further behind read the store.
pub const TAIL_FRAMES: usize = 8_192;

/// Maximum size of the frames in the tail, bytes, without bookkeeping.
pub const TAIL_BYTES: usize = 8 * 1024 * 1024;

/// Bounds of the tail.
#[derive(Clone, Copy, Debug)]
pub struct TailLimits {
    /// Maximum number of frames.
    pub frames: usize,
    /// Maximum size of all frames, bytes.
    pub bytes: usize,
}

impl Default for TailLimits {
    fn default() -> Self {
        Self { frames: TAIL_FRAMES, bytes: TAIL_BYTES }
    }
}

/// Events of one room that were committed together.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) room: RoomKey,
    /// Number of the first event.
    pub(super) first: u64,
    /// Number of the last event.
    pub(super) last: u64,
    /// The encoded events; when `opens_room`, the state of a new room instead.
    pub(super) frame: EncodedSubscribeResponse,
    /// Whether this announces a new room.
    pub(super) opens_room: bool,
    /// Time of publication.
    pub(super) published: Instant,
}

/// A position between two entries, counted since the server started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(u64);

/// Result of reading the tail at a position.
#[derive(Debug)]
pub(super) enum Next {
    /// An entry; the position was advanced past it.
    Entry(Entry),
    /// Nothing yet.
    AtEnd,
    /// The entry was removed: the reader has fallen behind.
    Behind,
}

/// The tail, which wakes its readers when it changes.
#[derive(Debug)]
pub(super) struct Tail {
    limits: TailLimits,
    frames: Mutex<Frames>,
    /// The position behind the last entry. Changed only under the lock; readers at the end look at it without.
    end: AtomicU64,
    readers: Arc<Wakers>,
}

#[derive(Debug, Default)]
struct Frames {
    entries: VecDeque<Entry>,
    /// Position of the first entry.
    start: u64,
    bytes: usize,
}

impl Tail {
    pub(super) fn new(limits: TailLimits) -> Self {
        Self { limits, frames: Mutex::default(), end: AtomicU64::new(0), readers: Arc::default() }
    }

    /// Adds the entries of one commit and wakes all readers once.
    pub(super) fn publish(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut frames = self.frames.lock();
        for entry in entries {
            frames.bytes += entry.frame.as_bytes().len();
            frames.entries.push_back(entry);
        }
        while frames.entries.len() > self.limits.frames || frames.bytes > self.limits.bytes {
            let Some(oldest) = frames.entries.pop_front() else { break };
            frames.bytes -= oldest.frame.as_bytes().len();
            frames.start += 1;
        }
        self.end.store(frames.start + frames.entries.len() as u64, Ordering::Release);
        drop(frames);
        self.wake_readers();
    }

    /// Wakes all readers.
    pub(super) fn wake_readers(&self) {
        self.readers.wake();
    }

    /// Adds a reader to those that are woken.
    pub(super) fn add_reader(&self) -> ReaderWaker {
        self.readers.add()
    }

    /// The position of the next entry to be published.
    pub(super) fn end(&self) -> Position {
        Position(self.end.load(Ordering::Acquire))
    }

    /// Reads the entry at `position` and advances it.
    pub(super) fn next(&self, position: &mut Position) -> Next {
        if *position >= self.end() {
            return Next::AtEnd;
        }
        let frames = self.frames.lock();
        let Some(offset) = position.0.checked_sub(frames.start) else { return Next::Behind };
        match frames.entries.get(usize::try_from(offset).unwrap_or(usize::MAX)) {
            Some(entry) => {
                position.0 += 1;
                Next::Entry(entry.clone())
            }
            None => Next::AtEnd,
        }
    }

    /// Current number of frames and their size in bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        let frames = self.frames.lock();
        (frames.entries.len(), frames.bytes)
    }

    /// Replaces an entry by the one after it, like a bug would. `index` counts from the oldest.
    #[cfg(test)]
    pub(super) fn lose_for_test(&self, index: usize) {
        let mut frames = self.frames.lock();
        let next = frames.entries[index + 1].clone();
        frames.bytes += next.frame.as_bytes().len();
        let lost = std::mem::replace(&mut frames.entries[index], next);
        frames.bytes -= lost.frame.as_bytes().len();
    }

    /// Removes the newest entry, as if it had never been published.
    #[cfg(test)]
    pub(super) fn drop_newest_for_test(&self) {
        let mut frames = self.frames.lock();
        if let Some(last) = frames.entries.pop_back() {
            frames.bytes -= last.frame.as_bytes().len();
            self.end.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn entry(seq: u64, bytes: usize) -> Entry {
        Entry {
            room: RoomKey::from_index(0),
            first: seq,
            last: seq,
            frame: EncodedSubscribeResponse::from_encoded(Bytes::from(vec![0; bytes])),
            opens_room: false,
            published: Instant::now(),
        }
    }

    fn drain(tail: &Tail, position: &mut Position) -> Result<Vec<u64>, ()> {
        let mut seen = Vec::new();
        loop {
            match tail.next(position) {
                Next::Entry(entry) => seen.push(entry.first),
                Next::AtEnd => return Ok(seen),
                Next::Behind => return Err(()),
            }
        }
    }

    #[test]
    fn reader_gets_entries_after_its_position_in_order() {
        let tail = Tail::new(TailLimits::default());
        tail.publish([entry(1, 10)]);
        let mut position = tail.end();
        tail.publish([entry(2, 10), entry(3, 10)]);
        tail.publish([entry(4, 10)]);

        assert_eq!(drain(&tail, &mut position), Ok(vec![2, 3, 4]));
        assert_eq!(drain(&tail, &mut position), Ok(vec![]));
    }

    #[test]
    fn tail_is_bounded_and_detects_readers_that_fell_behind() {
        let limits = TailLimits { frames: 4, bytes: 100 };
        for (size, kept) in [(1, 4), (30, 3), (101, 0)] {
            let tail = Tail::new(limits);
            let mut slow = tail.end();
            for seq in 1..=10 {
                tail.publish([entry(seq, size)]);
            }
            assert_eq!(tail.size(), (kept, kept * size));
            assert_eq!(drain(&tail, &mut slow), Err(()));
            let mut fresh = tail.end();
            tail.publish([entry(11, 1)]);
            assert_eq!(drain(&tail, &mut fresh), Ok(vec![11]));
        }
    }
}
