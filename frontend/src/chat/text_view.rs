//! A message's text in the document.

use chat_model::text::{Block, Inline, parse};
use leptos::prelude::*;

/// The text with its marks as elements. It never passes through HTML.
pub(crate) fn text_view(text: &str) -> AnyView {
    parse(text).into_iter().map(block).collect_view().into_any()
}

fn block(block: Block) -> AnyView {
    match block {
        Block::Paragraph(inlines) => view! { <p>{inlines_view(inlines)}</p> }.into_any(),
        Block::Quote(inlines) => view! { <blockquote>{inlines_view(inlines)}</blockquote> }.into_any(),
        Block::Code { language, text } => {
            let language = (!language.is_empty()).then_some(language);
            // Wide code scrolls, so the keyboard has to reach it.
            view! { <pre data-language=language tabindex="0"><code>{text}</code></pre> }.into_any()
        }
    }
}

fn inlines_view(inlines: Vec<Inline>) -> AnyView {
    let inline_view = |inline| match inline {
        Inline::Text(text) => text.into_any(),
        Inline::Code(code) => view! { <code>{code}</code> }.into_any(),
        Inline::Bold(children) => view! { <strong>{inlines_view(children)}</strong> }.into_any(),
        Inline::Italic(children) => view! { <em>{inlines_view(children)}</em> }.into_any(),
        Inline::Link(address) => {
            let href = address.clone();
            view! { <a href=href target="_blank" rel="noopener noreferrer nofollow">{address}</a> }.into_any()
        }
    };
    inlines.into_iter().map(inline_view).collect_view().into_any()
}
