//! The newest part of all logs in memory, as encoded frames that all subscribers share.
//!
//! Bounded by count and by bytes, whatever its readers do: one that has fallen behind its beginning is told
//! so and reads the store. Knows nothing of who reads.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use proto::EncodedSubscribeResponse;
use tokio::sync::watch;

use super::types::RoomKey;

/// The most frames that the tail holds. Whoever is further behind reads the store.
pub const TAIL_FRAMES: usize = 8_192;

/// The most bytes that the tail's frames hold, their own bookkeeping not counted.
pub const TAIL_BYTES: usize = 8 * 1024 * 1024;

/// What the tail may hold.
#[derive(Clone, Copy, Debug)]
pub struct TailLimits {
    /// Frames.
    pub frames: usize,
    /// Bytes of frames.
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
    /// The first event's number.
    pub(super) first: u64,
    /// The last event's number.
    pub(super) last: u64,
    /// For those who know the room up to `first - 1`; when `opens_room`, its state for those who do not know
    /// it at all.
    pub(super) frame: EncodedSubscribeResponse,
    /// Whether this is how a room begins.
    pub(super) opens_room: bool,
    /// When it was published.
    pub(super) published: Instant,
}

/// A place between two entries, counted since the server started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(u64);

/// What a reader finds at its position.
#[derive(Debug)]
pub(super) enum Next {
    /// An entry; the position has moved behind it.
    Entry(Entry),
    /// Nothing yet.
    AtEnd,
    /// The entry is no longer here.
    Behind,
}

/// The tail, and the bell that says it has grown.
#[derive(Debug)]
pub(super) struct Tail {
    limits: TailLimits,
    frames: Mutex<Frames>,
    bell: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Frames {
    entries: VecDeque<Entry>,
    /// The position of the first entry.
    start: u64,
    bytes: usize,
}

impl Tail {
    pub(super) fn new(limits: TailLimits) -> Self {
        Self { limits, frames: Mutex::default(), bell: watch::Sender::new(()) }
    }

    /// Adds what one commit brought, and wakes every reader once.
    pub(super) fn publish(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut frames = self.lock();
        for entry in entries {
            frames.bytes += entry.frame.as_bytes().len();
            frames.entries.push_back(entry);
        }
        while frames.entries.len() > self.limits.frames || frames.bytes > self.limits.bytes {
            let Some(oldest) = frames.entries.pop_front() else { break };
            frames.bytes -= oldest.frame.as_bytes().len();
            frames.start += 1;
        }
        drop(frames);
        self.ring();
    }

    /// Wakes every reader.
    pub(super) fn ring(&self) {
        self.bell.send_replace(());
    }

    /// What wakes a reader: changes after this call are not missed.
    pub(super) fn bell(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    /// The place where the next entry will be.
    pub(super) fn end(&self) -> Position {
        let frames = self.lock();
        Position(frames.start + frames.entries.len() as u64)
    }

    /// What is at `position`.
    pub(super) fn next(&self, position: &mut Position) -> Next {
        let frames = self.lock();
        let Some(offset) = position.0.checked_sub(frames.start) else { return Next::Behind };
        match frames.entries.get(usize::try_from(offset).unwrap_or(usize::MAX)) {
            Some(entry) => {
                position.0 += 1;
                Next::Entry(entry.clone())
            }
            None => Next::AtEnd,
        }
    }

    /// How much it holds now: frames and bytes.
    pub(super) fn held(&self) -> (usize, usize) {
        let frames = self.lock();
        (frames.entries.len(), frames.bytes)
    }

    /// Loses the oldest entry without telling anybody, as a fault would.
    #[cfg(test)]
    pub(super) fn lose_one_for_test(&self) {
        let mut frames = self.lock();
        if let Some(lost) = frames.entries.pop_front() {
            frames.bytes -= lost.frame.as_bytes().len();
            if let Some(next) = frames.entries.front().cloned() {
                frames.bytes += next.frame.as_bytes().len();
                frames.entries.push_front(next);
            }
        }
    }

    /// Forgets the newest entry, as if it had never been published.
    #[cfg(test)]
    pub(super) fn forget_last_for_test(&self) {
        let mut frames = self.lock();
        if let Some(last) = frames.entries.pop_back() {
            frames.bytes -= last.frame.as_bytes().len();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Frames> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_reader_gets_what_was_published_after_its_position_in_order() {
        let tail = Tail::new(TailLimits::default());
        tail.publish([entry(1, 10)]);
        let mut position = tail.end();
        let mut bell = tail.bell();
        assert!(!bell.has_changed().unwrap());

        tail.publish([entry(2, 10), entry(3, 10)]);
        tail.publish([entry(4, 10)]);

        assert!(bell.has_changed().unwrap());
        bell.mark_unchanged();
        assert_eq!(drain(&tail, &mut position), Ok(vec![2, 3, 4]));
        assert_eq!(drain(&tail, &mut position), Ok(vec![]));
    }

    #[test]
    fn the_tail_is_bounded_by_count_and_by_bytes_and_says_who_fell_behind() {
        let limits = TailLimits { frames: 4, bytes: 100 };
        for (size, kept) in [(1, 4), (30, 3), (101, 0)] {
            let tail = Tail::new(limits);
            let mut slow = tail.end();
            for seq in 1..=10 {
                tail.publish([entry(seq, size)]);
            }
            assert_eq!(tail.held(), (kept, kept * size));
            assert_eq!(drain(&tail, &mut slow), Err(()));
            let mut fresh = tail.end();
            tail.publish([entry(11, 1)]);
            assert_eq!(drain(&tail, &mut fresh), Ok(vec![11]));
        }
    }
}
