//! The newest calls and their frames, collected from the channel's events. Knows no browser and no signals.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use grpc_inspect::frame::{Direction, Frame, FrameBuffer};
use tonic::Code;
use tonic_web_channel::observe::CallEventKind;
use web_time::{Instant, SystemTime, UNIX_EPOCH};

use super::metadata::{Entry, decode};

/// Largest number of calls. One more drops the oldest call that has ended, so that a stream that runs for days stays listed; when none
/// has ended, the oldest.
const MAX_CALLS: usize = 200;

/// Largest number of payload bytes of all calls together, so that a page that is open for days does not grow. More drop the frames of
/// the oldest calls.
const MAX_LOG_BYTES: usize = 4 * 1024 * 1024;

/// Largest number of notes of a call. One more drops the oldest.
const MAX_NOTES: usize = 20;

/// The page's calls, oldest first.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    calls: VecDeque<Call>,
    payload_bytes: usize,
}

#[derive(Debug)]
struct Call {
    record: CallRecord,
    frames: FrameBuffer,
    notes: VecDeque<Note>,
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CallRecord {
    /// Unique in the page.
    pub(crate) id: u64,
    /// `/package.Service/Method`.
    pub(crate) path: String,
    /// The start, for measuring.
    pub(crate) started: Instant,
    /// The start in milliseconds since 1970-01-01T00:00:00Z, to be shown.
    pub(crate) started_ms: i64,
    /// The end.
    pub(crate) ended: Option<Instant>,
    /// The state.
    pub(crate) state: CallState,
    /// Messages sent.
    pub(crate) sent: Count,
    /// Messages received.
    pub(crate) received: Count,
    /// Headers of the newest attempt, as they were sent.
    pub(crate) request_metadata: Arc<[Entry]>,
    /// Metadata of the response.
    pub(crate) response_metadata: Arc<[Entry]>,
    /// Trailers of the response.
    pub(crate) trailers: Arc<[Entry]>,
}

/// The state of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallState {
    /// No response has arrived.
    Waiting,
    /// Response headers have arrived; messages may follow.
    Open,
    /// The call has ended.
    Ended {
        /// The status code.
        code: Code,
        /// The status message, often empty.
        message: Arc<str>,
    },
}

/// Messages in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Number of messages.
    pub(crate) messages: u64,
    /// Their total length without prefixes, in bytes.
    pub(crate) bytes: u64,
}

/// An event of a call that is neither a message nor metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// An attempt failed, and the call was retried.
    Retry {
        /// Number of attempts that had failed.
        attempt: u32,
        /// The delay before the next attempt.
        delay: Duration,
        /// The status code of the failed attempt.
        code: Code,
    },
    /// A warning of the channel, in its own words.
    Warning(Arc<str>),
}

impl CallLog {
    /// Applies an event. Events of an unknown or dropped call are ignored.
    pub(crate) fn apply(&mut self, id: u64, at: Instant, kind: &CallEventKind) {
        if let CallEventKind::Started { path, metadata, .. } = kind {
            self.make_room();
            let record = CallRecord::new(id, at, path, decode(metadata));
            self.calls.push_back(Call { record, frames: FrameBuffer::default(), notes: VecDeque::new() });
            return;
        }
        let Some(call) = self.calls.iter_mut().rfind(|call| call.record.id == id) else {
            return;
        };
        self.payload_bytes -= call.frames.payload_bytes();
        call.apply(at, kind);
        self.payload_bytes += call.frames.payload_bytes();
        self.drop_frames();
    }

    /// The calls, oldest first.
    pub(crate) fn records(&self) -> impl DoubleEndedIterator<Item = &CallRecord> {
        self.calls.iter().map(|call| &call.record)
    }

    /// A call.
    pub(crate) fn get(&self, id: u64) -> Option<&CallRecord> {
        self.records().rfind(|record| record.id == id)
    }

    /// The frames of a call.
    pub(crate) fn frames(&self, id: u64) -> Option<&FrameBuffer> {
        self.call(id).map(|call| &call.frames)
    }

    /// The notes of a call, oldest first.
    pub(crate) fn notes(&self, id: u64) -> Option<&VecDeque<Note>> {
        self.call(id).map(|call| &call.notes)
    }

