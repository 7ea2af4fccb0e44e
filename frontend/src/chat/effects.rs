//! The effects of the chat: everything that talks to the network, the browser's storage and timers. The results go back to the model
//! by [`Chat::act`].

mod cause;
pub(super) mod identity;
mod outbox_storage;
mod session;

use std::{collections::VecDeque, time::Duration};

use chat_model::{
    connection::{Cause, Link},
    effect::Effect,
    history::HistoryPage,
    model::Now,
    outbox::{PendingMessage, SendFailure},
    room::REPLAY_LIMIT,
};
use futures_util::{
    StreamExt as _,
    future::{AbortHandle, abortable},
};
use leptos::{prelude::*, task::spawn_local};
use proto::chat::v1 as pb;
use tonic::{Code, Status};
use tonic_web_channel::{State, Subscription, SubscriptionHandle, Update, retry::Delays};
use uuid::Uuid;

use self::cause::cause;
use super::store::{Chat, now};
use crate::api::{Api, RECONNECT_BACKOFF};

/// Time for which frames are applied before the page may draw, in milliseconds.
const APPLY_BUDGET_MS: f64 = 10.0;

/// Longest delay of frames in a tab that draws nothing, such as one in the background.
const APPLY_WITHIN: Duration = Duration::from_millis(100);

/// Time for the answer to a message. Doubles with each message in a row that gets none, up to the longest, for slow networks.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// Time for the answer to a check of the server. Short, so that each one soon gives way to another, on another connection.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Delay after a final status of the stream.
const RESTART_DELAY: Duration = Duration::from_secs(30);

/// Open calls, timers and the frames that have arrived.
pub(super) struct Runtime {
    api: Api,
    subscription: Option<SubscriptionHandle>,
    /// Ends the task that reads the subscription.
    reading: Option<AbortHandle>,
    /// Ends the question whether there is a session.
    finding: Option<AbortHandle>,
    outbox_delays: Delays,
    send_timeout: Duration,
    frames: VecDeque<pb::SubscribeResponse>,
    /// The current plan to apply frames. Timers of other plans do nothing.
    planned: Option<u32>,
    plans: u32,
    /// The current wake timer. Others do nothing.
    wake: u32,
}

impl Runtime {
    pub(super) fn new(api: Api) -> Runtime {
        Runtime {
            api,
            subscription: None,
            reading: None,
            finding: None,
            outbox_delays: RECONNECT_BACKOFF.delays(),
            send_timeout: SEND_TIMEOUT,
            frames: VecDeque::new(),
            planned: None,
            plans: 0,
            wake: 0,
        }
    }
}

/// Carries out an effect.
pub(super) fn run(chat: Chat, effect: Effect) {
    match effect {
        Effect::FindSession => session::find(chat),
        Effect::Subscribe => subscribe(chat),
        Effect::Unsubscribe => unsubscribe(chat),
        Effect::ReconnectAfter(delay) => {
            with_subscription(chat, |subscription| subscription.reconnect_after(delay));
        }
        Effect::ReconnectNow => with_subscription(chat, |subscription| subscription.retry_now()),
        Effect::ProbeStream(timeout) => with_subscription(chat, |subscription| subscription.probe(timeout)),
        Effect::WakeStream => with_subscription(chat, |subscription| subscription.wake()),
        Effect::CheckServer => spawn_local(check_server(chat)),
        Effect::Send(message) => spawn_local(send(chat, message)),
        Effect::ResumeOutboxLater => resume_outbox_later(chat),
        Effect::MarkRead { room_id, seq } => spawn_local(mark_read(chat, room_id, seq)),
        Effect::LoadHistory { room_id, page } => spawn_local(load_history(chat, room_id, page)),
        Effect::Store(changes) => chat.set_outbox_stored(outbox_storage::apply(&changes)),
        Effect::LoadOutbox => {
            let stored = outbox_storage::load();
            chat.act(|model, now| model.outbox_loaded(stored, now));
        }
        Effect::WakeAfter(delay) => wake_after(chat, delay),
        Effect::ShowUser(user) => chat.show_user(user),
    }
}

/// Creates a room. Returns its id.
pub(super) async fn create_room(
    chat: Chat,
    name: String,
    operation_id: Uuid,
) -> Result<Option<String>, Status> {
    let operation_id = operation_id.as_bytes().to_vec();
    let response = api(chat).create_room(pb::CreateRoomRequest { name, operation_id }).await?;
    Ok(chat.act(|model, _| model.room_created(response)))
}

// The subscription

fn subscribe(chat: Chat) {
    let (subscription, handle) = api(chat).subscribe(move || {
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
        // It is aborted when the session ends.
        task.await.ok();
    });
}

fn unsubscribe(chat: Chat) {
    chat.runtime.update_value(|runtime| {
        if let Some(reading) = runtime.reading.take() {
            reading.abort();
        }
        runtime.subscription = None;
        runtime.frames.clear();
    });
}

