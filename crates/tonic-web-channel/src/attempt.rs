//! One attempt at a call: the request handed to the transport, and the response's head judged.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use http::{HeaderMap, Request};
use tonic::Status;
use tonic::body::Body;

use crate::error::Error;
use crate::request_body::Repeatable;
use crate::timer::Sleep;
use crate::transport::Transport;
use crate::validate::{self, First, ResponseRules, Validated, ValidatedBody};

/// What an attempt has to know of its call.
pub(crate) struct Terms {
    pub(crate) rules: ResponseRules,
    /// How long the head may take, apart from the deadline.
    pub(crate) idle_timeout: Option<Duration>,
}

/// A response whose head was found good.
pub(crate) struct Head {
    pub(crate) parts: http::response::Parts,
    pub(crate) body: ValidatedBody,
    pub(crate) first: First,
    /// Which of the source's tokens the call was made with.
    pub(crate) token: Option<u64>,
    /// What is still being sent, until the call is over.
    pub(crate) request: Option<Repeatable>,
}

impl Head {
    /// Where the status of the call is, when it is known already.
    pub(crate) fn known_status(&self) -> Option<&HeaderMap> {
        match &self.first {
            First::None => Some(&self.parts.headers),
            First::Frame(frame) => frame.trailers_ref(),
            First::Unread => None,
        }
    }
}

/// Sends `request`; resolves when the response's head, and where that is needed its first frame, has come.
pub(crate) async fn send(
    transport: &dyn Transport,
    request: Request<Body>,
    terms: &Terms,
) -> Result<Head, Status> {
    let mut head = pin!(head(transport, request, terms));
    let mut silence = terms.idle_timeout.map(|timeout| (timeout, Sleep::new(timeout)));
    // What is there counts, however late it is noticed.
    poll_fn(|cx| match (head.as_mut().poll(cx), &mut silence) {
        (Poll::Pending, Some((timeout, timer))) => {
            Pin::new(timer).poll(cx).map(|()| Err(Error::Idle { timeout: *timeout }.into()))
        }
        (head, _) => head,
    })
    .await
}

async fn head(transport: &dyn Transport, request: Request<Body>, terms: &Terms) -> Result<Head, Status> {
    let response = transport.call(request).await?;
    let Validated { parts, body, first } = validate::response(response, &terms.rules).await?;
    Ok(Head { parts, body, first, token: None, request: None })
}
