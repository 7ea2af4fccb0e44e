//! Addresses in texts: of the web with and without their scheme, and of e-mail.

use crate::{find::find, letter::is_alphanumeric};

/// Schemes of a link with a text of its own.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// The address that a text begins with: its length in the text, and the address to link to. `previous` is the character before.
pub(super) fn leading(text: &str, previous: Option<char>) -> Option<(usize, String)> {
    let after_word = previous.is_some_and(super::is_word);
    let web = || {
        let (length, scheme) = (!after_word).then(|| web(text)).flatten()?;
        Some((length, [scheme, &text[..length]].concat()))
    };
    let mail = || {
        let length = (!previous.is_some_and(in_mailbox)).then(|| mail(text)).flatten()?;
        Some((length, ["mailto:", &text[..length]].concat()))
    };
    web().or_else(mail)
}

/// The address before the next closing round bracket.
pub(super) fn in_brackets(text: &str) -> Option<&str> {
    let mut open = 0_u32;
    let is_end = |letter: char| {
        match letter {
            '(' => open += 1,
            ')' if open == 0 => return true,
            ')' => open -= 1,
            _ => {}
        }
        !in_web_address(letter) || matches!(letter, '[' | ']')
    };
    let end = text.find(is_end)?;
    let address = text[..end].trim_end();
    let scheme = SCHEMES.into_iter().find(|scheme| starts_with(address, scheme))?;
    let has_host = address[scheme.len()..].starts_with(is_alphanumeric);
    (has_host && text[end..].starts_with(')')).then_some(address)
}

/// Whether a text looks like an address, so that a link from it to another one would mislead.
pub(super) fn is_like_one(text: &str) -> bool {
    find(text, "://").is_some() || starts_with(text.trim_start(), "www.")
}

/// The length of the web address that a text begins with, and the scheme that it lacks.
fn web(text: &str) -> Option<(usize, &'static str)> {
    let (start, lacks) = [("https://", ""), ("http://", ""), ("www.", "https://")]
        .into_iter()
        .find(|(start, _)| starts_with(text, start))?;
    // Checked before the rest is read, so that repeated schemes do not make parsing quadratic.
    if !is_alphanumeric(text[start.len()..].chars().next()?) {
        return None;
    }
    let mut length = start.len();
    let mut round = 0_i64;
    let mut square = 0_i64;
    for letter in text[start.len()..].chars().take_while(|letter| in_web_address(*letter)) {
        round += i64::from(letter == '(') - i64::from(letter == ')');
        square += i64::from(letter == '[') - i64::from(letter == ']');
        // This bracket was opened before the address.
        if square < 0 {
            break;
        }
        length += letter.len_utf8();
    }
    // Punctuation at the end belongs to the sentence, as does a bracket that was opened before.
    while let Some(last) = text[..length].chars().next_back() {
        match last {
            ')' if round < 0 => round += 1,
            '.' | ',' | ':' | ';' | '!' | '?' | '\'' | '*' | '_' | '~' => {}
            _ => break,
        }
        length -= last.len_utf8();
    }
    let host = &text[start.len()..length];
    // Without a scheme, a name with a second dot is asked for.
    (lacks.is_empty() || host.contains('.')).then_some((length, lacks))
}

/// The length of the e-mail address that a text begins with.
fn mail(text: &str) -> Option<usize> {
    let mailbox = text.bytes().take_while(|byte| in_mailbox(char::from(*byte))).count();
    let host = text[mailbox..].strip_prefix('@').filter(|_| mailbox > 0)?;
    let in_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let host = &host[..host.bytes().take_while(in_host).count()];
    let host = host.trim_end_matches(['.', '-']);
    let (name, domain) = host.rsplit_once('.')?;
    let is_domain = domain.len() >= 2 && domain.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_name =
        name.starts_with(|letter: char| letter.is_ascii_alphanumeric()) && find(host, "..").is_none();
    (is_domain && is_name).then_some(mailbox + 1 + host.len())
}

fn in_mailbox(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '%' | '+' | '-')
}

fn in_web_address(letter: char) -> bool {
    let cjk_punctuation = matches!(letter,
        '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{2018}'..='\u{201d}');
    !letter.is_whitespace()
        && !letter.is_control()
        && !cjk_punctuation
        && !matches!(letter, '<' | '>' | '"' | '`' | '|' | '\\' | '^' | '{' | '}')
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
}
