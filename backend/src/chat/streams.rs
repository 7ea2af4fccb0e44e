//! Who is subscribed: the open streams of each user, and what concerns one user alone, which is no part of
//! the log: a moved read marker, the end of a session.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::error::ChatError;
use super::session::TokenHash;
use super::types::{Marker, RoomKey, UserKey};

/// The most streams that one user may have open.
pub const STREAMS_PER_USER: usize = 16;

/// All open streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_user: Mutex<HashMap<UserKey, Vec<Arc<Mailbox>>>>,
}

/// What waits for one stream. Bounded by the number of rooms: of each marker only the latest is kept.
#[derive(Debug)]
pub(super) struct Mailbox {
    session: TokenHash,
    markers: Mutex<Vec<(RoomKey, Marker)>>,
    has_markers: AtomicBool,
    session_ended: AtomicBool,
    bell: Notify,
}

impl Mailbox {
    /// The markers that moved since the last call.
    pub(super) fn take_markers(&self) -> Vec<(RoomKey, Marker)> {
        // Without this, every look of every stream would take the lock.
        if !self.has_markers.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut *lock(&self.markers))
    }

    /// Whether the session that opened the stream was ended.
    pub(super) fn session_ended(&self) -> bool {
        self.session_ended.load(Ordering::Acquire)
    }

    /// Completes when something was put in; at once when that happened since the last time.
    pub(super) async fn changed(&self) {
        self.bell.notified().await;
    }
}

/// An open stream: dropping it closes it.
#[derive(Debug)]
pub(super) struct OpenStream {
    streams: Arc<Streams>,
    user: UserKey,
    pub(super) mailbox: Arc<Mailbox>,
}

impl Streams {
    /// Opens a stream for a user, if they may have one more.
    pub(super) fn open(self: &Arc<Self>, user: UserKey, session: TokenHash) -> Result<OpenStream, ChatError> {
        let mailbox = Arc::new(Mailbox {
            session,
            markers: Mutex::default(),
            has_markers: AtomicBool::new(false),
            session_ended: AtomicBool::new(false),
            bell: Notify::new(),
        });
        let mut by_user = lock(&self.by_user);
        let own = by_user.entry(user).or_default();
        if own.len() >= STREAMS_PER_USER {
            return Err(ChatError::TooManyStreams { allowed: STREAMS_PER_USER });
        }
        own.push(mailbox.clone());
        drop(by_user);
        Ok(OpenStream { streams: self.clone(), user, mailbox })
    }

    /// Tells all streams of a user where a marker stands.
    pub(super) fn marker_moved(&self, user: UserKey, room: RoomKey, marker: Marker) {
        let by_user = lock(&self.by_user);
        for mailbox in by_user.get(&user).into_iter().flatten() {
            let mut markers = lock(&mailbox.markers);
            match markers.iter_mut().find(|(other, _)| *other == room) {
                Some(waiting) => waiting.1 = marker,
                None => markers.push((room, marker)),
            }
            drop(markers);
            mailbox.has_markers.store(true, Ordering::Release);
            mailbox.bell.notify_one();
        }
    }

    /// Tells the streams of a session that it was ended.
    pub(super) fn session_ended(&self, user: UserKey, session: &TokenHash) {
        let by_user = lock(&self.by_user);
        for mailbox in by_user.get(&user).into_iter().flatten() {
            if mailbox.session == *session {
                mailbox.session_ended.store(true, Ordering::Release);
                mailbox.bell.notify_one();
            }
        }
    }

    /// Whether a user has a stream open.
    pub(super) fn has_any(&self, user: UserKey) -> bool {
        lock(&self.by_user).contains_key(&user)
    }

    /// How many streams are open.
    pub(super) fn count(&self) -> usize {
        lock(&self.by_user).values().map(Vec::len).sum()
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut by_user = lock(&self.streams.by_user);
        if let Some(own) = by_user.get_mut(&self.user) {
            own.retain(|mailbox| !Arc::ptr_eq(mailbox, &self.mailbox));
            if own.is_empty() {
                by_user.remove(&self.user);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(read: u64) -> Marker {
        Marker { read, unread: 0 }
    }

    #[test]
    fn a_user_may_have_so_many_streams_and_closing_one_makes_room() {
        let streams = Arc::new(Streams::default());
        let session = TokenHash::of("a");
        let mut open: Vec<_> =
            (0..STREAMS_PER_USER).map(|_| streams.open(UserKey(1), session).unwrap()).collect();
        assert!(streams.open(UserKey(1), session).is_err());
        assert!(streams.open(UserKey(2), session).is_ok(), "another user has their own");
        open.pop();
        open.push(streams.open(UserKey(1), session).unwrap());
        assert_eq!(streams.count(), STREAMS_PER_USER);
        drop(open);
        assert_eq!(streams.count(), 0);
        assert!(lock(&streams.by_user).is_empty());
    }

    #[test]
    fn of_each_marker_the_latest_waits_for_every_stream_of_the_user() {
        let streams = Arc::new(Streams::default());
        let (a, b) = (RoomKey::from_index(0), RoomKey::from_index(1));
        let one = streams.open(UserKey(1), TokenHash::of("a")).unwrap();
        let two = streams.open(UserKey(1), TokenHash::of("b")).unwrap();
        let other = streams.open(UserKey(2), TokenHash::of("c")).unwrap();
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
    fn the_end_of_a_session_concerns_its_own_streams() {
        let streams = Arc::new(Streams::default());
        let one = streams.open(UserKey(1), TokenHash::of("a")).unwrap();
        let two = streams.open(UserKey(1), TokenHash::of("b")).unwrap();
        streams.session_ended(UserKey(1), &TokenHash::of("a"));
        assert!(one.mailbox.session_ended());
        assert!(!two.mailbox.session_ended());
    }
}
