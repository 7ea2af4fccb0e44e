//! The explorer: calls any method of any gRPC server, by descriptors that come at run time.
//!
//! A part of its own, with its texts and its style sheet. `state` is what its parts share; everything without signals or documents is
//! tested on the host.

mod address;
mod call_options;
mod client;
mod comment;
mod copy;
mod copy_list;
mod exchange;
mod failure_view;
mod files;
mod history;
mod history_list;
mod json_editor;
mod json_error_text;
mod keys;
mod message_doc;
mod message_form;
mod message_row;
mod metadata;
mod metadata_rows;
mod method_view;
mod request_view;
mod response_view;
mod schema;
mod send;
mod server_bar;
mod service_list;
mod sources;
mod state;
mod status_details;
mod texts;
mod transcript;

use leptos::{prelude::*, task::spawn_local};

use self::{
    files::follow_drops,
    keys::on_key,
    method_view::MethodView,
    server_bar::ServerBar,
    service_list::ServiceList,
    state::{Explorer, Services},
    texts::{say, use_texts},
};
use crate::{
    chunk::part,
    focus,
    i18n::{fill, text},
    style::{self, add_style},
};

part!(EXPLORER, explorer: view! { <ExplorerPage /> });

/// The explorer.
#[component]
fn ExplorerPage() -> impl IntoView {
    for style in [style::GREETER, style::CALLS, style::EXPLORER] {
        add_style(style);
    }
    let explorer = Explorer::new();
    provide_context(explorer);
    follow_policy(explorer);
    let is_dragged = follow_drops(explorer);
    explorer.reflect();
    view! {
        <div
            class="explorer"
            data-dragged=move || is_dragged.get().then_some("")
            on:keydown=move |event| on_key(explorer, &event)
        >
            <header class="explorer__head">
                <div class="explorer__title-line">
                    <h1>{text(|m| m.explorer)}</h1>
                    <p class="explorer__intro">{say(|t| t.intro)}</p>
                </div>
                <ServerBar />
            </header>
            <div class="explorer__panes">
                <ServiceList />
                <MethodPlace />
            </div>
            <p class="explorer__drop" aria-hidden="true">{say(|t| t.drop_files)}</p>
        </div>
    }
}

/// The method of the address, or why there is none.
#[component]
fn MethodPlace() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    // The method that is shown, as long as its descriptors are known; a new view for each.
    let shown = Memo::new(move |_| {
        let name = explorer.method.get()?;
        let schema = explorer.schema()?;
        schema.method(&name).map(|_| name)
    });
    // The request would be many presses of Tab behind a link in the list.
    Effect::new(move |previous: Option<Option<String>>| {
        let name = explorer.method.get();
        if name.is_some() && previous.is_some_and(|previous| previous != name) {
            spawn_local(async {
                leptos::task::tick().await;
                focus::focus(".explorer-method__name");
            });
        }
        name
    });
    move || {
        if let Some(name) = shown.get() {
            return view! { <MethodView name /> }.into_any();
        }
        if !matches!(explorer.services.get(), Services::Known(_)) {
            return ().into_any();
        }
        let (title, sentence) = match explorer.method.get() {
            None => (t.get().choose_method, t.get().choose_method_text.to_owned()),
            Some(name) => (t.get().method_unknown, fill(t.get().method_unknown_text, &[("method", &name)])),
        };
        view! {
            <div class="explorer__place">
                <h2>{title}</h2>
                <p>{sentence}</p>
            </div>
        }
        .into_any()
    }
}

/// Notes requests that the page's own content security policy keeps back: `fetch` does not tell the reason.
fn follow_policy(explorer: Explorer) {
    let listener = window_event_listener_untyped("securitypolicyviolation", move |event| {
        let directive = js_sys::Reflect::get(&event, &"effectiveDirective".into());
        if directive.is_ok_and(|directive| directive.as_string().as_deref() == Some("connect-src")) {
            explorer.by_policy.set(true);
        }
    });
    on_cleanup(move || listener.remove());
}
