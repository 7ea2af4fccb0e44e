//! The stream: its state, and its frames on their way to the model.

use std::time::Duration;

use chat_model::{
    connection::{Cause, Link},
    model::Now,
    room::REPLAY_LIMIT,
};
use futures_util::{StreamExt as _, future::abortable};
use leptos::{prelude::*, task::spawn_local};
use proto::chat::v1::{self as pb, subscribe_response::Frame};
use tonic::{Code, Status};
use tonic_web_channel::{State, Subscription, SubscriptionHandle, Update};

use super::{
    cause::{self, cause},
    interruption, kept, tabs,
};
use crate::chat::{
    runtime::Runtime,
    store::{Chat, now},
};

/// Time for which frames are applied before the page may draw, in milliseconds.
const APPLY_BUDGET_MS: f64 = 10.0;

/// Time without frames after which one counts as rare, in milliseconds: two drawings of a screen.
const RARE_MS: f64 = 32.0;

/// Time from applying frames to the next drawing above which the frames after it wait for one more drawing, in milliseconds: a key that was
/// pressed meanwhile is answered first.
const BUSY_MS: f64 = 24.0;

/// Longest delay of frames in a tab that draws nothing, such as one in the background.
const APPLY_WITHIN: Duration = Duration::from_millis(100);

/// Delay after a final status of the stream that the same request may not get again, in a page that somebody sees.
const REOPEN_DELAY: Duration = Duration::from_secs(4);

/// Delay after another final status of the stream, and in a hidden page.
const RESTART_DELAY: Duration = Duration::from_secs(30);

/// Starts the stream from the cursors, unless it runs.
pub(super) fn open_stream(chat: Chat) {
    if chat.runtime.with_value(|runtime| runtime.subscription.is_some()) {
        return;
    }
    let (subscription, handle) = chat.api().subscribe(move || {
        // Frames that have arrived must not be requested again.
        apply_frames(chat, f64::INFINITY);
        pb::SubscribeRequest { cursors: chat.read(|state| state.cursors()), replay_limit: REPLAY_LIMIT }
    });
    let (task, abort) = abortable(read(chat, subscription));
    chat.runtime.update_value(|runtime| {
        runtime.subscription = Some(handle);
        runtime.reading = Some(abort);
    });
    spawn_local(async move {
        // It is aborted when the stream is not wanted any more.
        task.await.ok();
    });
}

/// Ends the stream. Frames that have arrived are still applied, but for the one that says that it has caught up: a tab that was frozen
/// applies them after it has opened the next stream, which would be closed for it.
pub(super) fn stop_stream(chat: Chat) {
    chat.runtime.update_value(|runtime| {
        runtime.frames.retain(|frame| !matches!(frame.frame, Some(Frame::CaughtUp(_))));
        if let Some(reading) = runtime.reading.take() {
            reading.abort();
        }
        runtime.subscription = None;
    });
}

/// Acts on the stream, or tells the tab that has it: a person needs it, or asks for an attempt now.
pub(super) fn with_stream(chat: Chat, retry: bool, act: impl FnOnce(&SubscriptionHandle)) {
    let (stream, is_follower) =
        chat.runtime.with_value(|runtime| (runtime.subscription.clone(), runtime.tabs.is_follower()));
    match stream {
        Some(stream) => act(&stream),
        None if is_follower => tabs::pass_need_on(chat, retry),
        None => reopen(chat),
    }
}

/// Opens the stream again, if the server has ended it.
fn reopen(chat: Chat) {
    if chat.runtime.with_value(|runtime| runtime.subscription.is_none() && runtime.reading.is_some()) {
        open_stream(chat);
    }
}

async fn read(chat: Chat, mut subscription: Subscription<pb::SubscribeResponse>) {
    let mut since_ms = now().page_ms;
    while let Some(update) = subscription.next().await {
        match update {
            Update::State(State::Shutdown { status }) => stream_failed(chat, &status).await,
            Update::State(state) => set_stream_state(chat, state),
            Update::Message(frame) => receive(chat, frame),
        }
        // Thousands of frames may be ready at once; the page has to draw and answer meanwhile.
        if now().page_ms - since_ms > APPLY_BUDGET_MS && !document().hidden() {
            tonic_web_channel::rt::sleep(Duration::ZERO).await;
            since_ms = now().page_ms;
        }
    }
}

fn set_stream_state(chat: Chat, state: State) {
    if matches!(state, State::TransientFailure { .. }) {
        interruption::begins(chat);
    }
    chat.act(|model, now| match state {
        // `read` handles the end of the stream. A stream is ready with its headers; the first frame proves more.
        State::Idle | State::Ready | State::Shutdown { .. } => {}
        State::Connecting => model.set_link(Link::Connecting, now),
        State::TransientFailure { next, status, .. } => {
            let delay = next.left().unwrap_or_default();
            model.set_link(waiting(delay, cause::of_stream(&status), now), now);
        }
    });
    tabs::announce_changes(chat);
}

