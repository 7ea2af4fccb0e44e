//! A method: its name, kind and documentation, the request, the response, and earlier calls.

use grpc_wire::method::{Idempotency, MethodKind};
use leptos::prelude::*;

use super::{
    comment::paragraphs,
    copy_list::CopyList,
    history_list::HistoryList,
    message_doc::MessageDoc,
    request_view::RequestView,
    response_view::ResponseView,
    service_list::{Deprecated, kind_text},
    state::Explorer,
    texts::{Pick, say},
};

/// The facts of a method that are shown.
struct MethodFacts {
    service: String,
    method: String,
    kind: MethodKind,
    idempotency: Idempotency,
    is_deprecated: bool,
    comment: String,
    service_comment: String,
    request: String,
    response: String,
}

/// The method.
#[component]
pub(super) fn MethodView(
    /// `package.Service/Method`.
    name: String,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let facts = untrack(|| explorer.schema()).and_then(|schema| {
        let method = schema.method(&name)?;
        Some(MethodFacts {
            service: method.service().full_name().to_owned(),
            method: method.name().to_owned(),
            kind: method.kind(),
            idempotency: method.idempotency(),
            is_deprecated: method.is_deprecated() || method.service().is_deprecated(),
            comment: paragraphs(method.comment()),
            service_comment: paragraphs(method.service().comment()),
            request: method.request().full_name().to_owned(),
            response: method.response().full_name().to_owned(),
        })
    });
    facts.map(|facts| {
        let MethodFacts { request, response, kind, .. } = &facts;
        let (request, response, kind) = (request.clone(), response.clone(), *kind);
        view! {
            <div class="explorer__method">
                <div class="explorer__request">
                    <MethodHead facts />
                    <RequestView kind message=request.clone() />
                    <MessageDoc title=|t| t.about_request message=request />
                    <CopyList />
                </div>
                <div class="explorer__response">
                    <ResponseView />
                    <MessageDoc title=|t| t.about_response message=response />
                    <HistoryList />
                </div>
            </div>
        }
    })
}

/// Name, kind, marks and documentation.
#[component]
fn MethodHead(
    /// The facts of the method.
    facts: MethodFacts,
) -> impl IntoView {
    let idempotency: Option<Pick> = match facts.idempotency {
        Idempotency::Unknown => None,
        Idempotency::NoSideEffects => Some(|t| t.no_side_effects),
        Idempotency::Idempotent => Some(|t| t.idempotent),
    };
    let comment = |text: String| {
        (!text.is_empty()).then(|| view! { <p class="explorer-comment" dir="auto">{text}</p> })
    };
    view! {
        <header class="explorer-method">
            <p class="explorer-method__service">{facts.service}</p>
            <h2 class="explorer-method__name" tabindex="-1">{facts.method}</h2>
            <p class="explorer-method__marks">
                <span class="explorer-mark">{say(kind_text(facts.kind))}</span>
                {idempotency.map(|pick| view! { " " <span class="explorer-mark">{say(pick)}</span> })}
                {facts.is_deprecated.then(|| view! { " " <Deprecated /> })}
            </p>
            {comment(facts.comment)}
            {comment(facts.service_comment)}
        </header>
    }
}
