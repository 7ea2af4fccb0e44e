//! A response's messages, decompressed.

use std::fmt;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::error::Error;
use crate::gzip;
use crate::messages::{self, COMPRESSED, Message, PREFIX, Rules};

/// Takes bytes in, gives messages out that are not compressed: a prefix, then its message.
///
/// It holds one message that is not complete yet, of at most the limit, and what came after it in the same
/// chunk.
pub(crate) struct Inflater {
    rules: Rules,
    /// How much of each message is kept for an observer, in bytes.
    capture: usize,
    count: u64,
    buffer: BytesMut,
    /// The message whose prefix has been read: its flags and its length.
    begun: Option<(u8, usize)>,
    running: Option<gzip::Work>,
    /// The message whose prefix was given out.
    message: Option<Bytes>,
}

impl Inflater {
    pub(crate) fn new(rules: Rules, capture: usize) -> Self {
        Self { rules, capture, count: 0, buffer: BytesMut::new(), begun: None, running: None, message: None }
    }

    /// The next bytes. Only after [`poll`](Self::poll) has given `None`.
    pub(crate) fn feed(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn place(&self) -> &'static str {
        messages::place(self.count, self.begun.is_some() || !self.buffer.is_empty())
    }

    /// The next bytes to pass on, `None` when more have to come first. Calls `whole` for each message as it
    /// came, compressed.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut whole: impl FnMut(Message),
    ) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if let Some(message) = self.message.take().filter(|message| !message.is_empty()) {
                return Poll::Ready(Some(Ok(message)));
            }
            if let Some(running) = &mut self.running {
                let plain = ready!(running.as_mut().poll(cx));
                self.running = None;
                return Poll::Ready(Some(plain.map(|plain| self.give(plain))));
            }
            match self.next_message() {
                Ok(Some((flags, message))) => {
                    let start = message[..message.len().min(self.capture)].to_vec();
                    whole(Message { flags, length: message.len(), start });
                    if flags & COMPRESSED == 0 || message.is_empty() {
                        return Poll::Ready(Some(Ok(self.give(message))));
                    }
                    self.running = Some(gzip::decompress(message, self.rules.max_size));
                }
                Ok(None) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    fn next_message(&mut self) -> Result<Option<(u8, Bytes)>, Error> {
        let (flags, length) = match self.begun {
            Some(begun) => begun,
            None => {
                let Some(prefix) = self.buffer.first_chunk::<PREFIX>().copied() else { return Ok(None) };
                let length = self.rules.check(prefix, self.count)?;
                self.buffer.advance(PREFIX);
                self.count += 1;
                *self.begun.insert((prefix[0], length))
            }
        };
        if self.buffer.len() < length {
            return Ok(None);
        }
        self.begun = None;
        Ok(Some((flags, self.buffer.split_to(length).freeze())))
    }

    /// Gives the prefix of `message`, and keeps the message for the next time.
    fn give(&mut self, message: Bytes) -> Bytes {
        let mut prefix = BytesMut::with_capacity(PREFIX);
        prefix.put_u8(0);
        // The length was a 32-bit number or is at most the limit.
        prefix.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
        self.message = Some(message);
        prefix.freeze()
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("count", &self.count).finish_non_exhaustive()
    }
}
