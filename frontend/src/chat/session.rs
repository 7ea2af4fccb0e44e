//! Who is signed in, the stream of events while somebody is, and the calls that follow from the
//! state: sending what waits, moving read markers.

use std::time::Duration;

use futures_util::{StreamExt as _, future::abortable};
use leptos::{ev, prelude::*, task::spawn_local};
use proto::chat::v1 as pb;
use tonic::{Code, Status};
use tonic_web_channel::retry::Backoff;
use tonic_web_channel::{State, Subscription, Update};

use super::{
    connection::Link,
    outbox::Outbox,
    outbox_store,
    state::{Author, ChatState, Demand, REPLAY_LIMIT},
    store::{Chat, Phase, is_online, now},
};
use crate::intl;

/// How long frames are applied before the page may draw.
const FLUSH_BUDGET_MS: f64 = 10.0;

/// How long frames wait at most where the page draws no frames, as in a tab in the background.
const FLUSH_WITHIN: Duration = Duration::from_millis(100);

impl Chat {
    /// Finds out whether there is a session, for as long as it takes.
    pub(super) fn start(self) {
        spawn_local(async move {
            let api = self.core.with_value(|core| core.api.clone());
            let mut delays = Backoff::default().delays();
            loop {
                match api.get_session().await {
                    Ok(answer) => break self.enter(answer.user.unwrap_or_default()),
                    Err(status) if status.code() == Code::Unauthenticated => {
                        break self.phase.set(Phase::Joining { ended: false });
                    }
                    Err(_) => {
                        let delay = delays.next().unwrap_or_default().max(Duration::from_millis(500));
                        self.link(Link::Waiting { until_ms: now() + delay.as_secs_f64() * 1_000.0 });
                        tonic_web_channel::rt::sleep(delay).await;
                        self.link(Link::Connecting);
                    }
                }
            }
        });
    }

    /// Somebody is signed in: from here on the stream runs.
    pub(crate) fn enter(self, user: pb::User) {
        let mut outbox = Outbox::new(&user.id);
        outbox.restore(outbox_store::load(), intl::now_ms());
        let api = self.update(|core| {
            core.me = Some(Author { id: user.id.clone(), name: user.name.clone() }.into());
            core.state = ChatState::new(&user, outbox);
            core.queue.clear();
            core.loading.clear();
            core.marked.clear();
            core.api.clone()
        });
        self.ready.set(false);
        self.link(Link::Connecting);
        let (subscription, handle) = api.subscribe(move || {
            // What has arrived must not be asked for again.
            self.flush(f64::INFINITY);
            let cursors = self.read(ChatState::cursors);
            pb::SubscribeRequest { cursors, replay_limit: REPLAY_LIMIT }
        });
        let (task, abort) = abortable(self.follow(subscription));
        self.core.update_value(|core| {
            core.handle = Some(handle);
            core.running = Some(abort);
        });
        spawn_local(async move {
            // Aborted when the session ends.
            task.await.ok();
        });
        self.session.user.set(Some(user));
        self.phase.set(Phase::In);
    }

    /// Nobody is signed in any more.
    pub(super) fn leave(self, ended: bool) {
        if self.phase.get_untracked() != Phase::In {
            return;
        }
        self.phase.set(Phase::Joining { ended });
        self.ready.set(false);
        self.update(|core| {
            if let Some(running) = core.running.take() {
                running.abort();
            }
            core.handle = None;
            core.me = None;
            core.queue.clear();
            core.state = ChatState::default();
        });
        self.session.user.set(None);
    }

    /// Follows what the browser says: network, visibility, other tabs, signing out. The stream follows
    /// the first two by itself; here they are about the words on the page and the outbox.
    pub(super) fn watch_page(self) {
        // These live as long as the page does.
        let forget = std::mem::forget::<WindowListenerHandle>;
        forget(window_event_listener(ev::online, move |_| {
            self.look_online();
            self.resume_outbox();
        }));
        forget(window_event_listener(ev::offline, move |_| self.look_online()));
        forget(window_event_listener(ev::focus, move |_| self.publish()));
        forget(window_event_listener_untyped("visibilitychange", move |_| self.look_online()));
        forget(window_event_listener(ev::storage, move |event| {
            if let Some(key) = event.key() {
                self.changed_elsewhere(&key, event.new_value().as_deref());
            }
        }));
        Effect::new(move |_| {
            let signed_out = self.session.user.with(Option::is_none);
            if signed_out {
                self.leave(false);
            }
        });
    }

    /// "Try now".
    pub(crate) fn retry_now(self) {
        self.with_handle(|handle| handle.retry_now());
        self.resume_outbox();
    }

    fn look_online(self) {
        self.core.update_value(|core| core.connection.set_online(is_online(), now()));
        self.publish();
    }

    fn with_handle(self, act: impl FnOnce(&tonic_web_channel::SubscriptionHandle)) {
        let handle = self.core.with_value(|core| core.handle.clone());
        if let Some(handle) = handle {
            act(&handle);
        }
    }

    async fn follow(self, mut subscription: Subscription<pb::SubscribeResponse>) {
        let mut since = now();
        while let Some(update) = subscription.next().await {
            match update {
                Update::State(State::Shutdown { status }) => self.failed(&status).await,
                Update::State(state) => self.stream_is(state),
                Update::Message(frame) => self.take_frame(frame),
            }
            // Thousands of frames may be at hand at once; the page must draw and answer meanwhile.
            if now() - since > FLUSH_BUDGET_MS && !document().hidden() {
                tonic_web_channel::rt::sleep(Duration::ZERO).await;
                since = now();
            }
        }
    }

