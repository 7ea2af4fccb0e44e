//! The tables, migrations from older versions, and the detection of newer ones without writing.
//!
//! The log is the table `events`. The other tables are users, sessions, and views of the log that are updated in the
//! transaction that appends.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::OpenError;

/// The migrations: step `n` leads from version `n` to `n + 1`. A released step never changes; new ones are appended.
pub(super) const MIGRATIONS: &[&str] = &[V1, V2, V3, V4];

/// `PRAGMA application_id` of our files: "CHIN".
const APPLICATION_ID: i32 = 0x4348_494E;

const V1: &str = "
-- People. A name belongs to one live user at a time.
CREATE TABLE users (
    key           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    name_key      TEXT NOT NULL,
    live          INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_live_name ON users (name_key) WHERE live = 1;

-- Sessions by the SHA-256 of their tokens.
CREATE TABLE sessions (
    token_hash    BLOB PRIMARY KEY,
    user          INTEGER NOT NULL REFERENCES users (key),
    expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_user ON sessions (user);

CREATE TABLE rooms (
    key           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    name_key      TEXT NOT NULL UNIQUE,
    epoch         INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;

-- The log. `event` is the encoded chat.v1.Event, as it goes over the wire; `messages` counts the messages
-- of the room up to and including this event; `message_author` is the user who wrote the message, 0 for any
-- other event.
CREATE TABLE events (
    room           INTEGER NOT NULL REFERENCES rooms (key),
    seq            INTEGER NOT NULL,
    messages       INTEGER NOT NULL,
    message_author INTEGER NOT NULL,
    event          BLOB NOT NULL,
    PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;

-- Which event an author's action became. The id comes first in the key: ids are made in order of time, so
-- that the newest lie together and a group of sends touches few pages.
CREATE TABLE operations (
    operation_id BLOB NOT NULL,
    author       INTEGER NOT NULL,
    room         INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (operation_id, author)
) STRICT, WITHOUT ROWID;

-- How far each user has read: `read_messages` is `events.messages` at `read_seq`, `own_above` counts the
-- user's own messages above it. Unread is the room's messages less both.
CREATE TABLE markers (
    user          INTEGER NOT NULL,
    room          INTEGER NOT NULL,
    read_seq      INTEGER NOT NULL,
    read_messages INTEGER NOT NULL,
    own_above     INTEGER NOT NULL,
    PRIMARY KEY (user, room)
) STRICT, WITHOUT ROWID;
";

const V2: &str = "
-- Which opening of the database was the last, and the one before; the head file beside the database repeats
-- it. `written_ms` changes when the writer tries whether the disk takes writes.
CREATE TABLE incarnation (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    current    INTEGER NOT NULL,
    previous   INTEGER NOT NULL,
    written_ms INTEGER NOT NULL
) STRICT;

-- Whether the session has been used since it was made. Those that were there before this column count as used.
ALTER TABLE sessions ADD COLUMN used INTEGER NOT NULL DEFAULT 1;
CREATE INDEX sessions_by_end ON sessions (expires_at_ms);
CREATE INDEX sessions_unused ON sessions (user) WHERE used = 0;

-- Whether the user has written an event. Who has not can be removed when they have no session.
ALTER TABLE users ADD COLUMN wrote INTEGER NOT NULL DEFAULT 0;
UPDATE users SET wrote = 1 WHERE key IN (SELECT author FROM operations);
CREATE INDEX users_gone ON users (key) WHERE live = 0 AND wrote = 0;
";

const V3: &str = "
-- The database's id, a part of the session cookie's name, and the rules by which the name keys were computed.
CREATE TABLE installation (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    id         TEXT NOT NULL,
    name_rules TEXT NOT NULL
) STRICT;
INSERT INTO installation (one, id, name_rules) VALUES (1, lower(hex(randomblob(6))), '');

-- SHA-256 of the user's recovery code.
ALTER TABLE users ADD COLUMN recovery_hash BLOB;
CREATE UNIQUE INDEX users_by_recovery ON users (recovery_hash) WHERE recovery_hash IS NOT NULL;

-- For the list of a user's sessions. `client` and `system` are empty when they are not known.
ALTER TABLE sessions ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN last_used_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN client TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN system TEXT NOT NULL DEFAULT '';
UPDATE sessions SET created_at_ms = (SELECT users.created_at_ms FROM users WHERE users.key = sessions.user);
UPDATE sessions SET last_used_ms = created_at_ms;
DROP INDEX sessions_unused;
CREATE INDEX sessions_unused ON sessions (created_at_ms) WHERE used = 0;

-- Attempts to join that may be repeated, by the SHA-256 of their ids and secrets.
CREATE TABLE joins (
    attempt_hash  BLOB PRIMARY KEY,
    user          INTEGER NOT NULL REFERENCES users (key),
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX joins_by_time ON joins (created_at_ms);
CREATE INDEX joins_of_user ON joins (user);
";

const V4: &str = "
-- The log that this database follows, if several servers share one, and the last entry that was applied, with its SHA-256.
CREATE TABLE followed_log (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    id      BLOB NOT NULL,
    applied INTEGER NOT NULL,
    chain   BLOB NOT NULL
) STRICT;
";

/// The version that this program writes.
pub(super) fn current_version() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("few migrations")
}

/// What was found at the database's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No file, or an empty one.
    Nothing,
    /// A database of this program.
    Database,
    /// Probably a database of this program, with an interrupted transaction: SQLite cannot read it without writing. Check
    /// it again with [`check`] once it is open for writing.
    Interrupted,
}

/// Refuses a file that this program must not write to: a database of a newer version or another program. Writes nothing.
pub(super) fn check_read_only(path: &Path) -> Result<Found, OpenError> {
    let Some(header) = read_header(path)? else { return Ok(Found::Nothing) };
    // The header settles most cases without SQLite. The write-ahead log may contain a newer version.
    refuse_newer(header.version)?;
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    match check(&connection, path) {
        Err(OpenError::Sqlite(error)) if needs_recovery(&error) => {
            // A first start creates a file of one page before it sets the application id.
            let blank = header.application == 0 && header.pages <= 1;
            let ours = blank || header.application == APPLICATION_ID;
            if ours { Ok(Found::Interrupted) } else { Err(OpenError::Foreign { path: path.to_owned() }) }
        }
        checked => checked.map(|()| Found::Database),
    }
}

/// Refuses the database at `path` when it has a newer version or belongs to another program.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    refuse_newer(user_version(connection)?)?;
    let application: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    Ok(())
}

/// Whether SQLite refused to read because an interrupted transaction has to be rolled back first.
fn needs_recovery(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly)
}

/// Migrates the database to the current version, each step in its own transaction. Returns the previous version, 0 for a
/// new database.
pub(super) fn migrate(connection: &mut Connection) -> Result<u32, OpenError> {
    migrate_with(connection, MIGRATIONS)
}

fn migrate_with(connection: &mut Connection, steps: &[&str]) -> Result<u32, OpenError> {
    let before = user_version(connection)?;
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = user_version(&transaction)?;
        let Some(step) = steps.get(version as usize) else { return Ok(before) };
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version + 1)?;
        transaction.commit()?;
        if before > 0 {
            tracing::info!(schema.version = version + 1, "the database was migrated to a newer version");
        }
    }
}

