//! The effects of the chat: everything that talks to the network, the browser's storage and timers. The results go back to the model
//! by [`Chat::act`].

mod cause;
pub(super) mod identity;
mod interruption;
pub(super) mod kept;
mod outbox_storage;
mod session;
mod stream;
pub(super) mod tabs;

use std::time::Duration;

use chat_model::{
    connection::Cause,
    effect::Effect,
    history::HistoryPage,
    outbox::{PendingMessage, SendFailure},
};
use leptos::{prelude::*, task::spawn_local};
use proto::chat::v1 as pb;
use tonic::Status;
use tonic_web_channel::SubscriptionHandle;
use uuid::Uuid;

use self::cause::cause;
use super::{runtime::SEND_TIMEOUT, store::Chat};

/// Longest time for the answer to a message.
const MAX_SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// Time for the answer to a check of the server. Longer than the interval between two, and short enough to leave connections free.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// Carries out an effect.
pub(super) fn run(chat: Chat, effect: Effect) {
    match effect {
        Effect::FindSession => session::find(chat),
        Effect::Subscribe => {
            tabs::start(chat);
            kept::load_later(chat);
        }
        Effect::CatchUp => stream::open_stream(chat),
        Effect::Unsubscribe => tabs::stop(chat),
        Effect::ReconnectAfter(delay) => {
            stream::with_stream(chat, true, |stream| stream.reconnect_after(delay))
        }
        Effect::ReconnectNow => stream::with_stream(chat, true, SubscriptionHandle::retry_now),
        Effect::WakeStream => stream::with_stream(chat, false, SubscriptionHandle::wake),
        Effect::ProbeStream(timeout) => {
            let stream = chat.runtime.with_value(|runtime| runtime.subscription.clone());
            stream.iter().for_each(|stream| stream.probe(timeout));
        }
        Effect::CheckServer => spawn_local(check_server(chat)),
        // Tabs that nobody sees leave it to the attempt's own timeout, so that they do not busy the server.
        Effect::ReplaceAttempt if document().hidden() => {}
        Effect::ReplaceAttempt => {
            stream::with_stream(chat, true, |stream| stream.reconnect_after(Duration::ZERO))
        }
        Effect::Send(message) => {
            // The leader reads it from the storage.
            let by_leader = chat.runtime.with_value(|runtime| runtime.tabs.is_follower());
            if !(by_leader && chat.is_outbox_stored.get_untracked()) {
                spawn_local(send(chat, message));
            }
        }
        Effect::ResumeOutboxLater => resume_outbox_later(chat),
        Effect::MarkRead { room_id, seq } => spawn_local(mark_read(chat, room_id, seq)),
        Effect::LoadHistory { room_id, page } => spawn_local(load_history(chat, room_id, page)),
        Effect::Store(changes) => chat.set_outbox_stored(outbox_storage::apply(&changes)),
        Effect::LoadOutbox => {
            let stored = outbox_storage::load();
            chat.act(|model, now| model.outbox_loaded(stored, now));
        }
        Effect::ForgetKept => kept::forget(),
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
    let response = chat.api().create_room(pb::CreateRoomRequest { name, operation_id }).await?;
    Ok(chat.act(|model, _| model.room_created(response)))
}

// Calls

/// Calls the server, to learn whether it answers.
async fn check_server(chat: Chat) {
    let failure = chat.api().get_session(CHECK_TIMEOUT).await.err().and_then(|status| cause(&status));
    chat.act(|model, now| model.server_checked(failure, now));
}

async fn send(chat: Chat, message: PendingMessage) {
    let request = pb::SendMessageRequest {
        room_id: message.room_id.clone(),
        operation_id: message.operation_id.as_bytes().to_vec(),
        text: message.text.to_string(),
    };
    let timeout = chat.runtime.with_value(|runtime| runtime.send_timeout);
    match chat.api().send_message(request, timeout).await {
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
            tabs::pass_failure_on(chat, message.operation_id, &failure);
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
    let response = chat.api().mark_read(request).await.ok();
    chat.act(|model, now| model.read_marker_sent(room_id, response, now));
}

async fn load_history(chat: Chat, room_id: String, page: HistoryPage) {
    let response = chat.api().list_events(page.request(&room_id)).await.ok();
    chat.act(|model, _| model.history_loaded(&room_id, page, response));
    kept::save_later(chat);
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