    fn stream_is(self, state: State) {
        match state {
            // The end of a stream is taken before.
            State::Idle | State::Shutdown { .. } => {}
            State::Connecting => self.link(Link::Connecting),
            State::Ready => self.resume_outbox(),
            State::TransientFailure { next, .. } => self.link(match next.left() {
                Some(left) => Link::Waiting { until_ms: now() + left.as_secs_f64() * 1_000.0 },
                // The strip says that the page is offline, whatever else is the matter.
                None => Link::Connecting,
            }),
        }
    }

    /// The stream ended for good.
    async fn failed(self, status: &Status) {
        if status.code() != Code::Unauthenticated {
            // Nothing that this page could do better: begin again as after a reload, later. This is aborted when
            // the session ends meanwhile, so that it does not end the next one.
            let delay = Backoff::default().max;
            self.link(Link::Waiting { until_ms: now() + delay.as_secs_f64() * 1_000.0 });
            tonic_web_channel::rt::sleep(delay).await;
        }
        self.leave(true);
        if status.code() != Code::Unauthenticated {
            self.start();
        }
    }

    pub(super) fn link(self, link: Link) {
        self.core.update_value(|core| core.connection.set_link(link, now()));
        self.show_strip();
    }

    fn take_frame(self, frame: pb::SubscribeResponse) {
        let goodbye = matches!(frame.frame, Some(pb::subscribe_response::Frame::Goodbye(_)));
        self.core.update_value(|core| core.queue.push_back(frame));
        if goodbye {
            // The stream ends right after it.
            self.flush(f64::INFINITY);
        } else {
            self.plan_flush();
        }
    }

    /// Applies what has arrived before the next frame is drawn, or soon where none is drawn.
    fn plan_flush(self) {
        let planned = self.core.try_update_value(|core| {
            core.flush.is_none().then(|| {
                core.flushes = core.flushes.wrapping_add(1);
                core.flush = Some(core.flushes);
                core.flushes
            })
        });
        let Some(Some(planned)) = planned else { return };
        let run = move || {
            if self.core.with_value(|core| core.flush == Some(planned)) {
                self.flush(FLUSH_BUDGET_MS);
            }
        };
        request_animation_frame(run);
        set_timeout(run, FLUSH_WITHIN);
    }

    /// Applies frames for as long as the budget allows; the rest follows.
    fn flush(self, budget_ms: f64) {
        self.core.update_value(|core| core.flush = None);
        let until = now() + budget_ms;
        let mut demands = Vec::new();
        let left = self.update(|core| {
            while let Some(frame) = core.queue.pop_front() {
                demands.extend(core.state.apply(frame));
                if now() > until {
                    break;
                }
            }
            !core.queue.is_empty()
        });
        for demand in demands {
            self.act(demand);
        }
        if left {
            self.plan_flush();
        }
    }

    fn act(self, demand: Demand) {
        match demand {
            Demand::Hello(user) => {
                let other = self.core.with_value(|core| core.me.as_ref().is_some_and(|me| me.id != user.id));
                if other {
                    // Another tab joined as somebody else; the cookie is shared.
                    self.leave(false);
                    self.enter(user);
                }
            }
            Demand::CaughtUp => {
                self.ready.set(true);
                self.link(Link::Live);
                self.forget_failed_loads();
                self.resume_outbox();
            }
            Demand::Resync => self.with_handle(|handle| handle.reconnect_after(Duration::ZERO)),
            Demand::Goodbye(goodbye) => {
                let signed_out = goodbye.reason() == pb::GoodbyeReason::SignedOut;
                if signed_out || !goodbye.reconnect {
                    self.leave(signed_out);
                } else {
                    let after = Duration::from_millis(goodbye.reconnect_after_ms.into());
                    self.with_handle(|handle| handle.reconnect_after(after));
                }
            }
        }
    }

    /// Shows for how much longer the server asked to wait with what was written, second by second, and sends
    /// when that time has passed.
    pub(super) fn show_hold(self) {
        let was_held = self.held.get_untracked().is_some();
        let (held_ms, timer) = self
            .core
            .try_update_value(|core| {
                core.hold_timer = core.hold_timer.wrapping_add(1);
                let outbox = &core.state.outbox;
                let held_ms = outbox.held_for_ms(intl::now_ms()).filter(|_| outbox.is_waiting());
                (held_ms.map(i64::unsigned_abs), core.hold_timer)
            })
            .expect("the chat is never disposed of");
        let seconds = held_ms.map(|held_ms| held_ms.div_ceil(1_000));
        if self.held.get_untracked() != seconds {
            self.held.set(seconds);
        }
        match held_ms {
            Some(held_ms) => {
                let next_second = Duration::from_millis((held_ms - 1) % 1_000 + 1);
                let show_again = move || {
                    if self.core.with_value(|core| core.hold_timer == timer) {
                        self.show_hold();
                    }
                };
                set_timeout(show_again, next_second);
            }
            None if was_held => self.resume_outbox(),
            None => {}
        }
    }

    /// Shows how the connection is, now and when that changes by itself.
    pub(super) fn show_strip(self) {
        let at = now();
        let (strip, changes_in, timer) = self
            .core
            .try_update_value(|core| {
                core.strip_timer = core.strip_timer.wrapping_add(1);
                let strip = core.connection.strip(core.state.catching_up(), at);
                (strip, core.connection.changes_in_ms(at), core.strip_timer)
            })
            .expect("the chat is never disposed of");
        if self.strip.get_untracked() != strip {
            self.strip.set(strip);
        }
        if let Some(changes_in) = changes_in {
            let wait = Duration::from_millis(changes_in.ceil() as u64);
            set_timeout(
                move || {
                    if self.core.with_value(|core| core.strip_timer == timer) {
                        self.show_strip();
                    }
                },
                wait,
            );
        }
    }
}
