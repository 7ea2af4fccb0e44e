//! Inline parts of a paragraph: code, bold, italics, strikethrough and links.

mod address;

use crate::find::find;

/// An inline part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inline {
    /// Plain text, with line breaks.
    Text(String),
    /// Text between backticks.
    Code(String),
    /// Text between double asterisks.
    Bold(Vec<Inline>),
    /// Text between single asterisks or underscores.
    Italic(Vec<Inline>),
    /// Text between double tildes.
    Strike(Vec<Inline>),
    /// A link.
    Link {
        /// The text, without links.
        text: Vec<Inline>,
        /// The address, whose scheme is `http`, `https` or `mailto`.
        address: String,
    },
}

/// Backticks of a mark around code, at most.
const MAX_BACKTICKS: usize = 3;

/// An emphasis mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Bold,
    Star,
    Underscore,
    Strike,
}

impl Mark {
    const ALL: [Mark; 4] = [Mark::Bold, Mark::Star, Mark::Underscore, Mark::Strike];

    fn text(self) -> &'static str {
        match self {
            Mark::Bold => "**",
            Mark::Star => "*",
            Mark::Underscore => "_",
            Mark::Strike => "~~",
        }
    }

    /// Whether the mark is inside a word when `letter` stands next to it on the outer side.
    fn joins(self, letter: char) -> bool {
        match self {
            Mark::Bold | Mark::Strike => false,
            Mark::Star => is_word(letter),
            Mark::Underscore => is_word(letter) || letter == '_',
        }
    }

    fn wrap(self, children: Vec<Inline>) -> Inline {
        match self {
            Mark::Bold => Inline::Bold(children),
            Mark::Strike => Inline::Strike(children),
            Mark::Star | Mark::Underscore => Inline::Italic(children),
        }
    }
}

/// Each mark is open at most once, so the stack is at most as deep as there are marks, and each text is moved a fixed number of
/// times: parsing is linear.
struct Parser<'a> {
    rest: &'a str,
    previous: Option<char>,
    root: Vec<Inline>,
    open: Vec<(Mark, Vec<Inline>)>,
    /// Whether this is the text of a link, which has no links inside.
    in_link: bool,
    /// Whether the rest has no closing run of this many backticks.
    has_no_backticks: [bool; MAX_BACKTICKS + 1],
    /// Whether the rest has no further `](`.
    has_no_link: bool,
}

/// Parses the lines of a paragraph.
pub(super) fn parse(text: &str) -> Vec<Inline> {
    parse_as(text, false)
}

fn parse_as(text: &str, in_link: bool) -> Vec<Inline> {
    let mut parser = Parser {
        rest: text,
        previous: None,
        root: Vec::new(),
        open: Vec::new(),
        in_link,
        has_no_backticks: [false; MAX_BACKTICKS + 1],
        has_no_link: false,
    };
    while let Some(next) = parser.rest.chars().next() {
        let is_parsed = match next {
            '`' => parser.code(),
            '\\' => parser.escape(),
            '*' | '_' | '~' => parser.mark(),
            '[' => parser.named_link(),
            _ if is_word(next) => parser.address(),
            _ => false,
        };
        if !is_parsed {
            parser.take_text(next.len_utf8());
        }
    }
    while !parser.open.is_empty() {
        parser.close_unmatched();
    }
    parser.root
}

impl<'a> Parser<'a> {
    /// Parses `code`, between runs of equally many backticks. A run without a second one is text.
    fn code(&mut self) -> bool {
        let run = leading_backticks(self.rest);
        let inside = &self.rest[run..];
        let is_possible = self.has_no_backticks.get(run).is_some_and(|has_none| !has_none);
        let Some(length) = is_possible.then(|| closing_backticks(inside, run)).flatten() else {
            if let Some(has_none) = self.has_no_backticks.get_mut(run) {
                *has_none = true;
            }
            self.take_text(run);
            return true;
        };
        let code = &inside[..length];
        // Spaces inside keep backticks of the code apart from the marks.
        let padded = code.strip_prefix(' ').and_then(|code| code.strip_suffix(' '));
        let code = padded.filter(|code| !code.trim().is_empty()).unwrap_or(code).to_owned();
        self.advance(length + 2 * run);
        self.push(Inline::Code(code));
        true
    }

