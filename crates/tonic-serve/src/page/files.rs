//! The page's files in memory, read again when they have changed.
//!
//! A client determines the duration of a response. From disk, each response would keep a file open for that time, and a few
//! connections could use up the process's file descriptors.

use std::collections::HashMap;
use std::fs::Metadata;
use std::future::{Ready, ready};
use std::io::{self, Cursor, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::task::spawn_blocking;
use tower_http::services::fs::{Backend, File};

/// Bytes of cached files; above it the cache is emptied, and files are read again on request. A single file above it is sent from
/// disk, and stays open until it is sent.
const MAX_CACHED: u64 = 64 * 1024 * 1024;

/// The files of one page. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Files(Arc<Mutex<Cache>>);

#[derive(Debug, Default)]
struct Cache {
    files: HashMap<PathBuf, (Metadata, Bytes)>,
    /// Bytes of all files.
    bytes: u64,
}

impl Files {
    /// Blocks. Runs on the blocking pool, so a cancelled request cannot hold the lock.
    fn open(&self, path: PathBuf) -> io::Result<OpenFile> {
        let metadata = std::fs::metadata(&path)?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        if metadata.len() > MAX_CACHED {
            let file = tokio::fs::File::from_std(std::fs::File::open(path)?);
            return Ok(OpenFile { metadata, content: Content::Disk(file) });
        }
        // Concurrent requests for a file wait here, and it is read once.
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match cache.files.get(&path) {
            Some((cached, bytes)) if is_same(cached, &metadata) => bytes.clone(),
            _ => cache.read(path, &metadata)?,
        };
        Ok(OpenFile { metadata, content: Content::Memory(Cursor::new(bytes)) })
    }
}

impl Cache {
    fn read(&mut self, path: PathBuf, metadata: &Metadata) -> io::Result<Bytes> {
        self.forget(&path);
        let bytes = Bytes::from(std::fs::read(&path)?);
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if len != metadata.len() {
            return Err(io::Error::other("the file is being written"));
        }
        if self.bytes.saturating_add(len) > MAX_CACHED {
            *self = Self::default();
        }
        self.bytes += len;
        self.files.insert(path, (metadata.clone(), bytes.clone()));
        Ok(bytes)
    }

    fn forget(&mut self, path: &Path) {
        if let Some((metadata, _)) = self.files.remove(path) {
            self.bytes -= metadata.len();
        }
    }
}

/// Whether a file is unchanged, by its length and time of modification.
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    let modified = |metadata: &Metadata| metadata.modified().ok();
    one.len() == other.len() && modified(one).is_some() && modified(one) == modified(other)
}

impl Backend for Files {
    type File = OpenFile;
    type Metadata = Metadata;
    type OpenFuture = BoxFuture<'static, io::Result<OpenFile>>;
    type MetadataFuture = BoxFuture<'static, io::Result<Metadata>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let files = self.clone();
        Box::pin(async move { spawn_blocking(move || files.open(path)).await? })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        Box::pin(tokio::fs::metadata(path))
    }
}

/// A file that is being sent.
#[derive(Debug)]
pub(super) struct OpenFile {
    metadata: Metadata,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Memory(Cursor<Bytes>),
    Disk(tokio::fs::File),
}

impl File for OpenFile {
    type Metadata = Metadata;
    type MetadataFuture<'a> = Ready<io::Result<Metadata>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.metadata.clone()))
    }
}

impl AsyncRead for OpenFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.content {
            Content::Memory(bytes) => Pin::new(bytes).poll_read(cx, buf),
            Content::Disk(file) => Pin::new(file).poll_read(cx, buf),
        }
    }
}

impl AsyncSeek for OpenFile {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        match &mut self.content {
            Content::Memory(bytes) => Pin::new(bytes).start_seek(position),
            Content::Disk(file) => Pin::new(file).start_seek(position),
        }
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match &mut self.content {
            Content::Memory(bytes) => Pin::new(bytes).poll_complete(cx),
            Content::Disk(file) => Pin::new(file).poll_complete(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_and_again_when_it_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (files, path) = (Files::default(), dir.path().join("a"));
        let content = || match files.open(path.clone()).unwrap().content {
            Content::Memory(bytes) => bytes.into_inner(),
            Content::Disk(_) => panic!("it is small"),
        };
        std::fs::write(&path, "one").unwrap();
        let first = content();
        assert_eq!(content().as_ptr(), first.as_ptr());

        std::fs::write(&path, "three").unwrap();

        assert_eq!((&first[..], &content()[..]), (&b"one"[..], &b"three"[..]));
        assert_eq!(files.0.lock().unwrap().bytes, 5);
    }

    #[test]
    fn the_cache_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::default();
        let open = |name: &str, len| {
            let path = dir.path().join(name);
            // A sparse file.
            std::fs::File::create(&path).unwrap().set_len(len).unwrap();
            files.open(path).unwrap()
        };
        for name in ["a", "b", "c"] {
            open(name, MAX_CACHED / 2);
            assert!(files.0.lock().unwrap().bytes <= MAX_CACHED);
        }
        assert_eq!(files.0.lock().unwrap().files.len(), 1);
        assert!(files.open(dir.path().to_owned()).is_err());
    }

    #[tokio::test]
    async fn a_large_file_is_sent_from_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        std::fs::File::create(&path).unwrap().set_len(MAX_CACHED + 1).unwrap();
        let files = Files::default();
        assert!(matches!(files.open(path).unwrap().content, Content::Disk(_)));
        assert_eq!(files.0.lock().unwrap().bytes, 0);
    }
}
