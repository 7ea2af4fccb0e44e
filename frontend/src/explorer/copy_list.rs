//! The call as texts that repeat it elsewhere, each with a button that copies it.

use bytes::Bytes;
use grpc_inspect::encode;
use leptos::prelude::*;

use super::{
    copy::{CallToCopy, buf_curl, grpcurl, program},
    metadata::bearer,
    schema::Source,
    state::{Explorer, own_address},
    texts::{Texts, say, use_texts},
};
use crate::{api::native_origin, calls::CodeToCopy, greeter::deadline};

/// A program that repeats the call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Grpcurl,
    BufCurl,
    Rust,
}

impl Target {
    const ALL: [Target; 3] = [Target::Grpcurl, Target::BufCurl, Target::Rust];

    fn name(self, t: &Texts) -> &'static str {
        match self {
            Target::Grpcurl => "grpcurl",
            Target::BufCurl => "buf curl",
            Target::Rust => t.copy_rust,
        }
    }
}

/// The choice of a program and its text, closed at first.
#[component]
pub(super) fn CopyList() -> impl IntoView {
    let t = use_texts();
    let target = RwSignal::new(Target::Grpcurl);
    let is_open = RwSignal::new(false);
    let choices = Target::ALL.map(|choice| {
        view! {
            <label class="choice">
                <input
                    type="radio"
                    name="explorer-copy"
                    prop:checked=move || target.get() == choice
                    on:change=move |_| target.set(choice)
                />
                {move || choice.name(t.get())}
            </label>
        }
    });
    view! {
        <details class="explorer-doc" on:toggle=move |_| is_open.update(|open| *open = !*open)>
            <summary>{say(|t| t.copy_as)}</summary>
            <fieldset class="explorer-choices">
                <legend class="visually-hidden">{say(|t| t.copy_as)}</legend>
                {choices}
            </fieldset>
            {move || is_open.get().then(|| view! { <Copied target=target.get() /> })}
        </details>
    }
}

/// The text with what is to be known of it.
#[component]
fn Copied(target: Target) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let call = Memo::new(move |_| call_to_copy(explorer));
    move || {
        let t = t.get();
        let Some(call) = call.get() else {
            return view! { <p class="field__hint">{t.copy_incomplete}</p> }.into_any();
        };
        let text = match target {
            Target::Grpcurl => grpcurl(&call),
            Target::BufCurl => Some(buf_curl(&call)),
            Target::Rust => Some(program(&call)),
        };
        let Some(text) = text else {
            return view! { <p class="field__hint">{t.copy_path}</p> }.into_any();
        };
        let notes = [
            (call.has_token, t.copy_token),
            (target == Target::BufCurl && call.deadline.is_some(), t.copy_no_deadline),
        ];
        let notes = notes.into_iter().filter(|(is_shown, _)| *is_shown);
        let notes = notes.map(|(_, note)| view! { <p class="field__hint">{note}</p> }).collect_view();
        view! {
            {notes}
            <CodeToCopy text />
        }
        .into_any()
    }
}

/// The call: of a stream of requests the messages that were sent, and otherwise the one that is being written.
fn call_to_copy(explorer: Explorer) -> Option<CallToCopy> {
    let (method, kind) = explorer.with_method(|method| (method.path(), method.kind()))?;
    let sent = explorer.sent.get();
    let requests = match kind.client_streaming() && !sent.is_empty() {
        true => sent,
        false => vec![explorer.json.get()],
    };
    let messages = requests.iter().map(|json| {
        let bytes = explorer.with_method(|method| encode::from_json(method.request(), json).ok());
        bytes.flatten().map(Bytes::from)
    });
    let own = own_address();
    let address = explorer.address.get();
    // The development server does not speak native gRPC.
    let own = if cfg!(debug_assertions) { native_origin() } else { own };
    let descriptors = explorer.schema().and_then(|schema| match &schema.source {
        Source::Files(names) => Some(names.clone()),
        Source::Reflection(_) => None,
    });
    Some(CallToCopy {
        url: address.url(&own).to_owned(),
        method: method.trim_start_matches('/').to_owned(),
        kind,
        messages: messages.collect::<Option<_>>()?,
        requests,
        metadata: explorer.typed_rows(),
        has_token: explorer.token.with(|token| bearer(token)).is_ok_and(|token| token.is_some()),
        deadline: explorer.deadline.with(|text| deadline(text)).ok().flatten(),
        descriptors,
    })
}
