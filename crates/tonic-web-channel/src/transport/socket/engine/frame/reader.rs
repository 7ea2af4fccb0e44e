//! Reads frames out of bytes that are cut anywhere. Knows no stream, and no order of frames.

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests;

use bytes::{Buf as _, Bytes, BytesMut};

use super::{
    ErrorCode, Frame, HEAD, LARGEST_MAX_FRAME, MAX_31_BITS, Settings, Violation, flag, kind, setting,
};

/// Reads frames. DATA is passed on as it comes, every other frame when it is whole.
#[derive(Debug)]
pub(crate) struct FrameReader {
    /// The longest payload that is accepted.
    max_frame: u32,
    /// The start of the part that is read.
    partial: BytesMut,
    state: State,
}

/// The part of a frame that comes next.
#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    PadLength(Head),
    Data(Data),
    Padding(u32),
    Payload(Head),
}

#[derive(Clone, Copy, Debug)]
struct Head {
    length: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

/// A DATA frame that is read.
#[derive(Clone, Copy, Debug)]
struct Data {
    stream: u32,
    left: u32,
    /// Padding after the data.
    padding: u32,
    /// All bytes that carry nothing.
    overhead: u32,
    is_last: bool,
}

impl FrameReader {
    pub(crate) fn new(max_frame: u32) -> Self {
        Self { max_frame, partial: BytesMut::new(), state: State::Head }
    }

    /// The next frame, or piece of DATA, of `input`. `None` when it needs more input; then `input` is empty.
    pub(crate) fn next(&mut self, input: &mut Bytes) -> Result<Option<Frame>, Violation> {
        loop {
            match self.state {
                State::Head => {
                    let Some(bytes) = self.take(HEAD as u32, input) else { return Ok(None) };
                    self.state = self.after_head(Head::parse(bytes))?;
                }
                State::PadLength(head) => {
                    let Some(bytes) = self.take(1, input) else { return Ok(None) };
                    self.state = State::Data(head.data(Some(bytes[0]))?);
                }
                State::Data(data) => {
                    if data.left > 0 && input.is_empty() {
                        return Ok(None);
                    }
                    return Ok(Some(self.data(data, input)));
                }
                State::Padding(left) => {
                    let part = input.len().min(left as usize);
                    input.advance(part);
                    if part < left as usize {
                        self.state = State::Padding(left - part as u32);
                        return Ok(None);
                    }
                    self.state = State::Head;
                }
                State::Payload(head) => {
                    let Some(payload) = self.take(head.length, input) else { return Ok(None) };
                    self.state = State::Head;
                    return head.frame(payload).map(Some);
                }
            }
        }
    }

    /// The next `length` bytes in one piece.
    fn take(&mut self, length: u32, input: &mut Bytes) -> Option<Bytes> {
        let length = length as usize;
        if self.partial.is_empty() && input.len() >= length {
            return Some(input.split_to(length));
        }
        let missing = length - self.partial.len();
        let part = input.split_to(missing.min(input.len()));
        self.partial.extend_from_slice(&part);
        (self.partial.len() == length).then(|| self.partial.split().freeze())
    }

    fn after_head(&self, head: Head) -> Result<State, Violation> {
        if head.length > self.max_frame {
            return Err(Violation::size("a frame is longer than announced"));
        }
        let is_of_stream = match head.kind {
            kind::DATA | kind::HEADERS | kind::RST_STREAM | kind::CONTINUATION => true,
            kind::SETTINGS | kind::PING | kind::GOAWAY => false,
            kind::PUSH_PROMISE => return Err(Violation::protocol("the server pushes, which was turned off")),
            _ => return Ok(State::Payload(head)),
        };
        if is_of_stream != (head.stream != 0) {
            return Err(Violation::protocol("a frame has a stream where it may not, or has none"));
        }
        Ok(match head.kind {
            kind::DATA if head.has(flag::PADDED) && head.length > 0 => State::PadLength(head),
            kind::DATA => State::Data(head.data(None)?),
            _ => State::Payload(head),
        })
    }

