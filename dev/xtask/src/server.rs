//! The server as a child process that ends with this program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use anyhow::{Result, bail};
use harness::START_TIMEOUT;

use crate::command::{Child, program};
use crate::target;

/// A server that listens. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Child,
    /// `http://127.0.0.1:50051`
    pub(crate) address: String,
}

impl Server {
    /// Starts `binary` and waits until it listens.
    pub(crate) fn start(binary: &Path, flags: &[impl AsRef<OsStr>]) -> Result<Self> {
        let (lines, listening) = mpsc::channel();
        let (mut process, _reader) = program(binary, flags).start_reading(move |line| {
            match line.strip_prefix("listening on ") {
                // Only the first is waited for.
                Some(address) => drop(lines.send(address.trim().to_owned())),
                None => println!("{line}"),
            }
        })?;
        match listening.recv_timeout(START_TIMEOUT) {
            Ok(address) => Ok(Self { process, address }),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                process.wait()?;
                bail!("the server did not start; its error is above")
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("the server does not listen after {START_TIMEOUT:?}")
            }
        }
    }
}

/// The server's binary in a folder of cargo's.
pub(crate) fn binary(profile: &str) -> PathBuf {
    target().join(profile).join(format!("chinwag{}", std::env::consts::EXE_SUFFIX))
}
