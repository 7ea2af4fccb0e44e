//! Parses JSON (RFC 8259) into values with their places.

use super::error::{Due, JsonError, JsonErrorKind};
use super::node::{Member, Node, Value};
use super::path::{Path, Step};

/// Objects and lists that may stand in each other: a message of [`crate::decode::MAX_DEPTH`] levels, each with a list of its own.
pub const MAX_NESTING: usize = 200;

/// Parses a whole text.
pub(crate) fn parse(text: &str) -> Result<Node, JsonError> {
    let mut parser = Parser { text, offset: 0, path: Vec::new() };
    let result = parser.document();
    result.map_err(|kind| {
        // An error inside a value belongs to the path that was open.
        JsonError::new(text, parser.offset, Path(std::mem::take(&mut parser.path)), kind)
    })
}

/// The string that `text` begins with, and its length with the quotes.
pub(super) fn string_at_start(text: &str) -> Option<(String, usize)> {
    let mut parser = Parser { text, offset: 0, path: Vec::new() };
    let string = parser.string().ok()?;
    Some((string, parser.offset))
}

type Parsed<T> = Result<T, JsonErrorKind>;

struct Parser<'a> {
    text: &'a str,
    offset: usize,
    /// The value that is being read.
    path: Vec<Step>,
}

impl Parser<'_> {
    fn document(&mut self) -> Parsed<Node> {
        let node = self.value()?;
        self.skip_space();
        match self.peek() {
            None => Ok(node),
            Some(_) => Err(self.unexpected(Due::End)),
        }
    }

    fn value(&mut self) -> Parsed<Node> {
        self.skip_space();
        let start = self.offset;
        let value = match self.peek() {
            Some(b'{' | b'[') if self.path.len() == MAX_NESTING => {
                return Err(JsonErrorKind::TooDeep(MAX_NESTING));
            }
            Some(b'{') => self.object()?,
            Some(b'[') => self.list()?,
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) if self.take_word("null") => Value::Null,
            Some(_) if self.take_word("true") => Value::Bool(true),
            Some(_) if self.take_word("false") => Value::Bool(false),
            _ => return Err(self.unexpected(Due::Value)),
        };
        Ok(Node { range: start..self.offset, value })
    }

    fn object(&mut self) -> Parsed<Value> {
        let mut members = Vec::new();
        self.offset += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let key_start = self.offset;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected(Due::Key));
            }
            let key = self.string()?;
            self.path.push(Step::Key(key.clone()));
            self.skip_space();
            if !self.take(b':') {
                return Err(self.unexpected(Due::Colon));
            }
            let node = self.value()?;
            self.path.pop();
            members.push(Member { key, key_start, node });
            self.skip_space();
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.take(b',') {
                return Err(self.unexpected(Due::CommaOrBrace));
            }
        }
    }

    fn list(&mut self) -> Parsed<Value> {
        let mut items = Vec::new();
        self.offset += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(Value::List(items));
        }
        loop {
            self.path.push(Step::Item(items.len()));
            items.push(self.value()?);
            self.path.pop();
            self.skip_space();
            if self.take(b']') {
                return Ok(Value::List(items));
            }
            if !self.take(b',') {
                return Err(self.unexpected(Due::CommaOrBracket));
            }
        }
    }

    /// Reads a string with its quotes.
    fn string(&mut self) -> Parsed<String> {
        let mut string = String::new();
        if !self.take(b'"') {
            return Err(self.unexpected(Due::Quote));
        }
        loop {
            let rest = &self.text[self.offset..];
            let special = rest.find(|letter: char| matches!(letter, '"' | '\\') || letter < ' ');
            let plain = &rest[..special.unwrap_or(rest.len())];
            string.push_str(plain);
            self.offset += plain.len();
            match self.peek() {
                Some(b'"') => {
                    self.offset += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                Some(control) => return Err(JsonErrorKind::ControlCharacter(control.into())),
                None => return Err(JsonErrorKind::UnexpectedEnd(Due::Quote)),
            }
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        let letter = match self.text.as_bytes().get(self.offset + 1) {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            Some(&byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            _ => return Err(JsonErrorKind::InvalidEscape),
        };
        self.offset += 2;
        Ok(letter)
    }

    /// Reads `\u` and four digits, and the second half where they are the first one of a pair.
    fn unicode_escape(&mut self) -> Parsed<char> {
        let unit = self.unit(self.offset)?;
        let (code, length) = match unit {
            0xd800..=0xdbff => match self.unit(self.offset + 6) {
                Ok(low @ 0xdc00..=0xdfff) => (0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), 12),
                _ => return Err(JsonErrorKind::LoneSurrogate),
            },
            unit => (unit, 6),
        };
        let letter = char::from_u32(code).ok_or(JsonErrorKind::LoneSurrogate)?;
        self.offset += length;
        Ok(letter)
    }

    /// The value of `\uXXXX` at an offset.
    fn unit(&self, offset: usize) -> Parsed<u32> {
        let digits = self.text.as_bytes().get(offset..offset + 6).and_then(|six| six.strip_prefix(b"\\u"));
        let digits = digits.filter(|four| four.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|four| std::str::from_utf8(four).ok());
        digits.and_then(|four| u32::from_str_radix(four, 16).ok()).ok_or(JsonErrorKind::InvalidEscape)
    }

    fn number(&mut self) -> Parsed<Value> {
        self.take(b'-');
        let has_leading_zero = self.take(b'0');
        if has_leading_zero && matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(JsonErrorKind::InvalidNumber);
        }
        if !has_leading_zero {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _has_sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(Value::Number)
    }

    fn digits(&mut self) -> Parsed<()> {
        let start = self.offset;
        while let Some(b'0'..=b'9') = self.peek() {
            self.offset += 1;
        }
        if self.offset == start { Err(self.unexpected(Due::Digit)) } else { Ok(()) }
    }

    fn unexpected(&self, due: Due) -> JsonErrorKind {
        match self.text[self.offset..].chars().next() {
            Some(found) => JsonErrorKind::UnexpectedCharacter { found, due },
            None => JsonErrorKind::UnexpectedEnd(due),
        }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.offset += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.offset += usize::from(is_next);
        is_next
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_next = self.text[self.offset..].starts_with(word);
        self.offset += if is_next { word.len() } else { 0 };
        is_next
    }
}
