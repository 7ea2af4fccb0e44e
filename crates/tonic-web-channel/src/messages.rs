//! Length-prefixed messages in a stream of bytes that is cut anywhere: where they end, and which rules they
//! break. The bytes themselves are only looked at.
//!
//! Format: the gRPC protocol over HTTP/2, "Length-Prefixed-Message": one byte of flags, four of length, the
//! message.

use crate::error::{Error, MessageCount};

/// How long a message's prefix is, in bytes.
pub(crate) const PREFIX: usize = 5;

/// The flag of a message that is compressed.
pub(crate) const COMPRESSED: u8 = 1;

/// What the messages of one body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The longest message, in bytes.
    pub(crate) max_size: usize,
    /// Whether there may be one message only.
    pub(crate) single: bool,
    /// Whether an encoding was named, so that messages may be compressed.
    pub(crate) compressed: bool,
}

impl Rules {
    /// For counting only.
    pub(crate) const NONE: Self = Self { max_size: usize::MAX, single: false, compressed: true };

    /// Judges the next message by its prefix; `before` messages came before it. Gives its length.
    pub(crate) fn check(&self, prefix: [u8; PREFIX], before: u64) -> Result<usize, Error> {
        let [flags, length @ ..] = prefix;
        let size = u32::from_be_bytes(length);
        if self.single && before > 0 {
            return Err(Error::Cardinality { found: MessageCount::Several });
        }
        if flags & !COMPRESSED != 0 {
            return Err(Error::Protocol { reason: format!("a message has the flags {flags:#04x}") });
        }
        if flags & COMPRESSED != 0 && !self.compressed {
            return Err(Error::Protocol {
                reason: "a message is marked as compressed, and no encoding was named".to_owned(),
            });
        }
        match usize::try_from(size) {
            Ok(length) if length <= self.max_size => Ok(length),
            _ => Err(Error::MessageTooLarge { size: size.into(), limit: self.max_size }),
        }
    }
}

/// A message whose last byte was seen.
pub(crate) struct Message {
    /// The first byte of its prefix.
    pub(crate) flags: u8,
    /// Its length without the prefix.
    pub(crate) length: usize,
    /// As much of its start as was asked for.
    pub(crate) start: Vec<u8>,
}

/// A rule that was broken.
#[derive(Debug, PartialEq)]
pub(crate) struct Broken {
    /// How many bytes of the chunk belong to messages before the one that broke it.
    pub(crate) good: usize,
    /// The rule.
    pub(crate) error: Error,
}

/// Follows the messages of one body.
#[derive(Debug)]
pub(crate) struct Messages {
    rules: Rules,
    /// How much of each message is kept for an observer, in bytes.
    capture: usize,
    count: u64,
    prefix: [u8; PREFIX],
    prefix_len: usize,
    length: usize,
    missing: usize,
    start: Vec<u8>,
}

impl Messages {
    pub(crate) fn new(rules: Rules, capture: usize) -> Self {
        Self {
            rules,
            capture,
            count: 0,
            prefix: [0; PREFIX],
            prefix_len: 0,
            length: 0,
            missing: 0,
            start: Vec::new(),
        }
    }

