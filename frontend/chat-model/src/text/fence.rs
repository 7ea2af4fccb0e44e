//! Code blocks: text between fences of three or more backticks. A fence may stand inside a line, and the last one may be missing.

use crate::find::find;

const FENCE: &str = "```";

/// Lines of other fences that are tried as the end of a block, at most, so that parsing stays linear.
const MAX_TRIED: usize = 64;

/// A code block.
pub(super) struct Code<'a> {
    pub(super) language: String,
    pub(super) text: String,
    /// The line at which parsing goes on.
    pub(super) next: usize,
    /// The rest of that line after the closing fence.
    pub(super) rest: Option<&'a str>,
}

/// Facts about fences, gathered once so that parsing stays linear.
pub(super) struct Fences {
    /// For every line, the next later one that is only a fence.
    closing: Vec<Option<usize>>,
    /// For every line, the next later one that has a fence anywhere.
    later: Vec<Option<usize>>,
    /// For every line, whether it or a later one has text.
    has_text: Vec<bool>,
}

impl Fences {
    pub(super) fn new(lines: &[&str]) -> Fences {
        let length = lines.len();
        let mut fences = Fences {
            closing: vec![None; length],
            later: vec![None; length],
            has_text: vec![false; length + 1],
        };
        let (mut closing, mut later) = (None, None);
        for at in (0..length).rev() {
            (fences.closing[at], fences.later[at]) = (closing, later);
            let line = lines[at].trim();
            fences.has_text[at] = fences.has_text[at + 1] || !line.is_empty();
            if line.starts_with(FENCE) && line.bytes().all(|byte| byte == b'`') {
                closing = Some(at);
            }
            if find(line, FENCE).is_some() {
                later = Some(at);
            }
        }
        fences
    }

    /// The code block that begins with the line `at`.
    pub(super) fn code<'a>(&self, lines: &[&'a str], at: usize) -> Option<Code<'a>> {
        let line = lines[at].trim_start();
        let rest = line.trim_start_matches('`');
        let width = line.len() - rest.len();
        if width < FENCE.len() {
            return None;
        }
        if let Some(end) = find(rest, FENCE) {
            // A block in one line. With text after it, it is code inside of a sentence.
            let is_block =
                rest[end..].trim_start_matches('`').trim().is_empty() && !rest[..end].trim().is_empty();
            let text = rest[..end].trim().to_owned();
            return is_block.then(|| Code { language: String::new(), text, next: at + 1, rest: None });
        }
        // A last line that is only a fence has nothing to show as code.
        if rest.trim().is_empty() && !self.has_text[at + 1] {
            return None;
        }
        let indentation = lines[at].len() - line.len();
        let closing = self.closing_line(lines, at, width);
        let (end, cut) = match (closing, self.later[at]) {
            (Some(end), _) => (end, None),
            (None, Some(end)) => (end, find(lines[end], FENCE)),
            (None, None) => (lines.len(), None),
        };
        let inside = |line: &&'a str| &line[super::list::indentation(line).min(indentation)..];
        let (language, first) = match rest.trim() {
            sentence if sentence.contains(' ') => ("", Some(rest)),
            language => (language, None),
        };
        let last = cut.map(|cut| &lines[end][..cut]);
        let text: Vec<&str> =
            first.into_iter().chain(lines[at + 1..end].iter().map(inside)).chain(last).collect();
        let after =
            cut.map(|cut| lines[end][cut..].trim_start_matches('`')).filter(|rest| !rest.trim().is_empty());
        let next = if after.is_some() { end } else { (end + 1).min(lines.len()) };
        Some(Code { language: language.to_owned(), text: text.join("\n"), next, rest: after })
    }

    /// The position of a fence inside the line `at` that opens a block which a later line closes.
    pub(super) fn inside(&self, line: &str, at: usize) -> Option<usize> {
        self.later[at]?;
        let mut open = None;
        let mut from = 0;
        while let Some(found) = find(&line[from..], FENCE) {
            let start = from + found;
            from = line.len() - line[start..].trim_start_matches('`').len();
            open = if open.is_none() { Some(start) } else { None };
        }
        open.filter(|start| !line[..*start].trim().is_empty())
    }

    /// The next line that is only a fence of at least `width`.
    fn closing_line(&self, lines: &[&str], at: usize, width: usize) -> Option<usize> {
        std::iter::successors(self.closing[at], |line| self.closing[*line])
            .take(MAX_TRIED)
            .find(|line| lines[*line].trim().len() >= width)
    }
}
