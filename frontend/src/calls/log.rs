//! What is known of each call, reduced from the channel's events. No browser, no signals.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use tonic::Code;
use tonic_web_channel::observe::CallEventKind;
use web_time::{Instant, SystemTime, UNIX_EPOCH};

use super::{
    frame::{Direction, Frame, Frames, Note},
    metadata::{Entry, decode},
};

/// How many calls are kept. When there are more, the oldest that has ended is forgotten, so that a
/// stream that runs for days stays in sight; when none has ended, the oldest.
pub const KEPT_CALLS: usize = 200;

/// How many bytes of frames are kept of all calls together, so that a page that is open for days does
/// not grow. When there are more, those of the oldest calls are forgotten first.
pub const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The page's calls, oldest first.
#[derive(Debug, Default)]
pub struct CallLog {
    calls: VecDeque<Call>,
    kept_bytes: usize,
}

#[derive(Debug)]
struct Call {
    record: CallRecord,
    frames: Frames,
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// Unique in the page.
    pub id: u64,
    /// `/package.Service/Method`.
    pub path: String,
    /// When it started, for measuring.
    pub started: Instant,
    /// When it started, milliseconds since 1970-01-01T00:00:00Z, for reading.
    pub started_ms: i64,
    /// When it ended.
    pub ended: Option<Instant>,
    /// How far it is.
    pub state: CallState,
    /// Messages sent.
    pub sent: Count,
    /// Messages received.
    pub received: Count,
    /// Headers of the newest attempt, as they were sent.
    pub request_metadata: Arc<[Entry]>,
    /// What came before the answer.
    pub response_metadata: Arc<[Entry]>,
    /// What came after it.
    pub trailers: Arc<[Entry]>,
}

/// How far a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Nothing has come back.
    Waiting,
    /// Headers came; messages may follow.
    Open,
    /// It is over.
    Ended {
        /// How.
        code: Code,
        /// The status' message, often empty.
        message: Arc<str>,
    },
}

/// Messages in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub messages: u64,
    /// Their length together, without the frames' prefixes.
    pub bytes: u64,
}

impl CallLog {
    /// Takes in one event of a call. Events of a call that is unknown or forgotten change nothing.
    pub fn apply(&mut self, id: u64, at: Instant, kind: &CallEventKind) {
        if let CallEventKind::Started { path, metadata, .. } = kind {
            self.make_room();
            let record = CallRecord::new(id, at, path, decode(metadata));
            self.calls.push_back(Call { record, frames: Frames::default() });
            return;
        }
        let Some(call) = self.calls.iter_mut().rfind(|call| call.record.id == id) else {
            return;
        };
        self.kept_bytes -= call.frames.bytes();
        call.apply(at, kind);
        self.kept_bytes += call.frames.bytes();
        self.forget_frames();
    }

    /// The calls, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &CallRecord> {
        self.calls.iter().map(|call| &call.record)
    }

    /// One call.
    pub fn get(&self, id: u64) -> Option<&CallRecord> {
        self.records().rfind(|record| record.id == id)
    }

    /// What is kept of a call's frames.
    pub fn frames(&self, id: u64) -> Option<&Frames> {
        self.calls.iter().rfind(|call| call.record.id == id).map(|call| &call.frames)
    }

    /// Forgets the calls that have ended.
    pub fn clear_ended(&mut self) {
        self.calls.retain(|call| call.record.ended.is_none());
        self.kept_bytes = self.calls.iter().map(|call| call.frames.bytes()).sum();
    }

    fn make_room(&mut self) {
        while self.calls.len() >= KEPT_CALLS {
            let oldest = self.calls.iter().position(|call| call.record.ended.is_some());
            if let Some(call) = self.calls.remove(oldest.unwrap_or(0)) {
                self.kept_bytes -= call.frames.bytes();
            }
        }
    }

    fn forget_frames(&mut self) {
        while self.kept_bytes > KEPT_BYTES {
            let Some(call) = self.calls.iter_mut().find(|call| call.frames.bytes() > 0) else { return };
            self.kept_bytes -= call.frames.bytes();
            call.frames.forget_oldest();
            self.kept_bytes += call.frames.bytes();
        }
    }
}

