//! Reads the server's frames.

use bytes::{Bytes, BytesMut};

use super::frame::{Frame, Settings, Violation};
use super::hpack::{self, Rejection};
use super::stream::Failure;
use super::{Block, Engine, MAX_CONTINUATIONS, MAX_DEBUG, MAX_QUIET_FRAMES, PING, frame};
use crate::error::text_of;
use crate::transport::http2::ErrorCode;

impl Engine {
    /// Takes bytes of the server, cut anywhere. A server that breaks HTTP/2 ends the connection.
    pub(crate) fn receive(&mut self, bytes: Bytes) {
        if self.end.is_none()
            && let Err(Violation { code, reason }) = self.read(bytes)
        {
            self.end(code, format!("{reason}, {code}"));
        }
    }

    fn read(&mut self, mut bytes: Bytes) -> Result<(), Violation> {
        let length = bytes.len();
        while let Some(frame) = self.reader.next(&mut bytes)? {
            if !self.has_settings && !matches!(frame, Frame::Settings(_)) {
                return Err(Violation::protocol("the server does not begin with its settings"));
            }
            if self.block.is_some() && !matches!(frame, Frame::Continuation { .. }) {
                return Err(Violation::protocol("a frame interrupts headers"));
            }
            self.take(frame, length)?;
        }
        Ok(())
    }

    /// Takes a frame of a buffer of `length` bytes.
    fn take(&mut self, frame: Frame, length: usize) -> Result<(), Violation> {
        match frame {
            Frame::Data { stream, bytes, padding, is_last } => {
                self.take_data(stream, bytes, padding as usize, is_last, length)
            }
            Frame::Headers { stream, block, is_last, is_whole: true } => {
                self.take_block(stream, &block, is_last)
            }
            Frame::Headers { stream, block, is_last, is_whole: false } => {
                let bytes = BytesMut::from(&block[..]);
                self.block = Some(Block { stream, bytes, is_last, continuations: 0 });
                Ok(())
            }
            Frame::Continuation { stream, block, is_whole } => {
                self.take_continuation(stream, &block, is_whole)
            }
            Frame::Reset { stream, code } => {
                if self.streams.of_frame(stream)?.is_none() {
                    return self.count_quiet();
                }
                self.streams.change(stream, |stream| stream.reset(code));
                Ok(())
            }
            Frame::Settings(settings) => self.take_settings(&settings),
            Frame::Ping(payload) => {
                frame::put_ping(&mut self.control, payload, true);
                self.count_quiet()
            }
            Frame::Pong(payload) => {
                if payload == PING {
                    self.is_pinged = false;
                    if let Some(waker) = self.pinging.take() {
                        waker.wake();
                    }
                }
                self.count_quiet()
            }
            Frame::GoAway { last, code, debug } => self.take_go_away(last, code, &debug),
            Frame::WindowUpdate { stream, increment } => self.take_window_update(stream, increment),
            Frame::Meaningless => self.count_quiet(),
        }
    }

    fn take_data(
        &mut self,
        id: u32,
        bytes: Bytes,
        padding: usize,
        is_last: bool,
        length: usize,
    ) -> Result<(), Violation> {
        let count = bytes.len();
        self.receive_window.receive(count + padding)?;
        if count > 0 {
            self.tick();
        } else {
            self.count_quiet()?;
        }
        let stream = self.streams.of_frame(id)?.filter(|stream| stream.is_receiving());
        let taken = match stream {
            Some(stream) => {
                stream.receive_window.receive(count + padding)?;
                stream.receive_window.release(padding);
                // A small part would keep all of its buffer.
                let is_alone = count >= length / 4;
                self.streams.change(id, |stream| stream.receive_data(bytes, is_alone, is_last))
            }
            // Nobody reads it.
            None => None,
        };
        self.receive_window.release(if taken == Some(Ok(())) { padding } else { count + padding });
        if let Some(Err(reason)) = taken {
            self.abort(id, ErrorCode::PROTOCOL_ERROR, Failure::Broken(reason));
        }
        self.announce();
        Ok(())
    }

