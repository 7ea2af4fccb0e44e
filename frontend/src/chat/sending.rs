//! The calls that follow from the state: sending what waits, and telling how far rooms were read.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};
use proto::chat::v1 as pb;
use tonic::Code;

use super::{
    outbox::Pending,
    outbox_store,
    store::{Chat, now},
};
use crate::intl;

/// Between two moves of one room's read marker.
const MARK_READ_EVERY_MS: f64 = 1_000.0;

/// After a move that failed.
const MARK_READ_AGAIN_MS: f64 = 5_000.0;

impl Chat {
    /// Sends again what stopped at a failure.
    pub(super) fn resume_outbox(self) {
        self.core.update_value(|core| core.state.outbox.resume());
        self.send_due();
    }

    /// Sends what is due.
    pub(super) fn send_due(self) {
        let due = self.core.try_update_value(|core| {
            let may = core.connection.may_send() && core.me.is_some();
            if may { core.state.outbox.take_due(intl::now_ms()) } else { Vec::new() }
        });
        for pending in due.unwrap_or_default() {
            spawn_local(self.send(pending));
        }
    }

    async fn send(self, pending: Pending) {
        let api = self.core.with_value(|core| core.api.clone());
        let request = pb::SendMessageRequest {
            room_id: pending.room_id.clone(),
            operation_id: pending.operation_id.as_bytes().to_vec(),
            text: pending.text.to_string(),
        };
        match api.send_message(request).await {
            Ok(answer) => {
                self.update(|core| {
                    core.outbox_delays.reset();
                    core.state.apply_sent(pending.operation_id, &answer);
                });
                // Also when the session ended meanwhile and its outbox is gone.
                outbox_store::forget(&pending);
                self.send_due();
            }
            Err(status) => {
                let again_in = self.update(|core| {
                    let now_ms = intl::now_ms();
                    let outbox = &mut core.state.outbox;
                    outbox.failed(pending.operation_id, &status, now_ms);
                    // The end of a wait that the server asked for has a timer of its own.
                    let by_ourselves = outbox.is_waiting() && outbox.held_for_ms(now_ms).is_none();
                    by_ourselves.then(|| core.outbox_delays.next()).flatten()
                });
                if status.code() == Code::Unauthenticated {
                    self.leave(true);
                }
                self.send_due();
                if let Some(again_in) = again_in {
                    set_timeout(move || self.resume_outbox(), again_in);
                }
            }
        }
    }

    /// Tells the server how far rooms were read, each at most once in a while.
    pub(super) fn send_read_markers(self) {
        let at = now();
        let due: Vec<(String, u64)> = self
            .core
            .try_update_value(|core| {
                let mut due = Vec::new();
                for room in core.state.rooms() {
                    let Some(seq) = room.unsent_read_seq() else { continue };
                    if core.marked.get(room.id()).is_none_or(|next| at >= *next) {
                        core.marked.insert(room.id().to_owned(), f64::INFINITY);
                        due.push((room.id().to_owned(), seq));
                    }
                }
                due
            })
            .unwrap_or_default();
        for (room_id, seq) in due {
            spawn_local(self.send_read_marker(room_id, seq));
        }
    }

    async fn send_read_marker(self, room_id: String, seq: u64) {
        let api = self.core.with_value(|core| core.api.clone());
        let answer = api.mark_read(pb::MarkReadRequest { room_id: room_id.clone(), seq }).await;
        let pause = match answer {
            Ok(answer) => {
                self.update(|core| core.state.apply_marked(&room_id, answer));
                MARK_READ_EVERY_MS
            }
            Err(_) => MARK_READ_AGAIN_MS,
        };
        self.core.update_value(|core| {
            core.marked.insert(room_id, now() + pause);
        });
        set_timeout(move || self.send_read_markers(), Duration::from_millis(pause as u64));
    }
}
