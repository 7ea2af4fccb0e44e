//! What can go wrong with the database, and which failures stop all writing.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DBMOVED;

use super::super::health::Fault;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// What was to be used.
        path: PathBuf,
        /// Why it cannot.
        source: std::io::Error,
    },
    /// Another process serves this folder.
    #[error("another server uses the data folder {}: stop it, or choose another folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Written by a later version of this program.
    #[error(
        "the database is of version {found}, and this program knows versions up to {known}: it was left \
         untouched; use the newer program, or another data folder"
    )]
    Newer {
        /// The file's version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// Not a database of this program.
    #[error("the file {} is not a database of this program: it was left untouched", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// SQLite does not have a setting that durable writes need.
    #[error(
        "the database does not store durably: {setting} is {found}, and it has to be {needed}; use another \
         data folder, on a local disk"
    )]
    NotDurable {
        /// The setting, as SQLite calls it.
        setting: &'static str,
        /// Its value.
        found: String,
        /// The value that durable writes need.
        needed: &'static str,
    },
    /// The file's structure is broken.
    #[error(
        "the database {} is damaged: `chinwag check` says what is wrong, and `chinwag restore FILE --replace` \
         puts a backup in its place",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: StoreError,
    },
    /// Opening writes a little, and the system refuses that.
    #[error("the database {} cannot be written to; its disk may be full", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: StoreError,
    },
    /// SQLite refused.
    #[error("the database cannot be opened")]
    Sqlite(#[from] rusqlite::Error),
    /// The first room cannot be made, or the rooms cannot be read.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    Random(#[from] getrandom::Error),
    /// A thread cannot be started.
    #[error("the system started no thread")]
    Thread(#[source] std::io::Error),
}

impl OpenError {
    /// The same, with the file's name when the file at `path` is damaged or cannot be written to.
    pub(in crate::chat) fn naming_file(self, path: PathBuf) -> Self {
        match self {
            Self::Sqlite(error) if StoreError::fault_of(&error).is_some() => {
                Self::Store(error.into()).naming_file(path)
            }
            Self::Store(source) => match source.fault() {
                Some(Fault::Damaged) => Self::Damaged { path, source },
                Some(Fault::DiskFull | Fault::WriteFailed) => Self::Unwritable { path, source },
                _ => Self::Store(source),
            },
            other => other,
        }
    }
}

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("sqlite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored event cannot be decoded.
    #[error("a stored event cannot be decoded: {0}")]
    Decode(#[from] prost::DecodeError),
    /// A number that must be there is not.
    #[error("the log of room {room} has a hole after event {after}")]
    Hole {
        /// The room's number in the database.
        room: u32,
        /// The last event before the hole.
        after: u64,
    },
    /// A file of the database is no longer the one that was opened, or another program has written to it.
    #[error("the file {} was removed, moved, replaced or written to while the server used it", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// As many reads wait as may.
    #[error("too many reads wait")]
    Busy,
    /// A read reached a time limit.
    #[error("a read took too long")]
    TookTooLong,
    /// A read panicked.
    #[error("a read panicked")]
    Panicked,
}

impl StoreError {
    /// What is wrong with the whole database when this is no failure of one statement.
    pub(in crate::chat) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Sqlite(error) => Self::fault_of(error),
            Self::Replaced { .. } => Some(Fault::Replaced),
            // What was stored could be decoded and had no hole.
            Self::Decode(_) | Self::Hole { .. } => Some(Fault::Damaged),
            Self::Closed | Self::Busy | Self::TookTooLong | Self::Panicked => None,
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
