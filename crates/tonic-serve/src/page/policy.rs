//! What the page may load and run: a content security policy made for the `index.html` there is.
//!
//! trunk writes the module that starts the page into `index.html` itself. The policy allows exactly the
//! scripts and styles that stand there, by their hash, and nothing else that is written into a page.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

/// The policy of one `index.html`, made again when the file has changed.
#[derive(Debug)]
pub(super) struct PolicyCache {
    index: PathBuf,
    made: Mutex<Option<(Stamp, HeaderValue)>>,
}

/// Tells one version of a file from another.
type Stamp = (SystemTime, u64);

impl PolicyCache {
    pub(super) fn new(index: PathBuf) -> Self {
        Self { index, made: Mutex::new(None) }
    }

    /// The policy for the file as it is now; `None` when there is no such file.
    pub(super) async fn current(&self) -> Option<HeaderValue> {
        let metadata = tokio::fs::metadata(&self.index).await.ok()?;
        let stamp = (metadata.modified().ok()?, metadata.len());
        if let Some((of, policy)) = &*self.made.lock().unwrap_or_else(PoisonError::into_inner)
            && *of == stamp
        {
            return Some(policy.clone());
        }
        let document = tokio::fs::read_to_string(&self.index).await.ok()?;
        let policy = HeaderValue::try_from(policy(&document)).ok()?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        *made = Some((stamp, policy.clone()));
        Some(policy)
    }
}

fn policy(document: &str) -> String {
    let scripts = hashes(document, "script");
    let styles = hashes(document, "style");
    [
        "default-src 'none'",
        &format!("script-src 'self' 'wasm-unsafe-eval'{scripts}"),
        &format!("style-src 'self'{styles}"),
        // Positions and sizes that the page computes are style attributes; they load and run nothing.
        "style-src-attr 'unsafe-inline'",
        "connect-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
    .join("; ")
}

/// The hashes of the `element`s in `document` that have a text of their own, each as ` 'sha256-...'`.
fn hashes(document: &str, element: &str) -> String {
    inline_texts(document, element)
        .map(|text| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes()))))
        .collect()
}

/// The texts between `<element ...>` and `</element>`, without those that are loaded from elsewhere.
fn inline_texts<'a>(document: &'a str, element: &'a str) -> impl Iterator<Item = &'a str> {
    let mut rest = document;
    std::iter::from_fn(move || {
        loop {
            let after_name = &rest[find(rest, "<", element)?..];
            let (attributes, after_tag) = after_name.split_once('>')?;
            let end = after_tag.len() - after_close(after_tag, element)?.len();
            let text = &after_tag[..end];
            rest = &after_tag[end..];
            // `<styles>` is another element, and a script with a source has no text that runs.
            if !attributes.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
                && !attributes.split_ascii_whitespace().any(|attribute| attribute.starts_with("src="))
            {
                return Some(text);
            }
        }
    })
}

/// Where `text` goes on behind the first `prefix` and `element`, whatever their case.
fn find(text: &str, prefix: &str, element: &str) -> Option<usize> {
    let tag = format!("{prefix}{element}");
    let found =
        text.as_bytes().windows(tag.len()).position(|window| window.eq_ignore_ascii_case(tag.as_bytes()))?;
    Some(found + tag.len())
}

/// `text` from the tag on that closes `element`.
fn after_close<'a>(text: &'a str, element: &str) -> Option<&'a str> {
    let end = find(text, "</", element)?;
    Some(&text[end - element.len() - 2..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As trunk 0.21 writes it.
    const INDEX: &str = r#"<!DOCTYPE html><html><head>
<script type="module" nonce="">
import init from '/frontend-8f2a.js';
</script>
<script src="/other.js"></script><STYLE>p{color:red}</STYLE>
<scripted>no</scripted></head><body></body></html>"#;

    #[test]
    fn the_scripts_and_styles_in_the_document_are_found_to_the_byte() {
        let scripts: Vec<_> = inline_texts(INDEX, "script").collect();
        assert_eq!(scripts, ["\nimport init from '/frontend-8f2a.js';\n"]);
        assert_eq!(inline_texts(INDEX, "style").collect::<Vec<_>>(), ["p{color:red}"]);
    }

    #[test]
    fn a_script_is_allowed_by_its_hash() {
        // echo -n 'alert(1)' | openssl dgst -sha256 -binary | base64
        let policy = policy("<script>alert(1)</script>");
        assert!(
            policy.contains(
                "script-src 'self' 'wasm-unsafe-eval' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='; "
            ),
            "{policy}"
        );
        assert!(policy.contains("; style-src 'self'; "), "{policy}");
    }

    #[test]
    fn a_document_that_never_closes_its_script_is_survived() {
        assert_eq!(inline_texts("<script>let a", "script").count(), 0);
        assert_eq!(inline_texts("<script", "script").count(), 0);
    }
}
