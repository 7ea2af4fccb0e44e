//! The connection strip, and the warning that messages could not be stored.

use chat_model::{
    connection::{Cause, Retry, Strip},
    find::find,
};
use leptos::prelude::*;

use super::store::use_chat;
use crate::{
    i18n::{Language, Messages, fill, text, use_language, use_messages},
    intl::{self, Moment},
    new_version::NewVersion,
};

/// The strip, on every view. Empty while the connection works.
#[component]
pub(crate) fn ConnectionStrip() -> impl IntoView {
    let m = use_messages();
    let language = use_language();
    let chat = use_chat();
    let sentence = move || {
        let m = m.get();
        match chat.strip.get() {
            Strip::Nothing => None,
            Strip::Connecting => Some(m.connecting.into_any()),
            Strip::Offline => Some(m.offline.into_any()),
            Strip::CatchingUp(count) => Some(with_number(m.catching_up, "{count}", count)),
            Strip::Failing { cause, retry } => Some(failure(language.get(), cause, retry)),
        }
    };
    let kept = move || {
        let at_ms = chat.kept_at_ms.get().filter(|_| chat.strip.get() != Strip::Nothing)?;
        let language = language.get();
        Some([&kept_text(language, at_ms), language.space_between_sentences()].concat())
    };
    let can_try = Memo::new(move |_| {
        matches!(chat.strip.get(), Strip::Connecting | Strip::Offline | Strip::Failing { .. })
    });
    let can_reload = Memo::new(move |_| match chat.strip.get() {
        Strip::Failing { cause: Cause::Http(status), .. } => is_sign_in(status),
        Strip::Failing { cause, .. } => cause == Cause::WebPage,
        _ => false,
    });
    // It fails only in a document without an address.
    let reload = move |_| window().location().reload().ok();
    view! {
        <div>
            <div class="chat-strip" data-shown=move || (chat.strip.get() != Strip::Nothing).then_some("")>
                <p role="status">{kept} {sentence}</p>
                <Show when=move || can_try.get() fallback=|| ()>
                    <button type="button" class="chat-strip__button" on:click=move |_| chat.retry_now()>
                        {text(|m| m.try_now)}
                    </button>
                </Show>
                <Show when=move || can_reload.get() fallback=|| ()>
                    <button type="button" class="chat-strip__button" on:click=move |_| { reload(()); }>
                        {text(|m| m.reload)}
                    </button>
                </Show>
            </div>
            <p
                class="chat-strip chat-strip--warning"
                role="alert"
                data-shown=move || (!chat.is_outbox_stored.get()).then_some("")
            >
                {move || (!chat.is_outbox_stored.get()).then(|| m.get().outbox_not_stored)}
            </p>
            <NewVersion />
        </div>
    }
}

/// The reason, and the next attempt.
fn failure(language: Language, cause: Cause, retry: Retry) -> AnyView {
    let m = language.messages();
    let retry = match retry {
        Retry::None => None,
        Retry::Soon => Some(m.reconnecting_soon.into_any()),
        Retry::After(seconds) => Some(with_number(m.reconnecting, "{seconds}", seconds)),
    };
    match retry {
        Some(retry) if cause == Cause::Ended => retry,
        retry => {
            let space = retry.is_some().then(|| language.space_between_sentences());
            view! { {reason(m, cause)} {space} {retry} }.into_any()
        }
    }
}

/// The sentence of a state: the event, the fate of a person's words, and the next step.
fn reason(m: &Messages, cause: Cause) -> String {
    let http = |template: &'static str, status: u16| fill(template, &[("status", &status.to_string())]);
    let sentence = match cause {
        Cause::Ended => m.connecting,
        Cause::Unreachable => m.link_unreachable,
        Cause::Silent => m.link_silent,
        Cause::StreamSilent => m.link_stream_silent,
        Cause::Http(status) if is_sign_in(status) => m.link_sign_in,
        Cause::Http(status @ 404) => return http(m.link_not_found, status),
        Cause::Http(status @ 502..=504) => return http(m.link_gateway, status),
        Cause::Http(status) => return http(m.link_http, status),
        Cause::WebPage => m.link_web_page,
        Cause::Broken => m.link_broken,
        Cause::Busy => m.link_busy,
        Cause::NoChat => m.link_no_chat,
        Cause::NotAllowed => m.link_not_allowed,
        Cause::TooManyStreams => m.link_too_many,
        Cause::TooManyTabs => m.link_too_many_tabs,
    };
    sentence.to_owned()
}

/// Whether a proxy's answer asks for a sign-in: a redirect, or a refusal. Proxies differ in which of them they give.
fn is_sign_in(status: u16) -> bool {
    matches!(status, 300..=399 | 401 | 403 | 407 | 511)
}

/// The sentence that says from when the messages are.
fn kept_text(language: Language, at_ms: i64) -> String {
    let day = |ms| intl::moment(language, Moment::DayWithYear, ms);
    let is_today = day(at_ms) == day(intl::now_ms());
    let moment = if is_today { Moment::Time } else { Moment::Full };
    fill(language.messages().kept_at, &[("time", &intl::moment(language, moment, at_ms))])
}

/// A sentence with a changing number, which screen readers leave out: they would read out every change.
fn with_number(template: &'static str, placeholder: &str, number: u64) -> AnyView {
    match find(template, placeholder) {
        Some(at) => {
            let (before, after) = (&template[..at], &template[at + placeholder.len()..]);
            view! { {before} <span aria-hidden="true">{number}</span> {after} }.into_any()
        }
        None => fill(template, &[]).into_any(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::i18n::Language;

    #[test]
    fn every_cause_has_a_sentence_of_its_own() {
        let causes = [
            Cause::Ended,
            Cause::Unreachable,
            Cause::Silent,
            Cause::StreamSilent,
            Cause::Http(302),
            Cause::Http(404),
            Cause::Http(502),
            Cause::Http(429),
            Cause::WebPage,
            Cause::Broken,
            Cause::Busy,
            Cause::NoChat,
            Cause::NotAllowed,
            Cause::TooManyStreams,
            Cause::TooManyTabs,
        ];
        for language in Language::ALL {
            let m = language.messages();
            let sentences: BTreeSet<String> = causes.into_iter().map(|cause| reason(m, cause)).collect();
            assert_eq!(sentences.len(), causes.len());
            assert!(sentences.iter().all(|sentence| !sentence.contains('{')), "{sentences:?}");
            assert_eq!(reason(m, Cause::Http(401)), reason(m, Cause::Http(302)));
        }
    }
}