    fn data(&mut self, mut data: Data, input: &mut Bytes) -> Frame {
        let bytes = input.split_to(input.len().min(data.left as usize));
        data.left -= bytes.len() as u32;
        let is_whole = data.left == 0;
        self.state = if is_whole { State::Padding(data.padding) } else { State::Data(data) };
        Frame::Data {
            stream: data.stream,
            bytes,
            padding: if is_whole { data.overhead } else { 0 },
            is_last: data.is_last && is_whole,
        }
    }
}

impl Head {
    fn parse(mut bytes: Bytes) -> Self {
        let length = bytes.get_uint(3) as u32;
        let (kind, flags) = (bytes.get_u8(), bytes.get_u8());
        Self { length, kind, flags, stream: bytes.get_u32() & MAX_31_BITS }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The DATA frame of this head, whose padding has `padding` bytes. A frame without padding has no length of it.
    fn data(&self, padding: Option<u8>) -> Result<Data, Violation> {
        if padding.is_none() && self.has(flag::PADDED) {
            return Err(Violation::size("a padded frame has no length of the padding"));
        }
        let overhead = padding.map_or(0, |padding| u32::from(padding) + 1);
        let left = self.length.checked_sub(overhead).ok_or(TOO_MUCH_PADDING)?;
        let padding = padding.map_or(0, u32::from);
        Ok(Data { stream: self.stream, left, padding, overhead, is_last: self.has(flag::END_STREAM) })
    }

    fn frame(self, mut payload: Bytes) -> Result<Frame, Violation> {
        let stream = self.stream;
        Ok(match self.kind {
            kind::HEADERS => Frame::Headers {
                stream,
                block: self.block(payload)?,
                is_last: self.has(flag::END_STREAM),
                is_whole: self.has(flag::END_HEADERS),
            },
            kind::CONTINUATION => {
                Frame::Continuation { stream, block: payload, is_whole: self.has(flag::END_HEADERS) }
            }
            kind::RST_STREAM => {
                self.check_length(4)?;
                Frame::Reset { stream, code: ErrorCode(payload.get_u32()) }
            }
            kind::SETTINGS if self.has(flag::ACK) => {
                self.check_length(0)?;
                Frame::Meaningless
            }
            kind::SETTINGS => Frame::Settings(Settings::parse(&payload)?),
            kind::PING => {
                self.check_length(8)?;
                let payload = payload.get_u64().to_be_bytes();
                if self.has(flag::ACK) { Frame::Pong(payload) } else { Frame::Ping(payload) }
            }
            kind::GOAWAY => {
                if payload.len() < 8 {
                    return Err(WRONG_LENGTH);
                }
                let (last, code) = (payload.get_u32() & MAX_31_BITS, ErrorCode(payload.get_u32()));
                Frame::GoAway { last, code, debug: payload }
            }
            kind::WINDOW_UPDATE => {
                self.check_length(4)?;
                Frame::WindowUpdate { stream, increment: payload.get_u32() & MAX_31_BITS }
            }
            _ => Frame::Meaningless,
        })
    }

    fn check_length(&self, length: u32) -> Result<(), Violation> {
        if self.length == length { Ok(()) } else { Err(WRONG_LENGTH) }
    }

    /// The header block in the payload of HEADERS, which may have padding and a priority around it.
    fn block(&self, mut payload: Bytes) -> Result<Bytes, Violation> {
        let mut padding = 0;
        if self.has(flag::PADDED) {
            padding = usize::from(payload.try_get_u8().map_err(|_| WRONG_LENGTH)?);
        }
        if self.has(flag::PRIORITY) {
            if payload.len() < 5 {
                return Err(WRONG_LENGTH);
            }
            payload.advance(5);
        }
        payload.truncate(payload.len().checked_sub(padding).ok_or(TOO_MUCH_PADDING)?);
        Ok(payload)
    }
}

const WRONG_LENGTH: Violation =
    Violation { code: ErrorCode::FRAME_SIZE_ERROR, reason: "a frame has a length that its kind forbids" };

const TOO_MUCH_PADDING: Violation =
    Violation { code: ErrorCode::PROTOCOL_ERROR, reason: "the padding is longer than its frame" };

impl Settings {
    fn parse(payload: &[u8]) -> Result<Self, Violation> {
        let (settings, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(WRONG_LENGTH);
        }
        let mut parsed = Self::default();
        for &[a, b, c, d, e, f] in settings {
            let value = u32::from_be_bytes([c, d, e, f]);
            match u16::from_be_bytes([a, b]) {
                setting::ENABLE_PUSH if value != 0 => {
                    return Err(Violation::protocol("the server turned push on"));
                }
                setting::MAX_CONCURRENT_STREAMS => parsed.max_streams = Some(value),
                setting::INITIAL_WINDOW_SIZE if value > MAX_31_BITS => {
                    return Err(Violation::flow("INITIAL_WINDOW_SIZE is too large"));
                }
                setting::INITIAL_WINDOW_SIZE => parsed.initial_window = Some(value),
                setting::MAX_FRAME_SIZE
                    if !(super::DEFAULT_MAX_FRAME..=LARGEST_MAX_FRAME).contains(&value) =>
                {
                    return Err(Violation::protocol("MAX_FRAME_SIZE is out of its range"));
                }
                setting::MAX_FRAME_SIZE => parsed.max_frame = Some(value),
                _ => {}
            }
        }
        Ok(parsed)
    }
}
