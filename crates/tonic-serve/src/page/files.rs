//! The page's files in memory: those of a directory, read again when they have changed, or those that the program has.
//!
//! A client determines the duration of a response. From disk, each response would keep a file open for that time, and a few
//! connections could use up the process's file descriptors.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::io::{self, Cursor, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeek, ReadBuf};
use tokio::task::spawn_blocking;
use tower_http::services::fs::{Backend, File, Metadata};

use super::document::Document;
use crate::base_path::BasePath;

/// Bytes of cached files; above it the cache is emptied, and files are read again on request. A single file above it is sent from
/// disk, and stays open until it is sent.
const MAX_CACHED: u64 = 64 * 1024 * 1024;

/// The files of one page. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Files {
    source: Arc<Source>,
    /// The document that is changed before it is sent.
    document: Option<Arc<Document>>,
}

#[derive(Debug)]
enum Source {
    /// Files on disk.
    Disk(Mutex<Cache>),
    /// Files that never change, by their paths, and the time since which they are the same.
    Memory(HashMap<PathBuf, Bytes>, SystemTime),
}

#[derive(Debug, Default)]
struct Cache {
    files: HashMap<PathBuf, (FileMetadata, Bytes)>,
    /// Bytes of all files.
    bytes: u64,
}

/// Facts about a file, by which two versions of it are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileMetadata {
    is_dir: bool,
    /// `None` where the system does not know it.
    modified: Option<SystemTime>,
    len: u64,
}

impl From<std::fs::Metadata> for FileMetadata {
    fn from(metadata: std::fs::Metadata) -> Self {
        Self { is_dir: metadata.is_dir(), modified: metadata.modified().ok(), len: metadata.len() }
    }
}

impl Metadata for FileMetadata {
    fn is_dir(&self) -> bool {
        self.is_dir
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.modified.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> u64 {
        self.len
    }
}

impl Files {
    /// The files on disk, wherever they are.
    pub(super) fn on_disk() -> Self {
        Self::of(Source::Disk(Mutex::default()))
    }

    pub(super) fn is_on_disk(&self) -> bool {
        matches!(*self.source, Source::Disk(_))
    }

    /// These files, by their paths.
    pub(super) fn in_memory(files: HashMap<PathBuf, Bytes>) -> Self {
        // Browsers ask whether a file has changed since then.
        Self::of(Source::Memory(files, SystemTime::now()))
    }

    fn of(source: Source) -> Self {
        Self { source: Arc::new(source), document: None }
    }

    /// The same files, whose document at `index` names a base path.
    pub(super) fn with_base(self, index: &Path, base: &BasePath) -> Self {
        Self { document: Some(Arc::new(Document::new(index, base))), ..self }
    }

    /// The content of the file at `path`, in UTF-8.
    pub(super) async fn text(&self, path: PathBuf) -> io::Result<String> {
        let mut text = String::new();
        Backend::open(self, path).await?.read_to_string(&mut text).await?;
        Ok(text)
    }

