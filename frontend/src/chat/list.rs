//! The message list: the rows that are in the page, and where the reader is in them.
//!
//! What is shown is decided by plain logic ([`super::window`], [`super::rows`]). This file measures,
//! and keeps what the reader looks at in its place: before rows change it notes where some of them
//! are, and afterwards, before anything is painted, scrolls by as much as they moved. The browser's
//! own scroll anchoring is turned off for that.

mod anchor;
mod model;

use leptos::{html, prelude::*, task::spawn_local};

use self::{
    anchor::Anchor,
    model::{Goal, Model, Plan, wants_line},
};
use super::{
    calendar::day_of,
    rows::{self, RowBody, RowKey},
    state::{ChatState, Message, Page, RoomLog},
    store::{Chat, Loading, Side},
    window::Bounds,
};
use crate::intl;

/// A row in the page: its key stays, what it shows may change.
#[derive(Clone)]
pub(crate) struct ShownRow {
    pub(crate) key: RowKey,
    pub(crate) body: ArcRwSignal<RowBody>,
}

/// The list of one room. All copies are the same list.
#[derive(Clone, Copy)]
pub(crate) struct ListView {
    chat: Chat,
    room_id: StoredValue<String>,
    model: StoredValue<Model, LocalStorage>,
    pub(crate) room_name: Signal<String>,
    pub(crate) scroller: NodeRef<html::Div>,
    pub(crate) rows: RwSignal<Vec<ShownRow>>,
    pub(crate) highlighted: RwSignal<Option<u64>>,
    pub(crate) at_end: RwSignal<bool>,
    /// Unread messages below what is in view.
    pub(crate) below: RwSignal<u32>,
    pub(crate) earlier: RwSignal<Option<Loading>>,
    pub(crate) later: RwSignal<Option<Loading>>,
    pub(crate) is_empty: RwSignal<bool>,
    pub(crate) today: RwSignal<i64>,
    /// What is read out.
    pub(crate) heard: RwSignal<Vec<Message>>,
}

impl ListView {
    pub(crate) fn new(
        chat: Chat,
        room_id: String,
        room_name: Signal<String>,
        target: Option<u64>,
    ) -> ListView {
        chat.set_view(Some((&room_id, target.is_none())));
        let announced = chat.read_room(&room_id, RoomLog::last).unwrap_or(u64::MAX);
        let model = Model::new(target, announced);
        ListView {
            chat,
            room_id: StoredValue::new(room_id),
            model: StoredValue::new_local(model),
            room_name,
            scroller: NodeRef::new(),
            rows: RwSignal::new(Vec::new()),
            highlighted: RwSignal::new(target),
            at_end: RwSignal::new(target.is_none()),
            below: RwSignal::new(0),
            earlier: RwSignal::new(None),
            later: RwSignal::new(None),
            is_empty: RwSignal::new(false),
            today: RwSignal::new(day_of(intl::now_ms())),
            heard: RwSignal::new(Vec::new()),
        }
    }

    /// The room's id.
    pub(crate) fn room_id(self) -> String {
        self.room_id.get_value()
    }

    /// Goes to a message, loading what is around it if need be.
    pub(crate) fn go_to(self, seq: u64) {
        self.at_end.set(false);
        self.highlighted.set(Some(seq));
        self.model.update_value(|model| model.target = Some(seq));
        self.refresh();
    }

    /// Goes to the newest message.
    pub(crate) fn go_to_end(self) {
        let room_id = self.room_id();
        self.at_end.set(true);
        self.highlighted.set(None);
        self.model.update_value(|model| {
            model.target = None;
            model.window = None;
            model.goal = Some(Goal::End);
        });
        let attached = self.chat.read_room(&room_id, RoomLog::is_attached).unwrap_or(true);
        if !attached {
            self.chat.load(&room_id, Page::Newest);
        }
        self.refresh();
    }

