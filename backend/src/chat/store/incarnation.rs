//! The database's incarnation: a random number that it is given each time it is opened, and that the head file
//! beside it repeats.
//!
//! When the two do not agree, or the head file knows of more events than the database has, the database is
//! an older copy. Then all rooms get new epochs, so that every client's cursor is LOST and none continues a
//! history that is gone.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::super::random;
use super::head::{Head, HeadFile};
use super::{OpenError, StoreError};

/// What the database says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored {
    /// The incarnation of the last opening.
    current: u64,
    /// The one before. The head file still has it when a start was killed between the two writes.
    previous: u64,
}

/// How the database relates to the head file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// It is the one that the folder had.
    Same,
    /// It has never been opened with a head file.
    First,
    /// It is an older copy, or came from elsewhere.
    WentBack(&'static str),
}

fn judge(stored: Option<Stored>, head: Option<Head>, events: u64) -> Judgement {
    let (stored, head) = match (stored, head) {
        (None, None) => return Judgement::First,
        // A new database, or one of an older version of this program, in a folder that had another.
        (None, Some(head)) if events == 0 || head.events <= events => return Judgement::First,
        (None, Some(_)) => return Judgement::WentBack("it has fewer events than the head file counts"),
        (Some(_), None) => return Judgement::WentBack("its head file is missing"),
        (Some(stored), Some(head)) => (stored, head),
    };
    if head.incarnation != stored.current && head.incarnation != stored.previous {
        return Judgement::WentBack("it is not the one that was opened here last");
    }
    if head.events > events {
        return Judgement::WentBack("it has fewer events than the head file counts");
    }
    Judgement::Same
}

/// Gives the database in `folder` a new incarnation, and its rooms new epochs when it is an older copy.
pub(super) fn begin(
    connection: &mut Connection,
    folder: &Path,
    head: Option<Head>,
) -> Result<HeadFile, OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let stored = stored(&transaction)?;
    let events = count_events(&transaction)?;
    let incarnation = random::epoch()?;
    let fresh = Head { incarnation, events, closed: None };
    match judge(stored, head, events) {
        Judgement::Same => {}
        // The head file goes first: killed in between, the next start finds the database as it was.
        Judgement::First => drop(HeadFile::write(folder, fresh)?),
        Judgement::WentBack(reason) => {
            tracing::warn!(
                reason,
                "the database is an older copy, or was brought here from elsewhere: all rooms get new epochs, \
                 and clients read them anew"
            );
            renew_epochs(&transaction)?;
        }
    }
    let previous = match (stored, head) {
        // Several starts were interrupted before the head file was written: it still says what it said.
        (Some(old), Some(head)) if head.incarnation == old.previous => old.previous,
        (Some(old), _) => old.current,
        (None, _) => incarnation,
    };
    store(&transaction, Stored { current: incarnation, previous })?;
    transaction.commit()?;
    HeadFile::write(folder, fresh)
}

/// Makes a copy one that no head file agrees with, so that wherever it is put it counts as an older copy.
pub(super) fn disown(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    store(&transaction, Stored { current: random::epoch()?, previous: random::epoch()? })?;
    transaction.commit()?;
    Ok(())
}

/// Gives the database a new incarnation and its rooms new epochs, whatever it was before. Returns what its head file
/// has to say while nobody uses it.
pub(super) fn renew(connection: &mut Connection) -> Result<Head, OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (incarnation, events) = (random::epoch()?, count_events(&transaction)?);
    store(&transaction, Stored { current: incarnation, previous: incarnation })?;
    renew_epochs(&transaction)?;
    transaction.commit()?;
    Ok(Head { incarnation, events, closed: None })
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

/// The events of all rooms. Their numbers are dense, so the last one of each room counts them.
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

/// The row that a writer changes to find out whether the disk takes writes again.
pub(super) fn probe(connection: &Connection, now_ms: i64) -> Result<(), StoreError> {
    connection.prepare_cached("UPDATE incarnation SET written_ms = ?1")?.execute([now_ms])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    #[test]
    fn an_older_copy_is_known_by_its_incarnation_or_by_its_events() {
        let stored = Some(Stored { current: 2, previous: 1 });
        let head = |incarnation, events| Some(Head { incarnation, events, closed: None });
        for (stored, head, went_back) in [
            (None, None, false),
            (None, head(9, 10), false),
            (None, head(9, 11), true),
            (stored, None, true),
            (stored, head(2, 10), false),
            (stored, head(2, 9), false),
            (stored, head(2, 11), true),
            // Killed between the two writes of a start.
            (stored, head(1, 10), false),
            (stored, head(1, 11), true),
            (stored, head(3, 10), true),
        ] {
            let judgement = judge(stored, head, 10);
            let found = matches!(judgement, Judgement::WentBack(_));
            assert_eq!(found, went_back, "{stored:?} {head:?}: {judgement:?}");
        }
    }

    #[test]
    fn a_head_file_that_several_starts_could_not_write_still_names_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        begin(&mut connection, folder.path(), None).unwrap();
        let written = stored(&connection).unwrap().unwrap().current;
        let head = Some(Head { incarnation: written, events: 0, closed: None });

        for _ in 0..3 {
            // Its own head file goes nowhere.
            let elsewhere = tempfile::tempdir().unwrap();
            begin(&mut connection, elsewhere.path(), head).unwrap();
            let judgement = judge(stored(&connection).unwrap(), head, 0);
            assert!(matches!(judgement, Judgement::Same), "{judgement:?}");
        }
    }
}
