//! Disks of memory (tmpfs) of any size, which become full. Mounting one takes a right.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::statvfs;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

/// Attempts to shrink a disk while something writes to it.
const ATTEMPTS: usize = 20;

/// A disk, unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts one of this size, bytes, at a folder that exists. `None` without the right to.
    pub(crate) fn mount(folder: &Path, bytes: u64) -> Result<Option<Self>> {
        match mount("chaos", folder, "tmpfs", MountFlags::empty(), size(bytes)?.as_c_str()) {
            Ok(()) => Ok(Some(Self { folder: folder.to_owned() })),
            Err(Errno::PERM | Errno::ACCESS) => Ok(None),
            Err(error) => Err(error).context("cannot mount a small disk"),
        }
    }

    pub(crate) fn resize(&self, bytes: u64) -> Result<()> {
        mount_remount(&self.folder, MountFlags::empty(), size(bytes)?.as_c_str())
            .context("cannot resize the small disk")
    }

    /// Makes it so small that only this much is free, bytes.
    pub(crate) fn leave(&self, bytes: u64) -> Result<()> {
        let mut shrunk = Ok(());
        for _ in 0..ATTEMPTS {
            let disk = statvfs(&self.folder)?;
            let used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize;
            shrunk = self.resize(used + bytes);
            if shrunk.is_ok() {
                break;
            }
        }
        shrunk
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A server that still runs keeps its files until its end.
        unmount(&self.folder, UnmountFlags::DETACH).ok();
    }
}

fn size(bytes: u64) -> Result<CString> {
    Ok(CString::new(format!("size={bytes}"))?)
}
