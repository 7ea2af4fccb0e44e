//! Errors of the database, and the faults that stop all writing.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DBMOVED;

use super::super::entry::EntryError;
use super::super::health::Fault;
use super::super::log::LogError;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process serves this folder.
    #[error("another server uses the data folder {}: stop it, or choose another folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A later version of this program wrote the database.
    #[error(
        "the database is of version {found}, and this program supports versions up to {known}: it was left \
         untouched; use the newer program, or another data folder"
    )]
    Newer {
        /// The database's version.
        found: u32,
        /// The newest version that this program supports.
        known: u32,
    },
    /// The file is not a database of this program.
    #[error("the file {} is not a database of this program: it was left untouched", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// SQLite did not accept a setting that durable commits need.
    #[error(
        "the database does not store durably: {setting} is {found} and has to be {needed}; use another data folder, \
         on a local disk"
    )]
    NotDurable {
        /// SQLite's name of the setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// The value that durable commits need.
        needed: &'static str,
    },
    /// The file's structure is broken.
    #[error(
        "the database {} is damaged: `chinwag check` lists the damage, and `chinwag restore FILE --replace` replaces \
         the database with a backup",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: StoreError,
    },
    /// Opening writes to the database, and the system refused that.
    #[error("the database {} cannot be written to; {hint}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The thing to look at.
        hint: &'static str,
        /// SQLite's error.
        source: StoreError,
    },
    /// The database follows a log that servers share, and no log was given.
    #[error(
        "the database follows a log that several servers share: a server alone must not write to it; `chinwag backup` \
         and `chinwag restore` make a chat of its own from it"
    )]
    FollowsLog,
    /// The database does not belong to the log.
    #[error("the database does not belong to the log: {reason}; use another data folder")]
    OtherLog {
        /// The difference.
        reason: &'static str,
    },
    /// The log's copy of the database cannot be taken over.
    #[error("no copy of the database can be taken over from the log that the servers share")]
    Snapshot(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The log cannot be followed.
    #[error("the log that the servers share cannot be followed")]
    Log(#[source] StoreError),
    /// SQLite returned an error.
    #[error("the database cannot be opened")]
    Sqlite(#[from] rusqlite::Error),
    /// The first room cannot be created, or the rooms cannot be read.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
    /// The system provided no random numbers.
    #[error("the system provided no random numbers")]
    Random(#[from] getrandom::Error),
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// Hints of [`OpenError::Unwritable`].
const DISK_FULL: &str = "its disk is full";
const WRITE_FAILED: &str =
    "this user has to be allowed to write to its folder and to every file in it, and the disk has to work";

impl OpenError {
    /// Whether the log no longer has the entries that the database needs.
    pub(in crate::chat) fn lacks_entries(&self) -> bool {
        matches!(self, Self::Log(StoreError::Log(LogError::Trimmed { .. })))
    }

    /// Adds the path of the database to an error that says that it is damaged or cannot be written to.
    pub(in crate::chat) fn with_path(self, path: PathBuf) -> Self {
        match self {
            Self::Sqlite(error) if StoreError::fault_of(&error).is_some() => {
                Self::Store(error.into()).with_path(path)
            }
            Self::Store(source) => match source.fault() {
                Some(Fault::Damaged) => Self::Damaged { path, source },
                Some(Fault::DiskFull) => Self::Unwritable { path, hint: DISK_FULL, source },
                Some(Fault::WriteFailed) => Self::Unwritable { path, hint: WRITE_FAILED, source },
                Some(fault) if fault.is_of_the_log() => Self::Log(source),
                _ => Self::Store(source),
            },
            other => other,
        }
    }
}

/// Why a read or a write failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite returned an error.
    #[error("sqlite failed")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored event cannot be decoded.
    #[error("a stored event cannot be decoded")]
    Decode(#[from] prost::DecodeError),
    /// A sequence number is missing.
    #[error("the log of room {room} has a gap after event {after}")]
    Gap {
        /// The room's number in the database.
        room: u32,
        /// The last event before the gap.
        after: u64,
    },
    /// A change cannot be applied to this database.
    #[error("a change has an invalid {field}")]
    InvalidChange {
        /// The field's name in the contract of changes.
        field: &'static str,
    },
    /// The author has used the operation id of a new event. Nothing has changed.
    #[error("an event has an operation id that its author has used")]
    OperationUsed,
    /// The log that servers share did not do its part.
    #[error("the log failed")]
    Log(#[from] LogError),
    /// An entry of the log cannot be applied.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The system provided no random numbers.
    #[error("the system provided no random numbers")]
    Random(#[from] getrandom::Error),
    /// A file of the database is no longer the one that was opened, or another program wrote to it.
    #[error("the file {} was removed, moved, replaced or written to while the server used it", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The reader's queue is full.
    #[error("too many reads wait")]
    Busy,
    /// A read exceeded its time limit.
    #[error("a read took too long")]
    TookTooLong,
    /// A read panicked.
    #[error("a read panicked")]
    Panicked,
}

impl StoreError {
    /// The fault of the whole database, if this error is not limited to one statement.
    pub(in crate::chat) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Sqlite(error) => Self::fault_of(error),
            Self::Replaced { .. } => Some(Fault::Replaced),
            // Stored events could be decoded, and their numbers were dense.
            Self::Decode(_) | Self::Gap { .. } => Some(Fault::Damaged),
            Self::Log(LogError::Unanswered(_)) => Some(Fault::LogUnanswered),
            Self::Log(LogError::Trimmed { .. }) => Some(Fault::LogTrimmed),
            Self::Entry(EntryError::Newer { .. }) => Some(Fault::LogNewer),
            Self::Entry(EntryError::Diverged { .. }) | Self::Log(LogError::Replaced { .. }) => {
                Some(Fault::LogDiverged)
            }
            Self::Log(LogError::Snapshot(_))
            | Self::InvalidChange { .. }
            | Self::OperationUsed
            | Self::Random(_)
            | Self::Closed
            | Self::Busy
            | Self::TookTooLong
            | Self::Panicked => None,
        }
    }

    fn fault_of(error: &rusqlite::Error) -> Option<Fault> {
        let rusqlite::Error::SqliteFailure(failure, _) = error else { return None };
        match failure.code {
            _ if failure.extended_code == SQLITE_READONLY_DBMOVED => Some(Fault::Replaced),
            ErrorCode::DiskFull => Some(Fault::DiskFull),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(Fault::Damaged),
            ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::NoLargeFileSupport => Some(Fault::WriteFailed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi::{self, SQLITE_FULL, SQLITE_READONLY};

    use super::*;

    #[test]
    fn hint_for_a_database_that_cannot_be_written_to_names_the_cause() {
        for (code, hint) in
            [(SQLITE_FULL, "its disk is full"), (SQLITE_READONLY, "this user has to be allowed to write")]
        {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let text = OpenError::Sqlite(error).with_path("chinwag.db".into()).to_string();
            let start = format!("the database chinwag.db cannot be written to; {hint}");
            assert!(text.starts_with(&start), "{text}");
        }
    }
}