impl Call {
    fn apply(&mut self, at: Instant, kind: &CallEventKind) {
        let Call { record, frames } = self;
        let after = record.duration(at);
        let frame = |number, flags, length, content: &Bytes| Frame {
            number,
            after,
            flags,
            length,
            content: content.clone(),
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
                frames.note(Note::Retry { attempt: *attempt, delay: *delay, code: status.code() });
            }
            CallEventKind::Warning { text } => frames.note(Note::Warning(text.as_str().into())),
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
            // `Started` was taken before; kinds that later channels add are of no use here.
            _ => {}
        }
    }
}

impl CallRecord {
    fn new(id: u64, started: Instant, path: &str, request_metadata: Arc<[Entry]>) -> CallRecord {
        // A clock before 1970 shows as 1970.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
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
    pub fn service_and_method(&self) -> (&str, &str) {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.rsplit_once('/').unwrap_or(("", path))
    }

    /// How long it took, or has taken until now.
    pub fn duration(&self, now: Instant) -> Duration {
        self.ended.unwrap_or(now).saturating_duration_since(self.started)
    }
}

impl Count {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use tonic::Status;

    use super::*;
    use crate::calls::{
        frame::{KEPT_FRAME_BYTES, KEPT_FRAMES},
        metadata::Value,
    };

    fn started(path: &str) -> CallEventKind {
        CallEventKind::Started { path: path.to_owned(), kind: None, metadata: HeaderMap::new() }
    }

    fn ended(status: Status) -> CallEventKind {
        CallEventKind::Ended { status, trailers: HeaderMap::new() }
    }

    #[test]
    fn a_call_is_followed_from_start_to_end() {
        let mut log = CallLog::default();
        let start = Instant::now();
        let mut metadata = HeaderMap::new();
        metadata.insert("x-served-by", "one".parse().unwrap());
        log.apply(7, start, &started("/helloworld.Greeter/SayHello"));
        assert_eq!(log.get(7).unwrap().state, CallState::Waiting);
        log.apply(7, start, &CallEventKind::MessageSent { bytes: 7, flags: 0, content: Bytes::new() });
        log.apply(7, start, &CallEventKind::Headers { metadata });
        assert_eq!(log.get(7).unwrap().state, CallState::Open);
        log.apply(7, start, &CallEventKind::MessageReceived { bytes: 15, flags: 0, content: Bytes::new() });
        log.apply(7, start, &CallEventKind::MessageReceived { bytes: 5, flags: 0, content: Bytes::new() });
        let end = start + Duration::from_millis(12);
        log.apply(7, end, &ended(Status::deadline_exceeded("too late")));

        let record = log.get(7).unwrap();
        assert_eq!(record.service_and_method(), ("helloworld.Greeter", "SayHello"));
        assert_eq!(record.sent, Count { messages: 1, bytes: 7 });
        assert_eq!(record.received, Count { messages: 2, bytes: 20 });
        assert_eq!(record.response_metadata[0].key, "x-served-by");
        assert_eq!(record.duration(end + Duration::from_secs(9)), Duration::from_millis(12));
        let expected = CallState::Ended { code: Code::DeadlineExceeded, message: "too late".into() };
        assert_eq!(record.state, expected);
    }

    #[test]
    fn events_of_unknown_calls_change_nothing() {
        let mut log = CallLog::default();
        log.apply(
            1,
            Instant::now(),
            &CallEventKind::MessageReceived { bytes: 1, flags: 0, content: Bytes::new() },
        );
        log.apply(1, Instant::now(), &ended(Status::ok("")));
        assert_eq!(log.records().count(), 0);
    }

