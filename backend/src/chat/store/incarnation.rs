//! The database's incarnation: a random number that is renewed at each opening, and repeated in the head file.
//!
//! If the two differ, or the head file counts more events than the database has, the database is an older copy. Then all
//! rooms get new epochs, so that every client's cursor is LOST and none continues a lost history.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::super::random;
use super::head::{Head, HeadFile};
use super::{OpenError, StoreError, followed_log};

/// The incarnations in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored {
    /// That of the last opening.
    current: u64,
    /// The one before. The head file still has it if a start was killed between the two writes.
    previous: u64,
}

/// Relation between the database and the head file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// The head file belongs to this database.
    Same,
    /// The database was never opened with a head file.
    First,
    /// The database is an older copy, or came from elsewhere.
    OlderCopy(&'static str),
}

fn relate(stored: Option<Stored>, head: Option<Head>, events: u64) -> Relation {
    let (stored, head) = match (stored, head) {
        (None, None) => return Relation::First,
        // A new database, or one of an older program version, in a folder that had another one.
        (None, Some(head)) if events == 0 || head.events <= events => return Relation::First,
        (None, Some(_)) => return Relation::OlderCopy("it has fewer events than the head file counts"),
        (Some(_), None) => return Relation::OlderCopy("its head file is missing"),
        (Some(stored), Some(head)) => (stored, head),
    };
    if head.incarnation != stored.current && head.incarnation != stored.previous {
        return Relation::OlderCopy("it is not the one that was opened here last");
    }
    if head.events > events {
        return Relation::OlderCopy("it has fewer events than the head file counts");
    }
    Relation::Same
}

/// Gives the database in `folder` a new incarnation, and new epochs to its rooms if it is an older copy that `renews` them. One
/// that follows a log does not: the log has what it lacks.
pub(super) fn begin(
    connection: &mut Connection,
    folder: &Path,
    head: Option<Head>,
    renews: bool,
) -> Result<HeadFile, OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let stored = stored(&transaction)?;
    let events = count_events(&transaction)?;
    let incarnation = random::epoch()?;
    let fresh = Head { incarnation, events, closed: None };
    match relate(stored, head, events) {
        Relation::Same => {}
        // The head file first: after a kill in between, the next start finds the database as it was.
        Relation::First => drop(HeadFile::write(folder, fresh)?),
        Relation::OlderCopy(_) if !renews => {}
        Relation::OlderCopy(reason) => {
            tracing::warn!(
                reason,
                "the database is an older copy, or was brought here from elsewhere: all rooms get new epochs, \
                 and clients read them anew"
            );
            renew_epochs(&transaction)?;
        }
    }
    let previous = match (stored, head) {
        // After several starts that were killed before they wrote the head file, it still has this one.
        (Some(old), Some(head)) if head.incarnation == old.previous => old.previous,
        (Some(old), _) => old.current,
        (None, _) => incarnation,
    };
    store(&transaction, Stored { current: incarnation, previous })?;
    transaction.commit()?;
    HeadFile::write(folder, fresh)
}

