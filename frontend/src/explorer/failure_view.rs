//! The failure of a call: a sentence where the reason is on this side, the server's words, and the details of the status.

use leptos::prelude::*;
use tonic::Code;
use tonic_web_channel::Error;

use super::{
    schema::unreached,
    state::Explorer,
    status_details::{Detail, details, standard_pool},
    texts::{say, use_texts},
};
use crate::{
    calls::{PRETTY, byte_count},
    i18n::{use_language, use_messages},
};

/// The failure; nothing after a success.
#[component]
pub(super) fn FailureView() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let run = explorer.exchange.run;
    let t = use_texts();
    let m = use_messages();
    move || {
        let outcome = run.outcome.get().filter(|outcome| outcome.failure.code != Code::Ok)?;
        let Some(status) = explorer.exchange.failure.get() else {
            // A person has cancelled it.
            return Some(
                view! { <p class="result__quiet">{outcome.failure.sentence(m.get())}</p> }.into_any(),
            );
        };
        let by_policy = explorer.by_policy.get();
        let sentence = unreached(t.get(), &explorer.address.get(), &status, by_policy);
        let is_of_server = Error::from_status(&status).is_none();
        let sentence = match sentence.is_empty() {
            true if is_of_server => String::new(),
            true => outcome.failure.sentence(m.get()),
            false => sentence,
        };
        let message = status.message().to_owned();
        Some(
            view! {
                <div class="explorer-failure">
                    {(!sentence.is_empty()).then(|| view! { <p class="error">{sentence}</p> })}
                    {(!message.is_empty()).then(|| view! {
                        <p class="explorer-failure__message" class:error=is_of_server dir="auto">{message}</p>
                    })}
                    <Details value=status.details().to_vec() />
                </div>
            }
            .into_any(),
        )
    }
}

/// The details of the status.
#[component]
fn Details(
    /// The value of `grpc-status-details-bin`.
    value: Vec<u8>,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let m = use_messages();
    let language = use_language();
    let rows = move || {
        let (schema, standard) = (explorer.schema(), standard_pool().unwrap_or_default());
        let mut pools = Vec::from_iter(schema.as_ref().map(|schema| &schema.pool));
        pools.push(&standard);
        let rows = details(&value, &pools, &PRETTY).into_iter().map(|Detail { type_name, json, length }| {
            let content = match json {
                Some(json) => view! { <pre class="code" tabindex="0">{json}</pre> }.into_any(),
                None => {
                    let length = byte_count(m.get(), language.get(), length as u64);
                    view! { <p class="call-frame__remark">{t.get().detail_unknown} " " {length}</p> }
                        .into_any()
                }
            };
            view! {
                <dt><code>{type_name}</code></dt>
                <dd>{content}</dd>
            }
        });
        let rows = rows.collect_view();
        (!rows.is_empty()).then(|| {
            view! {
                <h4 class="explorer__title">{say(|t| t.details_of_status)}</h4>
                <dl class="explorer-failure__details">{rows}</dl>
            }
        })
    };
    view! { {rows} }
}
