//! The server as a child of ours.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::command::{Running, program};
use crate::root;

/// How long it may take to listen: migrations of a large database included.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A server that listens. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) running: Running,
    /// `http://127.0.0.1:50051`
    pub(crate) address: String,
}

impl Server {
    /// Starts `binary` and waits until it listens.
    pub(crate) fn start(binary: &Path, flags: &[&str]) -> Result<Self> {
        let (lines, listening) = mpsc::channel();
        let (mut running, _reader) = program(binary, flags).start_reading(move |line| {
            match line.strip_prefix("listening on ") {
                // Nobody waits any more after the first.
                Some(address) => drop(lines.send(address.trim().to_owned())),
                None => println!("{line}"),
            }
        })?;
        match listening.recv_timeout(START_TIMEOUT) {
            Ok(address) => Ok(Self { running, address }),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                // However it ended, it should not have.
                running.wait()?;
                bail!("the server did not start; it says why above")
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("the server does not listen after {START_TIMEOUT:?}")
            }
        }
    }
}

/// Where cargo puts the server's binary.
pub(crate) fn binary(profile: &str) -> PathBuf {
    target().join(profile).join(format!("chinwag{}", std::env::consts::EXE_SUFFIX))
}

/// The folder for everything that is built.
pub(crate) fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
