//! The message list in the document: drawing its rows, and keeping the reader's place.
//!
//! [`ListModel`] decides what to show. This file draws it and measures: before rows change it notes the places of some, and afterwards,
//! before anything is painted, scrolls by as much as they moved. The browser's own scroll anchoring is turned off for that.

mod anchor;
mod drawn_rows;
mod focus;

use chat_model::{
    history::{HistoryPage, Loading, Side},
    list::{Announcements, Goal, InView, ListModel, Look, Plan},
    room::RoomLog,
    rows::RowKey,
    window::Scroll,
};
use leptos::{html, prelude::*, task::spawn_local};

pub(crate) use self::drawn_rows::{DrawnRow, RowContent};
use self::{
    anchor::Anchor,
    drawn_rows::{DrawnRows, Marked},
    focus::FocusGoal,
};
use super::{
    calendar::day_of,
    store::{Chat, set_if_changed},
};
use crate::{
    i18n::{Language, use_language},
    intl,
};

/// The list of one room. All copies are the same list.
#[derive(Clone, Copy)]
pub(crate) struct ListView {
    chat: Chat,
    room_id: StoredValue<String>,
    model: StoredValue<ListModel, LocalStorage>,
    drawn: StoredValue<DrawnRows, LocalStorage>,
    /// The last measurements. The height of the view is 0 while the list is not displayed.
    measured: StoredValue<Scroll>,
    /// The messages in view at the last look.
    anchor: StoredValue<Option<Anchor>, LocalStorage>,
    focus_goal: StoredValue<Option<FocusGoal>>,
    language: Memo<Language>,
    pub(crate) room_name: Signal<String>,
    pub(crate) scroller: NodeRef<html::Div>,
    pub(crate) rows: RwSignal<Vec<DrawnRow>>,
    pub(crate) highlighted: RwSignal<Option<u64>>,
    /// The message under the pointer.
    pub(crate) hovered: RwSignal<Option<u64>>,
    /// The message that Tab leads to, with its links and buttons.
    pub(crate) active: RwSignal<Option<RowKey>>,
    pub(crate) at_end: RwSignal<bool>,
    /// Whether unread messages were skipped, which are above the view.
    pub(crate) has_unread_above: RwSignal<bool>,
    /// Unread messages.
    pub(crate) unread: RwSignal<u32>,
    /// Unread messages below the view.
    pub(crate) unread_below: RwSignal<u32>,
    pub(crate) earlier: RwSignal<Option<Loading>>,
    pub(crate) later: RwSignal<Option<Loading>>,
    pub(crate) is_empty: RwSignal<bool>,
    pub(crate) today: RwSignal<i64>,
    /// Whether the message of the address does not exist.
    pub(crate) is_target_missing: RwSignal<bool>,
    /// For screen readers.
    pub(crate) announcements: RwSignal<Announcements>,
}

impl ListView {
    pub(crate) fn new(
        chat: Chat,
        room_id: String,
        room_name: Signal<String>,
        target: Option<u64>,
    ) -> ListView {
        let place = chat.read(|state| state.place(&room_id));
        let goal = target.map(Goal::Message).or(place.map(Goal::Place));
        chat.set_view(Some((&room_id, goal.is_none())));
        let announced = chat.read_room(&room_id, RoomLog::last).unwrap_or(u64::MAX);
        ListView {
            chat,
            room_id: StoredValue::new(room_id),
            model: StoredValue::new_local(ListModel::new(goal, announced)),
            drawn: StoredValue::new_local(DrawnRows::default()),
            measured: StoredValue::new(Scroll::default()),
            anchor: StoredValue::new_local(None),
            focus_goal: StoredValue::new(None),
            language: use_language(),
            room_name,
            scroller: NodeRef::new(),
            rows: RwSignal::new(Vec::new()),
            highlighted: RwSignal::new(target),
            active: RwSignal::new(None),
            hovered: RwSignal::new(None),
            at_end: RwSignal::new(goal.is_none()),
            has_unread_above: RwSignal::new(false),
            unread: RwSignal::new(0),
            unread_below: RwSignal::new(0),
            earlier: RwSignal::new(None),
            later: RwSignal::new(None),
            is_empty: RwSignal::new(false),
            today: RwSignal::new(day_of(intl::now_ms())),
            is_target_missing: RwSignal::new(false),
            announcements: RwSignal::new(Announcements::default()),
        }
    }

