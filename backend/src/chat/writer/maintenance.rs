//! Maintenance by the writer: detects when nothing can be stored and retries, keeps the head file up to date, removes
//! expired rows, and logs each outage once.

use std::time::{Duration, Instant};

use super::super::health::Fault;
use super::super::store::{HeadFile, StoreError, report_damage};
use super::group::Group;
use crate::error_chain::ErrorChain;

/// Interval between two checks of the files, and between two retries while the disk refuses writes.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// Time after the last stored write after which the writer stores a row without meaning, to learn whether it still can. It is
/// shorter than half of `WRITE_TIMEOUT`, so that one that comes late raises no alarm.
const CANARY_INTERVAL: Duration = Duration::from_secs(4);

/// Interval between two updates of the head file while messages are stored.
const HEAD_INTERVAL: Duration = Duration::from_secs(5);

/// Time after a temporary failure in which writes are refused without a retry. Clients that retry must not keep a full disk
/// busy.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// Minimum interval between two log lines about temporary failures.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// State of the maintenance.
#[derive(Debug)]
pub(super) struct Maintenance {
    head: HeadFile,
    unused_lifetime: Duration,
    last_run: Instant,
    head_updated: Instant,
    /// No retry before this time, after a failure.
    retry_at: Option<Instant>,
    /// Time of the last log line about a temporary failure.
    failure_logged: Option<Instant>,
    /// Whether an outage was logged whose end has not been logged yet.
    outage_logged: bool,
}

impl Maintenance {
    pub(super) fn new(head: HeadFile, unused_lifetime: Duration) -> Self {
        let now = Instant::now();
        Self {
            head,
            unused_lifetime,
            last_run: now,
            head_updated: now,
            retry_at: None,
            failure_logged: None,
            outage_logged: false,
        }
    }

    /// The fault to refuse writes with, if they must not be tried now.
    pub(super) fn refusal(&self, group: &Group) -> Option<Fault> {
        let fault = group.health().fault()?;
        let too_early = self.retry_at.is_some_and(|at| Instant::now() < at);
        (fault.is_final() || too_early).then_some(fault)
    }

    /// Ends a temporary fault after a successful write.
    pub(super) fn write_succeeded(&mut self, group: &Group) {
        self.retry_at = None;
        group.health().record_stored();
        if group.health().recover() && self.outage_logged {
            self.outage_logged = false;
            tracing::info!("the chat stores messages again");
        }
    }

    /// Records a failed write: `error` is how `fault` showed.
    pub(super) fn write_failed(&mut self, group: &Group, fault: Fault, error: &StoreError) {
        let is_new = group.health().fail(fault);
        if fault.is_final() {
            if is_new {
                report_final(group, fault, error);
            }
            return;
        }
        self.retry_at = Some(Instant::now() + RETRY_DELAY);
        if self.failure_logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            self.failure_logged = Some(Instant::now());
            self.outage_logged = true;
            tracing::error!(error = %ErrorChain(error), "the chat cannot store messages; it keeps retrying");
        }
    }

    /// Does the maintenance that is due.
    pub(super) fn run_if_due(&mut self, group: &mut Group) {
        if self.last_run.elapsed() < INTERVAL {
            return;
        }
        self.last_run = Instant::now();
        group.ask_log();
        let tried = match group.health().fault() {
            Some(fault) if fault.is_final() => return,
            Some(_) => group.probe().inspect(|()| self.write_succeeded(group)),
            None => group
                .store
                .check_files()
                .and_then(|()| group.sweep(self.unused_lifetime))
                .and_then(|()| self.write_canary_if_due(group)),
        };
        match tried {
            Ok(()) => self.update_head_file(group),
            Err(error) => match error.fault() {
                Some(fault) => self.write_failed(group, fault, &error),
                None => tracing::debug!(error = %ErrorChain(&error), "expired rows cannot be removed"),
            },
        }
    }

    /// Writes a row without meaning when nothing else was written. The writer does it by its own timer, so no queue delays it,
    /// and while clients write it costs nothing.
    fn write_canary_if_due(&mut self, group: &Group) -> Result<(), StoreError> {
        if group.health().stored_before() < CANARY_INTERVAL {
            return Ok(());
        }
        group.probe().inspect(|()| self.write_succeeded(group))
    }

    fn update_head_file(&mut self, group: &Group) {
        if self.head_updated.elapsed() < HEAD_INTERVAL {
            return;
        }
        self.head_updated = Instant::now();
        if let Err(error) = self.head.record_events(group.events()) {
            tracing::debug!(%error, "the head file cannot be written");
        }
    }

    /// Closes the database and records that in the head file.
    pub(super) fn close(self, group: Group) {
        let (events, fault) = (group.events(), group.health().fault());
        if let Err(error) = group.close() {
            let error = ErrorChain(&error);
            tracing::error!(%error, "the chat's database was not closed cleanly; the next start checks it");
        } else if fault.is_none()
            && let Err(error) = self.head.record_closed(events)
        {
            tracing::warn!(%error, "the head file cannot be written; the next start checks the database");
        }
    }
}

