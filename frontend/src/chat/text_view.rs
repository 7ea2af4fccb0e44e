//! A message's text in the document.

mod code_block;

use chat_model::text::{Block, Inline, is_emoji_only, parse};
use leptos::prelude::*;

use self::code_block::CodeBlock;

/// The tab index of links and other parts that take the focus.
pub(crate) type TabIndex = ArcSignal<Option<&'static str>>;

/// The text with its marks as elements. It never passes through HTML.
pub(crate) fn text_view(text: &str, tab_index: &TabIndex) -> AnyView {
    if is_emoji_only(text) {
        let text = text.to_owned();
        return view! { <p class="chat-emoji">{text}</p> }.into_any();
    }
    blocks_view(parse(text), Some("auto"), tab_index)
}

fn blocks_view(blocks: Vec<Block>, direction: Option<&'static str>, tab_index: &TabIndex) -> AnyView {
    blocks.into_iter().map(|block| block_view(block, direction, tab_index)).collect_view().into_any()
}

/// A block. `direction` is the attribute `dir` of its paragraphs: each has its own. Those of a list or a quote have none, because
/// the browser looks for the direction of the whole, which has the markers and the bar, outside of elements with that attribute.
fn block_view(block: Block, direction: Option<&'static str>, tab_index: &TabIndex) -> AnyView {
    match block {
        Block::Paragraph(inlines) => {
            view! { <p dir=direction>{inlines_view(inlines, tab_index)}</p> }.into_any()
        }
        Block::Quote(blocks) => {
            view! { <blockquote dir="auto">{blocks_view(blocks, None, tab_index)}</blockquote> }.into_any()
        }
        Block::List { start, items } => {
            let items = items
                .into_iter()
                .map(|item| view! { <li>{blocks_view(item, None, tab_index)}</li> })
                .collect_view();
            match start {
                Some(start) => view! { <ol dir="auto" start=start.to_string()>{items}</ol> }.into_any(),
                None => view! { <ul dir="auto">{items}</ul> }.into_any(),
            }
        }
        Block::Code { language, text } => {
            view! { <CodeBlock language code=text tab_index=tab_index.clone() /> }.into_any()
        }
    }
}

fn inlines_view(inlines: Vec<Inline>, tab_index: &TabIndex) -> AnyView {
    let inline_view = |inline| match inline {
        Inline::Text(text) => text.into_any(),
        Inline::Code(code) => view! { <code>{code}</code> }.into_any(),
        Inline::Bold(children) => view! { <strong>{inlines_view(children, tab_index)}</strong> }.into_any(),
        Inline::Italic(children) => view! { <em>{inlines_view(children, tab_index)}</em> }.into_any(),
        Inline::Strike(children) => view! { <del>{inlines_view(children, tab_index)}</del> }.into_any(),
        Inline::Link { text, address } => view! {
            <a href=address target="_blank" rel="noopener noreferrer nofollow" tabindex=tab_index.clone()>
                {inlines_view(text, tab_index)}
            </a>
        }
        .into_any(),
    };
    inlines.into_iter().map(inline_view).collect_view().into_any()
}
