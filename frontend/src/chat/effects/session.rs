//! The question whether there is a session.

use std::time::Duration;

use chat_model::connection::{Cause, Link};
use futures_util::{
    StreamExt as _,
    future::{Either, abortable, select},
    stream::FuturesUnordered,
};
use leptos::{prelude::*, task::spawn_local};
use proto::chat::v1 as pb;
use tonic::{Code, Status};

use super::{cause::cause, interruption, kept, stream::waiting};
use crate::{api::RECONNECT_BACKOFF, chat::store::Chat};

/// Time for an answer.
const TIMEOUT: Duration = Duration::from_secs(12);

/// Time after which the question is asked once more beside the first, which may be on a dead connection or on a slow one.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(4);

/// Shortest delay after a failure.
const MIN_DELAY: Duration = Duration::from_millis(500);

/// Asks until the server says whether there is a session. Replaces an earlier question.
pub(super) fn find(chat: Chat) {
    let (task, abort) = abortable(ask(chat));
    let earlier = chat.runtime.try_update_value(|runtime| runtime.finding.replace(abort)).flatten();
    if let Some(earlier) = earlier {
        earlier.abort();
    }
    kept::load(chat);
    spawn_local(async move {
        // It is aborted when a new question replaces it.
        task.await.ok();
    });
}

async fn ask(chat: Chat) {
    let mut delays = RECONNECT_BACKOFF.delays();
    let api = chat.api();
    let mut calls = FuturesUnordered::new();
    loop {
        calls.push(api.get_session(TIMEOUT));
        let asked_again = tonic_web_channel::rt::sleep(ASK_AGAIN_AFTER);
        match select(calls.next(), std::pin::pin!(asked_again)).await {
            Either::Left((Some(answer), _)) => match verdict(answer) {
                Ok(user) => {
                    interruption::ends(chat);
                    return chat.act(|model, now| match user {
                        Some(user) => model.sign_in(user, now),
                        None => model.no_session(now),
                    });
                }
                Err(cause) => {
                    interruption::begins(chat);
                    let delay = delays.next().unwrap_or_default().max(MIN_DELAY);
                    chat.act(|model, now| model.set_link(waiting(delay, cause, now), now));
                    tonic_web_channel::rt::sleep(delay).await;
                    chat.act(|model, now| model.set_link(Link::Starting, now));
                }
            },
            _ => {
                interruption::begins(chat);
                chat.act(|model, _| model.session_is_silent());
            }
        }
    }
}

/// The user of the session, `None` without a session, or why the server did not say.
fn verdict(answer: Result<pb::GetSessionResponse, Status>) -> Result<Option<pb::User>, Cause> {
    match answer {
        Ok(response) => Ok(Some(response.user.unwrap_or_default())),
        Err(status) => match cause(&status) {
            Some(cause) => Err(cause),
            None if status.code() == Code::Unauthenticated => Ok(None),
            None => Err(match status.code() {
                Code::Unimplemented => Cause::NoChat,
                Code::PermissionDenied => Cause::NotAllowed,
                _ => Cause::Busy,
            }),
        },
    }
}