    /// The room's id.
    pub(crate) fn room_id(self) -> String {
        self.room_id.get_value()
    }

    /// Goes to a message, after loading it if necessary.
    pub(crate) fn go_to(self, seq: u64) {
        self.highlighted.set(Some(seq));
        self.to_message(seq);
    }

    /// Goes to the first unread message, after loading it if necessary.
    pub(crate) fn go_to_first_unread(self) {
        let read_seq = self.room_id.with_value(|room_id| self.chat.read_room(room_id, RoomLog::read_seq));
        read_seq.into_iter().for_each(|seq| self.to_message(seq + 1));
    }

    /// Marks all messages as read.
    pub(crate) fn mark_all_read(self) {
        let room_id = self.room_id();
        self.chat
            .read_room(&room_id, RoomLog::last)
            .into_iter()
            .for_each(|last| self.chat.mark_read(&room_id, last));
    }

    fn to_message(self, seq: u64) {
        self.at_end.set(false);
        self.model.update_value(|model| model.go_to(seq));
        self.refresh();
    }

    /// Whether the reader is at the end of the room, and the newest message is loaded.
    pub(crate) fn is_at_end(self) -> bool {
        let is_drawn = self.model.with_value(|model| model.has_window() && !model.has_goal());
        let is_attached =
            self.room_id.with_value(|room_id| self.chat.read_room(room_id, RoomLog::is_attached));
        is_drawn && is_attached == Some(true) && self.at_end.get_untracked()
    }

    /// Goes to the newest message.
    pub(crate) fn go_to_end(self) {
        let room_id = self.room_id();
        self.at_end.set(true);
        self.highlighted.set(None);
        self.model.update_value(ListModel::go_to_end);
        let is_attached = self.chat.read_room(&room_id, RoomLog::is_attached).unwrap_or(true);
        if !is_attached {
            self.chat.load_history(&room_id, HistoryPage::Newest);
        }
        self.refresh();
    }

    /// Draws the current state, and keeps the reader's place.
    pub(crate) fn refresh(self) {
        let Some(scroller) = self.scroller.get_untracked() else { return };
        let follow = self.at_end.get_untracked();
        let room_id = self.room_id();
        let planned = self.model.try_update_value(|model| {
            let plan = self.chat.read(|state| model.plan(state, &room_id, follow, &day_of))?;
            Some((plan, model.has_goal()))
        });
        let Some(Some((mut plan, has_goal))) = planned else { return };
        if !plan.announcements.is_empty() {
            self.announcements.set(std::mem::take(&mut plan.announcements));
        }
        let loading = |has_more: bool, side| has_more.then(|| self.chat.loading(&room_id, side));
        let edges = [loading(plan.has_earlier, Side::Earlier), loading(plan.has_later, Side::Later)];
        if !has_goal && self.shows(&plan, edges) {
            // Most changes concern other rooms, and measuring is expensive.
            return self.look_again();
        }
        // At the end nothing has to be measured before, and the layout is computed once.
        let anchor = if follow { Anchor::of_focus(&scroller) } else { Anchor::new(&scroller) };
        self.show(plan, edges);
        spawn_local(async move {
            // The effects that draw the rows, and those that they set off.
            leptos::task::tick().await;
            leptos::task::tick().await;
            self.settle(&anchor);
        });
    }

