//! The recovery code after joining, above the page until it is put away.

use leptos::{html, prelude::*};

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
        // The focus must not fall to the document.
        if let Some(main) = document().get_element_by_id("main").filter(|_| had_focus) {
            focus(&main);
        }
    });
    view! {
        <div class="notice" node_ref=notice>
            {move || {
                let code = session.recovery_code.get().filter(|_| session.user.with(Option::is_some));
                code.map(|code| view! { <CodeForm code done /> })
            }}
        </div>
    }
}

fn focus(element: &web_sys::Element) {
    use wasm_bindgen::JsCast as _;
    if let Some(element) = element.dyn_ref::<web_sys::HtmlElement>() {
        // An element with a tab index takes the focus.
        element.focus().ok();
    }
}
