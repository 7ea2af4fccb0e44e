//! Checks a database: its structure, and every redundancy in its content.

use std::collections::HashMap;
use std::path::Path;

use prost::Message as _;
use proto::chat::v1::{self as pb, event::Body};
use rusqlite::{Connection, params};

use super::schema::{self, Found};
use super::{CopyError, DATABASE_FILE, StoreError, open_reader};
use crate::error_chain::ErrorChain;

/// Maximum number of reported findings; further ones are counted.
pub const MAX_FINDINGS: usize = 100;

/// Result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Number of rooms.
    pub rooms: u64,
    /// Number of events of all rooms.
    pub events: u64,
    /// The findings, one sentence each; at most [`MAX_FINDINGS`].
    pub findings: Vec<String>,
    /// Number of further findings.
    pub omitted: u64,
}

impl CheckReport {
    fn add(&mut self, finding: String) {
        if self.findings.len() < MAX_FINDINGS { self.findings.push(finding) } else { self.omitted += 1 }
    }
}

/// Checks the database in `folder`, which a server may be using. Changes nothing. Must not be called in the server's process:
/// on Unix, closing a file drops all locks of the process on it, including SQLite's.
pub fn check(folder: &Path) -> Result<CheckReport, CopyError> {
    let path = folder.join(DATABASE_FILE);
    if !folder.is_dir() || schema::check_read_only(&path)? == Found::Nothing {
        return Err(CopyError::NoDatabase { path: folder.to_owned() });
    }
    let connection = open_reader(&path)?;
    // One snapshot for all comparisons.
    let snapshot = connection.unchecked_transaction()?;
    let mut report = CheckReport::default();
    for (what, check) in CHECKS {
        if let Err(error) = check(&snapshot, &mut report) {
            report.add(format!("the {what} cannot be read: {}", ErrorChain(&error)));
        }
    }
    Ok(report)
}

type Check = fn(&Connection, &mut CheckReport) -> Result<(), StoreError>;

const CHECKS: [(&str, Check); 5] = [
    ("structure", check_structure),
    ("references", check_references),
    ("rooms", check_rooms),
    ("operations", check_operations),
    ("names", check_names),
];

/// Runs SQLite's own check.
fn check_structure(connection: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({MAX_FINDINGS})"))?;
    for line in statement.query_map([], |row| row.get::<_, String>(0))? {
        let line = line?;
        if line != "ok" {
            report.add(format!("structure: {line}"));
        }
    }
    Ok(())
}

fn check_references(connection: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(2)?)))?;
    for row in rows {
        let (from, to) = row?;
        report.add(format!("{from}: a row refers to one of {to} that does not exist"));
    }
    Ok(())
}

fn check_rooms(connection: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT key, id FROM rooms ORDER BY key")?;
    let rooms = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))?;
    for room in rooms {
        let (key, id) = room?;
        report.rooms += 1;
        if u64::from(key) != report.rooms {
            report.add(format!("room {key}: the rooms' numbers are not dense"));
        }
        RoomCheck::new(connection, key, &id)?.run(connection, report)?;
    }
    Ok(())
}

/// A room's log, read from its beginning, and the recount.
struct RoomCheck<'a> {
    key: u32,
    id: &'a str,
    head: u64,
    messages: u64,
    last_ms: i64,
    /// By user.
    markers: HashMap<i64, MarkerCheck>,
    /// Users by the event that their marker stands at.
    markers_at: HashMap<u64, Vec<i64>>,
}

/// A stored marker and its recount.
#[derive(Default)]
struct MarkerCheck {
    read_seq: u64,
    stored: (u64, u64),
    counted: (u64, u64),
}

impl<'a> RoomCheck<'a> {
    fn new(connection: &Connection, key: u32, id: &'a str) -> Result<Self, StoreError> {
        let (mut markers, mut markers_at) = (HashMap::new(), HashMap::<_, Vec<_>>::new());
        let mut statement = connection
            .prepare_cached("SELECT user, read_seq, read_messages, own_above FROM markers WHERE room = ?1")?;
        let mut rows = statement.query([key])?;
        while let Some(row) = rows.next()? {
            let (user, read_seq) = (row.get(0)?, row.get(1)?);
            let stored = (row.get(2)?, row.get(3)?);
            markers.insert(user, MarkerCheck { read_seq, stored, counted: (0, 0) });
            markers_at.entry(read_seq).or_default().push(user);
        }
        Ok(Self { key, id, head: 0, messages: 0, last_ms: i64::MIN, markers, markers_at })
    }

    fn run(mut self, connection: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
        let mut statement = connection.prepare_cached(
            "SELECT seq, messages, message_author, event, users.id
             FROM events LEFT JOIN users ON users.key = events.message_author WHERE room = ?1 ORDER BY seq",
        )?;
        let mut rows = statement.query([self.key])?;
        while let Some(row) = rows.next()? {
            let (seq, messages, author) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let event = pb::Event::decode(row.get::<_, Vec<u8>>(3)?.as_slice());
            let author_id: Option<String> = row.get(4)?;
            self.check_numbers(report, seq, messages, author);
            match event {
                Ok(event) => self.check_event(report, seq, &event, author, author_id.as_deref()),
                Err(error) => {
                    report.add(format!("room {}, event {seq}: it cannot be decoded: {error}", self.key));
                }
            }
        }
        report.events += self.head;
        if self.head == 0 {
            report.add(format!("room {}: it has no event", self.key));
        }
        self.check_markers(report);
        Ok(())
    }

