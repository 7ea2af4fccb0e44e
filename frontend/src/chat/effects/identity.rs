//! The calls by which a person gets a session: joining, and taking a name back.

use std::time::Duration;

use leptos::prelude::*;
use proto::chat::v1 as pb;
use tonic::{Code, Status};
use uuid::Uuid;

use super::cause::cause;
use crate::chat::store::Chat;

/// Time for the answer to the question whether the browser kept the session.
const KEPT_TIMEOUT: Duration = Duration::from_secs(5);

/// One person's wish to join under a name. A repeat with the same one gets the same user.
#[derive(Clone, Debug)]
pub(in crate::chat) struct JoinAttempt {
    name: String,
    operation_id: Uuid,
    /// Two random UUIDs: 244 random bits.
    secret: [Uuid; 2],
}

impl JoinAttempt {
    pub(in crate::chat) fn new(name: String) -> JoinAttempt {
        JoinAttempt { name, operation_id: Uuid::now_v7(), secret: [Uuid::new_v4(), Uuid::new_v4()] }
    }

    pub(in crate::chat) fn name(&self) -> &str {
        &self.name
    }

    fn request(&self, return_token: bool) -> pb::JoinRequest {
        pb::JoinRequest {
            name: self.name.clone(),
            return_token,
            operation_id: self.operation_id.as_bytes().to_vec(),
            retry_secret: self.secret.map(Uuid::into_bytes).concat(),
        }
    }
}

/// Why nobody is signed in after an attempt.
#[derive(Debug)]
pub(in crate::chat) enum Failure {
    /// The call failed.
    Call(Status),
    /// The browser did not keep the session's cookie.
    NotKept(NotKept),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Failure::Call(status)
    }
}

/// Why the browser did not keep the session's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum NotKept {
    /// The cookie is for https, and the page came by http.
    NeedsHttps,
    /// Cookies are blocked.
    Blocked,
}

/// Joins; the browser keeps the session's cookie. Returns the recovery code.
pub(in crate::chat) async fn join(chat: Chat, attempt: JoinAttempt) -> Result<String, Failure> {
    let response = chat.api().join(attempt.request(false)).await?;
    if let Some(reason) = not_kept(chat, response.secure_cookie).await {
        release(chat, &attempt).await;
        return Err(Failure::NotKept(reason));
    }
    chat.act(|model, now| model.sign_in(response.user.unwrap_or_default(), now));
    Ok(response.recovery_code)
}

/// Takes a name back by its recovery code; the browser keeps the session's cookie.
pub(in crate::chat) async fn recover(chat: Chat, request: pb::RecoverRequest) -> Result<(), Failure> {
    let response = chat.api().recover(request).await?;
    if let Some(reason) = not_kept(chat, response.secure_cookie).await {
        return Err(Failure::NotKept(reason));
    }
    chat.act(|model, now| model.sign_in(response.user.unwrap_or_default(), now));
    Ok(())
}

/// Asks whether the browser sends the session that it has just got. Without an answer it is taken to do so.
async fn not_kept(chat: Chat, secure_cookie: bool) -> Option<NotKept> {
    let status = chat.api().get_session(KEPT_TIMEOUT).await.err()?;
    if status.code() != Code::Unauthenticated || cause(&status).is_some() {
        return None;
    }
    let by_http = window().location().protocol().is_ok_and(|protocol| protocol == "http:");
    Some(if secure_cookie && by_http { NotKept::NeedsHttps } else { NotKept::Blocked })
}

/// Frees the name of a session that the browser did not keep, so that it can be taken at once. The token is held for these two
/// calls only; pages leave it to the cookie otherwise.
async fn release(chat: Chat, attempt: &JoinAttempt) {
    // Without an answer, the server frees the name in ten minutes.
    if let Ok(joined) = chat.api().join(attempt.request(true)).await {
        chat.api().sign_out_by_token(&joined.token).await.ok();
    }
}
