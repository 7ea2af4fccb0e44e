//! The chat's one place in the page: the state, the connection, and the signals that components read.
//! What a person does arrives here as a method. It outlives the chat's page, so that nothing is
//! interrupted by a look at another.

use std::{cell::OnceCell, collections::HashMap, sync::Arc};

use futures_util::future::AbortHandle;
use leptos::prelude::*;
use proto::chat::v1 as pb;
use tonic_web_channel::SubscriptionHandle;
use tonic_web_channel::retry::{Backoff, Delays};
use uuid::Uuid;

use super::{
    connection::{Connection, Strip},
    outbox_store::{self, Elsewhere},
    state::{Author, ChatState, Page, RoomLog},
};
use crate::{api::Api, app::SessionContext, intl};

/// What the page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is being found out whether there is a session.
    Starting,
    /// Nobody is signed in.
    Joining {
        /// Whether somebody was until now.
        ended: bool,
    },
    /// The chat.
    In,
}

/// A room as the list of rooms shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RoomSummary {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) unread: u32,
}

impl RoomSummary {
    fn of(room: &RoomLog) -> RoomSummary {
        RoomSummary { id: room.id().to_owned(), name: room.name().to_owned(), unread: room.unread() }
    }

    fn is_of(&self, room: &RoomLog) -> bool {
        self.unread == room.unread() && self.id == room.id() && self.name == room.name()
    }
}

/// How loading a side of a room's history goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Loading {
    /// Nothing was asked for.
    #[default]
    Idle,
    /// A call is running.
    Running,
    /// The last call failed.
    Failed,
}

/// Which side of what is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// Older messages.
    Earlier,
    /// Newer messages, or any at all.
    Later,
}

/// Everything behind the signals.
pub(super) struct Core {
    pub(super) api: Api,
    pub(super) state: ChatState,
    pub(super) me: Option<Arc<Author>>,
    pub(super) connection: Connection,
    /// Frames that wait for the next flush.
    pub(super) queue: std::collections::VecDeque<pb::SubscribeResponse>,
    /// The flush that is planned; another one is out of date.
    pub(super) flush: Option<u32>,
    pub(super) flushes: u32,
    pub(super) handle: Option<SubscriptionHandle>,
    pub(super) running: Option<AbortHandle>,
    pub(super) outbox_delays: Delays,
    pub(super) loading: HashMap<(String, Side), Loading>,
    /// When each room's read marker was last sent, by the page's clock; infinite while it is being.
    pub(super) marked: HashMap<String, f64>,
    pub(super) strip_timer: u32,
    pub(super) hold_timer: u32,
}

/// The chat as components see it. All copies are the same chat.
#[derive(Clone, Copy)]
pub(crate) struct Chat {
    pub(super) core: StoredValue<Core, LocalStorage>,
    /// What the page shows.
    pub(crate) phase: RwSignal<Phase>,
    /// Every room, by creation.
    pub(crate) rooms: RwSignal<Vec<RoomSummary>>,
    /// Whether the rooms are known.
    pub(crate) ready: RwSignal<bool>,
    /// What the connection's strip says.
    pub(crate) strip: RwSignal<Strip>,
    /// Changes whenever the state did.
    pub(crate) version: RwSignal<u32>,
    /// For how many more seconds the server asked to wait with what was written; none when it did not.
    pub(crate) held: RwSignal<Option<u64>>,
    /// Whether everything that waits could be kept on disk.
    pub(crate) kept: RwSignal<bool>,
    pub(super) session: SessionContext,
}

thread_local! {
    static CHAT: OnceCell<(Owner, Chat)> = const { OnceCell::new() };
}

impl Chat {
    /// The page's chat; made and started the first time.
    pub(crate) fn get(api: Api, session: SessionContext) -> Chat {
        CHAT.with(|cell| {
            let mut fresh = false;
            let (owner, chat) = cell.get_or_init(|| {
                fresh = true;
                // An owner without a parent is never disposed of. Making one makes it the current one.
                let current = Owner::current();
                let owner = Owner::new_root(None);
                current.iter().for_each(Owner::set);
                let chat = owner.with(|| Chat::new(api, session));
                (owner, chat)
            });
            if fresh {
                owner.with(|| chat.watch_page());
                chat.start();
            }
            *chat
        })
    }

    fn new(api: Api, session: SessionContext) -> Chat {
        let core = Core {
            api,
            state: ChatState::default(),
            me: None,
            connection: Connection::new(is_online(), now()),
            queue: Default::default(),
            flush: None,
            flushes: 0,
            handle: None,
            running: None,
            outbox_delays: Backoff::default().delays(),
            loading: HashMap::new(),
            marked: HashMap::new(),
            strip_timer: 0,
            hold_timer: 0,
        };
        Chat {
            core: StoredValue::new_local(core),
            phase: RwSignal::new(Phase::Starting),
            rooms: RwSignal::new(Vec::new()),
            ready: RwSignal::new(false),
            strip: RwSignal::new(Strip::Nothing),
            version: RwSignal::new(0),
            held: RwSignal::new(None),
            kept: RwSignal::new(true),
            session,
        }
    }

    /// Reads the state.
    pub(crate) fn read<T>(self, read: impl FnOnce(&ChatState) -> T) -> T {
        self.core.with_value(|core| read(&core.state))
    }

    /// Reads a room, when it is known.
    pub(crate) fn read_room<T>(self, room_id: &str, read: impl FnOnce(&RoomLog) -> T) -> Option<T> {
        self.read(|state| state.room(room_id).map(read))
    }

