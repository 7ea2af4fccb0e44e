//! Which files an open database consists of, so that the writer notices when their names lead to others.
//!
//! SQLite goes on writing into a file that was removed or replaced, and the next start does not find what it
//! wrote. Knows nothing of what is in the files.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::StoreError;

/// The database's files as they were opened: the database, its write-ahead log, and the log's index.
#[derive(Debug)]
pub(super) struct Identity {
    files: Vec<(PathBuf, FileId)>,
}

impl Identity {
    /// Of the files that `connection` has open under the name `path`. The write-ahead log has to be there, so
    /// something has to have been written.
    pub(super) fn of(connection: &Connection, path: &Path) -> io::Result<Self> {
        // SQLite follows a symbolic link and puts the log beside the link's target.
        let target = connection.path().filter(|target| !target.is_empty()).map_or(path, Path::new);
        let paths = [path.to_owned(), beside(target, "-wal"), beside(target, "-shm")];
        let files = paths.into_iter().map(|path| FileId::of(&path).map(|id| (path, id)));
        Ok(Self { files: files.collect::<Result<_, _>>()? })
    }

    /// Refuses when a name leads to another file, or to none. A file cannot come back under its old number: the
    /// number stays taken for as long as the database is open.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.files.iter().find(|(path, id)| !id.is_still_at(path)) {
            None => Ok(()),
            Some((path, _)) => Err(StoreError::Replaced { path: path.clone() }),
        }
    }

    /// Whether the database is in its place and the log has no name any more: then the log's content can still
    /// be copied into the database.
    pub(super) fn only_log_is_gone(&self) -> bool {
        let [database, log, ..] = self.files.as_slice() else { return false };
        let gone = |path: &Path| matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
        database.1.is_still_at(&database.0) && gone(&log.0)
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
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        // By name, never by opening: closing any handle of the file would drop SQLite's locks on it.
        let metadata = path.metadata()?;
        if metadata.nlink() == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }

    fn is_still_at(self, path: &Path) -> bool {
        // Anything but a clear answer counts as another file: a system that cannot say where the file is cannot
        // promise that the next start will find it.
        Self::of(path).is_ok_and(|id| id == self)
    }
}

/// Windows refuses to remove or rename a file that SQLite has open.
#[cfg(not(unix))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId;

#[cfg(not(unix))]
impl FileId {
    fn of(_: &Path) -> io::Result<Self> {
        Ok(Self)
    }

    fn is_still_at(self, _: &Path) -> bool {
        true
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
