//! The steps that the network causes, and a person's need of it.

use std::time::Duration;

use super::{ChatModel, Now};
use crate::connection::{Cause, Link};
use crate::effect::Effect;

impl ChatModel {
    /// The state of the stream changed.
    pub fn set_link(&mut self, link: Link, now: Now) {
        self.connection.set_link(link, now.page_ms);
    }

    /// The browser reports whether there is a network. A change makes the connection doubtful.
    pub fn set_online(&mut self, online: bool, now: Now) {
        self.connection.set_online(online);
        if online && self.waits_for_session() {
            self.connection.set_link(Link::Starting, now.page_ms);
            self.effects.push(Effect::FindSession);
        }
        self.needed(now);
    }

    /// The question whether there is a session was not answered in time, and goes on.
    pub fn session_is_silent(&mut self) {
        self.connection.attempt_is_silent();
    }

    /// A person needs the connection now: they came back to the page, or the machine woke up.
    pub fn needed(&mut self, now: Now) {
        if self.has_session {
            self.effects.push(Effect::WakeStream);
            self.resume_outbox(now);
        }
    }

    /// A person asked to connect and to send without waiting for the next attempt.
    pub fn retry_now(&mut self, now: Now) {
        self.connection.retry_now();
        self.effects.push(match self.connection.link() {
            _ if self.waits_for_session() => Effect::FindSession,
            // An attempt that runs may be on a dead connection.
            Link::Connecting => Effect::ReconnectAfter(Duration::ZERO),
            _ => Effect::ReconnectNow,
        });
        self.resume_outbox(now);
    }

    /// A check of the server ended: answered, or failed by a cause.
    pub fn server_checked(&mut self, failure: Option<Cause>, now: Now) {
        if self.connection.checked(failure, now.page_ms) {
            self.effects.push(Effect::ReconnectAfter(Duration::ZERO));
        }
        if failure.is_none() {
            self.resume_outbox(now);
        }
    }
}
