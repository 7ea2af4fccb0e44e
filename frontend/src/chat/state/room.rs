//! One room's log as far as the page has loaded it: always one dense range of numbers.

use std::collections::VecDeque;
use std::sync::Arc;

use proto::chat::v1::{self as pb, Recovery, event};
use uuid::Uuid;

use super::{Page, REPLAY_LIMIT};

/// Messages kept of a room that nobody looks at: enough to fill a screen when it is opened.
pub(super) const BACKGROUND_MAX: usize = 200;

/// Messages kept of the room that is shown. Beyond it the far end is let go and loaded again when
/// somebody scrolls there.
pub(super) const VIEWED_MAX: usize = 20_000;

/// Who wrote something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// One entry of the log. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) seq: u64,
    pub(crate) at_ms: i64,
    pub(crate) author: Arc<Author>,
    pub(crate) operation_id: Option<Uuid>,
    pub(crate) body: Body,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// A message.
    Text(Arc<str>),
    /// The room was made.
    Created,
    /// A kind that this page does not know: it has a number and nothing to show.
    Unknown,
}

/// A room and the loaded part of its log.
///
/// `first .. first + messages.len()` is the loaded range, dense. `last` is the last number that the
/// page has heard of, the cursor to resume from. Where the range ends before `last` the room is
/// detached: somebody reads older messages, and what comes is counted but not kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RoomLog {
    info: pb::Room,
    me: String,
    epoch: u64,
    first: u64,
    messages: VecDeque<Message>,
    last: u64,
    /// The newest event whose fingerprint the server has told, and that fingerprint.
    fingerprint: (u64, u64),
    read_seq: u64,
    server_read_seq: u64,
    unread: u32,
    counted: u64,
    catch_up_to: u64,
    confirmed: bool,
    /// Whether it is shown, and then whether its reader is at the end.
    viewed: Option<bool>,
}

impl RoomLog {
    pub(super) fn new(info: pb::Room, state: &pb::RoomState, me: &str) -> RoomLog {
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
            confirmed: true,
            viewed: None,
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.info.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.info.name
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The last number that the page has heard of.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The first loaded number; where nothing is loaded, the one after `end`.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The last loaded number.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.messages.len() as u64 - 1
    }

    /// Whether the loaded range reaches the log's end.
    pub(crate) fn is_attached(&self) -> bool {
        self.end() == self.last
    }

    /// Whether the log has entries before the loaded ones.
    pub(crate) fn has_earlier(&self) -> bool {
        self.first > 1
    }

    /// A loaded entry.
    pub(crate) fn get(&self, seq: u64) -> Option<&Message> {
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.messages.get(index)
    }

