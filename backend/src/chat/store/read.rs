//! The read queries. The readers decide when and on which connection they run.

use prost::Message;
use proto::EncodedSubscribeResponse;
use proto::chat::v1 as pb;
use proto::limits::chat::{MAX_PAGE_BYTES, MAX_SESSIONS_PER_USER};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::device::Device;
use super::super::encoding::{EventsFrame, entry_len, fingerprint};
use super::super::session::{SessionView, TokenHash};
use super::super::types::{Marker, PageRange, RoomId, RoomKey, RoomView, User, UserKey};
use super::StoreError;

/// Maximum size of a page's events, bytes: leaves room for the rest of the response below [`MAX_PAGE_BYTES`].
const PAGE_BYTES: usize = MAX_PAGE_BYTES - 1024;

/// A stored session.
#[derive(Clone, Debug)]
pub(in crate::chat) struct SessionRow {
    pub(in crate::chat) user: User,
    pub(in crate::chat) expires_at_ms: i64,
    pub(in crate::chat) last_used_ms: i64,
    /// Whether it has been used since `Join`.
    pub(in crate::chat) used: bool,
}

/// A stored read marker.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::chat) struct StoredMarker {
    pub(in crate::chat) read_seq: u64,
    /// Number of messages in the room up to `read_seq`.
    pub(in crate::chat) read_messages: u64,
    /// Number of the user's own messages above `read_seq`.
    pub(in crate::chat) own_above: u64,
}

impl StoredMarker {
    /// The marker as the user sees it in a room of `messages` messages.
    pub(in crate::chat) fn view(&self, messages: u64) -> Marker {
        let unread = messages.saturating_sub(self.read_messages).saturating_sub(self.own_above);
        Marker { read: self.read_seq, unread: u32::try_from(unread).unwrap_or(u32::MAX) }
    }
}

/// The session with this token, valid or expired.
pub(in crate::chat) fn session(
    connection: &Connection,
    token: &TokenHash,
) -> Result<Option<SessionRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT users.key, users.id, users.name, sessions.expires_at_ms, sessions.used,
                sessions.last_used_ms
         FROM sessions JOIN users ON users.key = sessions.user WHERE sessions.token_hash = ?1",
    )?;
    let row = statement.query_row([token.as_bytes()], |row| {
        let id: String = row.get(1)?;
        let name: String = row.get(2)?;
        let user = User { key: UserKey(row.get(0)?), id: id.into(), name: name.into() };
        Ok(SessionRow { user, expires_at_ms: row.get(3)?, used: row.get(4)?, last_used_ms: row.get(5)? })
    });
    Ok(row.optional()?)
}

/// The sessions of `user` that are valid at `now_ms`, the most recently used first. None counts as connected.
pub(in crate::chat) fn sessions(
    connection: &Connection,
    user: UserKey,
    now_ms: i64,
) -> Result<Vec<SessionView>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT token_hash, client, system, created_at_ms, last_used_ms FROM sessions
         WHERE user = ?1 AND expires_at_ms > ?2 ORDER BY last_used_ms DESC, created_at_ms DESC LIMIT ?3",
    )?;
    let sessions = statement.query_map(params![user.0, now_ms, MAX_SESSIONS_PER_USER], |row| {
        Ok(SessionView {
            token: TokenHash::from_bytes(row.get(0)?),
            device: Device { client: row.get(1)?, system: row.get(2)? },
            created_at_ms: row.get(3)?,
            last_used_ms: row.get(4)?,
            connected: false,
        })
    })?;
    Ok(sessions.collect::<Result<_, _>>()?)
}

/// All rooms as `user` sees them, in order of creation, from one snapshot.
pub(in crate::chat) fn rooms(connection: &Connection, user: UserKey) -> Result<Vec<RoomView>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT rooms.key, rooms.id, rooms.name, rooms.created_at_ms, rooms.epoch,
                last.seq, last.messages,
                coalesce(markers.read_seq, 0), coalesce(markers.read_messages, 0),
                coalesce(markers.own_above, 0), last.event
         FROM rooms
         JOIN events AS last ON last.room = rooms.key
              AND last.seq = (SELECT max(seq) FROM events WHERE room = rooms.key)
         LEFT JOIN markers ON markers.user = ?1 AND markers.room = rooms.key
         ORDER BY rooms.key",
    )?;
    // A single statement reads from a single snapshot.
    statement.query_and_then([user.0], room_view)?.collect()
}

fn room_view(row: &Row<'_>) -> Result<RoomView, StoreError> {
    let id: String = row.get(1)?;
    let name: String = row.get(2)?;
    let key: usize = row.get(0)?;
    let last = blob(row, 10)?;
    let marker = StoredMarker { read_seq: row.get(7)?, read_messages: row.get(8)?, own_above: row.get(9)? };
    let Marker { read, unread } = marker.view(row.get(6)?);
    Ok(RoomView {
        key: RoomKey::from_index(key - 1),
        id: RoomId::new(id),
        name: name.into(),
        created_at_ms: row.get(3)?,
        epoch: row.get::<_, i64>(4)?.cast_unsigned(),
        head: row.get(5)?,
        fingerprint: fingerprint(last),
        head_ms: pb::Event::decode(last)?.created_at_ms,
        read,
        unread,
    })
}

