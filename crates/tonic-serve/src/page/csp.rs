//! The content security policy of `index.html`.
//!
//! trunk writes the module that starts the page into `index.html` itself. The default policy allows the scripts and styles in the
//! document by their hashes, and no other inline ones. The hashes are computed here and not by a build tool, because users of this
//! library build their pages with any tool, and may build them again while the server runs.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};
use tower_http::services::fs::{Backend as _, Metadata as _};

use super::files::Files;

/// The directives of the default policy and their sources.
const DEFAULT_DIRECTIVES: [(&str, &str); 12] = [
    ("default-src", "'none'"),
    ("script-src", "'self' 'wasm-unsafe-eval'"),
    ("style-src", "'self'"),
    // Positions and sizes that a page computes are style attributes. They load and run nothing.
    ("style-src-attr", "'unsafe-inline'"),
    ("connect-src", "'self'"),
    ("img-src", "'self' data: blob:"),
    ("font-src", "'self'"),
    ("manifest-src", "'self'"),
    ("worker-src", "'self'"),
    ("base-uri", "'self'"),
    ("form-action", "'self'"),
    ("frame-ancestors", "'none'"),
];

/// A source cannot be added to the content security policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The directive's name is not of lower-case letters and hyphens.
    #[error("the name of a directive has only lower-case letters and hyphens")]
    InvalidDirective,
    /// The source is empty, or has whitespace, a comma, a semicolon, or characters outside ASCII.
    #[error("a source is a single word of ASCII without comma and semicolon")]
    InvalidSource,
    /// The policy was replaced or removed.
    #[error("sources can be added only to the default policy")]
    FixedPolicy,
}

/// The configured policy.
#[derive(Clone, Debug)]
pub(super) enum Policy {
    /// The default directives, the hashes of the document, and these sources: directive and source.
    Default(Vec<(String, String)>),
    /// This header, or none.
    Fixed(Option<HeaderValue>),
}

impl Default for Policy {
    fn default() -> Self {
        Self::Default(Vec::new())
    }
}

impl Policy {
    pub(super) fn allow(&mut self, directive: &str, source: &str) -> Result<(), SourceError> {
        let is_directive =
            !directive.is_empty() && directive.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let is_source = !source.is_empty()
            && source.bytes().all(|byte| byte.is_ascii_graphic() && !b",;".contains(&byte));
        match self {
            Self::Fixed(_) => Err(SourceError::FixedPolicy),
            Self::Default(_) if !is_directive => Err(SourceError::InvalidDirective),
            Self::Default(_) if !is_source => Err(SourceError::InvalidSource),
            Self::Default(added) => {
                added.push((directive.to_owned(), source.to_owned()));
                Ok(())
            }
        }
    }
}

/// The policy of one `index.html`, made again when the file has changed.
#[derive(Debug)]
pub(super) struct PolicyCache {
    files: Files,
    index: PathBuf,
    policy: Policy,
    made: Mutex<Option<(Version, HeaderValue)>>,
}

/// Tells two versions of a file apart: time of modification and length.
type Version = (SystemTime, u64);

impl PolicyCache {
    pub(super) fn new(files: Files, index: PathBuf, policy: Policy) -> Self {
        Self { files, index, policy, made: Mutex::new(None) }
    }

    /// The header for the current file, if it has one. `None` when there is no file.
    pub(super) async fn current(&self) -> Option<Option<HeaderValue>> {
        let metadata = self.files.metadata(self.index.clone()).await.ok()?;
        let added = match &self.policy {
            Policy::Fixed(header) => return Some(header.clone()),
            Policy::Default(added) => added,
        };
        let version = (metadata.modified().ok()?, metadata.len());
        if let Some((made_of, header)) = &*self.made.lock().unwrap_or_else(PoisonError::into_inner)
            && *made_of == version
        {
            return Some(Some(header.clone()));
        }
        let document = self.files.text(self.index.clone()).await.ok()?;
        let header = HeaderValue::try_from(default_policy(&document, added)).ok()?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        *made = Some((version, header.clone()));
        Some(Some(header))
    }
}