    /// Blocks. Runs on the blocking pool, so a cancelled request cannot hold the lock.
    fn open(&self, path: PathBuf) -> io::Result<OpenFile> {
        let Some(document) = &self.document else { return self.open_unchanged(path) };
        if document.hides(&path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let is_document = document.is(&path);
        match self.open_unchanged(path)? {
            OpenFile { mut metadata, content: Content::Memory(bytes) } if is_document => {
                let bytes = document.write(bytes.into_inner());
                metadata.len = length(&bytes);
                Ok(OpenFile { metadata, content: Content::Memory(Cursor::new(bytes)) })
            }
            other => Ok(other),
        }
    }

    fn open_unchanged(&self, path: PathBuf) -> io::Result<OpenFile> {
        match &*self.source {
            Source::Disk(cache) => open_on_disk(cache, path),
            Source::Memory(files, since) => {
                let bytes = files.get(&path).ok_or(io::ErrorKind::NotFound)?.clone();
                Ok(OpenFile {
                    metadata: in_memory(&bytes, *since),
                    content: Content::Memory(Cursor::new(bytes)),
                })
            }
        }
    }
}

fn in_memory(bytes: &Bytes, since: SystemTime) -> FileMetadata {
    FileMetadata { is_dir: false, modified: Some(since), len: length(bytes) }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn open_on_disk(cache: &Mutex<Cache>, path: PathBuf) -> io::Result<OpenFile> {
    let metadata = std::fs::metadata(&path)?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let metadata = FileMetadata::from(metadata);
    if metadata.len > MAX_CACHED {
        let file = tokio::fs::File::from_std(std::fs::File::open(path)?);
        return Ok(OpenFile { metadata, content: Content::Disk(file) });
    }
    // Concurrent requests for a file wait here, and it is read once.
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = match cache.files.get(&path) {
        Some((cached, bytes)) if *cached == metadata && metadata.modified.is_some() => bytes.clone(),
        _ => cache.read(path, metadata)?,
    };
    Ok(OpenFile { metadata, content: Content::Memory(Cursor::new(bytes)) })
}

impl Cache {
    fn read(&mut self, path: PathBuf, metadata: FileMetadata) -> io::Result<Bytes> {
        self.forget(&path);
        let bytes = Bytes::from(std::fs::read(&path)?);
        let len = length(&bytes);
        if len != metadata.len {
            return Err(io::Error::other("the file is being written"));
        }
        if self.bytes.saturating_add(len) > MAX_CACHED {
            *self = Self::default();
        }
        self.bytes += len;
        self.files.insert(path, (metadata, bytes.clone()));
        Ok(bytes)
    }

    fn forget(&mut self, path: &Path) {
        if let Some((metadata, _)) = self.files.remove(path) {
            self.bytes -= metadata.len;
        }
    }
}

impl Backend for Files {
    type File = OpenFile;
    type Metadata = FileMetadata;
    type OpenFuture = BoxFuture<'static, io::Result<OpenFile>>;
    type MetadataFuture = BoxFuture<'static, io::Result<FileMetadata>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let files = self.clone();
        Box::pin(async move { spawn_blocking(move || files.open(path)).await? })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let files = self.clone();
        Box::pin(async move {
            match &*files.source {
                Source::Disk(_) => tokio::fs::metadata(path).await.map(FileMetadata::from),
                Source::Memory(files, since) => files
                    .get(&path)
                    .map(|bytes| in_memory(bytes, *since))
                    .ok_or(io::ErrorKind::NotFound.into()),
            }
        })
    }
}

/// A file that is being sent.
#[derive(Debug)]
pub(super) struct OpenFile {
    metadata: FileMetadata,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Memory(Cursor<Bytes>),
    Disk(tokio::fs::File),
}

impl File for OpenFile {
    type Metadata = FileMetadata;
    type MetadataFuture<'a> = Ready<io::Result<FileMetadata>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.metadata))
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

    fn cache(files: &Files) -> &Mutex<Cache> {
        match &*files.source {
            Source::Disk(cache) => cache,
            Source::Memory(..) => panic!("it has no cache"),
        }
    }

    #[test]
    fn a_file_is_read_once_and_again_when_it_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (files, path) = (Files::on_disk(), dir.path().join("a"));
        let content = || match files.open(path.clone()).unwrap().content {
            Content::Memory(bytes) => bytes.into_inner(),
            Content::Disk(_) => panic!("it is small"),
        };
        std::fs::write(&path, "one").unwrap();
        let first = content();
        assert_eq!(content().as_ptr(), first.as_ptr());

        std::fs::write(&path, "three").unwrap();

        assert_eq!((&first[..], &content()[..]), (&b"one"[..], &b"three"[..]));
        assert_eq!(cache(&files).lock().unwrap().bytes, 5);
    }

    #[test]
    fn the_cache_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::on_disk();
        let open = |name: &str, len| {
            let path = dir.path().join(name);
            // A sparse file.
            std::fs::File::create(&path).unwrap().set_len(len).unwrap();
            files.open(path).unwrap()
        };
        for name in ["a", "b", "c"] {
            open(name, MAX_CACHED / 2);
            assert!(cache(&files).lock().unwrap().bytes <= MAX_CACHED);
        }
        assert_eq!(cache(&files).lock().unwrap().files.len(), 1);
        assert!(files.open(dir.path().to_owned()).is_err());
    }

    #[tokio::test]
    async fn a_large_file_is_sent_from_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        std::fs::File::create(&path).unwrap().set_len(MAX_CACHED + 1).unwrap();
        let files = Files::on_disk();
        assert!(matches!(files.open(path).unwrap().content, Content::Disk(_)));
        assert_eq!(cache(&files).lock().unwrap().bytes, 0);
    }
}