/// Gives a backup an incarnation that matches no head file, so that it counts as an older copy wherever it is put. It follows no
/// log.
pub(super) fn detach(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    store(&transaction, Stored { current: random::epoch()?, previous: random::epoch()? })?;
    followed_log::detach(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// Gives the database a new incarnation and its rooms new epochs in any case, and lets it follow no log. Returns the matching
/// head for a database that is not open.
pub(super) fn renew(connection: &mut Connection) -> Result<Head, OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (incarnation, events) = (random::epoch()?, count_events(&transaction)?);
    store(&transaction, Stored { current: incarnation, previous: incarnation })?;
    followed_log::detach(&transaction)?;
    renew_epochs(&transaction)?;
    transaction.commit()?;
    Ok(Head { incarnation, events, closed: None })
}

/// The head that matches a database that is not open.
pub(super) fn head(connection: &Connection) -> Result<Head, OpenError> {
    let incarnation = match stored(connection)? {
        Some(stored) => stored.current,
        None => random::epoch()?,
    };
    Ok(Head { incarnation, events: count_events(connection)?, closed: None })
}

fn stored(connection: &Connection) -> Result<Option<Stored>, rusqlite::Error> {
    connection
        .query_row("SELECT current, previous FROM incarnation", [], |row| {
            let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
            Ok(Stored { current: number(0)?, previous: number(1)? })
        })
        .optional()
}

fn store(transaction: &Transaction<'_>, stored: Stored) -> Result<(), rusqlite::Error> {
    transaction.execute(
        "INSERT INTO incarnation (one, current, previous, written_ms) VALUES (1, ?1, ?2, 0)
         ON CONFLICT DO UPDATE SET current = ?1, previous = ?2",
        params![stored.current.cast_signed(), stored.previous.cast_signed()],
    )?;
    Ok(())
}

/// Number of events of all rooms. Their numbers are dense, so the last one of a room is its count.
fn count_events(connection: &Connection) -> Result<u64, rusqlite::Error> {
    connection.query_row(
        "SELECT coalesce(sum((SELECT max(seq) FROM events WHERE room = rooms.key)), 0) FROM rooms",
        [],
        |row| row.get(0),
    )
}

/// Gives every room a new epoch.
fn renew_epochs(transaction: &Transaction<'_>) -> Result<(), OpenError> {
    let mut statement = transaction.prepare("SELECT key FROM rooms")?;
    let rooms: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for room in rooms {
        transaction.execute(
            "UPDATE rooms SET epoch = ?2 WHERE key = ?1",
            params![room, random::epoch()?.cast_signed()],
        )?;
    }
    Ok(())
}

/// The time of the last [`probe`].
pub(super) fn written_ms(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.query_row("SELECT written_ms FROM incarnation", [], |row| row.get(0))
}

/// Writes a row without meaning to test whether the disk accepts writes.
pub(super) fn probe(connection: &Connection, now_ms: i64) -> Result<(), StoreError> {
    connection.prepare_cached("UPDATE incarnation SET written_ms = ?1")?.execute([now_ms])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    #[test]
    fn older_copy_is_detected_by_incarnation_or_event_count() {
        let stored = Some(Stored { current: 2, previous: 1 });
        let head = |incarnation, events| Some(Head { incarnation, events, closed: None });
        for (stored, head, is_older) in [
            (None, None, false),
            (None, head(9, 10), false),
            (None, head(9, 11), true),
            (stored, None, true),
            (stored, head(2, 10), false),
            (stored, head(2, 9), false),
            (stored, head(2, 11), true),
            // A start was killed between the two writes.
            (stored, head(1, 10), false),
            (stored, head(1, 11), true),
            (stored, head(3, 10), true),
        ] {
            let relation = relate(stored, head, 10);
            let found = matches!(relation, Relation::OlderCopy(_));
            assert_eq!(found, is_older, "{stored:?} {head:?}: {relation:?}");
        }
    }

    #[test]
    fn head_file_stays_valid_after_several_killed_starts() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        begin(&mut connection, folder.path(), None, true).unwrap();
        let written = stored(&connection).unwrap().unwrap().current;
        let head = Some(Head { incarnation: written, events: 0, closed: None });

        for _ in 0..3 {
            // The new head file is written to another folder.
            let elsewhere = tempfile::tempdir().unwrap();
            begin(&mut connection, elsewhere.path(), head, true).unwrap();
            let relation = relate(stored(&connection).unwrap(), head, 0);
            assert!(matches!(relation, Relation::Same), "{relation:?}");
        }
    }

    #[test]
    fn rooms_of_an_older_copy_get_new_epochs_unless_a_log_has_what_it_lacks() {
        for renews in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let mut connection = Connection::open_in_memory().unwrap();
            schema::migrate(&mut connection).unwrap();
            connection.execute("INSERT INTO rooms VALUES (1, 'room', 'Room', 'room', 7, 0)", []).unwrap();
            let epoch = |connection: &Connection| -> i64 {
                connection.query_row("SELECT epoch FROM rooms", [], |row| row.get(0)).unwrap()
            };
            begin(&mut connection, folder.path(), None, renews).unwrap();
            assert_eq!(epoch(&connection), 7, "it was never opened before");
            // Now it was, and its head file is missing.
            begin(&mut connection, folder.path(), None, renews).unwrap();
            assert_eq!(epoch(&connection) != 7, renews);
        }
    }
}