    /// Parses a backslash before a punctuation mark, which is then only text.
    fn escape(&mut self) -> bool {
        let Some(mark) = self.rest[1..].chars().next().filter(char::is_ascii_punctuation) else {
            return false;
        };
        self.advance(1);
        self.take_text(mark.len_utf8());
        true
    }

    fn mark(&mut self) -> bool {
        let Some(mark) = Mark::ALL.into_iter().find(|mark| self.rest.starts_with(mark.text())) else {
            return false;
        };
        let after = self.rest[mark.text().len()..].chars().next();
        let open_at = self.open.iter().rposition(|(open, _)| *open == mark);
        match open_at {
            Some(at) if self.closes(mark, after) && self.has_content(at) => {
                while self.open.len() > at + 1 {
                    self.close_unmatched();
                }
                if let Some((mark, children)) = self.open.pop() {
                    self.push(mark.wrap(children));
                }
            }
            None if self.opens(mark, after) => self.open.push((mark, Vec::new())),
            _ => return false,
        }
        self.advance(mark.text().len());
        true
    }

    /// A mark opens before a word. Inside a word only bold does, which Chinese needs; `a_b_c` and `2*3*4` stay text.
    fn opens(&self, mark: Mark, after: Option<char>) -> bool {
        after.is_some_and(|letter| !letter.is_whitespace() && !mark.text().starts_with(letter))
            && !self.previous.is_some_and(|letter| mark.joins(letter))
    }

    fn closes(&self, mark: Mark, after: Option<char>) -> bool {
        self.previous.is_some_and(|letter| !letter.is_whitespace())
            && !after.is_some_and(|letter| mark.joins(letter))
    }

    fn has_content(&self, at: usize) -> bool {
        self.open[at..].iter().any(|(_, children)| !children.is_empty())
    }

    /// Parses an address that stands in the text.
    fn address(&mut self) -> bool {
        if self.in_link {
            return false;
        }
        let Some((length, address)) = address::leading(self.rest, self.previous) else { return false };
        let text = vec![Inline::Text(self.rest[..length].to_owned())];
        self.advance(length);
        self.push(Inline::Link { text, address });
        true
    }

    /// Parses `[text](address)`. The text must not look like another address.
    fn named_link(&mut self) -> bool {
        if self.in_link || self.has_no_link {
            return false;
        }
        let Some(middle) = find(self.rest, "](") else {
            self.has_no_link = true;
            return false;
        };
        let text = &self.rest[1..middle];
        if text.contains('[') || text.trim().is_empty() {
            return false;
        }
        let Some(address) = address::in_brackets(&self.rest[middle + 2..]) else { return false };
        if text != address && address::is_like_one(text) {
            return false;
        }
        let (text, address) = (parse_as(text, true), address.to_owned());
        self.advance(middle + 2 + address.len() + 1);
        self.push(Inline::Link { text, address });
        true
    }

    /// Turns the innermost open mark into text.
    fn close_unmatched(&mut self) {
        if let Some((mark, children)) = self.open.pop() {
            self.push_text(mark.text());
            for child in children {
                match child {
                    Inline::Text(text) => self.push_text(&text),
                    child => self.push(child),
                }
            }
        }
    }

    fn take_text(&mut self, length: usize) {
        let text = &self.rest[..length];
        self.advance(length);
        self.push_text(text);
    }

    fn advance(&mut self, length: usize) {
        let (passed, rest) = self.rest.split_at(length);
        self.previous = passed.chars().next_back();
        self.rest = rest;
    }

    fn push_text(&mut self, text: &str) {
        match self.innermost().last_mut() {
            Some(Inline::Text(last)) => last.push_str(text),
            _ => self.push(Inline::Text(text.to_owned())),
        }
    }

    fn push(&mut self, inline: Inline) {
        self.innermost().push(inline);
    }

    fn innermost(&mut self) -> &mut Vec<Inline> {
        match self.open.last_mut() {
            Some((_, children)) => children,
            None => &mut self.root,
        }
    }
}

/// ASCII only: Chinese has no spaces, so its characters do not join marks to words.
fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
}

fn leading_backticks(text: &str) -> usize {
    text.bytes().take_while(|byte| *byte == b'`').count()
}

/// The position of the next run of exactly this many backticks.
fn closing_backticks(text: &str, run: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text[at..].find('`')?;
        match leading_backticks(&text[at..]) {
            found if found == run => return Some(at),
            found => at += found,
        }
    }
}
