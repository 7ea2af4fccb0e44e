//! Another server on a small disk that becomes full.
//!
//! The disk is a tmpfs. Without the right to mount one, the step is left out, and the report says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use harness::{PATIENCE, until};
use tokio::time::{sleep, timeout};

use crate::disk::Disk;
use crate::people::{judge, rooms_of};
use crate::person::Person;
use crate::sender::Sender;
use crate::server::Server;
use crate::shared::Shared;
use crate::wire;

/// Size of the disk, bytes: some hundred transactions fill it.
const SMALL: u64 = 4 * 1024 * 1024;
/// Size of the enlarged disk, bytes.
const LARGE: u64 = 256 * 1024 * 1024;
/// Number of senders.
const SENDERS: u32 = 8;
/// Failing sends by which the disk counts as full, and succeeding sends by which the server counts as recovered.
const ENOUGH: u64 = 20;
/// Longest time for which the disk stays full, milliseconds.
const FULL_MS: u64 = 300;

/// Fills the disk of a server like `like`, enlarges it, kills the server, and checks its logs. `false` without the right
/// to mount a disk.
pub(crate) async fn fill(like: &Server, rng: &mut Rng) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let Some(disk) = Disk::mount(folder.path(), SMALL)? else { return Ok(false) };
    let mut server = like.another(folder.path())?;
    let filled = fill_disk(&disk, &mut server, rng).await;
    filled.with_context(|| format!("on a small disk; the server's log: {:#?}", server.log()))?;
    // Before the disk is unmounted, on which it has open files.
    server.kill()?;
    Ok(true)
}

async fn fill_disk(disk: &Disk, server: &mut Server, rng: &mut Rng) -> Result<()> {
    let addr = server.start()?;
    let shared = Arc::<Shared>::default();
    // Every send may fail: the disk is full soon.
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

    reached(&shared.excused, ENOUGH, "failing sends on a full disk").await?;
    sleep(Duration::from_millis(rng.u64(..FULL_MS))).await;
    ensure!(!server.has_ended(), "the server ended because its disk was full");
    disk.resize(LARGE)?;
    let goal = shared.acknowledged.load(Ordering::Relaxed) + ENOUGH;
    reached(&shared.acknowledged, goal, "successful sends on the enlarged disk").await?;
    shared.stop_sending();
    let mut records = Vec::new();
    for sender in senders {
        let record = timeout(PATIENCE, sender).await;
        records.push(record.context("a sender's last message was not acknowledged")??);
    }
    server.kill()?;
    let mut reader = watcher.over(wire::native(server.start()?)?);
    let verdict = judge(&mut reader, &rooms, &records, &[]).await?;
    if !verdict.is_good() {
        bail!("the log is not what was acknowledged: {:#?}", verdict.findings);
    }
    ensure!(!shared.has_failed(), "{:#?}", shared.failures());
    Ok(())
}

async fn reached(counter: &AtomicU64, goal: u64, what: &str) -> Result<()> {
    until(what, || counter.load(Ordering::Relaxed) >= goal).await
}
