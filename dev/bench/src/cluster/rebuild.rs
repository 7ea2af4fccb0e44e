//! A new server that gets everything: from the log, and from a copy of the database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use harness::{Machines, Server};
use proto::chat::v1::ListRoomsRequest;
use proto::chat::v1::chat_service_client::ChatServiceClient;

use super::servers::{Place, SENDERS, begin_machines, log_state};
use super::{Options, sends};
use crate::people::{connect, join};
use crate::process::backend;
use crate::report::{Samples, Table};

/// Time in which a new server has to have everything.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// Time limit of a graceful shutdown.
const STOP: Duration = Duration::from_secs(20);

/// A database with many events, and the figures of making it.
struct Filled {
    /// The data folder of a server that has stopped.
    data: PathBuf,
    events: f64,
    entries: f64,
    log_bytes: f64,
    /// The most of the servers of NATS.
    nats_mib: f64,
    /// Events of a new server in a second, round by round.
    from_log: Vec<f64>,
}

pub(super) async fn run(options: &Options, table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut alone = Vec::new();
    let server = backend(&folder.path().join("alone"))?;
    let place = Place::join(std::slice::from_ref(&server)).await?;
    for _ in 0..options.rebuilds {
        alone.push(sends::measure(&place, SENDERS, options.length()).await?.per_second);
    }
    drop(server);

    let filled = fill(folder.path(), options).await?;
    let (events, entries) = (filled.events, filled.entries);
    table.row(
        &format!("events that a new server takes from the log, {events} in {entries} entries"),
        Samples::ratios(&filled.from_log, &alone).show(),
        &format!("x the sends of one server ({})", against(&filled.from_log, &alone)),
        "-",
    );
    let database = fs::metadata(filled.data.join("chinwag.db"))?.len() as f64 / events;
    let in_log = filled.log_bytes / events;
    let ratio = Samples::new(vec![in_log / database]).show();
    let both = format!("x its size in the database ({in_log:.0} against {database:.0} bytes)");
    table.row(&format!("size of an event in the log, {entries} entries"), ratio, &both, "-");
    let memory = Samples::new(vec![filled.nats_mib]).show();
    table.row("memory of a server of NATS with that log", memory, "MiB, the largest of three", "-");

    let (copied, restored) = from_copy(folder.path(), &filled, options).await?;
    table.row(
        &format!("events that a new server takes from a copy of the database with {events}"),
        Samples::ratios(&copied, &restored).show(),
        &format!("x `chinwag restore` and a start ({})", against(&copied, &restored)),
        "1,000,000 in 10 s",
    );
    Ok(())
}

/// Both figures of a ratio.
fn against(cluster: &[f64], alone: &[f64]) -> String {
    let show = |samples: &[f64]| Samples::new(samples.to_vec()).show();
    format!("{} against {} per second", show(cluster), show(alone))
}

/// Fills the log of a cluster, and lets new servers follow it.
async fn fill(folder: &Path, options: &Options) -> Result<Filled> {
    // A cluster that begins with a database has a copy of that, and no server makes another one while the log is filled.
    let first = folder.join("first");
    backend(&first)?.terminate(STOP)?;
    let mut machines = begin_machines(&folder.join("log"), Some(&first)).await?;
    let place = Place::join(&machines.nodes[..1]).await?;
    let before = log_state(&machines).await?;
    let each = options.events.div_ceil(SENDERS as u64);
    let begun = Instant::now();
    try_join_all(place.senders(SENDERS).into_iter().map(async |mut sender| {
        for _ in 0..each {
            sender.send().await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    let (after, events) = (log_state(&machines).await?, each * SENDERS as u64);
    eprintln!("{events} events were sent in {:.0?}", begun.elapsed());
    let mut from_log = Vec::new();
    for round in 0..options.rebuilds {
        let time = start_new(&machines, &folder.join(format!("from-log-{round}")), events).await?;
        from_log.push(events as f64 / time.as_secs_f64());
    }
    let mut nats_bytes = 0;
    for nats in &machines.nats {
        nats_bytes = nats_bytes.max(nats.resident_bytes()?);
    }
    machines.nodes[0].terminate(STOP)?;
    Ok(Filled {
        data: machines.nodes[0].data().to_owned(),
        events: events as f64,
        entries: after.entries - before.entries,
        log_bytes: after.bytes - before.bytes,
        nats_mib: nats_bytes as f64 / 1024.0 / 1024.0,
        from_log,
    })
}

/// The time until a server with an empty folder has everything. Its folder is removed then.
async fn start_new(machines: &Machines, folder: &Path, events: u64) -> Result<Duration> {
    let mut node = machines.node(folder)?.flags(["--log=warn"]);
    let begun = Instant::now();
    node.start_within(PATIENCE)?;
    let time = begun.elapsed();
    has_events(&node, events).await?;
    node.kill()?;
    fs::remove_dir_all(folder)?;
    Ok(time)
}

async fn has_events(server: &Server, events: u64) -> Result<()> {
    let channel = connect(&server.url(), 1).await?.remove(0);
    let guest = join(&channel, 1).await?.remove(0);
    let mut client = ChatServiceClient::new(channel);
    let rooms = client.list_rooms(guest.request(ListRoomsRequest {})).await?.into_inner().rooms;
    let head = rooms.first().context("there is no room")?.head_seq;
    ensure!(head > events, "the new server has {head} events of {events}");
    Ok(())
}

/// Events of a new server in a second from a copy in a cluster, and from a backup on a server alone, round by round.
async fn from_copy(folder: &Path, filled: &Filled, options: &Options) -> Result<(Vec<f64>, Vec<f64>)> {
    let (backup, restored) = (folder.join("backup.db"), folder.join("restored"));
    command(&["backup".as_ref(), backup.as_ref(), "--data".as_ref(), filled.data.as_ref()])?;
    let machines = begin_machines(&folder.join("copy"), Some(&filled.data)).await?;
    let events = filled.events;
    let (mut by_copy, mut by_restore) = (Vec::new(), Vec::new());
    for round in 0..options.rebuilds {
        let time = start_new(&machines, &folder.join(format!("from-copy-{round}")), events as u64).await?;
        by_copy.push(events / time.as_secs_f64());

        let begun = Instant::now();
        command(&["restore".as_ref(), backup.as_ref(), "--data".as_ref(), restored.as_ref()])?;
        let server = backend(&restored)?;
        by_restore.push(events / begun.elapsed().as_secs_f64());
        has_events(&server, events as u64).await?;
        drop(server);
        fs::remove_dir_all(&restored)?;
    }
    Ok((by_copy, by_restore))
}

/// Runs a command of the server's program.
fn command(words: &[&Path]) -> Result<()> {
    let output = Command::new(harness::program()?).args(words).output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`chinwag {}` said {error}", words[0].display());
    Ok(())
}
