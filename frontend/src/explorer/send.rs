//! Sends the message that is being written: in a new call, or in the one that runs.

use bytes::Bytes;
use grpc_wire::method::MethodKind;
use leptos::prelude::*;
use tonic::metadata::MetadataMap;

use super::{
    client::Plan,
    history::{self, PastCall},
    metadata::{bearer, metadata},
    state::Explorer,
};
use crate::{focus::focus, greeter::deadline, intl};

/// Messages whose texts are kept for the list of earlier calls and for copies.
const MAX_KEPT_TEXTS: usize = 20;

/// Why nothing was sent, as a selector of the control that is wrong.
type Refused = &'static str;

/// Sends the message. What is wrong gets the focus, and its error is shown beside it.
pub(super) fn send(explorer: Explorer) {
    if let Err(selector) = try_send(explorer) {
        leptos::task::spawn_local(async move {
            // A control that the refusal uncovers has to be drawn first.
            leptos::task::tick().await;
            focus(selector);
        });
    }
}

fn try_send(explorer: Explorer) -> Result<(), Refused> {
    let exchange = explorer.exchange;
    let Some((path, kind)) = untrack(|| explorer.with_method(|method| (method.path(), method.kind()))) else {
        return Ok(());
    };
    let message = match untrack(|| explorer.encoded()) {
        Some(Ok(bytes)) => Bytes::from(bytes),
        _ => return Err("#explorer-json, .explorer [aria-invalid=true]"),
    };
    if !(kind.client_streaming() && untrack(|| exchange.takes_messages())) {
        start(explorer, path, kind)?;
    }
    let is_sent = exchange.send(message);
    explorer.is_full.set(!is_sent);
    if is_sent {
        let json = explorer.json.get_untracked();
        explorer.sent.update(|sent| {
            sent.push(json);
            if sent.len() > MAX_KEPT_TEXTS {
                sent.remove(0);
            }
        });
        explorer.pending.update_value(|pending| {
            if let Some(pending) = pending {
                pending.requests = explorer.sent.get_untracked();
            }
        });
    }
    if !kind.client_streaming() {
        exchange.finish();
    }
    Ok(())
}

/// Begins a call.
fn start(explorer: Explorer, path: String, kind: MethodKind) -> Result<(), Refused> {
    let exchange = explorer.exchange;
    let (metadata, deadline) = options(explorer).inspect_err(|_| explorer.shows_options.set(true))?;
    let past = PastCall {
        method: path.trim_start_matches('/').to_owned(),
        requests: Vec::new(),
        metadata: history::without_secrets(&untrack(|| explorer.typed_rows())),
        deadline: explorer.deadline.get_untracked().trim().to_owned(),
        started_ms: intl::now_ms(),
        code: 0,
        duration_ms: 0,
    };
    // A call that still runs ends here, and is listed.
    exchange.run.cancel();
    explorer.list_ended();
    explorer.pending.set_value(Some(past));
    explorer.sent.set(Vec::new());
    explorer.by_policy.set(false);
    let requests = exchange.open();
    let connection = explorer.connection();
    let plan = Plan { path, kind, metadata, deadline };
    let observer = explorer.calls.observer();
    let response = async move { connection.call(plan, requests, observer).await };
    exchange.run.start(exchange.follow(response));
    Ok(())
}

/// The metadata with the token, and the deadline.
fn options(explorer: Explorer) -> Result<(MetadataMap, Option<std::time::Duration>), Refused> {
    const INVALID_OPTION: Refused = ".explorer-options [aria-invalid=true]";
    let rows = untrack(|| explorer.typed_rows());
    let mut metadata = metadata(&rows).map_err(|_| INVALID_OPTION)?;
    let deadline = explorer.deadline.with_untracked(|text| deadline(text)).map_err(|_| INVALID_OPTION)?;
    if let Some(token) = explorer.token.with_untracked(|token| bearer(token)).map_err(|_| INVALID_OPTION)? {
        if metadata.contains_key("authorization") {
            return Err(INVALID_OPTION);
        }
        metadata.insert("authorization", token);
    }
    Ok((metadata, deadline))
}
