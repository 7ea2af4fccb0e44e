//! The recovery code after joining, above the page until it is put away.

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::code_form::CodeForm;
use crate::{
    chunk::{ShowPart, part},
    session_context::SessionContext,
};

part!(NEW_CODE, dialogs: view! { <NewCode /> });

/// The notice; empty without a new code.
#[component]
pub(crate) fn RecoveryNotice() -> impl IntoView {
    let session = expect_context::<SessionContext>();
    let has_code = Memo::new(move |_| session.code_to_keep().is_some());
    view! {
        <div class="notice" aria-live="polite">{move || has_code.get().then(|| view! { <ShowPart part=NEW_CODE /> })}</div>
    }
}

/// The code and the button that puts it away.
#[component]
fn NewCode() -> impl IntoView {
    let session = expect_context::<SessionContext>();
    let done = Callback::new(move |()| {
        let had_focus = document().query_selector(".notice :focus").is_ok_and(|focused| focused.is_some());
        session.recovery_code.set(None);
        if had_focus {
            focus_on_page();
        }
    });
    move || session.code_to_keep().map(|code| view! { <CodeForm code done /> })
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
