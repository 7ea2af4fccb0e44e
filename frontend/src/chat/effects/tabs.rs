//! The tabs of the browser: the lock, the channel and the timer of [`chat_model::tabs`], and the messages between tabs.
//!
//! A message is an array: its kind, the sender's term, and its content.

use std::time::Duration;

use chat_model::{
    connection::{Cause, Link},
    model::ChatModel,
    outbox::SendFailure,
    tabs::{PING_INTERVAL_MS, TabAction, Tabs, Term},
};
use js_sys::{Array, Uint8Array};
use leptos::prelude::*;
use prost::Message as _;
use proto::chat::v1 as pb;
use tonic::Code;
use uuid::Uuid;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure, prelude::wasm_bindgen};

use super::stream::{open_stream, plan_to_apply, stop_stream};
use crate::chat::store::{Chat, now};

#[wasm_bindgen(module = "/src/chat/effects/tabs.js")]
extern "C" {
    pub(in crate::chat) fn supported() -> bool;
    fn listen(message: &Closure<dyn Fn(Array)>);
    fn post(message: &Array);
    fn request(steal: bool, changed: &Closure<dyn Fn(bool)>);
    fn release();
    fn lifecycle(changed: &Closure<dyn Fn(bool)>);
}

/// The kinds of messages.
const PING: u8 = 0;
/// The sender leads; the numbers of its link, and the time for which it has been hidden, in milliseconds.
const ANNOUNCE: u8 = 1;
/// A frame of the leader's stream; its bytes.
const FRAME: u8 = 2;
/// A message was not sent; its operation id, code, text, cause and pushback.
const SEND_FAILED: u8 = 3;
/// A person needs the connection in the sender's tab.
const NEEDED: u8 = 4;
/// A person pressed "Try now" in the sender's tab.
const RETRY: u8 = 5;
/// Somebody is signed in.
const JOINED: u8 = 6;
/// The sender has a stream of its own, because tabs share nothing in this browser; its number, and whether it asks for the others'.
const HERE: u8 = 7;
/// The sender closes; its number.
const GONE: u8 = 8;

/// Interval at which tabs are counted again while there are too many, and the time for their answers.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(4);
const RECOUNT_ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Number of HTTP/1.1 connections that a browser opens to one host.
const CONNECTIONS: usize = 6;

/// Listens to the other tabs. Call once.
pub(in crate::chat) fn connect(chat: Chat) {
    let message = Closure::new(move |message: Array| receive(chat, &message));
    listen(&message);
    message.forget();
    if !chat.runtime.with_value(|runtime| runtime.tabs.is_supported) {
        forget_listener(window_event_listener_untyped("pagehide", move |_| send_number(chat, GONE, false)));
        return send_number(chat, HERE, true);
    }
    let changed = Closure::new(move |is_held: bool| {
        if is_held {
            // The own stream brings what is in them. Otherwise they are what comes after it.
            chat.runtime.update_value(|runtime| runtime.shared_frames.clear());
        }
        act(chat, |tabs| if is_held { tabs.lock_granted(js_sys::Date::now()) } else { tabs.lock_lost() });
    });
    chat.runtime.update_value(|runtime| runtime.tabs.changed = Some(changed));
    let lifecycle_changed = Closure::new(move |is_frozen: bool| {
        act(chat, |tabs| if is_frozen { tabs.frozen() } else { tabs.resumed() });
    });
    lifecycle(&lifecycle_changed);
    lifecycle_changed.forget();
    forget_listener(window_event_listener_untyped("visibilitychange", move |_| {
        note_visibility(chat);
        tick(chat);
    }));
}

fn note_visibility(chat: Chat) {
    let is_hidden = document().hidden();
    chat.runtime.update_value(|runtime| {
        let since_ms = runtime.tabs.hidden_since_ms;
        runtime.tabs.hidden_since_ms = is_hidden.then(|| since_ms.unwrap_or_else(|| now().page_ms));
    });
}

/// The listener lives as long as the page.
fn forget_listener(listener: WindowListenerHandle) {
    std::mem::forget(listener);
}

/// Starts the stream, or follows the tab that has it.
pub(super) fn start(chat: Chat) {
    send(chat, JOINED, &[]);
    if !chat.runtime.with_value(|runtime| runtime.tabs.is_supported) {
        return open_stream(chat);
    }
    act(chat, Tabs::start);
    tick(chat);
}

/// Ends the stream, and leaves the election.
pub(super) fn stop(chat: Chat) {
    stop_stream(chat);
    chat.runtime.update_value(|runtime| {
        runtime.frames.clear();
        runtime.shared_frames.clear();
    });
    if chat.runtime.with_value(|runtime| runtime.tabs.is_supported) {
        act(chat, Tabs::stop);
    }
}