    /// How many messages have begun.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Where in the body the bytes end by now.
    pub(crate) fn place(&self) -> &'static str {
        place(self.count, self.prefix_len > 0)
    }

    /// Looks through the next bytes; calls `whole` for each message whose last byte is in `chunk`.
    pub(crate) fn scan(&mut self, chunk: &[u8], mut whole: impl FnMut(Message)) -> Result<(), Broken> {
        let mut rest = chunk;
        let mut good = 0;
        while !rest.is_empty() {
            if self.prefix_len < PREFIX {
                rest = self.read_prefix(rest);
                if self.prefix_len < PREFIX {
                    break;
                }
                self.length =
                    self.rules.check(self.prefix, self.count).map_err(|error| Broken { good, error })?;
                self.missing = self.length;
                self.count += 1;
            }
            let (body, after) = rest.split_at(rest.len().min(self.missing));
            self.keep(body);
            self.missing -= body.len();
            rest = after;
            if self.missing == 0 {
                self.prefix_len = 0;
                good = chunk.len() - rest.len();
                whole(Message {
                    flags: self.prefix[0],
                    length: self.length,
                    start: std::mem::take(&mut self.start),
                });
            }
        }
        Ok(())
    }

    /// Takes as much of a prefix as there is; gives what follows.
    fn read_prefix<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if let (0, Some((prefix, rest))) = (self.prefix_len, bytes.split_first_chunk()) {
            self.prefix = *prefix;
            self.prefix_len = PREFIX;
            return rest;
        }
        let (taken, rest) = bytes.split_at(bytes.len().min(PREFIX - self.prefix_len));
        self.prefix[self.prefix_len..self.prefix_len + taken.len()].copy_from_slice(taken);
        self.prefix_len += taken.len();
        rest
    }

    fn keep(&mut self, body: &[u8]) {
        let wanted = self.capture - self.start.len();
        if wanted > 0 {
            self.start.extend_from_slice(&body[..body.len().min(wanted)]);
        }
    }
}

/// The words for a place in a body after `count` messages have begun.
pub(crate) fn place(count: u64, inside: bool) -> &'static str {
    match (inside, count) {
        (true, _) => "inside a message",
        (false, 0) => "before its first message",
        (false, _) => "after a message",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(flags: u8, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flags], &length[..], message].concat()
    }

    const RULES: Rules = Rules { max_size: 10, single: false, compressed: false };

    #[test]
    fn messages_are_found_however_their_bytes_are_cut() {
        let bytes = [framed(0, b"abc"), framed(0, b""), framed(0, b"defghij")].concat();
        for size in 1..=bytes.len() {
            let mut messages = Messages::new(RULES, 4);
            let mut found = Vec::new();
            for chunk in bytes.chunks(size) {
                messages.scan(chunk, |message| found.push((message.length, message.start))).unwrap();
            }
            let expected = [(3, b"abc".to_vec()), (0, Vec::new()), (7, b"defg".to_vec())];
            assert_eq!(found, expected, "in chunks of {size}");
            assert_eq!(messages.place(), "after a message");
        }
    }

    #[test]
    fn a_broken_rule_leaves_the_messages_before_it_whole() {
        let too_long = || Error::MessageTooLarge { size: 11, limit: 10 };
        let bytes = [framed(0, b"abc"), framed(0, b"elevenbytes")].concat();

        let mut messages = Messages::new(RULES, 0);
        assert_eq!(messages.scan(&bytes, |_| {}), Err(Broken { good: 8, error: too_long() }));

        // The prefix alone is enough, and it may be cut.
        let mut messages = Messages::new(RULES, 0);
        assert_eq!(messages.scan(&bytes[..10], |_| {}), Ok(()));
        assert_eq!(messages.place(), "inside a message");
        assert_eq!(messages.scan(&bytes[10..13], |_| {}), Err(Broken { good: 0, error: too_long() }));
    }

    #[test]
    fn a_second_message_breaks_the_rule_of_one() {
        let rules = Rules { single: true, ..RULES };
        let mut messages = Messages::new(rules, 0);
        assert_eq!(messages.scan(&framed(0, b""), |_| {}), Ok(()));
        let broken = messages.scan(&framed(0, b""), |_| {}).unwrap_err();
        assert_eq!(broken.error, Error::Cardinality { found: MessageCount::Several });
    }

    #[test]
    fn flags_that_were_not_agreed_on_are_errors() {
        for (flags, compressed) in [(1, false), (2, true), (0x80, true), (0x81, true)] {
            let mut messages = Messages::new(Rules { compressed, ..RULES }, 0);
            let broken = messages.scan(&framed(flags, b"a"), |_| {}).unwrap_err();
            assert!(matches!(broken.error, Error::Protocol { .. }), "{flags}: {broken:?}");
        }
        let mut messages = Messages::new(Rules { compressed: true, ..RULES }, 0);
        assert_eq!(messages.scan(&framed(1, b"a"), |_| {}), Ok(()));
    }
}
