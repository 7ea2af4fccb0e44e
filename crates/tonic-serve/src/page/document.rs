//! The page's document under a base path: its element `base` names the path, so that every relative address is below it.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::base_path::BasePath;

/// The start of the element, as documents and tools write it.
const ELEMENT: &[u8] = b"<base ";

/// The document of a page, and the base path that it has to name.
#[derive(Debug)]
pub(super) struct Document {
    index: PathBuf,
    /// The element that names it.
    element: String,
}

impl Document {
    pub(super) fn new(index: &Path, base: &BasePath) -> Self {
        // A base path has no character that HTML escapes.
        Self { index: index.to_owned(), element: format!("<base href=\"{base}\">") }
    }

    /// Whether `path` is that of the document.
    pub(super) fn is(&self, path: &Path) -> bool {
        path == self.index
    }

    /// Whether `path` is that of a compressed neighbour of the document, which names another base path.
    pub(super) fn hides(&self, path: &Path) -> bool {
        path.with_extension("") == self.index
    }

    /// `html` with the base path in the place of the one that it names. Without an element for it, the same.
    pub(super) fn write(&self, html: Bytes) -> Bytes {
        let Some(start) = html.windows(ELEMENT.len()).position(|bytes| bytes.eq_ignore_ascii_case(ELEMENT))
        else {
            return html;
        };
        let Some(length) = html[start..].iter().position(|byte| *byte == b'>') else { return html };
        [&html[..start], self.element.as_bytes(), &html[start + length + 1..]].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(html: &'static str) -> Bytes {
        Document::new(Path::new("/index.html"), &"/chat/".parse().unwrap()).write(html.into())
    }

    #[test]
    fn the_element_gets_the_base_path_however_it_is_written() {
        for element in
            ["<base href=\"/\" />", "<base href=/>", "<BASE href='/'>", "<base target=\"_top\" href=\"/\">"]
        {
            let html: &'static str = format!("<head>{element}<link href=\"a.css\">").leak();
            assert_eq!(written(html), "<head><base href=\"/chat/\"><link href=\"a.css\">", "{element}");
        }
    }

    #[test]
    fn a_document_without_the_element_stays_as_it_is() {
        for html in ["", "<head><basefont>", "<p>base href</p>", "<base href="] {
            assert_eq!(written(html), html);
        }
    }

    #[test]
    fn only_compressed_neighbours_of_the_document_are_hidden() {
        let document = Document::new(Path::new("/dist/index.html"), &"/chat/".parse().unwrap());
        assert!(document.is(Path::new("/dist/index.html")));
        assert!(
            document.hides(Path::new("/dist/index.html.br"))
                && document.hides(Path::new("/dist/index.html.gz"))
        );
        assert!(
            !document.hides(Path::new("/dist/index.html")) && !document.hides(Path::new("/dist/page.css.br"))
        );
    }
}
