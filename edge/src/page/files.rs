//! The page's files, each open only while a piece of it is read: an answer that its client does not take
//! holds no file descriptor, however many there are.
//!
//! Knows nothing of HTTP: ranges, encodings and dates are `tower-http`'s.

use std::fs::{File as OpenFile, Metadata};
use std::future::{Ready, ready};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::task::{JoinHandle, spawn_blocking};
use tower_http::services::fs::{Backend, File};

/// How much of a file is read at once, bytes; as much as `tower-http` asks for. It is what an answer holds
/// whose client stops in the middle.
const PIECE: u64 = 64 * 1024;

/// Where the page's files are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files;

impl Backend for Files {
    type File = PageFile;
    type Metadata = Metadata;
    type OpenFuture = BoxFuture<'static, io::Result<PageFile>>;
    type MetadataFuture = BoxFuture<'static, io::Result<Metadata>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        Box::pin(async move {
            let opened = spawn_blocking(move || {
                let metadata = OpenFile::open(&path)?.metadata()?;
                Ok(PageFile { path, metadata, position: 0, piece: Vec::new(), reading: None })
            });
            opened.await?
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        Box::pin(tokio::fs::metadata(path))
    }
}

/// A file as it was when it was asked for. When it has changed since, reading on is an error.
#[derive(Debug)]
pub(super) struct PageFile {
    path: PathBuf,
    metadata: Metadata,
    /// Where the next piece begins.
    position: u64,
    /// What was read and not taken yet.
    piece: Vec<u8>,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl AsyncRead for PageFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.piece.is_empty() {
            let left = self.metadata.len().saturating_sub(self.position);
            if left == 0 || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let length = left.min(PIECE).min(buf.remaining() as u64);
            let this = &mut *self;
            let reading = this.reading.get_or_insert_with(|| {
                let (path, metadata, position) = (this.path.clone(), this.metadata.clone(), this.position);
                spawn_blocking(move || read(&path, &metadata, position, length))
            });
            let read = ready!(Pin::new(reading).poll(cx));
            this.reading = None;
            this.piece = read??;
            this.position += this.piece.len() as u64;
        }
        let taken = self.piece.len().min(buf.remaining());
        buf.put_slice(&self.piece[..taken]);
        self.piece.drain(..taken);
        Poll::Ready(Ok(()))
    }
}

/// Opens the file, reads a piece of it and closes it. Blocks.
fn read(path: &Path, then: &Metadata, position: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut file = OpenFile::open(path)?;
    let now = file.metadata()?;
    if now.len() != then.len() || now.modified()? != then.modified()? {
        return Err(io::Error::other("the file has changed since the answer began"));
    }
    file.seek(SeekFrom::Start(position))?;
    let mut piece = Vec::new();
    file.take(length).read_to_end(&mut piece)?;
    Ok(piece)
}

impl AsyncSeek for PageFile {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.metadata.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => (self.position - self.piece.len() as u64).checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        self.piece = Vec::new();
        self.reading = None;
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

impl File for PageFile {
    type Metadata = Metadata;
    type MetadataFuture<'a> = Ready<io::Result<Metadata>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.metadata.clone()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

    use super::*;

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n % 251) as u8).collect()
    }

    async fn open(path: &Path) -> PageFile {
        Files.open(path.to_owned()).await.unwrap()
    }

    #[tokio::test]
    async fn a_file_is_read_from_any_place_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for len in [0, 1, PIECE as usize, 3 * PIECE as usize + 7] {
            let content = content(len);
            std::fs::write(&path, &content).unwrap();
            for start in [0, len / 2, len] {
                let mut file = open(&path).await;
                let at = file.seek(SeekFrom::Start(start as u64)).await.unwrap();
                assert_eq!(at, start as u64);
                let mut read = Vec::new();
                file.read_to_end(&mut read).await.unwrap();
                assert!(read == content[start..], "{len} bytes from {start}");
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_read_is_not_mixed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, content(3 * PIECE as usize)).unwrap();
        let mut file = open(&path).await;
        let mut first = vec![0; PIECE as usize];
        file.read_exact(&mut first).await.unwrap();
        std::fs::write(&path, content(2 * PIECE as usize)).unwrap();

        let error = file.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains("changed"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_file_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let error = Files.open(dir.path().join("none")).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
