//! Faults of the server and its connections, and the wait for recovery.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use crate::plan::{Kind, Step};
use crate::relay::Mode;
use crate::small_disk;
use crate::world::World;

/// Length of a fault, milliseconds.
const LENGTH_MS: std::ops::Range<u64> = 100..1_500;
/// Longest time before a killed server is started again, milliseconds.
const DEAD_MS: u64 = 200;
/// Longest life of a server that is killed while it starts, milliseconds. A release build makes its database in a few
/// milliseconds, a debug build in some ten.
const START_MS: u64 = 60;
/// Servers that one step kills during their first start.
const FIRST_STARTS: usize = 6;
/// Longest delay of a chunk of bytes, milliseconds.
const DELAY_MS: u64 = 30;
/// Descriptors that a limited server has left.
const LEFT_DESCRIPTORS: u64 = 4;
/// Time limit of the recovery after a fault.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// Time in which clients reconnect after a fault: longer than the pauses of senders.
const RECONNECT_TIME: Duration = Duration::from_millis(300);

/// Figures of all faults.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// SIGKILLs of the main server.
    pub(crate) kills: u64,
    /// Longest graceful shutdown.
    pub(crate) longest_stop: Duration,
    /// Longest recovery after a fault.
    pub(crate) longest_recovery: Duration,
    /// Whether this process may not mount a disk.
    pub(crate) has_no_small_disk: bool,
}

/// Carries out the fault of `step` and waits for recovery.
pub(crate) async fn carry_out(world: &mut World, step: &Step, done: &mut Done) -> Result<()> {
    let mut rng = Rng::with_seed(step.seed);
    match step.kind {
        Kind::FirstStart => return first_starts(world, &mut rng).await,
        Kind::SmallDisk => {
            done.has_no_small_disk |= !small_disk::fill(&world.server, &mut rng).await?;
            return Ok(());
        }
        _ => {}
    }
    let disturbance = world.shared.disturbance.clone();
    let disturbed = disturbance.begin();
    match step.kind {
        Kind::Kill => kill(world, &mut rng, done).await?,
        Kind::KillStart => kill_start(world, &mut rng, done).await?,
        Kind::Terminate => {
            let took = world.server.shut_down()?;
            done.longest_stop = done.longest_stop.max(took);
            world.server.start()?;
        }
        Kind::Pause => {
            world.server.signal(Signal::STOP)?;
            sleep(length(&mut rng)).await;
            world.server.signal(Signal::CONT)?;
        }
        Kind::DiskFull => disk_full(world, &mut rng, done).await?,
        Kind::Descriptors => few_descriptors(world, &mut rng).await?,
        Kind::Cut => drop(world.relay.disturb(&mut rng, 0.5, Mode::Cut)),
        Kind::Silence => {
            let silent = world.relay.disturb(&mut rng, 0.3, Mode::Silent);
            sleep(length(&mut rng)).await;
            let (cut, go_on) = silent.split_at(silent.len() / 2);
            world.relay.set(cut, Mode::Cut);
            world.relay.set(go_on, Mode::Pass(Duration::ZERO));
        }
        Kind::Delay => {
            let delay = Duration::from_millis(rng.u64(1..DELAY_MS));
            let delayed = world.relay.disturb(&mut rng, 0.7, Mode::Pass(delay));
            sleep(length(&mut rng)).await;
            world.relay.set(&delayed, Mode::Pass(Duration::ZERO));
        }
        _ => {}
    }
    let ended = Instant::now();
    recovered(world).await.with_context(|| format!("after the fault `{}`", step.kind.name()))?;
    done.longest_recovery = done.longest_recovery.max(ended.elapsed());
    sleep(RECONNECT_TIME).await;
    drop(disturbed);
    Ok(())
}

fn length(rng: &mut Rng) -> Duration {
    Duration::from_millis(rng.u64(LENGTH_MS))
}

/// A random time, more often short.
fn short_life(rng: &mut Rng) -> Duration {
    let longest = rng.u64(1..START_MS);
    Duration::from_millis(rng.u64(1..=longest))
}

async fn kill(world: &mut World, rng: &mut Rng, done: &mut Done) -> Result<()> {
    world.server.kill()?;
    done.kills += 1;
    if rng.bool() {
        sleep(Duration::from_millis(rng.u64(..DEAD_MS))).await;
    }
    world.server.start()?;
    Ok(())
}

async fn kill_start(world: &mut World, rng: &mut Rng, done: &mut Done) -> Result<()> {
    world.server.kill()?;
    done.kills += 1;
    for _ in 0..rng.u32(1..4) {
        world.server.start_and_kill(short_life(rng)).await?;
        done.kills += 1;
    }
    world.server.start()?;
    Ok(())
}

/// Kills other servers while they make their database. Each has to start afterwards.
async fn first_starts(world: &World, rng: &mut Rng) -> Result<()> {
    for _ in 0..FIRST_STARTS {
        let folder = tempfile::tempdir()?;
        let mut server = world.server.another(folder.path())?;
        let life = short_life(rng);
        server.start_and_kill(life).await?;
        let started = server.start();
        started.with_context(|| format!("killed {life:?} after its first start: {:?}", server.log()))?;
        server.kill()?;
    }
    Ok(())
}

/// Limits the server's files, so that writes fail at once or within the write-ahead log. It may be killed in addition.
async fn disk_full(world: &mut World, rng: &mut Rng, done: &mut Done) -> Result<()> {
    let bytes = if rng.bool() { 0 } else { rng.u64(..=world.server.log_bytes()) };
    world.server.limit_files(Some(bytes))?;
    sleep(length(rng)).await;
    ensure!(!world.server.has_ended(), "the server ended because its disk was full");
    if rng.u32(..3) == 0 {
        return kill(world, rng, done).await;
    }
    world.server.limit_files(None)
}

async fn few_descriptors(world: &World, rng: &mut Rng) -> Result<()> {
    let open = world.server.descriptors()?;
    world.server.limit_descriptors(Some(open + rng.u64(..LEFT_DESCRIPTORS)))?;
    // Clients with cut connections reconnect, and newcomers exceed the limit.
    world.relay.disturb(rng, 0.2, Mode::Cut);
    let newcomers = (0..2 * LEFT_DESCRIPTORS).map(|_| tokio::net::TcpStream::connect(world.server.addr()));
    let newcomers = futures_util::future::join_all(newcomers).await;
    sleep(length(rng)).await;
    drop(newcomers);
    world.server.limit_descriptors(None)
}

/// Waits until the rooms can be listed and a message is acknowledged.
async fn recovered(world: &mut World) -> Result<()> {
    let works = async {
        while world.watcher.rooms().await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
        world.witness().send().await;
    };
    let works = timeout(RECOVERY_TIMEOUT, works).await;
    ensure!(!world.server.has_ended(), "the server has ended");
    works.with_context(|| format!("no recovery within {RECOVERY_TIMEOUT:?}"))
}
