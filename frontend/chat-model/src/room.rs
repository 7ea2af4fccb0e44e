//! One room's log as far as it is loaded: one range of sequence numbers without gaps.

mod kept;
mod unread;

use std::collections::VecDeque;
use std::sync::Arc;

use proto::chat::v1::{self as pb, Recovery, event};

use crate::history::HistoryPage;
use crate::message::{Author, Body, Message};

/// Missed events of a room that the server is asked to replay. Of more, it sends the newest; the rest is loaded as history.
pub const REPLAY_LIMIT: u32 = 500;

/// Messages kept of a room that is not shown: enough to fill a screen when it is opened.
pub(crate) const BACKGROUND_MAX: usize = 200;

/// Messages that are dropped at once, so that not every new one moves the range.
const REMOVED_AT_ONCE: usize = 100;

/// Messages kept of the room that is shown to a reader at its end: some screens to scroll up, before older ones are loaded again.
pub(crate) const END_MAX: usize = 500;

/// Messages kept of the room that is shown to a reader of older ones. Beyond it the far end is dropped, and loaded again when the reader scrolls there.
pub(crate) const VIEWED_MAX: usize = 2_000;

/// The reader's place in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The room is not shown.
    Away,
    /// At the end of the log.
    AtEnd,
    /// Above the end, reading older messages.
    Above,
}

/// A room and the loaded part of its log.
///
/// `first .. first + messages.len()` is the loaded range, without gaps. `last` is the last sequence number that was received, the
/// cursor to resume from. Where the range ends before `last` the room is detached: the reader is among older messages, and new
/// ones are counted but not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomLog {
    info: pb::Room,
    me: String,
    epoch: u64,
    first: u64,
    messages: VecDeque<Message>,
    last: u64,
    /// Sequence number and fingerprint of the newest event whose fingerprint is known.
    fingerprint: (u64, u64),
    read_seq: u64,
    server_read_seq: u64,
    unread: u32,
    /// The last event that `unread` has counted.
    counted: u64,
    /// The head of the log when the stream began; 0 when it was reached.
    catch_up_to: u64,
    /// The room's creator, once the first event was loaded.
    creator: Option<Arc<Author>>,
    /// Time of the newest event that is known, in milliseconds since the Unix epoch; 0 while none is.
    active_ms: i64,
    /// Whether the current stream has named the room.
    confirmed: bool,
    reader: Reader,
    /// First and last sequence number of the messages that were given to the browser's database last.
    kept: (u64, u64),
}

impl RoomLog {
    pub(crate) fn new(info: pb::Room, state: &pb::RoomState, me: &str) -> RoomLog {
        RoomLog {
            info,
            me: me.to_owned(),
            epoch: state.epoch,
            first: state.head_seq + 1,
            messages: VecDeque::new(),
            last: state.head_seq,
            fingerprint: (state.head_seq, state.head_fingerprint),
            read_seq: state.read_seq,
            server_read_seq: state.read_seq,
            unread: state.unread,
            counted: state.head_seq,
            catch_up_to: 0,
            creator: None,
            active_ms: state.head_created_at_ms,
            confirmed: true,
            reader: Reader::Away,
            kept: (0, 0),
        }
    }

    /// The room's id.
    pub fn id(&self) -> &str {
        &self.info.id
    }

    /// The room's name.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Time of the room's creation, in milliseconds since the Unix epoch.
    pub fn created_at_ms(&self) -> i64 {
        self.info.created_at_ms
    }

    /// The room's creator, once the first event was loaded; `None` for a room of the server.
    pub fn creator(&self) -> Option<&Author> {
        self.creator.as_deref().filter(|creator| !creator.name.is_empty())
    }

    /// Time of the newest event that is known, in milliseconds since the Unix epoch; 0 while none is.
    pub fn active_ms(&self) -> i64 {
        self.active_ms
    }

    /// The epoch of the log.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The last sequence number that was received.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The newest sequence number that is known: received, or still to come while catching up.
    pub fn head(&self) -> u64 {
        self.last.max(self.catch_up_to)
    }