/// The own stream has reached the heads.
pub(super) fn caught_up(chat: Chat) {
    if chat.runtime.with_value(|runtime| runtime.tabs.is_follower()) {
        act(chat, |tabs| tabs.caught_up());
    }
}

/// Tells the other tabs when the state of the leader's stream changed.
pub(super) fn announce_changes(chat: Chat) {
    let link = chat.read_model(ChatModel::link);
    let is_due = chat
        .runtime
        .with_value(|runtime| runtime.tabs.is_leader_of_others() && runtime.tabs.announced != Some(link));
    if is_due {
        announce(chat);
    }
}

/// Passes a frame of the leader's stream on.
pub(super) fn pass_on(chat: Chat, frame: &pb::SubscribeResponse) {
    if chat.runtime.with_value(|runtime| runtime.tabs.is_leader_of_others()) {
        let bytes = frame.encode_to_vec();
        send(chat, FRAME, &[Uint8Array::from(bytes.as_slice()).into()]);
    }
}

/// Tells the other tabs that a message was not sent.
pub(super) fn pass_failure_on(chat: Chat, operation_id: Uuid, failure: &SendFailure) {
    if chat.runtime.with_value(|runtime| runtime.tabs.is_leader_of_others()) {
        let pushback_ms = failure.pushback.map_or(-1.0, |pushback| pushback.as_secs_f64() * 1_000.0);
        let content = [
            operation_id.simple().to_string().into(),
            (failure.code as i32).into(),
            failure.message.as_str().into(),
            failure.cause.map_or(0.0, Cause::to_number).into(),
            pushback_ms.into(),
        ];
        send(chat, SEND_FAILED, &content);
    }
}

/// Passes on that a person needs the connection, or asks for an attempt now.
pub(super) fn pass_need_on(chat: Chat, retry: bool) {
    send(chat, if retry { RETRY } else { NEEDED }, &[]);
}

fn act(chat: Chat, step: impl FnOnce(&mut Tabs) -> Vec<TabAction>) {
    let actions = chat.runtime.try_update_value(|runtime| step(&mut runtime.tabs.tabs));
    for action in actions.into_iter().flatten() {
        match action {
            TabAction::QueueForLock => lock(chat, false),
            TabAction::StealLock => lock(chat, true),
            TabAction::ReleaseLock => release(),
            TabAction::Ping => send(chat, PING, &[]),
            TabAction::Announce => announce(chat),
            TabAction::OpenStream => open_stream(chat),
            TabAction::CloseStream => stop_stream(chat),
            TabAction::SendAll => chat.act(|model, now| model.take_over(now)),
        }
    }
    // Frames that waited for the end of the own stream can be applied now.
    plan_to_apply(chat);
    tick(chat);
}

fn lock(chat: Chat, steal: bool) {
    chat.runtime.with_value(|runtime| {
        if let Some(changed) = &runtime.tabs.changed {
            request(steal, changed);
        }
    });
}

fn announce(chat: Chat) {
    let link = chat.read_model(ChatModel::link);
    let now_ms = now().page_ms;
    let hidden_ms = chat.runtime.try_update_value(|runtime| {
        runtime.tabs.announced = Some(link);
        runtime.tabs.hidden_since_ms.map_or(0.0, |since| now_ms - since)
    });
    let [state, cause, left_ms] = link.to_numbers(now_ms);
    send(chat, ANNOUNCE, &[state, cause, left_ms, hidden_ms.unwrap_or_default()].map(JsValue::from));
}

fn send(chat: Chat, kind: u8, content: &[JsValue]) {
    let term = chat.runtime.with_value(|runtime| runtime.tabs.tabs.leader());
    let Term { since_ms, tab } = term.unwrap_or(Term { since_ms: 0.0, tab: 0.0 });
    let head = [kind.into(), since_ms.into(), tab.into()];
    post(&head.iter().chain(content).collect());
}

