//! The check for damage that runs beside the server, on its own connection and thread.
//!
//! It checks the structure of the file; `check.rs` also checks the content.

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::{Connection, InterruptHandle};

use super::super::health::Fault;
use super::{OpenError, StoreError, open_reader};
use crate::error_chain::ErrorChain;

/// Interval between two interrupts of a check that has to stop. An interrupt between two statements has no effect.
const STOP_INTERVAL: Duration = Duration::from_millis(2);

/// A running or finished check.
pub(in crate::chat) struct DamageCheck {
    interrupt: InterruptHandle,
    thread: JoinHandle<()>,
}

impl fmt::Debug for DamageCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DamageCheck").field("thread", &self.thread).finish_non_exhaustive()
    }
}

impl DamageCheck {
    /// Starts to check the database at `path`. Calls `damaged` if it is damaged.
    pub(in crate::chat) fn start(
        path: &Path,
        damaged: impl FnOnce() + Send + 'static,
    ) -> Result<Self, OpenError> {
        let connection = open_reader(path)?;
        let interrupt = connection.get_interrupt_handle();
        let path = path.to_owned();
        let thread = thread::Builder::new()
            .name("chat-check".to_owned())
            .spawn(move || run(&connection, path, damaged))
            .map_err(OpenError::Thread)?;
        Ok(Self { interrupt, thread })
    }

    /// Stops the check and closes its connection. Blocks for some milliseconds.
    pub(in crate::chat) fn stop(self) {
        while !self.thread.is_finished() {
            self.interrupt.interrupt();
            thread::sleep(STOP_INTERVAL);
        }
        if self.thread.join().is_err() {
            tracing::error!("the check for damage ended by a panic");
        }
    }
}

fn run(connection: &Connection, path: PathBuf, damaged: impl FnOnce()) {
    let start = Instant::now();
    match quick_check(connection) {
        Ok(None) => tracing::info!(
            check.ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            "the last server did not close the database, or another program wrote to it: it was checked, and its \
             structure is whole"
        ),
        Ok(Some(finding)) => {
            damaged();
            report(&path, &finding);
        }
        Err(error) if error.fault() == Some(Fault::Damaged) => {
            damaged();
            report(&path, &ErrorChain(&error).to_string());
        }
        Err(StoreError::Sqlite(error))
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => {}
        Err(error) => {
            tracing::warn!(error = %ErrorChain(&error), "the database cannot be checked for damage")
        }
    }
}

/// Logs damage, and what to do about it.
pub(in crate::chat) fn report(path: &Path, finding: &str) {
    tracing::error!(
        file = %path.display(),
        finding,
        "the database is damaged: nothing is stored any more, and everything that is readable is served; `chinwag check` \
         lists the damage, and `chinwag restore FILE --replace` replaces the database with a backup"
    );
}

/// The first defect in the structure of the file; `None` if there is none.
pub(super) fn quick_check(connection: &Connection) -> Result<Option<String>, StoreError> {
    let finding: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((finding != "ok").then_some(finding))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds_damage(connection: &Connection) -> bool {
        let mut found = false;
        run(connection, PathBuf::new(), || found = true);
        found
    }

    #[test]
    fn unreadable_file_is_damaged_and_a_check_that_was_stopped_finds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let mut connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(!finds_damage(&connection), "it is whole");
        connection.progress_handler(1, Some(|| true)).unwrap();
        assert!(!finds_damage(&connection), "it was stopped");
        drop(connection);

        std::fs::write(&path, [0xA5; 4096]).unwrap();
        assert!(finds_damage(&Connection::open(&path).unwrap()));
    }
}
