//! A message's text as a tree, from a small part of Markdown: quotes, code, bold, italics and links.
//!
//! HTML has no meaning. All text but recognised marks is kept, and parsing takes linear time for any input. Markdown libraries parse
//! a larger language, whose links, images and HTML blocks would have to be removed again; in Chinese, without spaces, CommonMark
//! does not recognise `**` beside punctuation.

mod inline;
#[cfg(test)]
mod tests;

pub use self::inline::Inline;

/// A block of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Lines of text; line breaks stand in the text.
    Paragraph(Vec<Inline>),
    /// Lines that begin with `>`.
    Quote(Vec<Inline>),
    /// Lines between two lines of three backticks, verbatim.
    Code {
        /// The language named after the opening backticks; often empty.
        language: String,
        /// The lines between.
        text: String,
    },
}

/// Parses a message.
pub fn parse(text: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.split('\n').collect();
    let closing = closing_fences(&lines);
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if let Some(end) = fence(lines[at]).and(closing[at]) {
            let language = fence(lines[at]).unwrap_or_default().to_owned();
            blocks.push(Block::Code { language, text: lines[at + 1..end].join("\n") });
            at = end + 1;
        } else if lines[at].trim().is_empty() {
            at += 1;
        } else if quoted(lines[at]).is_some() {
            let quote: Vec<&str> = lines[at..].iter().map_while(|line| quoted(line)).collect();
            at += quote.len();
            blocks.push(Block::Quote(inline::parse(&quote.join("\n"))));
        } else {
            let start = at;
            at += 1;
            while at < lines.len() && continues(lines[at], closing[at]) {
                at += 1;
            }
            blocks.push(Block::Paragraph(inline::parse(&lines[start..at].join("\n"))));
        }
    }
    blocks
}

/// Whether a line continues the paragraph before it.
fn continues(line: &str, closing: Option<usize>) -> bool {
    !line.trim().is_empty() && quoted(line).is_none() && fence(line).and(closing).is_none()
}

/// For every line, the next later line that closes a code block.
fn closing_fences(lines: &[&str]) -> Vec<Option<usize>> {
    let mut next = None;
    let mut closing = vec![None; lines.len()];
    for at in (0..lines.len()).rev() {
        closing[at] = next;
        if lines[at].trim_end() == "```" {
            next = Some(at);
        }
    }
    closing
}

/// The language of a line that opens a code block.
fn fence(line: &str) -> Option<&str> {
    let language = line.strip_prefix("```")?.trim();
    (!language.contains(['`', ' '])).then_some(language)
}

fn quoted(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('>')?;
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}