/// The server ended the stream for good.
async fn stream_failed(chat: Chat, status: &Status) {
    if status.code() == Code::Unauthenticated && cause(status).is_none() {
        return chat.act(|model, now| model.end_session(true, now));
    }
    interruption::begins(chat);
    let cause = cause::of_stream(status);
    // A proxy's rules and a gateway's servers change. Other statuses are of this request, and of its cursors.
    let reopens = matches!(cause, Cause::NoChat | Cause::NotAllowed);
    let delay = if reopens && !document().hidden() { REOPEN_DELAY } else { RESTART_DELAY };
    if reopens {
        chat.runtime.update_value(|runtime| runtime.subscription = None);
    }
    chat.act(|model, now| model.set_link(waiting(delay, cause, now), now));
    // This task is aborted when the session ends meanwhile, so that it does not end the next one.
    tonic_web_channel::rt::sleep(delay).await;
    match reopens {
        true => reopen(chat),
        false => chat.act(|model, now| model.restart(now)),
    }
}

pub(super) fn waiting(delay: Duration, cause: Cause, now: Now) -> Link {
    Link::Waiting { until_ms: now.page_ms + delay.as_secs_f64() * 1_000.0, cause }
}

// Frames: those that come seldom are applied at once, which ends before the page draws next. Others are collected until then, because
// making rows is the expensive part.

fn receive(chat: Chat, frame: pb::SubscribeResponse) {
    let is_goodbye = matches!(frame.frame, Some(Frame::Goodbye(_)));
    tabs::pass_on(chat, &frame);
    interruption::ends(chat);
    chat.runtime.update_value(|runtime| runtime.frames.push_back(frame));
    if is_goodbye {
        // The stream ends after it.
        apply_frames(chat, f64::INFINITY);
    } else {
        plan_to_apply(chat);
    }
}

/// Applies the frames at once when they come seldom; otherwise before the next drawing, or soon where nothing is drawn.
pub(super) fn plan_to_apply(chat: Chat) {
    let now_ms = now().page_ms;
    let plan = chat.runtime.try_update_value(|runtime| {
        let is_rare = now_ms - std::mem::replace(&mut runtime.frames_at_ms, now_ms) > RARE_MS;
        (runtime.planned.is_none() && has_frames(runtime)).then(|| {
            runtime.plans = runtime.plans.wrapping_add(1);
            runtime.planned = Some(runtime.plans);
            (runtime.plans, is_rare)
        })
    });
    let Some(Some((plan, is_rare))) = plan else { return };
    let apply = move || {
        if chat.runtime.with_value(|runtime| runtime.planned == Some(plan)) {
            apply_frames(chat, APPLY_BUDGET_MS);
        }
    };
    if is_rare {
        // In a task of its own, with all frames that have arrived by then.
        return set_timeout(apply, Duration::ZERO);
    }
    let before_drawing = move || {
        let applied_ms = chat.runtime.try_update_value(|runtime| runtime.applied_ms.take()).flatten();
        match applied_ms.is_some_and(|applied_ms| now().page_ms - applied_ms > BUSY_MS) {
            true => request_animation_frame(apply),
            false => apply(),
        }
    };
    request_animation_frame(before_drawing);
    set_timeout(apply, APPLY_WITHIN);
}

/// Applies frames for as long as the budget lasts, in milliseconds, and plans to apply the rest.
fn apply_frames(chat: Chat, budget_ms: f64) {
    let now_ms = now().page_ms;
    chat.runtime.update_value(|runtime| {
        runtime.planned = None;
        runtime.applied_ms = Some(now_ms);
    });
    let until_ms = now_ms + budget_ms;
    let mut is_caught_up = false;
    chat.act(|model, now_at_start| {
        while let Some((is_shared, frame)) = next_frame(chat) {
            is_caught_up = !is_shared && matches!(frame.frame, Some(Frame::CaughtUp(_)));
            let goes_on = match is_shared {
                true => model.apply_shared_frame(frame, now_at_start),
                false => model.apply_frame(frame, now_at_start),
            };
            if !goes_on || is_caught_up || now().page_ms > until_ms {
                break;
            }
        }
    });
    if is_caught_up {
        tabs::caught_up(chat);
    }
    tabs::announce_changes(chat);
    kept::save_later(chat);
    plan_to_apply(chat);
}

/// The next frame that can be applied, and whether it is of another tab's stream.
fn next_frame(chat: Chat) -> Option<(bool, pb::SubscribeResponse)> {
    let next = chat.runtime.try_update_value(|runtime| {
        let own = runtime.frames.pop_front().map(|frame| (false, frame));
        own.or_else(|| match runtime.subscription {
            None => runtime.shared_frames.pop_front().map(|frame| (true, frame)),
            Some(_) => None,
        })
    });
    next.flatten()
}

fn has_frames(runtime: &Runtime) -> bool {
    !runtime.frames.is_empty() || (runtime.subscription.is_none() && !runtime.shared_frames.is_empty())
}
