//! Which files an open database consists of, so that the writer notices when their names lead to others.
//!
//! SQLite goes on writing into a file that was removed or replaced, and the next start does not find what it
//! wrote. Knows nothing of what is in the files.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::StoreError;

/// The database's files as they were opened: the database, its write-ahead log, and the log's index.
#[derive(Debug)]
pub(super) struct Identity {
    database: PathBuf,
    /// The database file as this process has left it.
    left: Cell<(FileId, Content)>,
    /// The log and its index.
    others: [(PathBuf, FileId); 2],
}

/// What changes when a program writes to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    /// Bytes.
    size: u64,
    /// When it was last written to. Whole seconds: some file systems forget the parts.
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
    /// Of the files that `connection` has open under the name `path`. The write-ahead log has to be there, so
    /// something has to have been written.
    pub(super) fn of(connection: &Connection, path: &Path) -> io::Result<Self> {
        // SQLite follows a symbolic link and puts the log beside the link's target.
        let target = connection.path().filter(|target| !target.is_empty()).map_or(path, Path::new);
        let other = |suffix| {
            let path = beside(target, suffix);
            FileId::look(&path).map(|(id, _)| (path, id))
        };
        let left = Cell::new(FileId::look(path)?);
        Ok(Self { database: path.to_owned(), left, others: [other("-wal")?, other("-shm")?] })
    }

    /// Refuses when a name leads to another file, or to none, or when another program has written to the database. A file
    /// cannot come back under its old number: the number stays taken for as long as the database is open.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        // Anything but a clear answer counts as another file: a system that cannot say where the file is cannot promise
        // that the next start will find it.
        if FileId::look(&self.database).ok() != Some(self.left.get()) {
            return Err(StoreError::Replaced { path: self.database.clone() });
        }
        match self.others.iter().find(|(path, id)| !id.is_at(path)) {
            None => Ok(()),
            Some((path, _)) => Err(StoreError::Replaced { path: path.clone() }),
        }
    }

    /// This process has written to the database file.
    pub(super) fn note_written(&self) {
        // When it is another file now, the next look finds that.
        if let Ok((id, content)) = FileId::look(&self.database)
            && id == self.left.get().0
        {
            self.left.set((id, content));
        }
    }

    /// Whether the database is in its place and the log has no name any more: then the log's content can still
    /// be copied into the database.
    pub(super) fn only_log_is_gone(&self) -> bool {
        let gone = matches!(self.others[0].0.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
        gone && FileId::look(&self.database).ok() == Some(self.left.get())
    }
}

/// The path with `suffix` at the end of its last part.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What makes a file this file and no other.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl FileId {
    /// The file at `path`. By name, never by opening: closing any handle of the file would drop SQLite's locks on it.
    fn look(path: &Path) -> io::Result<(Self, Content)> {
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
    fn look(path: &Path) -> io::Result<(Self, Content)> {
        // Windows tells late when a file that is open was written to.
        path.metadata().map(|_| (Self, Content { size: 0, modified: 0 }))
    }
}

impl FileId {
    fn is_at(self, path: &Path) -> bool {
        Self::look(path).is_ok_and(|(id, _)| id == self)
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
    fn each_file_that_goes_or_is_replaced_is_noticed() {
        for suffix in ["", "-wal", "-shm"] {
            for put_another in [false, true] {
                let folder = tempfile::tempdir().unwrap();
                let (_connection, identity, path) = open(folder.path());
                identity.check().unwrap();
                let file = beside(&path, suffix);
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
    fn what_another_program_writes_is_noticed_and_what_this_one_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, identity, path) = open(folder.path());
        connection.execute_batch("INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(PASSIVE)").unwrap();
        identity.note_written();
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
    fn a_moved_folder_is_noticed_and_a_moved_back_one_is_the_same() {
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
    fn a_database_behind_a_link_is_the_file_behind_it() {
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