/// Takes a message of another tab.
fn receive(chat: Chat, message: &Array) {
    chat.runtime.update_value(|runtime| runtime.tabs.has_others = true);
    let number = |at: u32| message.get(at).as_f64().unwrap_or_default();
    let term = Term { since_ms: number(1), tab: number(2) };
    let follows = chat.runtime.with_value(|runtime| runtime.tabs.tabs.follows(term));
    match number(0) as u8 {
        PING => act(chat, |tabs| tabs.pinged()),
        ANNOUNCE => announced(chat, term, [number(3), number(4), number(5)], number(6)),
        FRAME if follows => shared_frame(chat, &message.get(3)),
        SEND_FAILED if follows => {
            let Some(id) = message.get(3).as_string().and_then(|id| Uuid::try_parse(&id).ok()) else {
                return;
            };
            let pushback = Some(number(7)).filter(|ms| *ms >= 0.0);
            let failure = SendFailure {
                code: Code::from_i32(number(4) as i32),
                message: message.get(5).as_string().unwrap_or_default(),
                cause: Cause::from_number(number(6)),
                pushback: pushback.map(|ms| Duration::from_millis(ms as u64)),
            };
            chat.act(|model, now| model.send_failed(id, &failure, now));
        }
        NEEDED | RETRY if chat.runtime.with_value(|runtime| runtime.tabs.is_leader_of_others()) => {
            let retry = number(0) as u8 == RETRY;
            chat.act(|model, now| if retry { model.retry_now(now) } else { model.needed(now) });
        }
        HERE | GONE if !chat.runtime.with_value(|runtime| runtime.tabs.is_supported) => {
            count_tabs(chat, number(3), number(0) as u8 == HERE);
            if number(4) > 0.0 {
                send_number(chat, HERE, false);
            }
        }
        JOINED => chat.act(|model, _| model.joined_in_other_tab()),
        _ => {}
    }
}

fn send_number(chat: Chat, kind: u8, asks: bool) {
    let number = chat.runtime.with_value(|runtime| runtime.tabs.number);
    send(chat, kind, &[number.into(), f64::from(u8::from(asks)).into()]);
}

/// Notes a tab that has a stream of its own, or has closed.
fn count_tabs(chat: Chat, number: f64, is_here: bool) {
    let is_counting = chat.runtime.try_update_value(|runtime| {
        let others = &mut runtime.tabs.others;
        others.retain(|other| *other != number);
        others.extend(is_here.then_some(number));
        runtime.tabs.is_counting
    });
    if is_counting == Some(false) {
        show_count(chat);
    }
}

/// With as many tabs as connections, the browser has none left for calls.
fn show_count(chat: Chat) {
    let too_many = chat.runtime.with_value(|runtime| runtime.tabs.others.len() + 1 >= CONNECTIONS);
    chat.act(|model, _| model.set_too_many_tabs(too_many));
    if too_many {
        plan_recount(chat);
    }
}

/// A tab that closes cannot always say so: asks all others again.
fn plan_recount(chat: Chat) {
    let is_planned = chat
        .runtime
        .try_update_value(|runtime| std::mem::replace(&mut runtime.tabs.is_recount_planned, true));
    if is_planned != Some(false) {
        return;
    }
    let show = move || {
        chat.runtime.update_value(|runtime| runtime.tabs.is_counting = false);
        show_count(chat);
    };
    let ask = move || {
        chat.runtime.update_value(|runtime| {
            runtime.tabs.is_recount_planned = false;
            runtime.tabs.is_counting = true;
            runtime.tabs.others.clear();
        });
        send_number(chat, HERE, true);
        set_timeout(show, RECOUNT_ANSWERS_WITHIN);
    };
    set_timeout(ask, RECOUNT_INTERVAL);
}

fn announced(chat: Chat, term: Term, link: [f64; 3], hidden_ms: f64) {
    act(chat, |tabs| tabs.announced(term, hidden_ms));
    // While the own stream runs, its state counts.
    let counts =
        chat.runtime.with_value(|runtime| runtime.tabs.tabs.follows(term) && runtime.subscription.is_none());
    let link = Link::from_numbers(link, now().page_ms);
    if counts && chat.read_model(ChatModel::link) != link {
        chat.act(|model, now| model.set_link(link, now));
    }
}

fn shared_frame(chat: Chat, bytes: &JsValue) {
    let Some(bytes) = bytes.dyn_ref::<Uint8Array>() else { return };
    // A tab of another version may send a frame that this one cannot read; the heartbeats show what it missed.
    if let Ok(frame) = pb::SubscribeResponse::decode(bytes.to_vec().as_slice()) {
        chat.runtime.update_value(|runtime| runtime.shared_frames.push_back(frame));
        plan_to_apply(chat);
    }
}

/// Pings the leader for as long as this tab follows and is visible. Browsers delay the timers of hidden tabs.
fn tick(chat: Chat) {
    let starts = chat.runtime.try_update_value(|runtime| {
        let starts = runtime.tabs.is_follower() && !runtime.tabs.is_ticking && !document().hidden();
        runtime.tabs.is_ticking |= starts;
        starts
    });
    if starts == Some(true) {
        let ping = move || {
            chat.runtime.update_value(|runtime| runtime.tabs.is_ticking = false);
            if !document().hidden() {
                act(chat, Tabs::tick);
            }
        };
        set_timeout(ping, Duration::from_millis(PING_INTERVAL_MS.into()));
    }
}
