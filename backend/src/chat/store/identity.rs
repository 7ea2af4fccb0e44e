//! The identity of an open database's files, so that the writer notices when they are removed or replaced.
//!
//! SQLite keeps writing to a file that was removed or replaced, and the next start does not find what it wrote. Knows
//! nothing of the files' content.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::StoreError;

/// The files as they were opened: the database, its write-ahead log, and the log's index.
#[derive(Debug)]
pub(super) struct Identity {
    database: PathBuf,
    /// The database file as this process last wrote it.
    database_state: Cell<(FileId, Content)>,
    /// The write-ahead log and its index.
    log_and_index: [(PathBuf, FileId); 2],
}

/// Size and modification time of a file: they change when a program writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    /// Size in bytes.
    size: u64,
    /// Modification time in whole seconds: some file systems lose the fraction.
    modified: i64,
}

#[cfg(unix)]
impl Content {
    fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { size: metadata.len(), modified: metadata.mtime() }
    }
}

impl Identity {
    /// Describes the files that `connection` has open under the name `path`. The write-ahead log has to exist, so something
    /// must have been written.
    pub(super) fn of(connection: &Connection, path: &Path) -> io::Result<Self> {
        // SQLite follows a symbolic link and creates the log beside its target.
        let target = connection.path().filter(|target| !target.is_empty()).map_or(path, Path::new);
        let companion = |suffix| {
            let path = with_suffix(target, suffix);
            FileId::stat(&path).map(|(id, _)| (path, id))
        };
        let database_state = Cell::new(FileId::stat(path)?);
        Ok(Self {
            database: path.to_owned(),
            database_state,
            log_and_index: [companion("-wal")?, companion("-shm")?],
        })
    }

    /// Fails when a name leads to another file or to none, or when another program wrote to the database. Inode numbers
    /// are not reused while the database is open.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        // An unreadable file counts as replaced: if the system cannot find it now, the next start may not find it either.
        if FileId::stat(&self.database).ok() != Some(self.database_state.get()) {
            return Err(StoreError::Replaced { path: self.database.clone() });
        }
        match self.log_and_index.iter().find(|(path, id)| !id.is_at(path)) {
            None => Ok(()),
            Some((path, _)) => Err(StoreError::Replaced { path: path.clone() }),
        }
    }

    /// Records that this process wrote to the database file.
    pub(super) fn record_own_write(&self) {
        // If it is another file by now, the next check finds that.
        if let Ok((id, content)) = FileId::stat(&self.database)
            && id == self.database_state.get().0
        {
            self.database_state.set((id, content));
        }
    }

    /// Whether the database is in its place and only the log was removed: then the log's content can still be copied into
    /// the database.
    pub(super) fn only_log_is_gone(&self) -> bool {
        let gone = matches!(self.log_and_index[0].0.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
        gone && FileId::stat(&self.database).ok() == Some(self.database_state.get())
    }
}

/// `path` with `suffix` appended to its last component.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Identifies a file.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl FileId {
    /// Looks up the file at `path`. Never opens it: closing any handle would drop SQLite's locks on the file.
    fn stat(path: &Path) -> io::Result<(Self, Content)> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = path.metadata()?;
        if metadata.nlink() == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((Self { device: metadata.dev(), inode: metadata.ino() }, Content::of(&metadata)))
    }
}

/// Windows refuses to remove or rename a file that SQLite has open.
#[cfg(not(unix))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId;

#[cfg(not(unix))]
impl FileId {
    fn stat(path: &Path) -> io::Result<(Self, Content)> {
        // Windows updates the metadata of an open file late.
        path.metadata().map(|_| (Self, Content { size: 0, modified: 0 }))
    }
}

impl FileId {
    fn is_at(self, path: &Path) -> bool {
        Self::stat(path).is_ok_and(|(id, _)| id == self)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use super::*;

    fn open(folder: &Path) -> (Connection, Identity, PathBuf) {
        let path = folder.join("test.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        let identity = Identity::of(&connection, &path).unwrap();
        (connection, identity, path)
    }

    #[test]
    fn removed_or_replaced_files_are_noticed() {
        for suffix in ["", "-wal", "-shm"] {
            for put_another in [false, true] {
                let folder = tempfile::tempdir().unwrap();
                let (_connection, identity, path) = open(folder.path());
                identity.check().unwrap();
                let file = with_suffix(&path, suffix);
                let copy = folder.path().join("copy");
                fs::copy(&file, &copy).unwrap();
                fs::remove_file(&file).unwrap();
                if put_another {
                    fs::rename(&copy, &file).unwrap();
                }

                let error = identity.check().unwrap_err();

                assert!(
                    matches!(error, StoreError::Replaced { path } if path == file),
                    "{suffix} {put_another}"
                );
                assert_eq!(identity.only_log_is_gone(), suffix == "-wal" && !put_another);
            }
        }
    }

    #[test]
    fn writes_of_other_programs_are_noticed_and_own_writes_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, identity, path) = open(folder.path());
        connection.execute_batch("INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(PASSIVE)").unwrap();
        identity.record_own_write();
        connection.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        identity.check().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend([0; 4096]);
        // The same file, with other content: this is what `cp` does.
        fs::write(&path, bytes).unwrap();
        assert!(
            matches!(identity.check().unwrap_err(), StoreError::Replaced { path: found } if found == path)
        );
    }

    #[test]
    fn moved_folder_is_noticed_until_it_is_moved_back() {
        let parent = tempfile::tempdir().unwrap();
        let (folder, aside) = (parent.path().join("data"), parent.path().join("aside"));
        fs::create_dir(&folder).unwrap();
        let (_connection, identity, _) = open(&folder);
        fs::rename(&folder, &aside).unwrap();
        identity.check().unwrap_err();
        fs::rename(&aside, &folder).unwrap();
        identity.check().unwrap();
    }

    #[test]
    fn database_behind_a_symbolic_link_is_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let link = folder.path().join("test.db");
        std::os::unix::fs::symlink(elsewhere.path().join("real.db"), &link).unwrap();
        let (_connection, identity, _) = open(folder.path());
        identity.check().unwrap();
        fs::remove_file(&link).unwrap();
        identity.check().unwrap_err();
    }
}