    /// The first loaded sequence number; where nothing is loaded, the one after [`RoomLog::end`].
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The last loaded sequence number.
    pub fn end(&self) -> u64 {
        self.first + self.messages.len() as u64 - 1
    }

    /// Whether the loaded range reaches the log's end.
    pub fn is_attached(&self) -> bool {
        self.end() == self.last
    }

    /// Whether the log has entries before the loaded ones.
    pub fn has_earlier(&self) -> bool {
        self.first > 1
    }

    /// A loaded entry.
    pub fn get(&self, seq: u64) -> Option<&Message> {
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.messages.get(index)
    }

    /// The number of loaded entries.
    pub fn loaded(&self) -> usize {
        self.messages.len()
    }

    /// The reader's marker: the last sequence number that was read.
    pub fn read_seq(&self) -> u64 {
        self.read_seq
    }

    /// Messages of others above the read marker.
    pub fn unread(&self) -> u32 {
        self.unread
    }

    pub(crate) fn cursor(&self) -> pb::Cursor {
        let (seq, fingerprint) = self.fingerprint;
        let fingerprint = if seq == self.last { fingerprint } else { 0 };
        pb::Cursor { room_id: self.info.id.clone(), epoch: self.epoch, seq: self.last, fingerprint }
    }

    /// Stores the fingerprint of an event, when it is the last one.
    pub(crate) fn set_fingerprint(&mut self, seq: u64, fingerprint: u64) {
        if seq == self.last {
            self.fingerprint = (seq, fingerprint);
        }
    }

    pub(crate) fn sorts_before(&self, other: &pb::Room) -> bool {
        (self.info.created_at_ms, &self.info.id) < (other.created_at_ms, &other.id)
    }

    /// Missed events that are still to come, as many as the server replays.
    pub(crate) fn catching_up(&self) -> u64 {
        self.catch_up_to.saturating_sub(self.last).min(u64::from(REPLAY_LIMIT))
    }

    /// The stream has reached the head of the log.
    pub(crate) fn finish_catch_up(&mut self) {
        self.catch_up_to = 0;
    }