    fn take_continuation(&mut self, stream: u32, part: &[u8], is_whole: bool) -> Result<(), Violation> {
        let Some(mut block) = self.block.take().filter(|block| block.stream == stream) else {
            return Err(Violation::protocol("headers are continued that were not begun"));
        };
        block.continuations += 1;
        if block.continuations > MAX_CONTINUATIONS {
            return Err(too_much("the server sends headers in too many pieces"));
        }
        // A field takes at most twice its encoded size, and the block is refused when it is larger than all fields.
        // No more of it needs to be kept than shows this.
        if block.bytes.len() <= self.limits.max_headers as usize {
            block.bytes.extend_from_slice(part);
        }
        if is_whole {
            return self.take_block(stream, &block.bytes, block.is_last);
        }
        self.block = Some(block);
        Ok(())
    }

    fn take_block(&mut self, id: u32, block: &[u8], is_last: bool) -> Result<(), Violation> {
        if self.streams.of_frame(id)?.is_none_or(|stream| !stream.is_receiving()) {
            return self.count_quiet();
        }
        let limit = self.limits.max_headers as usize;
        let fields = if block.len() > limit { Err(Rejection::TooLarge) } else { hpack::decode(block, limit) };
        let reason = match fields {
            Ok(fields) => match self.streams.change(id, |stream| stream.receive_fields(fields, is_last)) {
                Some(Ok(true)) => return self.count_quiet(),
                Some(Ok(false)) | None => return Ok(()),
                Some(Err(reason)) => reason,
            },
            Err(Rejection::Compression) => {
                let reason = "the server sends headers that cannot be read";
                return Err(Violation { code: ErrorCode::COMPRESSION_ERROR, reason });
            }
            Err(Rejection::TooLarge) => "its headers are larger than this side accepts",
            Err(Rejection::Malformed(reason)) => reason,
        };
        self.abort(id, ErrorCode::PROTOCOL_ERROR, Failure::Broken(reason));
        Ok(())
    }

    fn take_settings(&mut self, settings: &Settings) -> Result<(), Violation> {
        let is_first = !self.has_settings;
        self.has_settings = true;
        match settings.max_streams {
            Some(limit) => self.streams.turns.set_limit(limit as usize),
            None if is_first => self.streams.turns.set_limit(usize::MAX),
            None => {}
        }
        if let Some(max_frame) = settings.max_frame {
            self.max_frame = max_frame as usize;
        }
        if let Some(window) = settings.initial_window {
            let by = i64::from(window) - i64::from(self.initial_window);
            self.initial_window = window;
            for id in self.streams.ids() {
                self.streams.change(id, |stream| stream.change_send_window(by)).transpose()?;
                self.queue(id);
            }
        }
        frame::put_settings_ack(&mut self.control);
        self.count_quiet()
    }

    fn take_window_update(&mut self, id: u32, increment: u32) -> Result<(), Violation> {
        if id == 0 {
            if increment == 0 {
                return Err(Violation::protocol("a window opens by nothing"));
            }
            self.send_window.change(increment.into())?;
            return self.count_quiet();
        }
        if let Some(stream) = self.streams.of_frame(id)? {
            if increment == 0 {
                self.abort(id, ErrorCode::PROTOCOL_ERROR, Failure::Broken("its window opens by nothing"));
            } else if let Err(Violation { code, reason }) = stream.change_send_window(increment.into()) {
                self.abort(id, code, Failure::Broken(reason));
            }
            self.queue(id);
        }
        self.count_quiet()
    }

    fn take_go_away(&mut self, last: u32, code: ErrorCode, debug: &[u8]) -> Result<(), Violation> {
        let debug = text_of(&debug[..debug.len().min(MAX_DEBUG)]);
        let colon = if debug.is_empty() { "" } else { ": " };
        self.goodbye = Some(format!("the server takes no more calls, {code}{colon}{debug}"));
        self.streams.turns.close();
        for id in self.streams.ids().into_iter().filter(|&id| id > last) {
            self.streams.change(id, |stream| stream.fail(Failure::NotProcessed));
        }
        self.count_quiet()
    }

    /// Counts a frame that carries nothing.
    fn count_quiet(&mut self) -> Result<(), Violation> {
        self.quiet_frames += 1;
        if self.quiet_frames > MAX_QUIET_FRAMES {
            return Err(too_much("the server sends too many frames without content"));
        }
        Ok(())
    }
}

fn too_much(reason: &'static str) -> Violation {
    Violation { code: ErrorCode::ENHANCE_YOUR_CALM, reason }
}
