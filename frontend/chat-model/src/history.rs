//! Pages of a room's history: which one to ask for, and which are loading.

use std::collections::HashMap;

use proto::chat::v1::{self as pb, list_events_request::Range};

/// Events in a page of history.
const PAGE_EVENTS: u32 = 100;

/// A page of a room's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryPage {
    /// The newest events.
    Newest,
    /// The events before this sequence number.
    Before(u64),
    /// The events after this sequence number.
    After(u64),
    /// The events around this sequence number.
    Around(u64),
}

impl HistoryPage {
    /// The request for this page.
    pub fn request(self, room_id: &str) -> pb::ListEventsRequest {
        let range = match self {
            HistoryPage::Newest => None,
            HistoryPage::Before(seq) => Some(Range::BeforeSeq(seq)),
            HistoryPage::After(seq) => Some(Range::AfterSeq(seq)),
            HistoryPage::Around(seq) => Some(Range::AroundSeq(seq)),
        };
        pb::ListEventsRequest { room_id: room_id.to_owned(), range, limit: PAGE_EVENTS }
    }

    /// The side of the loaded range that this page extends.
    pub fn side(self) -> Side {
        match self {
            HistoryPage::Before(_) => Side::Earlier,
            HistoryPage::Newest | HistoryPage::After(_) | HistoryPage::Around(_) => Side::Later,
        }
    }
}

/// A side of a room's loaded range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Older messages.
    Earlier,
    /// Newer messages, or the first ones to be loaded.
    Later,
}

/// The state of loading one side of a room's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loading {
    /// Not requested.
    #[default]
    Idle,
    /// A call is running.
    Running,
    /// The last call failed. Nothing is loaded until a person asks again.
    Failed,
}

/// The loads of all rooms. At most one runs for each side of a room.
#[derive(Debug, Default)]
pub(crate) struct HistoryLoads(HashMap<(String, Side), Loading>);

impl HistoryLoads {
    pub(crate) fn get(&self, room_id: &str, side: Side) -> Loading {
        self.0.get(&(room_id.to_owned(), side)).copied().unwrap_or_default()
    }

    /// Marks a load as running. Returns false when one runs already.
    pub(crate) fn start(&mut self, room_id: &str, side: Side) -> bool {
        self.0.insert((room_id.to_owned(), side), Loading::Running) != Some(Loading::Running)
    }

    pub(crate) fn finish(&mut self, room_id: &str, side: Side, loading: Loading) {
        self.0.insert((room_id.to_owned(), side), loading);
    }

    /// Lets failed loads be requested again.
    pub(crate) fn forget_failures(&mut self) {
        self.0.retain(|_, loading| *loading != Loading::Failed);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
