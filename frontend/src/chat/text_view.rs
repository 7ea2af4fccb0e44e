//! A message's text on the page.

use leptos::prelude::*;

use super::text::{Block, Inline, parse};

/// The text, with what was understood of its marks. Never through HTML.
pub(crate) fn text_view(text: &str) -> AnyView {
    parse(text).into_iter().map(block).collect_view().into_any()
}

fn block(block: Block) -> AnyView {
    match block {
        Block::Paragraph(inlines) => view! { <p>{inline(inlines)}</p> }.into_any(),
        Block::Quote(inlines) => view! { <blockquote>{inline(inlines)}</blockquote> }.into_any(),
        Block::Code { language, text } => {
            let language = (!language.is_empty()).then_some(language);
            // Wide code scrolls, so the keyboard has to reach it.
            view! { <pre data-language=language tabindex="0"><code>{text}</code></pre> }.into_any()
        }
    }
}

fn inline(inlines: Vec<Inline>) -> AnyView {
    let one = |inline_part| match inline_part {
        Inline::Text(text) => text.into_any(),
        Inline::Code(code) => view! { <code>{code}</code> }.into_any(),
        Inline::Bold(children) => view! { <strong>{inline(children)}</strong> }.into_any(),
        Inline::Italic(children) => view! { <em>{inline(children)}</em> }.into_any(),
        Inline::Link(address) => {
            let href = address.clone();
            view! { <a href=href target="_blank" rel="noopener noreferrer nofollow">{address}</a> }.into_any()
        }
    };
    inlines.into_iter().map(one).collect_view().into_any()
}