fn user_version(connection: &Connection) -> Result<u32, rusqlite::Error> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn refuse_newer(found: u32) -> Result<(), OpenError> {
    let known = current_version();
    if found > known { Err(OpenError::Newer { found, known }) } else { Ok(()) }
}

/// The fields of the file's header that are needed without SQLite.
#[derive(Clone, Copy, Debug)]
struct Header {
    /// `user_version`, bytes 60 to 63.
    version: u32,
    /// `application_id`, bytes 68 to 71.
    application: i32,
    /// Number of pages that fit into the file.
    pages: u64,
}

/// Reads the file's header; `None` if there is no file or it is empty.
fn read_header(path: &Path) -> Result<Option<Header>, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io(source)),
    };
    let len = file.metadata().map_err(io)?.len();
    let mut header = Vec::with_capacity(100);
    file.by_ref().take(100).read_to_end(&mut header).map_err(io)?;
    if header.is_empty() {
        return Ok(None);
    }
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    // A page size of 65,536 is stored as 1.
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size.max(1)),
    };
    Ok(Some(Header { version: number(60), application: number(68).cast_signed(), pages: len / page }))
}

#[cfg(test)]
mod tests {
    use super::super::identity::with_suffix;
    use super::*;

    fn tables(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn empty_file_is_migrated_to_the_current_version() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();

        assert_eq!(user_version(&connection).unwrap(), current_version());
        assert!(tables(&connection).iter().any(|sql| sql.contains("CREATE TABLE events")));
    }

    #[test]
    fn every_older_version_is_migrated_to_the_same_tables() {
        let mut fresh = Connection::open_in_memory().unwrap();
        migrate(&mut fresh).unwrap();
        for older in 0..MIGRATIONS.len() {
            let mut connection = Connection::open_in_memory().unwrap();
            migrate_with(&mut connection, &MIGRATIONS[..older]).unwrap();
            migrate(&mut connection).unwrap();
            assert_eq!(tables(&connection), tables(&fresh), "from version {older}");
        }
    }

    #[test]
    fn second_migration_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let once = tables(&connection);
        migrate(&mut connection).unwrap();
        assert_eq!(tables(&connection), once);
    }

    #[test]
    fn failed_step_leaves_the_version_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = &["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"];
        migrate_with(&mut connection, broken).unwrap_err();

        assert_eq!(user_version(&connection).unwrap(), 1);
        assert_eq!(tables(&connection), ["CREATE TABLE a (x)"]);
        migrate_with(&mut connection, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
        assert_eq!(user_version(&connection).unwrap(), 2);
    }

    /// Leaves the database as a kill does while a transaction writes to it.
    fn interrupt(path: &Path) {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch("PRAGMA cache_size = 1; BEGIN IMMEDIATE; CREATE TABLE interrupted (x)")
            .unwrap();
        connection.execute("INSERT INTO interrupted VALUES (zeroblob(?1))", [64 * 4096]).unwrap();
        let journal = with_suffix(path, "-journal");
        let hot = std::fs::read(&journal).unwrap();
        drop(connection);
        std::fs::write(journal, hot).unwrap();
    }

    #[test]
    fn interrupted_database_is_recognized_by_its_application() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (folder.path().join("ours.db"), folder.path().join("other.db"));
        migrate(&mut Connection::open(&ours).unwrap()).unwrap();
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE diary (x)").unwrap();
        interrupt(&ours);
        interrupt(&other);

        assert_eq!(check_read_only(&ours).unwrap(), Found::Interrupted);
        assert!(matches!(check_read_only(&other).unwrap_err(), OpenError::Foreign { path } if path == other));
    }
}
