//! Following the table: looks for the next entries whenever the bell rings, and by a timer.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;
use tokio_postgres::Row;

use super::super::remote::{ANSWER_TIMEOUT, Connection as _};
use super::super::{LogError, Position, Record, unanswered};
use super::{Connection, number, unsigned};

/// Entries that are read at once.
const BATCH: i64 = 16;

/// Time after which a follower looks although the bell has not rung.
const LOOK: Duration = Duration::from_millis(250);

impl Connection {
    /// Sends the entries above `after`. Ends without an error when nobody takes them any more.
    pub(super) async fn deliver(
        &self,
        mut after: Position,
        entries: &Sender<Result<Record, LogError>>,
    ) -> Result<(), LogError> {
        self.known.seen.lock().record(after);
        let mut bell = self.bell.subscribe();
        loop {
            // Before the question, so that an entry that comes behind its answer is looked for again.
            bell.borrow_and_update();
            let found = timeout(ANSWER_TIMEOUT, self.next_entries(after)).await.map_err(unanswered)??;
            if found.is_empty() {
                // The sender lives as long as `self`; at the end of the time it looks.
                timeout(LOOK, bell.changed()).await.ok();
            }
            for record in found {
                after = record.position;
                self.known.seen.lock().record(after);
                if entries.send(Ok(record)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    /// The next entries, which may be none.
    async fn next_entries(&self, after: Position) -> Result<Vec<Record>, LogError> {
        let session = self.session(&self.reading).await?;
        let rows = match session.client.query(&session.statement, &[&number(after), &BATCH]).await {
            Ok(rows) => rows,
            Err(error) => return Err(self.fault(&session.client, error).await),
        };
        self.known.hear();
        let rows = rows.iter().map(read_row).collect::<Result<Vec<_>, _>>().map_err(unanswered)?;
        if rows.is_empty() {
            self.end().await?;
        }
        continue_from(after, rows)
    }
}

fn read_row(row: &Row) -> Result<(Position, Option<Bytes>), tokio_postgres::Error> {
    let entry = row.try_get::<_, Option<&[u8]>>(1)?;
    Ok((unsigned(row.try_get(0)?), entry.map(Bytes::copy_from_slice)))
}

/// The entries behind `after` in the rows from there on. The row of `after` itself has to be there: without it, entries were trimmed
/// that are wanted.
fn continue_from(after: Position, rows: Vec<(Position, Option<Bytes>)>) -> Result<Vec<Record>, LogError> {
    let mut rows = rows.into_iter();
    match rows.next() {
        None => return Err(unanswered("the log ends before it, or was trimmed just now")),
        Some((position, _)) if position == after => {}
        Some((position, entry)) => {
            let first = position + u64::from(entry.is_none());
            return Err(LogError::Trimmed { first });
        }
    }
    let records = rows.zip(after + 1..).map(|((position, entry), due)| match entry {
        Some(entry) if position == due => Ok(Record { position, entry }),
        _ => Err(LogError::Replaced { reason: "an entry is missing in it" }),
    });
    records.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(positions: &[(Position, bool)]) -> Vec<(Position, Option<Bytes>)> {
        let entry = |has_entry: bool| has_entry.then(|| Bytes::from_static(b"entry"));
        positions.iter().map(|(position, has_entry)| (*position, entry(*has_entry))).collect()
    }

    #[test]
    fn entries_follow_the_row_that_the_follower_has() {
        let positions = |rows| {
            let found = continue_from(4, rows)?;
            Ok::<_, LogError>(found.iter().map(|record| record.position).collect::<Vec<_>>())
        };
        assert_eq!(positions(rows(&[(4, false), (5, true), (6, true)])).unwrap(), [5, 6]);
        assert!(positions(rows(&[(4, false)])).unwrap().is_empty());
        assert!(matches!(positions(rows(&[(7, false), (8, true)])), Err(LogError::Trimmed { first: 8 })));
        assert!(matches!(positions(rows(&[(4, false), (6, true)])), Err(LogError::Replaced { .. })));
        assert!(matches!(positions(Vec::new()), Err(LogError::Unanswered(_))));
    }
}