    /// Brings the page up to date with the state, and keeps the reader's place.
    pub(crate) fn refresh(self) {
        let Some(scroller) = self.scroller.get_untracked() else { return };
        let follow = self.at_end.get_untracked();
        let room_id = self.room_id();
        let plan = self
            .model
            .try_update_value(|model| {
                let plan = self.chat.read(|state| model.plan(state, &room_id, follow))?;
                let as_it_is = model.goal.is_none() && model.shows(&plan.rows);
                Some((plan, as_it_is))
            })
            .flatten();
        let Some((mut plan, as_it_is)) = plan else { return };
        plan.earlier = plan.earlier.map(|_| self.chat.loading(&room_id, Side::Earlier));
        plan.later = plan.later.map(|_| self.chat.loading(&room_id, Side::Later));
        if !plan.heard.is_empty() {
            self.heard.set(std::mem::take(&mut plan.heard));
        }
        if as_it_is
            && self.earlier.get_untracked() == plan.earlier
            && self.later.get_untracked() == plan.later
            && self.is_empty.get_untracked() == plan.is_empty
        {
            // It was another room's change, as most are. Measuring is what costs.
            return self.look_again();
        }
        let anchor = Anchor::note(&scroller);
        self.show(plan);
        spawn_local(async move {
            // Effects that draw the rows, and those that they set off.
            leptos::task::tick().await;
            leptos::task::tick().await;
            self.settle(&anchor);
        });
    }

    fn show(self, plan: Plan) {
        let rows = self.model.try_update_value(|model| model.show(plan.rows)).unwrap_or_default();
        let same = self.rows.with_untracked(|shown| {
            shown.len() == rows.len() && shown.iter().zip(&rows).all(|(one, other)| one.key == other.key)
        });
        if !same {
            self.rows.set(rows);
        }
        set_if_changed(self.earlier, plan.earlier);
        set_if_changed(self.later, plan.later);
        set_if_changed(self.is_empty, plan.is_empty);
        set_if_changed(self.today, day_of(intl::now_ms()));
    }

    /// After the rows have changed: keeps the reader's place or goes where the reader wanted, then
    /// looks where that is.
    fn settle(self, anchor: &Anchor) {
        let Some(scroller) = self.scroller.try_get_untracked().flatten() else { return };
        let goal = self.model.try_update_value(|model| model.goal.take()).flatten();
        match goal {
            Some(Goal::Message(seq)) => anchor::show_message(&scroller, seq),
            Some(Goal::UnreadLine) => anchor::show_unread_line(&scroller),
            Some(Goal::End) => anchor::show_end(&scroller),
            None if self.at_end.get_untracked() => anchor::show_end(&scroller),
            None => anchor.restore(&scroller),
        }
        self.model.update_value(|model| model.top = anchor::top(&scroller));
        self.look();
    }

    /// The reader scrolled by themselves, or is about to.
    pub(crate) fn touched(self) {
        self.model.update_value(|model| model.touched = true);
    }

    /// The list was scrolled: by the reader, or by the browser because its size changed. Who was at
    /// the end then stays there.
    pub(crate) fn scrolled(self) {
        let Some(scroller) = self.scroller.try_get_untracked().flatten() else { return };
        let scroll = anchor::scroll(&scroller);
        let heights = (scroll.view, scroll.content);
        let same_size = self.model.try_update_value(|model| model.heights == heights).unwrap_or(true);
        if same_size { self.look() } else { self.resized() }
    }

    /// The list became another size or moved on the screen.
    pub(crate) fn resized(self) {
        let Some(scroller) = self.scroller.try_get_untracked().flatten() else { return };
        let top = anchor::top(&scroller);
        let Some((moved, was_hidden, scrolled_to)) = self.model.try_update_value(|model| {
            let moved = top - std::mem::replace(&mut model.top, top);
            (moved, model.heights.0 == 0.0, model.scrolled_to)
        }) else {
            return;
        };
        if self.at_end.get_untracked() {
            anchor::show_end(&scroller);
        } else if was_hidden {
            // A list that is not displayed forgets where it was.
            scroller.scroll_to_with_x_and_y(0.0, scrolled_to);
        } else if moved != 0.0 {
            scroller.scroll_by_with_x_and_y(0.0, moved);
        }
        self.look();
    }