    /// Changes the state, keeps on disk what has to be, and lets the page know.
    pub(super) fn update<T>(self, change: impl FnOnce(&mut Core) -> T) -> T {
        let (answer, changes) = self
            .core
            .try_update_value(|core| {
                let answer = change(core);
                (answer, core.state.outbox.take_changes())
            })
            .expect("the chat is never disposed of");
        if !changes.is_empty() {
            self.kept.set(outbox_store::write(&changes));
        }
        self.publish();
        answer
    }

    /// Brings the signals up to date with the state.
    pub(super) fn publish(self) {
        let changed = self.read(|state| {
            let same = |(known, room): (&RoomSummary, &RoomLog)| known.is_of(room);
            let known_as_it_is = self.rooms.with_untracked(|known| {
                known.len() == state.rooms().len() && known.iter().zip(state.rooms()).all(same)
            });
            (!known_as_it_is).then(|| state.rooms().iter().map(RoomSummary::of).collect())
        });
        if let Some(rooms) = changed {
            self.rooms.set(rooms);
        }
        self.version.update(|version| *version = version.wrapping_add(1));
        self.show_strip();
        self.show_hold();
        self.send_read_markers();
    }

    /// Writes a message.
    pub(crate) fn write(self, room_id: &str, text: &str) {
        let operation_id = Uuid::now_v7();
        self.update(|core| {
            if let Some(me) = core.me.clone() {
                core.state.outbox.add(operation_id, me, room_id, text, intl::now_ms());
            }
        });
        self.send_due();
    }

    /// Sends a message again that was not sent.
    pub(crate) fn try_again(self, operation_id: Uuid) {
        self.update(|core| {
            if let Some(me) = core.me.clone() {
                core.state.outbox.try_again(operation_id, &me, intl::now_ms());
            }
        });
        self.send_due();
    }

    /// Gives up a message that was not sent.
    pub(crate) fn discard(self, operation_id: Uuid) {
        self.update(|core| core.state.outbox.discard(operation_id));
    }

    /// The reader has seen a room up to here.
    pub(crate) fn mark_read(self, room_id: &str, seq: u64) {
        if self.read_room(room_id, |room| room.read_seq() < seq && seq <= room.last()) == Some(true) {
            self.update(|core| core.state.mark_read(room_id, seq));
        }
    }

    /// A room was made. Its id.
    pub(crate) fn made_room(self, answer: pb::CreateRoomResponse) -> Option<String> {
        let state = answer.room?;
        let id = state.room.as_ref()?.id.clone();
        self.update(|core| core.state.apply_room_state(state));
        Some(id)
    }

    /// Which room is shown, and whether its reader is at the end.
    pub(crate) fn set_view(self, view: Option<(&str, bool)>) {
        self.core.update_value(|core| core.state.set_view(view));
    }

    /// How loading a side of a room goes.
    pub(crate) fn loading(self, room_id: &str, side: Side) -> Loading {
        let key = (room_id.to_owned(), side);
        self.core.with_value(|core| core.loading.get(&key).copied().unwrap_or_default())
    }

    /// Loads a page of a room's history, unless that side of it is being loaded.
    pub(crate) fn load(self, room_id: &str, page: Page) {
        let side = match page {
            Page::Before(_) => Side::Earlier,
            Page::Newest | Page::After(_) | Page::Around(_) => Side::Later,
        };
        let key = (room_id.to_owned(), side);
        let (api, running) = self
            .core
            .try_update_value(|core| {
                let running = core.loading.insert(key.clone(), Loading::Running) == Some(Loading::Running);
                (core.api.clone(), running)
            })
            .expect("the chat is never disposed of");
        if running {
            return;
        }
        leptos::task::spawn_local(async move {
            let answer = api.list_events(request(&key.0, page)).await;
            self.update(|core| {
                let (room_id, _) = &key;
                let loading = match answer {
                    Ok(answer) => {
                        core.state.apply_history(room_id, page, answer);
                        Loading::Idle
                    }
                    Err(_) => Loading::Failed,
                };
                core.loading.insert(key, loading);
            });
        });
    }

    /// Lets what could not be loaded be asked for again.
    pub(crate) fn forget_failed_loads(self) {
        self.core.update_value(|core| core.loading.retain(|_, loading| *loading != Loading::Failed));
        self.publish();
    }

    /// Another tab changed the disk.
    pub(super) fn changed_elsewhere(self, key: &str, value: Option<&str>) {
        match outbox_store::elsewhere(key, value) {
            Some(Elsewhere::Kept(kept)) => {
                self.update(|core| core.state.outbox.restore([kept], intl::now_ms()));
                self.send_due();
            }
            Some(Elsewhere::Discarded(operation_id)) => {
                self.update(|core| core.state.outbox.discarded_elsewhere(operation_id));
            }
            None => {}
        }
    }
}

/// The chat of the page.
pub(crate) fn use_chat() -> Chat {
    expect_context::<Chat>()
}

/// How many events a page of history holds.
const PAGE_EVENTS: u32 = 100;

fn request(room_id: &str, page: Page) -> pb::ListEventsRequest {
    use pb::list_events_request::Range;
    let range = match page {
        Page::Newest => None,
        Page::Before(seq) => Some(Range::BeforeSeq(seq)),
        Page::After(seq) => Some(Range::AfterSeq(seq)),
        Page::Around(seq) => Some(Range::AroundSeq(seq)),
    };
    pb::ListEventsRequest { room_id: room_id.to_owned(), range, limit: PAGE_EVENTS }
}

/// The page's clock, in milliseconds. It never goes back.
pub(crate) fn now() -> f64 {
    window().performance().map(|performance| performance.now()).unwrap_or_default()
}

pub(super) fn is_online() -> bool {
    window().navigator().on_line()
}