fn with_subscription(chat: Chat, act: impl FnOnce(&SubscriptionHandle)) {
    let subscription = chat.runtime.with_value(|runtime| runtime.subscription.clone());
    if let Some(subscription) = subscription {
        act(&subscription);
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
    chat.act(|model, now| match state {
        // `read` handles the end of the stream. A stream is ready with its headers; the first frame proves more.
        State::Idle | State::Ready | State::Shutdown { .. } => {}
        State::Connecting => model.set_link(Link::Connecting, now),
        State::TransientFailure { next, status, .. } => {
            let delay = next.left().unwrap_or_default();
            model.set_link(waiting(delay, cause::of_stream(&status), now), now);
        }
    });
}

/// The server ended the stream for good.
async fn stream_failed(chat: Chat, status: &Status) {
    if status.code() == Code::Unauthenticated && cause(status).is_none() {
        return chat.act(|model, now| model.end_session(true, now));
    }
    // This task is aborted when the session ends meanwhile, so that it does not end the next one.
    let cause = cause::of_stream(status);
    chat.act(|model, now| model.set_link(waiting(RESTART_DELAY, cause, now), now));
    tonic_web_channel::rt::sleep(RESTART_DELAY).await;
    chat.act(|model, now| model.restart(now));
}

fn waiting(delay: Duration, cause: Cause, now: Now) -> Link {
    Link::Waiting { until_ms: now.page_ms + delay.as_secs_f64() * 1_000.0, cause }
}

/// Calls the server, to learn whether it answers.
async fn check_server(chat: Chat) {
    let failure = api(chat).get_session(CHECK_TIMEOUT).await.err().and_then(|status| cause(&status));
    chat.act(|model, now| model.server_checked(failure, now));
}

// Frames: collected until the page is about to draw, because drawing is the expensive part.

fn receive(chat: Chat, frame: pb::SubscribeResponse) {
    let is_goodbye = matches!(frame.frame, Some(pb::subscribe_response::Frame::Goodbye(_)));
    chat.runtime.update_value(|runtime| runtime.frames.push_back(frame));
    if is_goodbye {
        // The stream ends after it.
        apply_frames(chat, f64::INFINITY);
    } else {
        plan_to_apply(chat);
    }
}

/// Applies the frames before the next drawing, or soon where nothing is drawn.
fn plan_to_apply(chat: Chat) {
    let plan = chat.runtime.try_update_value(|runtime| {
        runtime.planned.is_none().then(|| {
            runtime.plans = runtime.plans.wrapping_add(1);
            runtime.planned = Some(runtime.plans);
            runtime.plans
        })
    });
    let Some(Some(plan)) = plan else { return };
    let apply = move || {
        if chat.runtime.with_value(|runtime| runtime.planned == Some(plan)) {
            apply_frames(chat, APPLY_BUDGET_MS);
        }
    };
    request_animation_frame(apply);
    set_timeout(apply, APPLY_WITHIN);
}

/// Applies frames for as long as the budget lasts, in milliseconds, and plans to apply the rest.
fn apply_frames(chat: Chat, budget_ms: f64) {
    chat.runtime.update_value(|runtime| runtime.planned = None);
    let until_ms = now().page_ms + budget_ms;
    chat.act(|model, now_at_start| {
        while let Some(frame) = next_frame(chat) {
            if !model.apply_frame(frame, now_at_start) || now().page_ms > until_ms {
                break;
            }
        }
    });
    if chat.runtime.with_value(|runtime| !runtime.frames.is_empty()) {
        plan_to_apply(chat);
    }
}

fn next_frame(chat: Chat) -> Option<pb::SubscribeResponse> {
    chat.runtime.try_update_value(|runtime| runtime.frames.pop_front()).flatten()
}

// Calls

async fn send(chat: Chat, message: PendingMessage) {
    let request = pb::SendMessageRequest {
        room_id: message.room_id.clone(),
        operation_id: message.operation_id.as_bytes().to_vec(),
        text: message.text.to_string(),
    };
    let timeout = chat.runtime.with_value(|runtime| runtime.send_timeout);
    match api(chat).send_message(request, timeout).await {
        Ok(response) => {
            chat.runtime.update_value(|runtime| {
                runtime.outbox_delays.reset();
                runtime.send_timeout = SEND_TIMEOUT;
            });
            chat.act(|model, now| model.sent(&message, &response, now));
        }
        Err(status) => {
            let failure = send_failure(&status);
            if failure.cause == Some(Cause::Silent) {
                chat.runtime.update_value(|runtime| {
                    runtime.send_timeout = (timeout * 2).min(MAX_SEND_TIMEOUT);
                });
            }
            chat.act(|model, now| model.send_failed(message.operation_id, &failure, now));
        }
    }
}

fn send_failure(status: &Status) -> SendFailure {
    let cause = cause(status);
    let message = if cause.is_none() { status.message().to_owned() } else { String::new() };
    SendFailure {
        code: status.code(),
        cause,
        message,
        pushback: tonic_web_channel::retry::retry_after(status),
    }
}

async fn mark_read(chat: Chat, room_id: String, seq: u64) {
    let request = pb::MarkReadRequest { room_id: room_id.clone(), seq };
    let response = api(chat).mark_read(request).await.ok();
    chat.act(|model, now| model.read_marker_sent(room_id, response, now));
}

async fn load_history(chat: Chat, room_id: String, page: HistoryPage) {
    let response = api(chat).list_events(page.request(&room_id)).await.ok();
    chat.act(|model, _| model.history_loaded(&room_id, page, response));
}

fn api(chat: Chat) -> Api {
    chat.runtime.with_value(|runtime| runtime.api.clone())
}

// Timers

fn resume_outbox_later(chat: Chat) {
    let delay = chat.runtime.try_update_value(|runtime| runtime.outbox_delays.next()).flatten();
    if let Some(delay) = delay {
        set_timeout(move || chat.act(|model, now| model.resume_outbox(now)), delay);
    }
}

fn wake_after(chat: Chat, delay: Duration) {
    let wake = chat.runtime.try_update_value(|runtime| {
        runtime.wake = runtime.wake.wrapping_add(1);
        runtime.wake
    });
    let run = move || {
        if chat.runtime.with_value(|runtime| Some(runtime.wake) == wake) {
            chat.act(|_, _| ());
        }
    };
    set_timeout(run, delay);
}