    /// Whether the document shows this plan already.
    fn shows(self, plan: &Plan, [earlier, later]: [Option<Loading>; 2]) -> bool {
        self.drawn.with_value(|drawn| drawn.show(&plan.rows))
            && self.earlier.get_untracked() == earlier
            && self.later.get_untracked() == later
            && self.is_empty.get_untracked() == plan.is_empty
            && self.is_target_missing.get_untracked() == plan.is_target_missing
    }

    fn show(self, plan: Plan, [earlier, later]: [Option<Loading>; 2]) {
        let (language, marked) = untrack(|| (self.language.get(), self.marked()));
        let rows = self.drawn.try_update_value(|drawn| drawn.replace(plan.rows, language, &marked));
        let rows = rows.unwrap_or_default();
        let same_keys = self.rows.with_untracked(|shown| {
            shown.len() == rows.len() && shown.iter().zip(&rows).all(|(one, other)| one.key == other.key)
        });
        if !same_keys {
            self.rows.set(rows);
            self.check_active();
        }
        set_if_changed(self.earlier, earlier);
        set_if_changed(self.later, later);
        set_if_changed(self.is_empty, plan.is_empty);
        set_if_changed(self.is_target_missing, plan.is_target_missing);
        set_if_changed(self.today, day_of(intl::now_ms()));
    }

    fn marked(self) -> Marked {
        Marked { active: self.active.get(), hovered: self.hovered.get(), highlighted: self.highlighted.get() }
    }

    /// Tells the rows of their marks and the language, in an effect.
    pub(crate) fn mark_rows(self) {
        let (language, marked) = (self.language.get(), self.marked());
        self.drawn.with_value(|drawn| drawn.mark(language, &marked));
    }

    /// After the rows have changed: scrolls to the goal or keeps the reader's place, then looks at the result.
    fn settle(self, anchor: &Anchor) {
        let Some(scroller) = self.scroller.try_get_untracked().flatten() else { return };
        anchor.restore_focus(&scroller);
        let goal = self.model.try_update_value(ListModel::take_goal).flatten();
        match goal {
            Some(Goal::Message(seq)) => anchor::show_message(&scroller, seq),
            Some(Goal::Place(place)) => anchor::show_place(&scroller, place),
            Some(Goal::UnreadLine) => anchor::show_unread_line(&scroller),
            Some(Goal::End) => anchor::show_end(&scroller),
            None if self.at_end.get_untracked() => anchor::show_end(&scroller),
            None => anchor.restore(&scroller),
        }
        if goal.is_some() {
            self.reach_focus_goal(&scroller);
        }
        self.look();
    }

    /// The reader has scrolled, or is about to.
    pub(crate) fn touched(self) {
        self.model.update_value(ListModel::touch);
    }

    /// The list was scrolled: by the reader, or by the browser because its size changed. A reader at the end stays there.
    pub(crate) fn scrolled(self) {
        let Some(scroller) = self.scroller.try_get_untracked().flatten() else { return };
        let Some(before) = self.measured.try_get_value() else { return };
        let now = anchor::scroll(&scroller);
        if before.view != now.view || before.content != now.content {
            self.resized();
        } else if before != now {
            self.look();
        }
    }

    /// The list changed its size or its place in the window, or its text breaks at other places.
    pub(crate) fn resized(self) {
        let Some(scroller) = self.scroller.try_get_untracked().flatten() else { return };
        let Some(before) = self.measured.try_get_value() else { return };
        if self.at_end.get_untracked() {
            if before == anchor::scroll(&scroller) {
                // The rows that were drawn last: the end is in view already.
                return;
            }
            anchor::show_end(&scroller);
        } else if before.view == 0.0 {
            // A list that is not displayed loses its scroll position.
            scroller.scroll_to_with_x_and_y(0.0, before.top);
        } else {
            self.anchor.try_with_value(|anchor| anchor.iter().for_each(|anchor| anchor.restore(&scroller)));
        }
        self.look();
    }