    /// Something changed and the rows did not.
    fn look_again(self) {
        if self.model.try_update_value(|model| model.window.is_none()).unwrap_or(true) {
            return self.load_first(&self.room_id());
        }
        let attached = self.chat.read_room(&self.room_id(), RoomLog::is_attached).unwrap_or(false);
        self.note_read(self.at_end.get_untracked() && attached);
    }

    /// Looks where the reader is: moves the slice, asks for history, marks what was read.
    pub(crate) fn look(self) {
        let Some(scroller) = self.scroller.try_get_untracked().flatten() else { return };
        let room_id = self.room_id();
        let scroll = anchor::scroll(&scroller);
        if scroll.view == 0.0 {
            // A narrow page shows the rooms instead.
            return self.model.update_value(|model| model.heights.0 = 0.0);
        }
        let Some((bounds, attached, has_earlier)) = self.chat.read(|state| {
            let room = state.room(&room_id)?;
            Some((bounds(state, room), room.is_attached(), room.has_earlier()))
        }) else {
            return;
        };
        let looked = self.model.try_update_value(|model| {
            model.heights = (scroll.view, scroll.content);
            model.scrolled_to = scroll.top;
            let target = model.target.is_some();
            let window = model.window.as_mut()?;
            let moved = window.follow_reader(scroll, bounds);
            Some((moved, *window, target))
        });
        let Some(Some((moved, window, target))) = looked else {
            return self.load_first(&room_id);
        };
        let at_end = scroll.is_at_end() && window.end == bounds.end && attached && !target;
        // Who is at the loaded end of a detached range and wants the newest still does.
        let at_end = at_end || (self.at_end.get_untracked() && !attached && scroll.is_at_end());
        set_if_changed(self.at_end, at_end);
        self.chat.set_view(Some((&room_id, at_end)));
        if moved {
            return self.refresh();
        }
        if has_earlier && window.wants_earlier(bounds) {
            self.load(Side::Earlier, Page::Before(bounds.first));
        }
        if !attached && window.wants_later(bounds) {
            self.load(Side::Later, Page::After(bounds.end - 1));
        }
        self.note_read(at_end && attached);
    }

    /// Nothing is loaded: the newest messages, or those around the one that was asked for.
    fn load_first(self, room_id: &str) {
        let target = self.model.try_update_value(|model| model.target).flatten();
        let known = self.chat.read(|state| state.room(room_id).is_some());
        if known {
            self.load(Side::Later, target.map_or(Page::Newest, Page::Around));
        }
    }

    /// Asks for a page, unless that failed: then a person decides.
    fn load(self, side: Side, page: Page) {
        let room_id = self.room_id();
        if self.chat.loading(&room_id, side) == Loading::Idle {
            self.chat.load(&room_id, page);
        }
        let loading = Some(self.chat.loading(&room_id, side));
        match side {
            Side::Earlier => set_if_changed(self.earlier, loading),
            Side::Later => set_if_changed(self.later, loading),
        }
    }

    /// Marks what is in view as read, and counts what is below it.
    fn note_read(self, at_end: bool) {
        let room_id = self.room_id();
        let settled = self.model.try_update_value(|model| model.goal.is_none()).unwrap_or(false);
        // Where the line may yet be found and gone to, nothing has been read yet.
        let last = self.chat.read_room(&room_id, |room| {
            let line_may_come = wants_line(room) && !room.knows_first_unread();
            (!line_may_come).then(|| room.last())
        });
        let displayed = self.model.try_update_value(|model| model.heights.0 > 0.0).unwrap_or(false);
        let sees_end = at_end && settled && displayed && !document().hidden();
        let reads = last.flatten().filter(|_| sees_end);
        self.model.update_value(|model| model.reading = reads.is_some());
        if let Some(last) = reads {
            self.chat.mark_read(&room_id, last);
        }
        let unread = self.chat.read_room(&room_id, RoomLog::unread).unwrap_or(0);
        set_if_changed(self.below, if at_end { 0 } else { unread });
    }
}

fn bounds(state: &ChatState, room: &RoomLog) -> Bounds {
    rows::bounds(room, state.outbox.of_room(room.id()).count())
}

fn set_if_changed<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.try_with_untracked(|known| *known != value) == Some(true) {
        signal.set(value);
    }
}
