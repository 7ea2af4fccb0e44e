//! Catching up: reads the rooms, decides on the client's cursors, and replays missed events from the store.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use proto::EncodedSubscribeResponse;
use proto::chat::v1::subscribe_response::Frame;
use rusqlite::Connection;

use super::recovery::{RoomRecovery, recover};
use super::{Phase, RoomPosition, Subscriber};
use crate::chat::encoding;
use crate::chat::error::ChatError;
use crate::chat::store::{self, Purpose, Requester, StoreError, replay_page};
use crate::chat::types::{ClientCursor, RoomId, RoomKey, RoomView};

/// Bytes of events that are read from the store at once for a slow reader, and for one whose speed is not yet known. A
/// reader who stops in the middle holds this much memory.
pub(super) const MIN_READ_BYTES: usize = 64 * 1024;

/// The same for a fast reader, so that the thread switches between two reads do not matter.
const MAX_READ_BYTES: usize = 256 * 1024;

/// A reader who takes the frames of one read within this time is fast: the next read is twice as large. Otherwise it is
/// half as large.
const FAST_READER: Duration = Duration::from_millis(50);

/// The parameters of a `Subscribe` request.
pub(super) struct Request {
    pub(super) cursors: HashMap<RoomId, ClientCursor>,
    pub(super) replay_limit: u64,
}

/// A step before the stream is live.
pub(super) enum Step {
    /// Send the state of a room.
    State(EncodedSubscribeResponse),
    /// Send the events of a room up to `to`.
    Replay { room: RoomKey, to: u64 },
    /// Send CaughtUp.
    CaughtUp,
}

impl Subscriber {
    /// Reads the state of every room, decides on the client's cursors, and plans the steps that follow.
    pub(super) async fn plan_catch_up(&mut self) -> Result<(), ChatError> {
        let Phase::HelloSent(request) = &self.phase else { return Ok(()) };
        let request = request.clone();
        let user = self.session.user.key;
        let look = move |connection: &_| {
            let views = store::rooms(connection, user)?.into_iter();
            let recoveries = views.map(|view| {
                let cursor = request.cursors.get(&view.id);
                let stored = fingerprint_to_compare(connection, cursor, &view)?;
                let recovery = recover(cursor, stored, &view, request.replay_limit);
                Ok((view, recovery))
            });
            recoveries.collect::<Result<Vec<_>, StoreError>>()
        };
        let requester = Requester::User(self.session.user.key);
        let rooms = self.core.read(requester, Purpose::Stream, look).await?;
        let mut steps = VecDeque::with_capacity(rooms.len() + 1);
        for (view, recovery) in rooms {
            self.core.shared.metrics.count_resume(recovery.recovery, recovery.lost);
            steps.push_back(self.add_room(&view, recovery));
            if recovery.after < view.head {
                steps.push_back(Step::Replay { room: view.key, to: view.head });
            }
        }
        steps.push_back(Step::CaughtUp);
        self.phase = Phase::CatchingUp(steps);
        Ok(())
    }

    /// Plans reading the store for everything between the last sent event and the tail's end.
    pub(super) async fn catch_up_to_tail(&mut self) -> Result<(), ChatError> {
        // Position before heads: everything that the tail has before the position is below the heads.
        self.position = self.core.shared.tail.end();
        let heads = self.core.shared.directory.heads();
        let known = self.rooms.len();
        let mut steps = VecDeque::new();
        if heads.len() > known {
            for view in self.read_rooms().await?.iter().skip(known) {
                steps.push_back(self.add_room(view, RoomRecovery::fresh(view)));
            }
        }
        for (room, to) in heads {
            if self.rooms.get(room.index()).is_some_and(|position| position.last < to) {
                steps.push_back(Step::Replay { room, to });
            }
        }
        self.phase = Phase::CatchingUp(steps);
        Ok(())
    }

    async fn read_rooms(&self) -> Result<Vec<RoomView>, ChatError> {
        self.core.rooms_for(self.session.user.key, Purpose::Stream).await
    }

    fn add_room(&mut self, view: &RoomView, recovery: RoomRecovery) -> Step {
        debug_assert_eq!(view.key.index(), self.rooms.len());
        self.rooms.push(RoomPosition { last: recovery.after, announced_head: view.head, read: view.read });
        Step::State(encoding::frame(Frame::RoomState(encoding::room_state(
            view,
            recovery.recovery,
            recovery.lost,
        ))))
    }

    /// Reads the next page of missed events of a room. Repeats itself until `to` is reached.
    pub(super) async fn replay(&mut self, room: RoomKey, to: u64) -> Result<(), ChatError> {
        let after = self.rooms[room.index()].last;
        if after >= to {
            return Ok(());
        }
        let budget = self.next_read_size();
        let page = move |connection: &_| replay_page(connection, room, after, to, budget);
        let requester = Requester::User(self.session.user.key);
        let (frames, last) = self.core.read(requester, Purpose::Stream, page).await?;
        self.last_read = Instant::now();
        self.ready.extend(frames);
        self.rooms[room.index()].last = last;
        if let (true, Phase::CatchingUp(steps)) = (last < to, &mut self.phase) {
            steps.push_front(Step::Replay { room, to });
        }
        Ok(())
    }

    /// Bytes to read next.
    fn next_read_size(&mut self) -> usize {
        let fast = self.last_read.elapsed() < FAST_READER;
        self.next_read =
            if fast { self.next_read * 2 } else { self.next_read / 2 }.clamp(MIN_READ_BYTES, MAX_READ_BYTES);
        self.next_read
    }
}

/// The fingerprint of the stored event at a cursor, if the cursor has one to compare with.
fn fingerprint_to_compare(
    connection: &Connection,
    cursor: Option<&ClientCursor>,
    view: &RoomView,
) -> Result<Option<u64>, StoreError> {
    match cursor {
        Some(cursor) if cursor.fingerprint != 0 && cursor.seq == view.head => Ok(Some(view.fingerprint)),
        Some(cursor) if cursor.fingerprint != 0 && cursor.epoch == view.epoch && cursor.seq < view.head => {
            store::fingerprint_at(connection, view.key, cursor.seq)
        }
        _ => Ok(None),
    }
}