    /// The number of loaded entries.
    pub(crate) fn loaded(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn read_seq(&self) -> u64 {
        self.read_seq
    }

    /// Messages of others above the read marker.
    pub(crate) fn unread(&self) -> u32 {
        self.unread
    }

    pub(super) fn cursor(&self) -> pb::Cursor {
        let (seq, fingerprint) = self.fingerprint;
        let fingerprint = if seq == self.last { fingerprint } else { 0 };
        pb::Cursor { room_id: self.info.id.clone(), epoch: self.epoch, seq: self.last, fingerprint }
    }

    /// The server told the fingerprint of an event.
    pub(super) fn note_fingerprint(&mut self, seq: u64, fingerprint: u64) {
        if seq == self.last {
            self.fingerprint = (seq, fingerprint);
        }
    }

    pub(super) fn sorts_before(&self, other: &pb::Room) -> bool {
        (self.info.created_at_ms, &self.info.id) < (other.created_at_ms, &other.id)
    }

    pub(super) fn catching_up(&self) -> u64 {
        self.catch_up_to.saturating_sub(self.last).min(u64::from(REPLAY_LIMIT))
    }

    pub(super) fn caught_up(&mut self) {
        self.catch_up_to = 0;
    }

    /// A new stream began: the server has not said yet that it knows the room.
    pub(super) fn doubt(&mut self) {
        self.confirmed = false;
        self.catch_up_to = 0;
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    pub(super) fn set_viewed(&mut self, viewed: Option<bool>) {
        self.viewed = viewed;
    }

    /// The server's word on a room that is known already.
    pub(super) fn apply_state(&mut self, info: pb::Room, state: &pb::RoomState) {
        self.info = info;
        self.confirmed = true;
        if state.epoch != self.epoch || state.recovery() == Recovery::Lost {
            *self = RoomLog { viewed: self.viewed, ..RoomLog::new(self.info.clone(), state, &self.me) };
            return;
        }
        if state.recovery() == Recovery::Unspecified {
            // The answer to making a room; the stream says the rest.
            return;
        }
        if state.recovery() == Recovery::Fresh && state.head_seq > self.last {
            self.skip_to(state.head_seq + 1);
            self.note_fingerprint(state.head_seq, state.head_fingerprint);
        } else {
            self.catch_up_to = state.head_seq;
        }
        self.take_unread(state);
    }

    /// The server's count, unless the marker was moved here and the server does not know yet.
    fn take_unread(&mut self, state: &pb::RoomState) {
        self.server_read_seq = state.read_seq;
        self.unread = state.unread;
        self.counted = state.head_seq;
        if state.read_seq >= self.read_seq {
            self.read_seq = state.read_seq;
        } else if self.counts_above(self.read_seq) {
            self.unread = self.count_above(self.read_seq);
            self.counted = self.last;
        }
    }

    /// An event of the stream.
    pub(super) fn apply_event(&mut self, event: pb::Event) {
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

    /// An event at or behind the log's end: a repeat is dropped, and what would leave a hole makes the
    /// range begin anew.
    pub(super) fn append(&mut self, event: pb::Event) {
        if event.seq <= self.last {
            return;
        }
        if event.seq > self.last + 1 {
            self.skip_to(event.seq);
        }
        let full = self.messages.len() >= VIEWED_MAX;
        let keep = self.is_attached() && !(self.viewed == Some(false) && full);
        self.last = event.seq;
        if keep {
            let message = self.message(event);
            self.messages.push_back(message);
        }
    }

    /// The log goes on at `seq`, and what is between is not known. Who reads older messages keeps
    /// them, detached; for everybody else the range begins anew.
    fn skip_to(&mut self, seq: u64) {
        if self.viewed != Some(false) || self.messages.is_empty() {
            self.messages.clear();
            self.first = seq;
        }
        self.last = seq - 1;
    }

    /// Joins a page to the loaded range where both touch; see [`Page`] for what happens otherwise.
    pub(super) fn apply_history(&mut self, page: Page, answer: pb::ListEventsResponse) -> bool {
        let as_of = answer.as_of.as_ref().map(|as_of| (as_of.epoch, as_of.seq, as_of.fingerprint));
        if as_of.is_some_and(|(epoch, ..)| epoch != self.epoch) {
            return false;
        }
        let (Some(first), Some(last)) = (answer.events.first(), answer.events.last()) else { return false };
        let (page_first, page_end) = (first.seq, last.seq);
        if page_end - page_first + 1 != answer.events.len() as u64 {
            return false;
        }
        let touches = self.loaded() > 0 && page_first <= self.end() + 1 && page_end + 1 >= self.first;
        if !touches {
            let replaces = match page {
                _ if self.loaded() == 0 => true,
                Page::Around(_) => true,
                Page::Newest => page_end > self.end(),
                // The range has moved on since it was asked for.
                Page::Before(_) | Page::After(_) => false,
            };
            if !replaces {
                return false;
            }
            self.messages.clear();
            self.first = page_first;
        }
        let changed = self.join(answer.events);
        self.last = self.last.max(self.end());
        if let Some((_, seq, fingerprint)) = as_of {
            self.note_fingerprint(seq, fingerprint);
        }
        self.bound(matches!(page, Page::Before(_)));
        changed
    }

    fn join(&mut self, events: Vec<pb::Event>) -> bool {
        let before = self.messages.len();
        let mut earlier = Vec::new();
        for event in events {
            if event.seq < self.first {
                earlier.push(self.message(event));
            } else if event.seq == self.end() + 1 {
                let message = self.message(event);
                self.messages.push_back(message);
            }
        }
        for message in earlier.into_iter().rev() {
            self.first = message.seq;
            self.messages.push_front(message);
        }
        self.messages.len() != before
    }

    /// Keeps the range of the room that is shown within its bound.
    fn bound(&mut self, at_start: bool) {
        let excess = self.messages.len().saturating_sub(VIEWED_MAX);
        if at_start {
            self.messages.truncate(VIEWED_MAX);
        } else {
            self.messages.drain(..excess);
            self.first += excess as u64;
        }
    }

    /// Lets go of what nobody looks at.
    pub(super) fn trim(&mut self) {
        match self.viewed {
            Some(true) => self.bound(false),
            Some(false) => {}
            None if self.is_attached() => {
                // In larger bites than one, so that not every message moves the range.
                if self.messages.len() > BACKGROUND_MAX {
                    let excess = self.messages.len() - BACKGROUND_MAX / 2;
                    self.messages.drain(..excess);
                    self.first += excess as u64;
                }
            }
            None => {
                self.messages = VecDeque::new();
                self.first = self.last + 1;
            }
        }
    }

    /// The server's read marker.
    pub(super) fn apply_read_marker(&mut self, read_seq: u64, unread: u32) {
        self.server_read_seq = self.server_read_seq.max(read_seq);
        self.move_read_marker(read_seq, unread);
    }

    /// Moves the read marker forward. Where the messages above it are loaded they are counted;
    /// otherwise the number given is believed.
    pub(super) fn move_read_marker(&mut self, read_seq: u64, unread: u32) {
        if read_seq < self.read_seq {
            return;
        }
        self.read_seq = read_seq;
        if self.counts_above(read_seq) {
            self.unread = self.count_above(read_seq);
            self.counted = self.counted.max(self.last);
        } else if read_seq >= self.last {
            self.unread = 0;
        } else {
            self.unread = unread;
        }
    }

    /// The marker that the server has yet to be told.
    pub(crate) fn unsent_read_seq(&self) -> Option<u64> {
        (self.read_seq > self.server_read_seq).then_some(self.read_seq)
    }

    /// Whether every message above a number is loaded.
    fn counts_above(&self, seq: u64) -> bool {
        self.is_attached() && self.first <= seq + 1
    }

    fn count_above(&self, read_seq: u64) -> u32 {
        let above = usize::try_from(read_seq + 1 - self.first).unwrap_or(usize::MAX);
        let unread = self.messages.iter().skip(above).filter(|message| self.is_unread_kind(message)).count();
        u32::try_from(unread).unwrap_or(u32::MAX)
    }

    /// The first unread message, where it is loaded and so is everything unread before it.
    pub(crate) fn first_unread(&self) -> Option<u64> {
        self.first_unread_index().and_then(|above| {
            let mut above = self.messages.iter().skip(above);
            above.find(|message| self.is_unread_kind(message)).map(|message| message.seq)
        })
    }

    /// Whether [`RoomLog::first_unread`] knows all that there is to know.
    pub(crate) fn knows_first_unread(&self) -> bool {
        self.unread == 0 || self.first_unread_index().is_some()
    }

    fn first_unread_index(&self) -> Option<usize> {
        usize::try_from((self.read_seq + 1).checked_sub(self.first)?).ok()
    }

    /// Whether an entry counts as unread where it is above the marker.
    pub(crate) fn is_unread_kind(&self, message: &Message) -> bool {
        matches!(message.body, Body::Text(_)) && message.author.id != self.me
    }

    fn message(&self, event: pb::Event) -> Message {
        let author = event.author.unwrap_or_default();
        let author = match self.messages.back() {
            // People write several messages in a row; they share the author.
            Some(previous) if previous.author.id == author.id && previous.author.name == author.name => {
                previous.author.clone()
            }
            _ => Arc::new(Author { id: author.id, name: author.name }),
        };
        let body = match event.body {
            Some(event::Body::MessagePosted(posted)) => Body::Text(posted.text.into()),
            Some(event::Body::RoomCreated(_)) => Body::Created,
            None => Body::Unknown,
        };
        Message {
            seq: event.seq,
            at_ms: event.created_at_ms,
            author,
            operation_id: Uuid::from_slice(&event.operation_id).ok(),
            body,
        }
    }
}