fn report_final(group: &Group, fault: Fault, error: &StoreError) {
    if fault == Fault::Damaged {
        return report_damage(group.path(), &ErrorChain(error).to_string());
    }
    if fault.is_of_the_log() {
        let error = ErrorChain(error);
        return tracing::error!(%error, "this server stops following the log, and keeps what it has");
    }
    let error = ErrorChain(error);
    match group.store.save_nameless_log() {
        Ok(true) => tracing::error!(
            %error,
            "nothing is stored any more; what was stored before was copied into the database file: start the \
             server again"
        ),
        Ok(false) => tracing::error!(
            %error,
            "nothing is stored any more, and what was stored before may be lost: put the files back in their place, \
             and start the server again"
        ),
        Err(failure) => tracing::error!(
            %error, failure = %ErrorChain(&failure),
            "nothing is stored any more, and what was stored before cannot be copied into the database file: put the \
             files back in their place, and start the server again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::super::super::store::{DATABASE_FILE, HEAD_FILE, Opened, open};
    use super::super::super::{ChatOptions, Shared};
    use super::*;

    /// The parts of a writer that does not run, and their folder.
    fn writer() -> (Maintenance, Group, TempDir) {
        let folder = TempDir::new().unwrap();
        let Opened { store, path, head, .. } = open(folder.path(), None).unwrap();
        let shared = Arc::new(Shared::new(&ChatOptions::default()));
        let group = Group::open(store, path, shared, None).unwrap();
        (Maintenance::new(head, Duration::MAX), group, folder)
    }

    #[test]
    fn writes_are_refused_for_a_while_after_a_failure_and_then_tried() {
        let (mut maintenance, group, _folder) = writer();
        assert_eq!(maintenance.refusal(&group), None);
        let before = Instant::now();
        maintenance.write_failed(&group, Fault::DiskFull, &StoreError::Busy);
        assert!(maintenance.retry_at >= Some(before + RETRY_DELAY));

        maintenance.retry_at = Some(Instant::now() + Duration::from_secs(3_600));
        assert_eq!(maintenance.refusal(&group), Some(Fault::DiskFull));
        maintenance.retry_at = Some(Instant::now());
        assert_eq!(maintenance.refusal(&group), None, "the next write shows whether it is over");
        assert_eq!(group.health().fault(), Some(Fault::DiskFull));

        maintenance.write_succeeded(&group);
        assert_eq!((group.health().fault(), maintenance.retry_at), (None, None));
    }

    #[test]
    fn head_file_counts_the_events_now_and_then() {
        let (mut maintenance, group, folder) = writer();
        let counted = || {
            let line = fs::read_to_string(folder.path().join(HEAD_FILE)).unwrap();
            line.split(' ').nth(2).unwrap().parse::<u64>().unwrap()
        };
        assert_eq!((group.events(), counted()), (1, 0));
        maintenance.head_updated = Instant::now() + HEAD_INTERVAL;
        maintenance.update_head_file(&group);
        assert_eq!(counted(), 0, "not again so soon");

        maintenance.head_updated -= 2 * HEAD_INTERVAL;
        maintenance.update_head_file(&group);
        assert_eq!(counted(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn what_was_stored_is_saved_when_the_write_ahead_log_is_gone() {
        let (mut maintenance, group, folder) = writer();
        let database = folder.path().join(DATABASE_FILE);
        fs::remove_file(folder.path().join("chinwag.db-wal")).unwrap();
        let error = group.store.check_files().unwrap_err();

        maintenance.write_failed(&group, Fault::Replaced, &error);
        maintenance.close(group);

        let saved = rusqlite::Connection::open(database).unwrap();
        let events = saved.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, u64>(0));
        assert_eq!(events.unwrap(), 1);
    }
}
