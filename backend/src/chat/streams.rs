//! The open streams of each user, and notifications that concern one user and are not in the log: a moved read marker,
//! an ended session.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use proto::limits::chat::MAX_STREAMS_PER_USER;

use super::error::ChatError;
use super::session::TokenHash;
use super::types::{Marker, RoomKey, UserKey};

/// All open streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_user: Mutex<HashMap<UserKey, Vec<Arc<Mailbox>>>>,
}

/// Notifications for one stream. Bounded by the number of rooms: only the latest value of each marker is kept.
#[derive(Debug)]
pub(super) struct Mailbox {
    session: TokenHash,
    markers: Mutex<Vec<(RoomKey, Marker)>>,
    has_markers: AtomicBool,
    session_ended: AtomicBool,
    reader: Arc<AtomicWaker>,
}

impl Mailbox {
    /// Whether there is something new, or the session was ended.
    pub(super) fn has_news(&self) -> bool {
        self.has_markers.load(Ordering::Acquire) || self.session_ended()
    }

    /// The markers that moved since the last call.
    pub(super) fn take_markers(&self) -> Vec<(RoomKey, Marker)> {
        // Streams check this for every frame: avoid the lock, and the write.
        if !self.has_markers.load(Ordering::Acquire) || !self.has_markers.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut *self.markers.lock())
    }

    /// Whether the session that opened the stream was ended.
    pub(super) fn session_ended(&self) -> bool {
        self.session_ended.load(Ordering::Acquire)
    }
}

/// An open stream; dropping it unregisters it.
#[derive(Debug)]
pub(super) struct OpenStream {
    streams: Arc<Streams>,
    user: UserKey,
    pub(super) mailbox: Arc<Mailbox>,
}

impl Streams {
    /// Registers a stream, if the user may open another one. Notifications wake `reader`.
    pub(super) fn open(
        self: &Arc<Self>,
        user: UserKey,
        session: TokenHash,
        reader: Arc<AtomicWaker>,
    ) -> Result<OpenStream, ChatError> {
        let mailbox = Arc::new(Mailbox {
            session,
            markers: Mutex::default(),
            has_markers: AtomicBool::new(false),
            session_ended: AtomicBool::new(false),
            reader,
        });
        let mut by_user = self.by_user.lock();
        let own = by_user.entry(user).or_default();
        if own.len() >= MAX_STREAMS_PER_USER {
            return Err(ChatError::TooManyStreams { allowed: MAX_STREAMS_PER_USER });
        }
        own.push(mailbox.clone());
        drop(by_user);
        Ok(OpenStream { streams: self.clone(), user, mailbox })
    }

    /// Notifies all streams of a user of a moved marker.
    pub(super) fn marker_moved(&self, user: UserKey, room: RoomKey, marker: Marker) {
        let by_user = self.by_user.lock();
        for mailbox in by_user.get(&user).into_iter().flatten() {
            let mut markers = mailbox.markers.lock();
            match markers.iter_mut().find(|(other, _)| *other == room) {
                Some(waiting) => waiting.1 = marker,
                None => markers.push((room, marker)),
            }
            drop(markers);
            mailbox.has_markers.store(true, Ordering::Release);
            mailbox.reader.wake();
        }
    }

    /// Notifies the streams of a session that it was ended.
    pub(super) fn session_ended(&self, user: UserKey, session: &TokenHash) {
        let by_user = self.by_user.lock();
        for mailbox in by_user.get(&user).into_iter().flatten() {
            if mailbox.session == *session {
                mailbox.session_ended.store(true, Ordering::Release);
                mailbox.reader.wake();
            }
        }
    }

    /// Whether a user has an open stream.
    pub(super) fn is_connected(&self, user: UserKey) -> bool {
        self.by_user.lock().contains_key(&user)
    }

    /// The sessions of a user that have an open stream.
    pub(super) fn connected_sessions(&self, user: UserKey) -> Vec<TokenHash> {
        self.by_user.lock().get(&user).into_iter().flatten().map(|mailbox| mailbox.session).collect()
    }

    /// Number of open streams.
    pub(super) fn count(&self) -> usize {
        self.by_user.lock().values().map(Vec::len).sum()
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut by_user = self.streams.by_user.lock();
        if let Some(own) = by_user.get_mut(&self.user) {
            own.retain(|mailbox| !Arc::ptr_eq(mailbox, &self.mailbox));
            if own.is_empty() {
                by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(read: u64) -> Marker {
        Marker { read, unread: 0 }
    }

    #[test]
    fn streams_per_user_are_limited_and_closing_one_frees_its_place() {
        let streams = Arc::new(Streams::default());
        let session = TokenHash::of("a");
        let mut open: Vec<_> = (0..MAX_STREAMS_PER_USER)
            .map(|_| streams.open(UserKey(1), session, Arc::default()).unwrap())
            .collect();
        assert!(streams.open(UserKey(1), session, Arc::default()).is_err());
        assert!(streams.open(UserKey(2), session, Arc::default()).is_ok(), "another user has their own");
        open.pop();
        open.push(streams.open(UserKey(1), session, Arc::default()).unwrap());
        assert_eq!(streams.count(), MAX_STREAMS_PER_USER);
        drop(open);
        assert_eq!(streams.count(), 0);
        assert!(streams.by_user.lock().is_empty());
    }

    #[test]
    fn every_stream_of_the_user_gets_the_latest_marker() {
        let streams = Arc::new(Streams::default());
        let (a, b) = (RoomKey::from_index(0), RoomKey::from_index(1));
        let one = streams.open(UserKey(1), TokenHash::of("a"), Arc::default()).unwrap();
        let two = streams.open(UserKey(1), TokenHash::of("b"), Arc::default()).unwrap();
        let other = streams.open(UserKey(2), TokenHash::of("c"), Arc::default()).unwrap();
        for read in 1..100 {
            streams.marker_moved(UserKey(1), a, marker(read));
        }
        streams.marker_moved(UserKey(1), b, marker(7));
        for stream in [&one, &two] {
            assert_eq!(stream.mailbox.take_markers(), [(a, marker(99)), (b, marker(7))]);
            assert_eq!(stream.mailbox.take_markers(), []);
        }
        assert_eq!(other.mailbox.take_markers(), []);
    }

    #[test]
    fn end_of_a_session_concerns_only_its_streams() {
        let streams = Arc::new(Streams::default());
        let one = streams.open(UserKey(1), TokenHash::of("a"), Arc::default()).unwrap();
        let two = streams.open(UserKey(1), TokenHash::of("b"), Arc::default()).unwrap();
        streams.session_ended(UserKey(1), &TokenHash::of("a"));
        assert!(one.mailbox.session_ended());
        assert!(!two.mailbox.session_ended());
    }
}