/// The fingerprint of an event; `None` if there is no such event.
pub(in crate::chat) fn fingerprint_at(
    connection: &Connection,
    room: RoomKey,
    seq: u64,
) -> Result<Option<u64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT event FROM events WHERE room = ?1 AND seq = ?2")?;
    let found =
        statement.query_row(params![room.number(), seq], |row| Ok(fingerprint(row.get_ref(0)?.as_blob()?)));
    Ok(found.optional()?)
}

/// Reads the stored events above `after`, up to `head` and about `budget` bytes. Returns them as frames, with the number
/// of the last one.
pub(in crate::chat) fn replay_page(
    connection: &Connection,
    room: RoomKey,
    after: u64,
    head: u64,
    budget: usize,
) -> Result<(Vec<EncodedSubscribeResponse>, u64), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, event FROM events WHERE room = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq",
    )?;
    let mut rows = statement.query(params![room.number(), after, head])?;
    let mut frames = Vec::new();
    let mut frame = EventsFrame::new();
    frame.reserve_full();
    let (mut last, mut bytes) = (after, 0);
    while let Some(row) = rows.next()? {
        if row.get::<_, u64>(0)? != last + 1 {
            break;
        }
        let event = blob(row, 1)?;
        frame.push(event);
        last += 1;
        bytes += event.len();
        if frame.is_full() {
            frames.push(frame.finish());
            if bytes >= budget {
                break;
            }
            frame.reserve_full();
        }
    }
    if !frame.is_empty() {
        frames.push(frame.finish());
    }
    if last == after && last < head {
        return Err(StoreError::Gap { room: room.number(), after });
    }
    Ok((frames, last))
}

/// A page of a room's log.
#[derive(Debug)]
pub(in crate::chat) struct EventsPage {
    pub(in crate::chat) events: Vec<pb::Event>,
    pub(in crate::chat) head: u64,
    /// Fingerprint of the event at `head`.
    pub(in crate::chat) head_fingerprint: u64,
    pub(in crate::chat) has_earlier: bool,
    pub(in crate::chat) has_later: bool,
}

/// The requested page of `room`, at most `limit` events and about 1 MiB.
pub(in crate::chat) fn page(
    connection: &Connection,
    room: RoomKey,
    range: PageRange,
    limit: u64,
) -> Result<EventsPage, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let head: u64 = snapshot
        .prepare_cached("SELECT max(seq) FROM events WHERE room = ?1")?
        .query_row([room.number()], |row| row.get(0))?;
    let (first, last) = wanted(range, limit, head);
    let (first, last) = fitting(&snapshot, room, range, first, last)?;
    let mut statement = snapshot
        .prepare_cached("SELECT event FROM events WHERE room = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq")?;
    let mut rows = statement.query(params![room.number(), first, last])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let event = pb::Event::decode(blob(row, 0)?)?;
        if event.seq != first + events.len() as u64 {
            return Err(StoreError::Gap { room: room.number(), after: event.seq - 1 });
        }
        events.push(event);
    }
    // Every room has an event; 0 means unknown.
    let head_fingerprint = fingerprint_at(&snapshot, room, head)?.unwrap_or(0);
    Ok(EventsPage { events, head, head_fingerprint, has_earlier: first > 1, has_later: last < head })
}

/// First and last number of the page, without regard to its size in bytes. An empty page has a first number one above the
/// last.
fn wanted(range: PageRange, limit: u64, head: u64) -> (u64, u64) {
    match range {
        PageRange::Newest => ((head + 1).saturating_sub(limit).max(1), head),
        PageRange::Before(seq) => {
            let last = seq.saturating_sub(1).min(head);
            ((last + 1).saturating_sub(limit).max(1), last)
        }
        PageRange::After(seq) => {
            let first = seq.min(head) + 1;
            (first, (first - 1).saturating_add(limit).min(head))
        }
        PageRange::Around(seq) => {
            let middle = seq.clamp(1, head);
            let last = (middle + limit / 2).min(head);
            let first = (last + 1).saturating_sub(limit).max(1);
            (first, (first - 1 + limit).min(head))
        }
    }
}

/// The part of `first..=last` that fits [`PAGE_BYTES`], beginning at the end that `range` counts from. One event always
/// fits.
fn fitting(
    connection: &Connection,
    room: RoomKey,
    range: PageRange,
    first: u64,
    last: u64,
) -> Result<(u64, u64), StoreError> {
    if first > last {
        return Ok((first, last));
    }
    let mut statement = connection.prepare_cached(
        "SELECT length(event) FROM events WHERE room = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq",
    )?;
    let sizes: Vec<usize> = statement
        .query_map(params![room.number(), first, last], |row| row.get::<_, usize>(0))?
        .map(|size| size.map(entry_len))
        .collect::<Result<_, _>>()?;
    if sizes.len() as u64 != last - first + 1 {
        return Err(StoreError::Gap { room: room.number(), after: first + sizes.len() as u64 });
    }
    let start = match range {
        PageRange::After(_) => 0,
        PageRange::Newest | PageRange::Before(_) => sizes.len() - 1,
        PageRange::Around(seq) => (seq.clamp(first, last) - first) as usize,
    };
    let (from, to) = grow(&sizes, start, PAGE_BYTES);
    Ok((first + from as u64, first + to as u64))
}

