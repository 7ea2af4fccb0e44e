//! The recovery code after joining, above the page until it is put away.

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast as _;

use super::code_form::CodeForm;
use crate::session_context::SessionContext;

/// The notice; empty without a new code.
#[component]
pub(crate) fn RecoveryNotice() -> impl IntoView {
    let session = expect_context::<SessionContext>();
    let notice = NodeRef::<html::Div>::new();
    let done = Callback::new(move |()| {
        let had_focus = notice
            .get_untracked()
            .is_some_and(|notice| notice.contains(document().active_element().map(Into::into).as_ref()));
        session.recovery_code.set(None);
        if had_focus {
            focus_on_page();
        }
    });
    view! {
        <div class="notice" node_ref=notice>
            {move || session.code_to_keep().map(|code| view! { <CodeForm code done /> })}
        </div>
    }
}

/// Moves the focus to the field for a message, so that it does not fall to the document. On a touch screen, where that would show
/// the keyboard, and where there is no field, to the page.
fn focus_on_page() {
    let has_mouse =
        window().match_media("(pointer: fine)").ok().flatten().is_some_and(|query| query.matches());
    let field = document().query_selector("#main textarea").ok().flatten().filter(|_| has_mouse);
    let element = field.or_else(|| document().get_element_by_id("main"));
    if let Some(element) = element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        // An element with a tab index takes the focus.
        element.focus().ok();
    }
}