    /// A new stream began, which has not named the room yet.
    pub(crate) fn unconfirm(&mut self) {
        self.confirmed = false;
        self.catch_up_to = 0;
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    pub(crate) fn set_reader(&mut self, reader: Reader) {
        self.reader = reader;
    }

    /// Applies the server's state of a known room.
    pub(crate) fn apply_state(&mut self, info: pb::Room, state: &pb::RoomState) {
        self.info = info;
        self.confirmed = true;
        if state.epoch != self.epoch || state.recovery() == Recovery::Lost {
            *self = RoomLog { reader: self.reader, ..RoomLog::new(self.info.clone(), state, &self.me) };
            return;
        }
        if state.recovery() == Recovery::Unspecified {
            // The response to creating a room; the stream sends the rest.
            return;
        }
        if state.recovery() == Recovery::Fresh && state.head_seq > self.last {
            self.skip_to(state.head_seq + 1);
            self.set_fingerprint(state.head_seq, state.head_fingerprint);
        } else {
            self.catch_up_to = state.head_seq;
        }
        self.active_ms = self.active_ms.max(state.head_created_at_ms);
        self.apply_unread(state);
    }

    /// Applies an event of the stream.
    pub(crate) fn apply_event(&mut self, event: pb::Event) {
        if event.seq > self.counted {
            let by_other = event.author.as_ref().is_none_or(|author| author.id != self.me);
            let is_message = matches!(event.body, Some(event::Body::MessagePosted(_)));
            if by_other && is_message && event.seq > self.read_seq {
                self.unread += 1;
            }
            self.counted = event.seq;
        }
        self.append(event);
    }

    /// Appends an event. A repeated one is ignored; after a gap the loaded range starts again.
    pub(crate) fn append(&mut self, event: pb::Event) {
        if event.seq <= self.last {
            return;
        }
        if event.seq > self.last + 1 {
            self.skip_to(event.seq);
        }
        let full = self.messages.len() >= VIEWED_MAX;
        let keep = self.is_attached() && !(self.reader == Reader::Above && full);
        self.last = event.seq;
        self.active_ms = self.active_ms.max(event.created_at_ms);
        if keep {
            self.push_back(event);
        }
    }

    /// Continues the log at `seq` after a gap. A reader of older messages keeps them, detached; otherwise the loaded range starts
    /// again.
    fn skip_to(&mut self, seq: u64) {
        if self.reader != Reader::Above || self.messages.is_empty() {
            self.messages.clear();
            self.first = seq;
        }
        self.last = seq - 1;
    }

    /// Joins a page of history to the loaded range where they touch. Another page replaces the range when it was asked for by a jump,
    /// and is ignored when the range has moved on meanwhile.
    pub(crate) fn apply_history(&mut self, page: HistoryPage, answer: pb::ListEventsResponse) {
        let as_of = answer.as_of.as_ref().map(|as_of| (as_of.epoch, as_of.seq, as_of.fingerprint));
        if as_of.is_some_and(|(epoch, ..)| epoch != self.epoch) {
            return;
        }
        let (Some(first), Some(last)) = (answer.events.first(), answer.events.last()) else { return };
        let (page_first, page_end) = (first.seq, last.seq);
        if page_end - page_first + 1 != answer.events.len() as u64 {
            return;
        }
        let touches = self.loaded() > 0 && page_first <= self.end() + 1 && page_end + 1 >= self.first;
        if !touches {
            let replaces = match page {
                _ if self.loaded() == 0 => true,
                HistoryPage::Around(_) => true,
                HistoryPage::Newest => page_end > self.end(),
                HistoryPage::Before(_) | HistoryPage::After(_) => false,
            };
            if !replaces {
                return;
            }
            self.messages.clear();
            self.first = page_first;
        }
        self.join(answer.events);
        self.last = self.last.max(self.end());
        if let Some((_, seq, fingerprint)) = as_of {
            self.set_fingerprint(seq, fingerprint);
        }
        self.limit_range(matches!(page, HistoryPage::Before(_)));
    }

    fn join(&mut self, events: Vec<pb::Event>) {
        let mut earlier: Vec<Message> = Vec::new();
        for event in events {
            if event.seq < self.first {
                let message = Message::new(event, earlier.last().map(|message| &message.author));
                self.note(&message);
                earlier.push(message);
            } else if event.seq == self.end() + 1 {
                self.push_back(event);
            }
        }
        for message in earlier.into_iter().rev() {
            self.first = message.seq;
            self.messages.push_front(message);
        }
    }

    fn push_back(&mut self, event: pb::Event) {
        let message = Message::new(event, self.messages.back().map(|message| &message.author));
        self.note(&message);
        self.messages.push_back(message);
    }

    /// Remembers the facts that stay when the message is dropped.
    fn note(&mut self, message: &Message) {
        self.active_ms = self.active_ms.max(message.at_ms);
        if message.body == Body::Created {
            self.creator = Some(message.author.clone());
        }
    }

    /// Drops messages over the limit of the room that is shown: at the end after loading at the start, otherwise at the start.
    fn limit_range(&mut self, at_start: bool) {
        if at_start {
            self.messages.truncate(VIEWED_MAX);
        } else {
            self.drop_oldest(self.messages.len().saturating_sub(VIEWED_MAX));
        }
    }

    /// Drops the oldest messages when there are more than `max`.
    fn keep_newest(&mut self, max: usize) {
        if self.messages.len() > max {
            self.drop_oldest(self.messages.len() - (max - REMOVED_AT_ONCE));
        }
    }

    fn drop_oldest(&mut self, count: usize) {
        self.messages.drain(..count);
        self.first += count as u64;
    }

    /// Drops messages that the reader does not need.
    pub(crate) fn trim(&mut self) {
        match self.reader {
            Reader::AtEnd => self.keep_newest(END_MAX),
            Reader::Above => {}
            Reader::Away if self.is_attached() => self.keep_newest(BACKGROUND_MAX),
            Reader::Away => {
                self.messages = VecDeque::new();
                self.first = self.last + 1;
            }
        }
    }
}