/// Extends a range from `start` to both sides in turn, until no neighbour fits into `budget`.
fn grow(sizes: &[usize], start: usize, budget: usize) -> (usize, usize) {
    let (mut from, mut to) = (start, start);
    let mut bytes = sizes[start];
    loop {
        let before = (from, to);
        if from > 0 && bytes + sizes[from - 1] <= budget {
            from -= 1;
            bytes += sizes[from];
        }
        if to + 1 < sizes.len() && bytes + sizes[to + 1] <= budget {
            to += 1;
            bytes += sizes[to];
        }
        if before == (from, to) {
            return before;
        }
    }
}

fn blob<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a [u8], StoreError> {
    let value = row.get_ref(column)?;
    value.as_blob().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, value.data_type(), Box::new(error)).into()
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::encoding::FRAME_BYTES;
    use super::super::schema;
    use super::*;

    #[test]
    fn page_range_is_inside_the_log() {
        use PageRange::*;
        let table = [
            (Newest, 3, 10, (8, 10)),
            (Newest, 30, 10, (1, 10)),
            (Before(8), 3, 10, (5, 7)),
            (Before(2), 3, 10, (1, 1)),
            (Before(1), 3, 10, (1, 0)),
            (Before(0), 3, 10, (1, 0)),
            (Before(u64::MAX), 3, 10, (8, 10)),
            (After(0), 3, 10, (1, 3)),
            (After(8), 3, 10, (9, 10)),
            (After(10), 3, 10, (11, 10)),
            (After(u64::MAX), 3, 10, (11, 10)),
            (Around(5), 3, 10, (4, 6)),
            (Around(5), 4, 10, (4, 7)),
            (Around(5), 1, 10, (5, 5)),
            (Around(1), 3, 10, (1, 3)),
            (Around(0), 3, 10, (1, 3)),
            (Around(10), 3, 10, (8, 10)),
            (Around(99), 3, 10, (8, 10)),
            (Around(5), 30, 10, (1, 10)),
        ];
        for (range, limit, head, expected) in table {
            assert_eq!(wanted(range, limit, head), expected, "{range:?} limit {limit} head {head}");
        }
    }

    #[test]
    fn oversized_page_is_cut_on_both_sides_of_its_start() {
        let sizes = [4, 4, 4, 4, 4];
        assert_eq!(grow(&sizes, 2, 12), (1, 3));
        assert_eq!(grow(&sizes, 0, 8), (0, 1));
        assert_eq!(grow(&sizes, 4, 9), (3, 4));
        assert_eq!(grow(&sizes, 2, 1), (2, 2));
        assert_eq!(grow(&sizes, 2, 100), (0, 4));
        // A large neighbour on one side does not stop the other side.
        assert_eq!(grow(&[4, 100, 4, 4, 4], 2, 12), (2, 4));
    }

    /// A database with a room of these events.
    fn room_of(events: impl IntoIterator<Item = Vec<u8>>) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        connection.execute("INSERT INTO rooms VALUES (1, 'room', 'Room', 'room', 1, 0)", []).unwrap();
        for (event, seq) in events.into_iter().zip(1..) {
            connection.execute("INSERT INTO events VALUES (1, ?1, 0, 0, ?2)", params![seq, event]).unwrap();
        }
        connection
    }

    #[test]
    fn page_of_long_events_is_cut_around_its_middle() {
        let long = |seq| pb::Event { seq, room_id: "x".repeat(PAGE_BYTES / 3 - 100), ..Default::default() };
        let connection = room_of((1..10).map(|seq| long(seq).encode_to_vec()));
        for (limit, middle, seqs) in [(9, 5, [4, 5, 6]), (5, 6, [5, 6, 7]), (5, 9, [7, 8, 9])] {
            let page = page(&connection, RoomKey::from_index(0), PageRange::Around(middle), limit).unwrap();
            assert!(page.events.iter().map(|event| event.seq).eq(seqs), "around {middle}");
        }
    }

    #[test]
    fn replay_goes_on_after_a_full_page_and_fails_at_a_gap() {
        let connection = room_of((0..3).map(|_| vec![0; FRAME_BYTES]));
        let replay = |after| {
            let page = replay_page(&connection, RoomKey::from_index(0), after, 3, FRAME_BYTES);
            page.map(|(frames, last)| (frames.len(), last))
        };
        for after in 0..3 {
            assert_eq!(replay(after).unwrap(), (1, after + 1), "a page of one event, and no gap behind it");
        }
        assert_eq!(replay(3).unwrap(), (0, 3));

        connection.execute("DELETE FROM events WHERE seq = 2", []).unwrap();
        assert_eq!(replay(0).unwrap(), (1, 1), "the events before the gap are served");
        assert!(matches!(replay(1).unwrap_err(), StoreError::Gap { room: 1, after: 1 }));
    }
}
