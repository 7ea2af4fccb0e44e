//! What the writer does beside writing: knows when nothing can be stored and tries again, looks after the head
//! file, and says so in the log, once.

use std::time::{Duration, Instant};

use super::super::health::Fault;
use super::super::store::{HeadFile, StoreError, report_damage};
use super::group::Group;

/// How often the writer looks whether its files are in their place and whether the disk takes writes again.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// How often the head file is brought up to date while messages are stored.
const HEAD_INTERVAL: Duration = Duration::from_secs(5);

/// For how long after a failure that may pass writes are refused without another try. A full disk is not to be
/// kept busy by those who try again.
const PAUSE: Duration = Duration::from_millis(250);

/// How often a failure that may pass is logged as an error.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The writer's own duties.
#[derive(Debug)]
pub(super) struct Upkeep {
    head: HeadFile,
    unused_lifetime: Duration,
    last: Instant,
    head_noted: Instant,
    /// No try before this, after a failure.
    retry_at: Option<Instant>,
    /// When a passing failure was last logged.
    logged: Option<Instant>,
    /// Whether the log says that nothing can be stored, and not yet that it can.
    complained: bool,
}

impl Upkeep {
    pub(super) fn new(head: HeadFile, unused_lifetime: Duration) -> Self {
        let now = Instant::now();
        Self {
            head,
            unused_lifetime,
            last: now,
            head_noted: now,
            retry_at: None,
            logged: None,
            complained: false,
        }
    }

    /// Why nothing is to be written now.
    pub(super) fn refusal(&self, group: &Group) -> Option<Fault> {
        let fault = group.health().fault()?;
        let too_early = self.retry_at.is_some_and(|at| Instant::now() < at);
        (fault.is_final() || too_early).then_some(fault)
    }

    /// Something was stored.
    pub(super) fn stored(&mut self, group: &Group) {
        self.retry_at = None;
        if group.health().recover() && self.complained {
            self.complained = false;
            tracing::info!("the chat stores messages again");
        }
    }

    /// Nothing can be stored because of `fault`, which showed itself as `error`.
    pub(super) fn failed(&mut self, group: &Group, fault: Fault, error: &StoreError) {
        let news = group.health().fail(fault);
        if fault.is_final() {
            if news {
                report_final(group, fault, error);
            }
            return;
        }
        self.retry_at = Some(Instant::now() + PAUSE);
        if self.logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            self.logged = Some(Instant::now());
            self.complained = true;
            tracing::error!(%error, "the chat cannot store messages; it tries again until it can");
        }
    }

    /// Does what is due.
    pub(super) fn run_if_due(&mut self, group: &mut Group) {
        if self.last.elapsed() < INTERVAL {
            return;
        }
        self.last = Instant::now();
        let tried = match group.health().fault() {
            Some(fault) if fault.is_final() => return,
            Some(_) => group.probe().inspect(|()| self.stored(group)),
            None => group.store.check_files().and_then(|()| group.sweep(self.unused_lifetime)),
        };
        match tried {
            Ok(()) => self.note_head(group),
            Err(error) => match error.fault() {
                Some(fault) => self.failed(group, fault, &error),
                None => tracing::debug!(%error, "what nobody needs any more cannot be removed"),
            },
        }
    }

    fn note_head(&mut self, group: &Group) {
        if self.head_noted.elapsed() < HEAD_INTERVAL {
            return;
        }
        self.head_noted = Instant::now();
        if let Err(error) = self.head.note_events(group.events()) {
            tracing::debug!(%error, "the head file cannot be written");
        }
    }

    /// Closes the database, and notes that it was closed.
    pub(super) fn close(self, group: Group) {
        let (events, fault) = (group.events(), group.health().fault());
        if let Err(error) = group.close() {
            tracing::error!(%error, "the chat's database was not closed cleanly; the next start checks it");
        } else if fault.is_none()
            && let Err(error) = self.head.note_closed(events)
        {
            tracing::warn!(%error, "the head file cannot be written; the next start checks the database");
        }
    }
}

fn report_final(group: &Group, fault: Fault, error: &StoreError) {
    if fault == Fault::Damaged {
        return report_damage(group.path(), &error.to_string());
    }
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
            %error, %failure,
            "nothing is stored any more, and what was stored before cannot be copied into the database file: put the \
             files back in their place, and start the server again"
        ),
    }
}