    /// Drops the calls that have ended.
    pub(crate) fn clear_ended(&mut self) {
        self.calls.retain(|call| call.record.ended.is_none());
        self.payload_bytes = self.calls.iter().map(|call| call.frames.payload_bytes()).sum();
    }

    fn call(&self, id: u64) -> Option<&Call> {
        self.calls.iter().rfind(|call| call.record.id == id)
    }

    fn make_room(&mut self) {
        while self.calls.len() >= MAX_CALLS {
            let oldest = self.calls.iter().position(|call| call.record.ended.is_some());
            if let Some(call) = self.calls.remove(oldest.unwrap_or(0)) {
                self.payload_bytes -= call.frames.payload_bytes();
            }
        }
    }

    fn drop_frames(&mut self) {
        while self.payload_bytes > MAX_LOG_BYTES {
            let Some(call) = self.calls.iter_mut().find(|call| call.frames.payload_bytes() > 0) else {
                return;
            };
            self.payload_bytes -= call.frames.payload_bytes();
            call.frames.drop_oldest();
            self.payload_bytes += call.frames.payload_bytes();
        }
    }
}

impl Call {
    fn apply(&mut self, at: Instant, kind: &CallEventKind) {
        let Call { record, frames, notes } = self;
        let elapsed = record.duration(at);
        let frame = |number, flags, length, content: &Bytes| Frame {
            number,
            elapsed,
            flags,
            length,
            payload: content.clone(),
        };
        match kind {
            CallEventKind::AttemptStarted { headers, .. } => record.request_metadata = decode(headers),
            CallEventKind::MessageSent { bytes, flags, content } => {
                record.sent.add(*bytes);
                frames.push(Direction::Sent, frame(record.sent.messages, *flags, *bytes, content));
            }
            CallEventKind::MessageReceived { bytes, flags, content } => {
                record.received.add(*bytes);
                frames.push(Direction::Received, frame(record.received.messages, *flags, *bytes, content));
            }
            CallEventKind::TrailersReceived { flags, content } => {
                frames.set_trailers(frame(1, *flags, content.len(), content));
            }
            CallEventKind::Retrying { attempt, delay, status } => {
                let note = Note::Retry { attempt: *attempt, delay: *delay, code: status.code() };
                add_note(notes, note);
            }
            CallEventKind::Warning { text } => add_note(notes, Note::Warning(text.as_str().into())),
            CallEventKind::Headers { metadata } => {
                record.response_metadata = decode(metadata);
                if record.state == CallState::Waiting {
                    record.state = CallState::Open;
                }
            }
            CallEventKind::Ended { status, trailers } => {
                record.trailers = decode(trailers);
                record.ended = Some(at);
                record.state = CallState::Ended { code: status.code(), message: status.message().into() };
            }
            // `CallLog::apply` handles `Started`; later kinds of events are not shown.
            _ => {}
        }
    }
}

fn add_note(notes: &mut VecDeque<Note>, note: Note) {
    notes.push_back(note);
    if notes.len() > MAX_NOTES {
        notes.pop_front();
    }
}

impl CallRecord {
    fn new(id: u64, started: Instant, path: &str, request_metadata: Arc<[Entry]>) -> CallRecord {
        // A clock before 1970 is shown as 1970.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Its event may have waited.
        let since_epoch = now.saturating_sub(started.elapsed());
        CallRecord {
            id,
            path: path.to_owned(),
            started,
            started_ms: since_epoch.as_millis() as i64,
            ended: None,
            state: CallState::Waiting,
            sent: Count::default(),
            received: Count::default(),
            request_metadata,
            response_metadata: Arc::default(),
            trailers: Arc::default(),
        }
    }

    /// `package.Service` and `Method`.
    pub(crate) fn service_and_method(&self) -> (&str, &str) {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.rsplit_once('/').unwrap_or(("", path))
    }

    /// The duration, until `now` while the call runs.
    pub(crate) fn duration(&self, now: Instant) -> Duration {
        self.ended.unwrap_or(now).saturating_duration_since(self.started)
    }
}

impl Count {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}