fn default_policy(document: &str, added: &[(String, String)]) -> String {
    let mut directives: Vec<(&str, String)> =
        DEFAULT_DIRECTIVES.iter().map(|(directive, sources)| (*directive, (*sources).to_owned())).collect();
    let hashes = [("script-src", "script"), ("style-src", "style")]
        .into_iter()
        .flat_map(|(directive, element)| hashes(document, element).map(move |hash| (directive, hash)));
    let added = added.iter().map(|(directive, source)| (directive.as_str(), source.clone()));
    for (directive, source) in hashes.chain(added) {
        match directives.iter_mut().find(|(name, _)| *name == directive) {
            // 'none' is valid only alone.
            Some((_, sources)) if sources == "'none'" => *sources = source,
            Some((_, sources)) => {
                sources.push(' ');
                sources.push_str(&source);
            }
            None => directives.push((directive, source)),
        }
    }
    let directives: Vec<String> =
        directives.iter().map(|(directive, sources)| format!("{directive} {sources}")).collect();
    directives.join("; ")
}

/// The hashes of the inline `element`s in `document`, each as `'sha256-...'`.
fn hashes(document: &str, element: &'static str) -> impl Iterator<Item = String> {
    inline_texts(document, element)
        .map(|text| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes()))))
}

/// The texts between `<element ...>` and `</element>`, without elements that load their text.
fn inline_texts<'a>(document: &'a str, element: &'static str) -> impl Iterator<Item = &'a str> {
    let mut rest = document;
    std::iter::from_fn(move || {
        loop {
            let after_name = &rest[find(rest, "<", element)?..];
            let (attributes, after_tag) = after_name.split_once('>')?;
            let end = after_tag.len() - after_close(after_tag, element)?.len();
            let text = &after_tag[..end];
            rest = &after_tag[end..];
            // `<styles>` is another element, and the text of a script with a source does not run.
            if !attributes.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
                && !attributes.split_ascii_whitespace().any(|attribute| attribute.starts_with("src="))
            {
                return Some(text);
            }
        }
    })
}

/// The position after the first `prefix` and `element`, in any case.
fn find(text: &str, prefix: &str, element: &str) -> Option<usize> {
    let tag = format!("{prefix}{element}");
    let found =
        text.as_bytes().windows(tag.len()).position(|window| window.eq_ignore_ascii_case(tag.as_bytes()))?;
    Some(found + tag.len())
}

/// `text` from the closing tag of `element`.
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
    fn inline_scripts_and_styles_are_found_to_the_byte() {
        let scripts: Vec<_> = inline_texts(INDEX, "script").collect();
        assert_eq!(scripts, ["\nimport init from '/frontend-8f2a.js';\n"]);
        assert_eq!(inline_texts(INDEX, "style").collect::<Vec<_>>(), ["p{color:red}"]);
    }

    #[test]
    fn an_inline_script_is_allowed_by_its_hash() {
        // echo -n 'alert(1)' | openssl dgst -sha256 -binary | base64
        let policy = default_policy("<script>alert(1)</script>", &[]);
        assert!(
            policy.contains(
                "script-src 'self' 'wasm-unsafe-eval' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='; "
            ),
            "{policy}"
        );
        assert!(policy.contains("; style-src 'self'; "), "{policy}");
    }

    #[test]
    fn added_sources_extend_their_directives() {
        let mut policy = Policy::default();
        policy.allow("img-src", "https://cdn.example").unwrap();
        policy.allow("frame-ancestors", "https://portal.example").unwrap();
        policy.allow("media-src", "'self'").unwrap();
        let Policy::Default(added) = &policy else { panic!("it is not the default") };
        let policy = default_policy("", added);
        for part in [
            "; img-src 'self' data: blob: https://cdn.example; ",
            "; frame-ancestors https://portal.example; ",
            "; media-src 'self'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
    }

    #[test]
    fn invalid_directives_and_sources_are_refused() {
        let mut policy = Policy::default();
        for directive in ["", "Img-Src", "img src", "img-src;"] {
            assert_eq!(policy.allow(directive, "'self'"), Err(SourceError::InvalidDirective));
        }
        for source in ["", "https://a.example https://b.example", "'self';", "a,b", "https://bücher.example"]
        {
            assert_eq!(policy.allow("img-src", source), Err(SourceError::InvalidSource));
        }
        assert_eq!(Policy::Fixed(None).allow("img-src", "'self'"), Err(SourceError::FixedPolicy));
    }

    #[test]
    fn an_unclosed_script_has_no_text() {
        assert_eq!(inline_texts("<script>let a", "script").count(), 0);
        assert_eq!(inline_texts("<script", "script").count(), 0);
    }
}
