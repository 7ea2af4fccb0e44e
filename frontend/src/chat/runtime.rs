//! The effects' state between two steps: open calls, timers, frames that have arrived, and the view of the other tabs.

use std::{collections::VecDeque, time::Duration};

use chat_model::{
    connection::Link,
    tabs::{Role, Tabs},
};
use futures_util::future::AbortHandle;
use js_sys::Math;
use proto::chat::v1 as pb;
use tonic_web_channel::{SubscriptionHandle, retry::Delays};
use wasm_bindgen::closure::Closure;

use crate::api::{Api, RECONNECT_BACKOFF};

/// Time for the answer to a message. Doubles with each message in a row that gets none, for slow networks.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Open calls, timers and the frames that have arrived.
pub(super) struct Runtime {
    pub(super) api: Api,
    pub(super) subscription: Option<SubscriptionHandle>,
    /// Ends the task that reads the subscription.
    pub(super) reading: Option<AbortHandle>,
    /// Ends the question whether there is a session.
    pub(super) finding: Option<AbortHandle>,
    pub(super) outbox_delays: Delays,
    pub(super) send_timeout: Duration,
    /// Whether the server was out of reach since it was last heard.
    pub(super) is_interrupted: bool,
    pub(super) frames: VecDeque<pb::SubscribeResponse>,
    /// Frames of another tab's stream. They wait while this tab's own stream runs.
    pub(super) shared_frames: VecDeque<pb::SubscribeResponse>,
    pub(super) tabs: SharedTabs,
    /// The current plan to apply frames. Timers of other plans do nothing.
    pub(super) planned: Option<u32>,
    pub(super) plans: u32,
    /// The time at which frames were applied last, by the page's clock, until the next drawing.
    pub(super) applied_ms: Option<f64>,
    /// The time at which frames arrived or waited last, by the page's clock.
    pub(super) frames_at_ms: f64,
    /// Whether a timer will write the copy of the chat.
    pub(super) is_save_planned: bool,
    /// The current wake timer. Others do nothing.
    pub(super) wake: u32,
}

impl Runtime {
    /// `shares_with_tabs` says whether the browser has what sharing needs.
    pub(super) fn new(api: Api, shares_with_tabs: bool) -> Runtime {
        Runtime {
            api,
            subscription: None,
            reading: None,
            finding: None,
            is_interrupted: false,
            outbox_delays: RECONNECT_BACKOFF.delays(),
            send_timeout: SEND_TIMEOUT,
            frames: VecDeque::new(),
            shared_frames: VecDeque::new(),
            tabs: SharedTabs::new(shares_with_tabs),
            planned: None,
            plans: 0,
            applied_ms: None,
            frames_at_ms: f64::NEG_INFINITY,
            is_save_planned: false,
            wake: 0,
        }
    }
}

/// The shared state with other tabs. Without locks in the browser, nothing is shared.
pub(super) struct SharedTabs {
    /// This tab's random number.
    pub(super) number: f64,
    pub(super) tabs: Tabs,
    pub(super) is_supported: bool,
    /// Whether another tab has sent anything: until then nothing is sent to it.
    pub(super) has_others: bool,
    /// Whether the timer of the pings runs.
    pub(super) is_ticking: bool,
    /// Time since which the tab has been hidden, by the page's clock.
    pub(super) hidden_since_ms: Option<f64>,
    /// The link that was announced last.
    pub(super) announced: Option<Link>,
    /// The numbers of the other tabs; used only in browsers in which tabs share nothing.
    pub(super) others: Vec<f64>,
    /// Whether they will be counted again.
    pub(super) is_recount_planned: bool,
    /// Whether they are being counted again, so that the list is not complete.
    pub(super) is_counting: bool,
    pub(super) changed: Option<Closure<dyn Fn(bool)>>,
}

impl SharedTabs {
    fn new(is_supported: bool) -> SharedTabs {
        let number = Math::random();
        SharedTabs {
            number,
            tabs: Tabs::new(number),
            is_supported,
            has_others: false,
            is_ticking: false,
            hidden_since_ms: None,
            announced: None,
            others: Vec::new(),
            is_recount_planned: false,
            is_counting: false,
            changed: None,
        }
    }

    /// Whether another tab sends this one's messages.
    pub(super) fn is_follower(&self) -> bool {
        self.is_supported && matches!(self.tabs.role(), Role::Follower | Role::Frozen)
    }

    pub(super) fn is_leader_of_others(&self) -> bool {
        self.has_others && self.tabs.role() == Role::Leader
    }
}
