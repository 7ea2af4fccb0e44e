//! Another server on a disk of its own, which is really full for a while.
//!
//! The disk is a tmpfs, and mounting one takes rights that a run does not need otherwise: without them the step is
//! left out, and the report says so.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::person::Person;
use crate::sender::Sender;
use crate::server::Server;
use crate::shared::Shared;
use crate::wire;
use crate::world::{judge, rooms_of};

/// The size of the disk, bytes: full after some hundred transactions.
const SMALL: u64 = 4 * 1024 * 1024;
/// Its size after it was enlarged.
const LARGE: u64 = 256 * 1024 * 1024;
/// People who send.
const SENDERS: u32 = 8;
/// Sends that have to fail before the disk counts as full, and that have to succeed before all is well again.
const ENOUGH: u64 = 20;
/// How long it may take until the disk is full, and until sends go on when it no longer is.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the full disk stays full, milliseconds.
const FULL_MS: u64 = 300;

/// Fills the disk of a server like `like`, enlarges it, kills the server, and judges its logs. `false` where nothing
/// may be mounted.
pub(crate) async fn fill(like: &Server, rng: &mut Rng) -> Result<bool> {
    let Some(disk) = Disk::mount()? else { return Ok(false) };
    let mut server = like.another(disk.folder.path());
    let filled = fill_disk(&disk, &mut server, rng).await;
    filled.with_context(|| format!("on a small disk; the server's log: {:#?}", server.log()))?;
    // Before the disk, which it has files on.
    server.kill().await?;
    Ok(true)
}

async fn fill_disk(disk: &Disk, server: &mut Server, rng: &mut Rng) -> Result<()> {
    let addr = server.start().await?;
    let shared = Arc::<Shared>::default();
    // From the first send on something is wrong: a full disk is what this is about.
    let _disturbed = shared.disturbance.begin();
    let client = wire::native(addr)?;
    let mut watcher = Person::join(client.clone(), "Watcher").await?;
    let rooms = rooms_of(&mut watcher).await?;
    let mut senders = Vec::new();
    for index in 0..SENDERS {
        let person = Person::join(client.clone(), &format!("Sender {index}")).await?;
        let sender = Sender::new(index, person, rooms[0].clone(), rng.fork(), shared.clone());
        senders.push(tokio::spawn(sender.run()));
    }

    reached(&shared.excused, ENOUGH).await.context("no send fails, although the disk is full")?;
    sleep(Duration::from_millis(rng.u64(..FULL_MS))).await;
    ensure!(!server.has_ended(), "the server ended because its disk was full");
    disk.resize(LARGE)?;
    let goal = shared.acknowledged.load(Ordering::Relaxed) + ENOUGH;
    reached(&shared.acknowledged, goal).await.context("sends do not go on, although there is room again")?;
    shared.stop_sending();
    let mut records = Vec::new();
    for sender in senders {
        let record = timeout(PATIENCE, sender).await;
        records.push(record.context("a sender's last message was not acknowledged")??);
    }
    server.kill().await?;
    let mut reader = watcher.over(wire::native(server.start().await?)?);
    let verdict = judge(&mut reader, &rooms, &records, &[]).await?;
    if !verdict.is_good() {
        bail!("the log is not what was acknowledged: {:#?}", verdict.told);
    }
    ensure!(!shared.has_failed(), "{:#?}", shared.told());
    Ok(())
}

async fn reached(counter: &AtomicU64, goal: u64) -> Result<()> {
    let reached = async {
        while counter.load(Ordering::Relaxed) < goal {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reached).await.with_context(|| format!("waited for {PATIENCE:?}"))
}

/// A disk of memory, unmounted when dropped.
#[derive(Debug)]
struct Disk {
    folder: TempDir,
}

impl Disk {
    /// A small one; none where nothing may be mounted.
    fn mount() -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        match mount("chaos", folder.path(), "tmpfs", MountFlags::empty(), size(SMALL)?.as_c_str()) {
            Ok(()) => Ok(Some(Self { folder })),
            Err(Errno::PERM | Errno::ACCESS) => Ok(None),
            Err(error) => Err(error).context("cannot mount a small disk"),
        }
    }

    fn resize(&self, bytes: u64) -> Result<()> {
        mount_remount(self.folder.path(), MountFlags::empty(), size(bytes)?.as_c_str())
            .context("cannot enlarge the small disk")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A server that is not gone yet keeps its files until it is.
        unmount(self.folder.path(), UnmountFlags::DETACH).ok();
    }
}

fn size(bytes: u64) -> Result<CString> {
    Ok(CString::new(format!("size={bytes}"))?)
}
