//! The request: the message, the options, and the buttons.

use grpc_wire::method::MethodKind;
use leptos::prelude::*;

use super::{
    call_options::CallOptions,
    json_editor::{JsonEditor, JsonState},
    message_form::MessageForm,
    send::send,
    state::Explorer,
    texts::{Pick, say, use_texts},
};
use crate::{i18n::text, keys::keys, run::CancelButton, storage};

/// The last choice between form and JSON in the browser's storage.
const VIEW_KEY: &str = "chinwag.explorer.view";
const AS_JSON: &str = "json";

/// The form.
#[component]
pub(super) fn RequestView(
    /// The sides that send a stream.
    kind: MethodKind,
    /// Full name of the request message.
    message: String,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    view! {
        <form
            class="explorer-request"
            aria-label=say(|t| t.request)
            novalidate
            autocomplete="off"
            on:submit=move |event| {
                event.prevent_default();
                send(explorer);
            }
        >
            <MessageEditor message />
            <CallOptions />
            <Buttons kind />
        </form>
    }
}

/// The message, as a form or as JSON: two views of one text.
#[component]
fn MessageEditor(
    /// Full name of the message.
    message: String,
) -> impl IntoView {
    let as_form = RwSignal::new(storage::get(VIEW_KEY).as_deref() != Some(AS_JSON));
    let choose = move |form: bool| {
        storage::set(VIEW_KEY, if form { "form" } else { AS_JSON });
        as_form.set(form);
    };
    let choice = |form: bool, label: Pick| {
        view! {
            <label class="choice">
                <input
                    type="radio"
                    name="explorer-view"
                    prop:checked=move || as_form.get() == form
                    on:change=move |_| choose(form)
                />
                {say(label)}
            </label>
        }
    };
    let name = message.clone();
    view! {
        <fieldset class="explorer-choices">
            <legend class="visually-hidden">{say(|t| t.write_as)}</legend>
            {choice(true, |t| t.as_form)}
            {choice(false, |t| t.as_json)}
        </fieldset>
        {move || match as_form.get() {
            true => view! { <MessageForm message=name.clone() /> }.into_any(),
            false => view! { <JsonEditor /> }.into_any(),
        }}
        <JsonState message />
    }
}

/// Send, finish and cancel.
#[component]
fn Buttons(
    /// The sides that send a stream.
    kind: MethodKind,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let exchange = explorer.exchange;
    let t = use_texts();
    let takes_more = move || kind.client_streaming() && exchange.takes_messages();
    let label = move || match kind.client_streaming() {
        true if takes_more() => t.get().send_next,
        true => t.get().send_first,
        false => t.get().send_request,
    };
    let is_full = move || explorer.is_full.get() && exchange.run.is_running();
    view! {
        <div class="explorer-request__buttons">
            <button type="submit" class="button button--primary" aria-keyshortcuts="Control+Enter">
                {label}
                <kbd class="explorer-request__key" aria-hidden="true">{keys().send}</kbd>
            </button>
            <Show when=takes_more fallback=|| ()>
                <button type="button" class="button" on:click=move |_| exchange.finish()>
                    {text(|m| m.finish)}
                </button>
            </Show>
            <CancelButton run=exchange.run />
        </div>
        <div class="explorer-request__notes" role="status">
            <Show when=takes_more fallback=|| ()>
                <p class="field__hint">{say(|t| t.finish_hint)}</p>
            </Show>
            <Show when=is_full fallback=|| ()>
                <p class="error">{say(|t| t.not_sent_full)}</p>
            </Show>
        </div>
    }
}
