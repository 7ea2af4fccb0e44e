//! Inline parts of a paragraph: code, bold, italics and links.

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
    /// An `http` or `https` address, which is shown and linked to.
    Link(String),
}

/// An emphasis mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Bold,
    Star,
    Underscore,
}

impl Mark {
    const ALL: [Mark; 3] = [Mark::Bold, Mark::Star, Mark::Underscore];

    fn text(self) -> &'static str {
        match self {
            Mark::Bold => "**",
            Mark::Star => "*",
            Mark::Underscore => "_",
        }
    }

    /// Whether the mark is inside a word when `letter` stands next to it on the outer side.
    fn joins(self, letter: char) -> bool {
        match self {
            Mark::Bold => false,
            Mark::Star => is_word(letter),
            Mark::Underscore => is_word(letter) || letter == '_',
        }
    }

    fn wrap(self, children: Vec<Inline>) -> Inline {
        match self {
            Mark::Bold => Inline::Bold(children),
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
    /// Whether the rest has no closing backtick.
    has_no_backtick: bool,
}

/// Parses the lines of a paragraph.
pub(super) fn parse(text: &str) -> Vec<Inline> {
    let mut parser =
        Parser { rest: text, previous: None, root: Vec::new(), open: Vec::new(), has_no_backtick: false };
    while let Some(next) = parser.rest.chars().next() {
        let is_parsed = match next {
            '`' => parser.code(),
            '*' | '_' => parser.mark(),
            'h' | 'H' => parser.link(),
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
    /// Parses `code`. A backtick without a second one is text.
    fn code(&mut self) -> bool {
        if self.has_no_backtick {
            return false;
        }
        let inside = &self.rest[1..];
        match inside.find('`') {
            Some(0) => false,
            Some(length) => {
                let code = inside[..length].to_owned();
                self.advance(length + 2);
                self.push(Inline::Code(code));
                true
            }
            None => {
                self.has_no_backtick = true;
                false
            }
        }
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

    fn link(&mut self) -> bool {
        if self.previous.is_some_and(is_word) {
            return false;
        }
        match address(self.rest) {
            Some(length) => {
                let address = self.rest[..length].to_owned();
                self.advance(length);
                self.push(Inline::Link(address));
                true
            }
            None => false,
        }
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

/// The length of the address that the text begins with.
fn address(text: &str) -> Option<usize> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    // Checked before the rest is read, so that repeated schemes do not make parsing quadratic.
    if !text[scheme.len()..].chars().next()?.is_alphanumeric() {
        return None;
    }
    let mut length = scheme.len();
    let mut round = 0_i64;
    let mut square = 0_i64;
    for letter in text[scheme.len()..].chars().take_while(|letter| in_address(*letter)) {
        length += letter.len_utf8();
        round += i64::from(letter == '(') - i64::from(letter == ')');
        square += i64::from(letter == '[') - i64::from(letter == ']');
    }
    // Punctuation at the end belongs to the sentence, as does a bracket that was opened before the address.
    while let Some(last) = text[..length].chars().next_back() {
        match last {
            ')' if round < 0 => round += 1,
            ']' if square < 0 => square += 1,
            '.' | ',' | ':' | ';' | '!' | '?' | '\'' | '*' | '_' | '~' => {}
            _ => break,
        }
        length -= last.len_utf8();
    }
    Some(length)
}

fn in_address(letter: char) -> bool {
    let cjk_punctuation = matches!(letter,
        '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{2018}'..='\u{201d}');
    !letter.is_whitespace()
        && !letter.is_control()
        && !cjk_punctuation
        && !matches!(letter, '<' | '>' | '"' | '`' | '|' | '\\' | '^' | '{' | '}')
}
