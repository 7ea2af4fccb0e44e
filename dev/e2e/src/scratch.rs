//! A scenario's folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::Result;

/// How long the last of a killed browser's processes may still write.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// A new folder, deleted with all it holds when dropped, even while the processes of a browser that was
/// killed are still about to notice.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> Result<Scratch> {
        Ok(Scratch { path: tempfile::Builder::new().prefix("chinwag-e2e-").tempdir()?.keep() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let deadline = Instant::now() + LAST_WRITES;
        loop {
            match fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound && Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(20));
                }
                _ => return,
            }
        }
    }
}