    /// The state changed, and the rows did not.
    fn look_again(self) {
        let room_id = self.room_id();
        if self.model.try_with_value(ListModel::has_window).unwrap_or(false) {
            let is_attached = self.chat.read_room(&room_id, RoomLog::is_attached).unwrap_or(false);
            let in_view = self.anchor.try_with_value(|anchor| anchor.as_ref()?.in_view()).flatten();
            return self.mark_read(self.at_end.get_untracked() && is_attached, in_view);
        }
        let first =
            self.model.try_with_value(|model| self.chat.read(|state| model.first_page(state, &room_id)));
        first.flatten().into_iter().for_each(|page| self.load(page));
    }

    /// Follows the reader: moves the window, loads history, marks messages as read.
    pub(crate) fn look(self) {
        let Some(scroller) = self.scroller.try_get_untracked().flatten() else { return };
        let room_id = self.room_id();
        let scroll = anchor::scroll(&scroller);
        if scroll.view == 0.0 {
            // A narrow page shows the rooms instead of the list.
            return self.measured.update_value(|measured| measured.view = 0.0);
        }
        self.measured.set_value(scroll);
        let anchor = Anchor::new(&scroller);
        let (in_view, place) = (anchor.in_view(), anchor.place());
        self.anchor.set_value(Some(anchor));
        let follows_end = self.at_end.get_untracked();
        let look = self.model.try_update_value(|model| {
            self.chat.read(|state| model.look(state, &room_id, scroll, follows_end))
        });
        match look.flatten() {
            None => {}
            Some(Look::LoadFirst(page)) => self.load(page),
            Some(Look::Window { at_end, shows_log_end, moved, earlier, later }) => {
                set_if_changed(self.at_end, at_end);
                self.chat.set_view(Some((&room_id, at_end)));
                self.chat.set_place(&room_id, place.filter(|_| !at_end));
                if moved {
                    return self.refresh();
                }
                earlier.into_iter().chain(later).for_each(|page| self.load(page));
                self.mark_read(shows_log_end, in_view);
            }
        }
    }

    /// Loads a page, unless loading that side failed: then a person decides.
    fn load(self, page: HistoryPage) {
        let (room_id, side) = (self.room_id(), page.side());
        if self.chat.loading(&room_id, side) == Loading::Idle {
            self.chat.load_history(&room_id, page);
        }
        let loading = Some(self.chat.loading(&room_id, side));
        match side {
            Side::Earlier => set_if_changed(self.earlier, loading),
            Side::Later => set_if_changed(self.later, loading),
        }
    }

    /// Marks as read what is in view of the focused window, and counts the unread messages outside of the view.
    fn mark_read(self, shows_log_end: bool, in_view: Option<InView>) {
        let room_id = self.room_id();
        let is_displayed = self.measured.try_with_value(|measured| measured.view > 0.0).unwrap_or(false);
        let is_seen = is_displayed && !document().hidden() && document().has_focus().unwrap_or(true);
        let read_up_to = self.model.try_update_value(|model| {
            self.chat.read(|state| {
                model.read_up_to(state.room(&room_id), is_seen.then_some(in_view), shows_log_end)
            })
        });
        read_up_to.flatten().into_iter().for_each(|seq| self.chat.mark_read(&room_id, seq));
        let unread = self.chat.read_room(&room_id, |room| {
            let above = in_view.is_some_and(|in_view| room.has_unread_before(in_view.first));
            let below = match in_view {
                _ if shows_log_end => 0,
                Some(in_view) => room.unread_after(in_view.last),
                None => room.unread(),
            };
            let wants_line = self.model.try_with_value(|model| model.wants_unread_line(room));
            (above, room.unread(), below, wants_line.unwrap_or(false))
        });
        if let Some((above, unread, below, wants_line)) = unread {
            set_if_changed(self.has_unread_above, above);
            set_if_changed(self.unread, unread);
            set_if_changed(self.unread_below, below);
            if wants_line {
                self.refresh();
            }
        }
    }
}