    #[test]
    fn the_oldest_ended_call_makes_room_and_a_running_stream_stays() {
        let mut log = CallLog::default();
        let now = Instant::now();
        log.apply(0, now, &started("/chat.v1.ChatService/Subscribe"));
        for id in 1..=1_000 {
            log.apply(id, now, &started("/helloworld.Greeter/SayHello"));
            log.apply(id, now, &ended(Status::ok("")));
        }
        assert_eq!(log.records().count(), KEPT_CALLS);
        assert!(log.get(0).is_some(), "the running stream was forgotten");
        assert!(log.get(1_000).is_some() && log.get(1).is_none());
    }

    #[test]
    fn running_calls_alone_are_bounded_too() {
        let mut log = CallLog::default();
        for id in 0..1_000 {
            log.apply(id, Instant::now(), &started("/a.B/C"));
        }
        assert_eq!(log.records().count(), KEPT_CALLS);
        assert!(log.get(799).is_none() && log.get(800).is_some());
    }

    #[test]
    fn clearing_keeps_what_runs() {
        let mut log = CallLog::default();
        log.apply(1, Instant::now(), &started("/a.B/C"));
        log.apply(2, Instant::now(), &started("/a.B/D"));
        log.apply(1, Instant::now(), &ended(Status::ok("")));
        log.clear_ended();
        assert_eq!(log.records().map(|record| record.id).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn what_is_kept_of_the_frames_of_all_calls_is_bounded_and_the_newest_stays() {
        let mut log = CallLog::default();
        let now = Instant::now();
        let content = Bytes::from(vec![1; KEPT_FRAME_BYTES]);
        for id in 0..100 {
            log.apply(id, now, &started("/a.B/C"));
            for _ in 0..KEPT_FRAMES {
                let (bytes, content) = (content.len(), content.clone());
                log.apply(id, now, &CallEventKind::MessageReceived { bytes, flags: 0, content });
            }
        }
        let kept = |id: u64| log.frames(id).unwrap().bytes();
        assert!((0..100).map(kept).sum::<usize>() <= KEPT_BYTES);
        assert_eq!(log.kept_bytes, (0..100).map(kept).sum::<usize>());
        assert_eq!(kept(0), 0);
        assert_eq!(kept(99), KEPT_FRAMES * KEPT_FRAME_BYTES);
        assert_eq!(log.get(0).unwrap().received.messages, KEPT_FRAMES as u64);
    }

    #[test]
    fn the_bytes_of_forgotten_calls_are_free_again() {
        let mut log = CallLog::default();
        let now = Instant::now();
        for id in 0..KEPT_CALLS as u64 + 50 {
            log.apply(id, now, &started("/a.B/C"));
            let content = Bytes::from_static(b"abc");
            log.apply(id, now, &CallEventKind::MessageSent { bytes: 3, flags: 0, content });
            log.apply(id, now, &ended(Status::ok("")));
        }
        assert_eq!(log.kept_bytes, 3 * KEPT_CALLS);
        log.clear_ended();
        assert_eq!(log.kept_bytes, 0);
    }

    #[test]
    fn request_metadata_is_that_of_the_newest_attempt() {
        let mut log = CallLog::default();
        let now = Instant::now();
        log.apply(1, now, &started("/a.B/C"));
        for attempt in 1..=2 {
            let mut headers = HeaderMap::new();
            headers.insert("x-attempt", attempt.into());
            log.apply(1, now, &CallEventKind::AttemptStarted { attempt, headers });
        }
        let record = log.get(1).unwrap();
        assert_eq!(record.request_metadata.len(), 1);
        assert_eq!(record.request_metadata[0].value, Value::Text("2".into()));
    }

    #[test]
    fn retries_and_warnings_are_notes_of_their_call() {
        let mut log = CallLog::default();
        let now = Instant::now();
        log.apply(1, now, &started("/a.B/C"));
        let delay = Duration::from_millis(5);
        log.apply(1, now, &CallEventKind::Retrying { attempt: 1, delay, status: Status::unavailable("") });
        log.apply(1, now, &CallEventKind::Warning { text: "six streams are open".to_owned() });
        assert_eq!(
            log.frames(1).unwrap().notes,
            [
                Note::Retry { attempt: 1, delay, code: Code::Unavailable },
                Note::Warning("six streams are open".into())
            ]
        );
    }
}
