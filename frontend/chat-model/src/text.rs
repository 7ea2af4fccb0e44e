//! A message's text as a tree, from a small part of Markdown: quotes, lists, code, bold, italics, strikethrough and links.
//!
//! HTML has no meaning. All text but recognised marks is kept, and parsing takes linear time for any input. Markdown libraries parse
//! a larger language, whose links, images and HTML blocks would have to be removed again; in Chinese, without spaces, CommonMark
//! does not recognise `**` beside punctuation.

mod emoji;
mod fence;
mod inline;
mod list;
#[cfg(test)]
mod tests;

pub use self::emoji::is_emoji_only;
pub use self::inline::Inline;
use self::{fence::Fences, list::Marker};

/// Deepest nesting of quotes and lists. Marks below it are text.
const MAX_DEPTH: usize = 4;

/// A block of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Lines of text; line breaks stand in the text.
    Paragraph(Vec<Inline>),
    /// Lines that begin with `>`.
    Quote(Vec<Block>),
    /// Lines that begin with a bullet or a number.
    List {
        /// The number of the first item; `None` for bullets.
        start: Option<u32>,
        /// The items.
        items: Vec<Vec<Block>>,
    },
    /// Text between two fences of three or more backticks, verbatim.
    Code {
        /// The language named after the opening fence; often empty.
        language: String,
        /// The text between.
        text: String,
    },
}

/// Parses a message.
pub fn parse(text: &str) -> Vec<Block> {
    blocks(text.split('\n').collect(), 0)
}

fn blocks(lines: Vec<&str>, depth: usize) -> Vec<Block> {
    let fences = Fences::new(&lines);
    let mut parser = Parser { lines, at: 0, depth, fences, blocks: Vec::new() };
    while parser.at < parser.lines.len() {
        let is_blank = parser.lines[parser.at].trim().is_empty();
        if is_blank {
            parser.at += 1;
        } else if !(parser.code() || parser.quote() || parser.list()) {
            parser.paragraph();
        }
    }
    parser.blocks
}

struct Parser<'a> {
    lines: Vec<&'a str>,
    at: usize,
    depth: usize,
    fences: Fences,
    blocks: Vec<Block>,
}

impl<'a> Parser<'a> {
    /// Parses a code block that begins with this line.
    fn code(&mut self) -> bool {
        let Some(code) = self.fences.code(&self.lines, self.at) else { return false };
        self.at = code.next;
        if let Some(rest) = code.rest {
            // Text after a closing fence is a line of its own.
            self.lines[code.next] = rest;
        }
        self.blocks.push(Block::Code { language: code.language, text: code.text });
        true
    }

    fn quote(&mut self) -> bool {
        if self.depth >= MAX_DEPTH {
            return false;
        }
        let quote: Vec<&str> = self.lines[self.at..].iter().map_while(|line| quoted(line)).collect();
        self.at += quote.len();
        if quote.is_empty() {
            return false;
        }
        self.blocks.push(Block::Quote(blocks(quote, self.depth + 1)));
        true
    }

    fn list(&mut self) -> bool {
        let Some(first) = Marker::of(self.lines[self.at]).filter(|_| self.depth < MAX_DEPTH) else {
            return false;
        };
        let mut items = Vec::new();
        while let Some(marker) = self.line().and_then(Marker::of).filter(|marker| marker.continues(&first)) {
            items.push(blocks(self.item(marker), self.depth + 1));
        }
        self.blocks.push(Block::List { start: first.number, items });
        true
    }

    /// The lines of an item: the one with the marker, and those below that are indented, without marker and indentation.
    fn item(&mut self, marker: Marker) -> Vec<&'a str> {
        let mut item = vec![&self.lines[self.at][marker.width..]];
        self.at += 1;
        while let Some(line) = self.line() {
            let blank = self.lines[self.at..].iter().take_while(|line| line.trim().is_empty()).count();
            let Some(next) = self.lines.get(self.at + blank) else { break };
            let is_inside = list::indentation(next) >= list::MIN_INDENTATION;
            if blank > 0 && (is_inside || Marker::of(next).is_some()) {
                item.extend(std::iter::repeat_n("", blank));
                self.at += blank;
            } else if is_inside {
                item.push(&line[list::indentation(line).min(marker.width)..]);
                self.at += 1;
            } else {
                break;
            }
        }
        item
    }

    fn paragraph(&mut self) {
        let mut lines = Vec::new();
        while let Some(line) = self.line() {
            if !lines.is_empty() && self.interrupts(line) {
                break;
            }
            if let Some(fence) = self.fences.inside(line, self.at) {
                lines.push(&line[..fence]);
                self.lines[self.at] = &line[fence..];
                break;
            }
            lines.push(line);
            self.at += 1;
        }
        self.blocks.push(Block::Paragraph(inline::parse(&lines.join("\n"))));
    }

    /// Whether a line ends the paragraph before it. Of numbers only 1 does: other lines may just begin with a number.
    fn interrupts(&self, line: &str) -> bool {
        let is_nested = self.depth < MAX_DEPTH
            && (quoted(line).is_some()
                || Marker::of(line).is_some_and(|marker| marker.number.is_none_or(|number| number == 1)));
        line.trim().is_empty() || is_nested || self.fences.code(&self.lines, self.at).is_some()
    }

    fn line(&self) -> Option<&'a str> {
        self.lines.get(self.at).copied()
    }
}

fn quoted(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('>')?;
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}
