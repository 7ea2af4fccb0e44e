//! The list of rooms and the search in it.

use crate::room::RoomLog;

/// Rooms that a search offers at most.
const MAX_FOUND: usize = 8;

/// A room in the list of rooms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoomSummary {
    /// The room's id.
    pub id: String,
    /// The room's name.
    pub name: String,
    /// Unread messages.
    pub unread: u32,
}

impl RoomSummary {
    /// The summary of a room.
    pub fn of(room: &RoomLog) -> RoomSummary {
        RoomSummary { id: room.id().to_owned(), name: room.name().to_owned(), unread: room.unread() }
    }

    /// Whether the summary still describes the room.
    pub fn describes(&self, room: &RoomLog) -> bool {
        self.unread == room.unread() && self.id == room.id() && self.name == room.name()
    }
}

/// The rooms whose names contain `query` without regard to case; names that begin with it come first, and without a query unread rooms.
/// `lower_case` converts a text to lower case.
pub fn search(rooms: &[RoomSummary], query: &str, lower_case: fn(&str) -> String) -> Vec<RoomSummary> {
    let query = lower_case(query.trim());
    let matches = |room: &&RoomSummary| lower_case(&room.name).contains(&query);
    let mut found: Vec<RoomSummary> = rooms.iter().filter(matches).cloned().collect();
    // A stable sort: within each half the rooms keep their order.
    found.sort_by_key(|room| {
        let begins = lower_case(&room.name).starts_with(&query);
        (!begins, query.is_empty() && room.unread == 0)
    });
    found.truncate(MAX_FOUND);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(query: &str) -> Vec<String> {
        let rooms = [("general", 0), ("Rust", 2), ("trust", 0), ("设计", 1)]
            .map(|(name, unread)| RoomSummary { id: name.to_owned(), name: name.to_owned(), unread });
        search(&rooms, query, |text| text.to_lowercase()).into_iter().map(|room| room.name).collect()
    }

    #[test]
    fn names_that_begin_with_the_query_come_first() {
        assert_eq!(names("rust"), ["Rust", "trust"]);
        assert_eq!(names("设"), ["设计"]);
        assert_eq!(names("xyz"), Vec::<String>::new());
    }

    #[test]
    fn unread_rooms_come_first_without_a_query() {
        assert_eq!(names(" "), ["Rust", "设计", "general", "trust"]);
        assert_eq!(names("e"), ["general"]);
    }
}
