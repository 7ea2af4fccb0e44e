//! The list of rooms and the search in it.

use crate::{find::find, room::RoomLog};

/// Rooms that a search offers at most.
const MAX_FOUND: usize = 8;

/// A room in the list of rooms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RoomSummary {
    /// The room's id.
    pub id: String,
    /// The room's name.
    pub name: String,
    /// Unread messages.
    pub unread: u32,
    /// Time of the newest event that is known, in milliseconds since the Unix epoch; 0 while none is.
    pub active_ms: i64,
}

impl RoomSummary {
    /// The summary of a room.
    pub fn of(room: &RoomLog) -> RoomSummary {
        RoomSummary {
            id: room.id().to_owned(),
            name: room.name().to_owned(),
            unread: room.unread(),
            active_ms: room.active_ms(),
        }
    }

    /// Whether the summary still describes the room.
    pub fn describes(&self, room: &RoomLog) -> bool {
        self.unread == room.unread()
            && self.active_ms == room.active_ms()
            && self.id == room.id()
            && self.name == room.name()
    }
}

/// The room that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownRoom {
    /// The room's id.
    pub id: String,
    /// Whether it had unread messages when it was opened.
    pub was_unread: bool,
}

/// The rooms in two sections: unread ones, and the others. The newest activity comes first; rooms whose activity is not known keep
/// their order at the end. The room that is shown stays in its section, so that reading does not move it.
pub fn sections(rooms: &[RoomSummary], shown: &Option<ShownRoom>) -> [Vec<RoomSummary>; 2] {
    let mut sorted = Vec::with_capacity(rooms.len());
    for room in rooms {
        // A sort of the library would be larger in the page, and rooms are few.
        let at = sorted.partition_point(|earlier: &RoomSummary| earlier.active_ms >= room.active_ms);
        sorted.insert(at, room.clone());
    }
    let is_unread = |room: &RoomSummary| match shown {
        Some(shown) if shown.id == room.id => shown.was_unread,
        _ => room.unread > 0,
    };
    let (unread, others) = sorted.into_iter().partition(is_unread);
    [unread, others]
}

/// The rooms whose names have the characters of `query` in its order, without regard to case and spaces: "p39" finds "project 39". Names
/// that begin with it come first, then those that contain it; without a query, unread rooms. `lower_case` converts a text to lower case.
pub fn search(rooms: &[RoomSummary], query: &str, lower_case: fn(&str) -> String) -> Vec<RoomSummary> {
    let query = lower_case(query.trim());
    let mut found: Vec<(usize, &RoomSummary)> =
        rooms.iter().filter_map(|room| Some((distance(&lower_case(&room.name), &query)?, room))).collect();
    // A stable sort: equally good rooms keep their order.
    found.sort_by_key(|(distance, room)| (*distance, query.is_empty() && room.unread == 0));
    found.into_iter().take(MAX_FOUND).map(|(_, room)| room.clone()).collect()
}

/// Distance of a name from a query, where both are in lower case; `None` where it does not match.
fn distance(name: &str, query: &str) -> Option<usize> {
    if name.starts_with(query) {
        return Some(0);
    }
    if find(name, query).is_some() {
        return Some(1);
    }
    let mut letters = name.chars().enumerate();
    let mut wanted = query.chars().filter(|letter| !letter.is_whitespace());
    let mut place = || wanted.next().map(|wanted| Some(letters.find(|(_, letter)| *letter == wanted)?.0));
    let first = place()??;
    let mut last = first;
    while let Some(next) = place() {
        last = next?;
    }
    // The letters that stand close together fit best.
    Some(2 + last - first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(query: &str) -> Vec<String> {
        let rooms = [("general", 0), ("Rust", 2), ("trust", 0), ("设计", 1)].map(|(name, unread)| {
            RoomSummary { id: name.to_owned(), name: name.to_owned(), unread, active_ms: 0 }
        });
        search(&rooms, query, |text| text.to_lowercase()).into_iter().map(|room| room.name).collect()
    }

    #[test]
    fn unread_rooms_and_new_activity_come_first() {
        let rooms = [("general", 0, 0), ("design", 0, 5), ("lunch", 2, 3), ("kept", 0, 9), ("old", 1, 0)]
            .map(|(name, unread, active_ms)| RoomSummary {
                id: name.to_owned(),
                name: name.to_owned(),
                unread,
                active_ms,
            });
        let names =
            |shown| sections(&rooms, &shown).map(|rooms| rooms.into_iter().map(|room| room.name).collect());
        let expected: [Vec<&str>; 2] = [vec!["lunch", "old"], vec!["kept", "design", "general"]];
        assert_eq!(
            names(None),
            expected.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>())
        );
        let shown = |id: &str, was_unread| Some(ShownRoom { id: id.to_owned(), was_unread });
        let [unread, _]: [Vec<String>; 2] = names(shown("kept", true));
        assert_eq!(unread, ["kept", "lunch", "old"]);
        let [unread, _]: [Vec<String>; 2] = names(shown("lunch", false));
        assert_eq!(unread, ["old"]);
    }

    #[test]
    fn names_that_begin_with_the_query_come_first() {
        assert_eq!(names("rust"), ["Rust", "trust"]);
        assert_eq!(names("设"), ["设计"]);
        assert_eq!(names("xyz"), Vec::<String>::new());
    }

    #[test]
    fn a_name_matches_by_its_letters_in_order() {
        assert_eq!(names("gnl"), ["general"]);
        assert_eq!(names("r t"), ["Rust", "trust"]);
        assert_eq!(names("lg"), Vec::<String>::new());
        assert_eq!(distance("project 39", "p39"), Some(11));
        assert_eq!(distance("project 39", "ect 39"), Some(1));
        assert_eq!(distance("project 39", "p93"), None);
        assert_eq!(distance("a", "ab"), None);
    }

    #[test]
    fn unread_rooms_come_first_without_a_query() {
        assert_eq!(names(" "), ["Rust", "设计", "general", "trust"]);
        assert_eq!(names("e"), ["general"]);
    }
}
