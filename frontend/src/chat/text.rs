//! A message's text as a tree: a small, safe part of Markdown. Never HTML; every letter that the
//! author wrote is kept, save the marks that were understood. Linear in the length of the text,
//! whatever it says.

mod inline;
#[cfg(test)]
mod tests;

pub(crate) use self::inline::Inline;

/// A part of a message that stands by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// Lines of words. Line breaks are in the text.
    Paragraph(Vec<Inline>),
    /// Lines that began with `>`.
    Quote(Vec<Inline>),
    /// What stood between two lines of three backticks, word for word.
    Code {
        /// What the first of them named after the backticks; often empty.
        language: String,
        /// The lines between.
        text: String,
    },
}

/// Reads a message.
pub(crate) fn parse(text: &str) -> Vec<Block> {
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

/// Whether a line belongs to the paragraph before it.
fn continues(line: &str, closing: Option<usize>) -> bool {
    !line.trim().is_empty() && quoted(line).is_none() && fence(line).and(closing).is_none()
}

/// For every line, the next line after it that closes a code block.
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