    /// Checks the numbers of one event.
    fn check_numbers(&mut self, report: &mut CheckReport, seq: u64, messages: u64, author: i64) {
        let key = self.key;
        if seq != self.head + 1 {
            report.add(format!("room {key}: event {seq} follows event {}", self.head));
        }
        self.head = seq;
        self.messages += u64::from(author != 0);
        if messages != self.messages {
            let counted = self.messages;
            report.add(format!(
                "room {key}, event {seq}: messages is {messages}, and a recount says {counted}"
            ));
        }
        for user in self.markers_at.get(&seq).into_iter().flatten() {
            if let Some(marker) = self.markers.get_mut(user) {
                marker.counted.0 = self.messages;
            }
        }
        if author != 0 {
            match self.markers.get_mut(&author) {
                Some(marker) => marker.counted.1 += u64::from(seq > marker.read_seq),
                None => report.add(format!("room {key}, event {seq}: its author {author} has no marker")),
            }
        }
    }

    /// Compares the encoded event with its columns.
    fn check_event(
        &mut self,
        report: &mut CheckReport,
        seq: u64,
        event: &pb::Event,
        author: i64,
        author_id: Option<&str>,
    ) {
        let mut wrong =
            |field: &str| report.add(format!("room {}, event {seq}: {field} does not agree", self.key));
        if event.room_id != self.id {
            wrong("room_id");
        }
        if event.seq != seq {
            wrong("seq");
        }
        if event.created_at_ms < self.last_ms {
            wrong("created_at_ms");
        }
        self.last_ms = event.created_at_ms;
        if matches!(event.body, Some(Body::MessagePosted(_))) != (author != 0) {
            wrong("message_author");
        } else if author != 0 && event.author.as_ref().map(|user| user.id.as_str()) != author_id {
            wrong("author");
        }
    }

    fn check_markers(&self, report: &mut CheckReport) {
        for (user, marker) in &self.markers {
            let (stored, counted) = (marker.stored, marker.counted);
            let at = format!("room {}, marker of user {user}", self.key);
            if marker.read_seq > self.head {
                report.add(format!(
                    "{at}: read_seq is {}, above the last event {}",
                    marker.read_seq, self.head
                ));
            } else if stored.0 != counted.0 {
                report.add(format!("{at}: read_messages is {}, and a recount says {}", stored.0, counted.0));
            }
            if stored.1 != counted.1 {
                report.add(format!("{at}: own_above is {}, and a recount says {}", stored.1, counted.1));
            }
        }
    }
}

/// Checks that every operation leads to its event, and that no event lacks its operation.
fn check_operations(connection: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut found = connection.prepare(
        "SELECT operations.room, operations.seq, users.id, operations.operation_id, events.event FROM operations
         LEFT JOIN users ON users.key = operations.author
         LEFT JOIN events ON events.room = operations.room AND events.seq = operations.seq",
    )?;
    let mut rows = found.query([])?;
    let mut operations = 0;
    while let Some(row) = rows.next()? {
        operations += 1;
        let (room, seq): (u32, u64) = (row.get(0)?, row.get(1)?);
        let (author, operation): (Option<String>, Vec<u8>) = (row.get(2)?, row.get(3)?);
        let event = row.get::<_, Option<Vec<u8>>>(4)?.map(|event| pb::Event::decode(event.as_slice()));
        // An event that cannot be decoded was reported with the rooms.
        let leads = match event {
            Some(Ok(event)) => event.operation_id == operation && event.author.map(|user| user.id) == author,
            Some(Err(_)) => true,
            None => false,
        };
        if !leads {
            report.add(format!("operations: room {room}, event {seq} is not the event of its operation"));
        }
    }
    // Events with an operation: every message, and the first event of every room except general.
    let events: u64 = connection.query_row(
        "SELECT (SELECT count(*) FROM events WHERE message_author != 0)
              + (SELECT count(*) FROM events WHERE seq = 1 AND room > 1)",
        params![],
        |row| row.get(0),
    )?;
    if operations != events {
        report.add(format!("operations: there are {operations}, and {events} events that have one"));
    }
    Ok(())
}

fn check_names(connection: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let sessions: u64 = connection.query_row(
        "SELECT count(*) FROM sessions JOIN users ON users.key = sessions.user WHERE users.live = 0",
        [],
        |row| row.get(0),
    )?;
    if sessions > 0 {
        report.add(format!("sessions: {sessions} belong to users whose names are free"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_over_the_limit_are_counted() {
        let mut report = CheckReport::default();
        for number in 0..MAX_FINDINGS + 5 {
            report.add(format!("finding {number}"));
        }
        assert_eq!((report.findings.len(), report.omitted), (MAX_FINDINGS, 5));
        assert_eq!(report.findings.last().map(String::as_str), Some("finding 99"));
    }

    #[test]
    fn room_without_an_event_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let opened = super::super::open(folder.path(), None).unwrap();
        let database = Connection::open(&opened.path).unwrap();
        database.execute("INSERT INTO rooms VALUES (1, 'room', 'Room', 'room', 1, 0)", []).unwrap();
        drop((database, opened));

        let report = check(folder.path()).unwrap();

        assert_eq!((report.rooms, report.events), (1, 0));
        assert_eq!(report.findings, ["room 1: it has no event"]);
    }
}
