//! The head file: a small file beside the database that records how far the logs had grown.
//!
//! An older copy in the place of the database does not match it, which the next start notices. It also records whether
//! the last server closed the database, and the state of the file then.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::OpenError;

/// The head file's name in the data folder. One line of text of fixed length.
pub const HEAD_FILE: &str = "chinwag.head";

/// The first word of the file: its kind and version.
const KIND: &str = "chinwag-head-1";

/// Content of the head file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The database's incarnation when it was last opened; see `incarnation.rs`.
    pub(super) incarnation: u64,
    /// Number of events of all rooms. May lag by some seconds while a server runs; never ahead.
    pub(super) events: u64,
    /// State of the database file after it was closed; `None` while a server runs, and after a kill.
    pub(super) closed: Option<Stamp>,
}

/// Size and modification time of a file: they change when a program writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Size in bytes.
    size: u64,
    /// Modification time, nanoseconds since 1970-01-01T00:00:00Z.
    modified_ns: u64,
}

impl Stamp {
    /// The current stamp of a file.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { size: metadata.len(), modified_ns: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX) })
    }
}

impl Head {
    fn to_line(self) -> String {
        let Self { incarnation, events, closed } = self;
        let (is_closed, stamp) =
            (u8::from(closed.is_some()), closed.unwrap_or(Stamp { size: 0, modified_ns: 0 }));
        let Stamp { size, modified_ns } = stamp;
        format!("{KIND} {incarnation:016x} {events:020} {is_closed} {size:020} {modified_ns:020}\n")
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_suffix('\n')?.split(' ');
        if words.next()? != KIND {
            return None;
        }
        let incarnation = u64::from_str_radix(words.next()?, 16).ok()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        let (events, is_closed) = (number()?, number()?);
        let stamp = Stamp { size: number()?, modified_ns: number()? };
        let closed = (is_closed == 1).then_some(stamp);
        words.next().is_none().then_some(Self { incarnation, events, closed })
    }
}

/// The open head file.
#[derive(Debug)]
pub(in crate::chat) struct HeadFile {
    file: File,
    database: PathBuf,
    head: Head,
}

impl HeadFile {
    /// Reads the head file in `folder`; `None` if it does not exist or cannot be parsed.
    pub(super) fn read(folder: &Path) -> Result<Option<Head>, OpenError> {
        let path = folder.join(HEAD_FILE);
        match fs::read(&path) {
            Ok(bytes) => Ok(str::from_utf8(&bytes).ok().and_then(Head::parse)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(OpenError::Io { path, source }),
        }
    }

    /// Writes the head file in `folder` durably.
    pub(super) fn write(folder: &Path, head: Head) -> Result<Self, OpenError> {
        let path = folder.join(HEAD_FILE);
        let write = || {
            let file = File::options().create(true).write(true).truncate(false).open(&path)?;
            let mut head_file = Self { file, database: folder.join(super::DATABASE_FILE), head };
            head_file.overwrite(head)?;
            head_file.file.set_len(head.to_line().len() as u64)?;
            head_file.file.sync_all()?;
            sync_folder(folder)?;
            Ok(head_file)
        };
        write().map_err(|source| OpenError::Io { path: path.clone(), source })
    }

    /// Records the number of events without a sync: after a power cut the number may be an older one, which is still
    /// correct.
    pub(in crate::chat) fn record_events(&mut self, events: u64) -> io::Result<()> {
        if events == self.head.events { Ok(()) } else { self.overwrite(Head { events, ..self.head }) }
    }

    /// Records durably that the database was closed, and its state.
    pub(in crate::chat) fn record_closed(mut self, events: u64) -> io::Result<()> {
        let closed = Some(Stamp::of(&self.database)?);
        self.overwrite(Head { events, closed, ..self.head })?;
        self.file.sync_all()
    }

    /// Overwrites the line in place. It is shorter than a disk sector, so the write is atomic.
    fn overwrite(&mut self, head: Head) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(head.to_line().as_bytes())?;
        self.head = head;
        Ok(())
    }
}

/// Makes the names in `folder` durable.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows cannot open folders; its file systems journal changes of names.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_file_round_trips_and_other_content_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(HeadFile::read(folder.path()).unwrap(), None);
        fs::write(folder.path().join(super::super::DATABASE_FILE), "some bytes").unwrap();
        let head = Head { incarnation: u64::MAX - 3, events: 7, closed: None };
        let mut file = HeadFile::write(folder.path(), head).unwrap();
        assert_eq!(HeadFile::read(folder.path()).unwrap(), Some(head));
        file.record_events(123_456).unwrap();
        assert_eq!(HeadFile::read(folder.path()).unwrap(), Some(Head { events: 123_456, ..head }));
        file.record_closed(123_457).unwrap();
        let closed = HeadFile::read(folder.path()).unwrap().unwrap();
        let stamp = Stamp::of(&folder.path().join(super::super::DATABASE_FILE)).unwrap();
        assert_eq!(closed, Head { events: 123_457, closed: Some(stamp), ..head });

        for other in ["", "chinwag-head-1", "chinwag-head-2 0 0 0 0 0\n", "chinwag-head-1 0 0 0 0 x\n"] {
            fs::write(folder.path().join(HEAD_FILE), other).unwrap();
            assert_eq!(HeadFile::read(folder.path()).unwrap(), None, "{other:?}");
        }
    }
}
