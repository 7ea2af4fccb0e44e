//! The server: its address, where its services come from, and why they are not known.

use grpc_inspect::reflection::ReflectionVersion;
use leptos::{html, prelude::*};

use super::{
    address::{Address, InvalidAddress},
    files,
    schema::Source,
    state::{Explorer, Services, own_address},
    texts::{Texts, say, use_texts},
};
use crate::i18n::{fill, use_messages};

/// The field for the address with its buttons, and the state of the services.
#[component]
pub(super) fn ServerBar() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let text = RwSignal::new(explorer.address.with_untracked(|address| address.text().to_owned()));
    let invalid = RwSignal::new(None);
    let input = NodeRef::<html::Input>::new();
    let connect = move || match Address::parse(&text.get_untracked(), &own_address()) {
        Ok(address) => {
            text.set(address.text().to_owned());
            explorer.connect(address);
        }
        Err(reason) => {
            invalid.set(Some(reason));
            if let Some(input) = input.get_untracked() {
                // An input in the document takes the focus.
                input.focus().ok();
            }
        }
    };
    let is_same = move || text.with(|text| explorer.address.with(|address| address.text() == text.trim()));
    view! {
        <form
            class="explorer-server"
            aria-label=say(|t| t.server)
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                connect();
            }
        >
            <label class="field__label" for="explorer-address">{say(|t| t.server_address)}</label>
            <div class="explorer-server__line">
                <input
                    class="field__input explorer-server__address"
                    id="explorer-address"
                    type="text"
                    inputmode="url"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    node_ref=input
                    placeholder=say(|t| t.server_placeholder)
                    aria-invalid=move || invalid.with(Option::is_some).then_some("true")
                    aria-describedby="explorer-address-error explorer-address-hint"
                    prop:value=text
                    on:input:target=move |event| {
                        text.set(event.target().value());
                        invalid.set(None);
                    }
                />
                <button type="submit" class="button">
                    {move || if is_same() { t.get().reload_services } else { t.get().connect }}
                </button>
                <FileButton />
                <ServicesState />
            </div>
            <p class="field__error" id="explorer-address-error">
                {move || invalid.get().map(|reason| invalid_text(t.get(), reason))}
            </p>
            <p class="field__hint" id="explorer-address-hint">{say(|t| t.server_hint)}</p>
        </form>
    }
}

/// The button that opens descriptors from files.
#[component]
fn FileButton() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let input = NodeRef::<html::Input>::new();
    let choose = move |_| {
        if let Some(input) = input.get_untracked() {
            input.click();
        }
    };
    let open = move |_| {
        if let Some(input) = input.get_untracked() {
            let files = js_sys::Reflect::get(&input, &"files".into()).unwrap_or_default();
            files::open(explorer, &files);
            // The same file can be chosen again.
            input.set_value("");
        }
    };
    view! {
        <button type="button" class="button" on:click=choose>{say(|t| t.choose_files)}</button>
        <input
            type="file"
            hidden
            multiple
            accept=".binpb,.pb,.bin,.desc,.protoset,.fds,.proto"
            aria-label=say(|t| t.choose_files)
            node_ref=input
            on:change=open
        />
    }
}

/// The origin of the services, that they are loaded, or the reason for which they are not known.
#[component]
fn ServicesState() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let m = use_messages();
    let state = move || match explorer.services.get() {
        Services::Loading => {
            view! { <p class="explorer-server__state">{t.get().loading_services}</p> }.into_any()
        }
        Services::Known(schema) => {
            let text = match &schema.source {
                Source::Reflection(ReflectionVersion::V1) => t.get().by_reflection.to_owned(),
                Source::Reflection(ReflectionVersion::V1Alpha) => t.get().by_reflection_alpha.to_owned(),
                Source::Files(names) => fill(t.get().by_files, &[("name", names)]),
            };
            view! { <p class="explorer-server__state">{text}</p> }.into_any()
        }
        Services::Unknown(unknown) => {
            let details = unknown.details();
            let details = (!details.is_empty()).then(|| {
                view! {
                    <details class="result__details">
                        <summary>{m.get().details}</summary>
                        <p lang="en">{details}</p>
                    </details>
                }
            });
            view! {
                <p class="error">{unknown.sentence(t.get(), explorer.by_policy.get())}</p>
                {details}
            }
            .into_any()
        }
    };
    view! { <div class="explorer-server__result" role="status">{state}</div> }
}

fn invalid_text(t: &Texts, reason: InvalidAddress) -> &'static str {
    match reason {
        InvalidAddress::Malformed => t.address_malformed,
        InvalidAddress::Scheme => t.address_scheme,
        InvalidAddress::Extra => t.address_extra,
        InvalidAddress::MixedContent => t.address_mixed,
    }
}
