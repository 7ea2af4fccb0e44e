//! A temporary folder that a browser may still be writing to.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use anyhow::Result;

/// Time in which the processes of a killed browser may write their last files.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// A new folder. Dropping it deletes it, again and again while somebody still writes to it.
#[derive(Debug)]
pub struct TempFolder(PathBuf);

impl TempFolder {
    /// Makes a folder whose name begins with `chinwag-`.
    pub fn new() -> Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("chinwag-").tempdir()?.keep()))
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let deadline = Instant::now() + LAST_WRITES;
        loop {
            match fs::remove_dir_all(&self.0) {
                Err(error) if error.kind() != io::ErrorKind::NotFound && Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(20));
                }
                _ => return,
            }
        }
    }
}
