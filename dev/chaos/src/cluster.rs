//! Three servers of one chat on three servers of NATS, which are killed, frozen and cut off while people send and read through a
//! balancer; and the check that every server of the chat has exactly what was acknowledged.

mod faults;
mod machines;
mod nats;
mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use futures_util::future::join_all;
use harness::ClusterCommands;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use self::faults::Done;
use self::machines::Machines;
use crate::check::Verdict;
use crate::cluster_fault::Fault;
use crate::options::Options;
use crate::people::People;
use crate::relay::Relay;
use crate::shared::Shared;

/// Time limit of the recovery after a fault: an election takes up to nine seconds, and there may be two.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(90);
/// Time in which clients reconnect after a fault, and leave servers that were frozen.
const RECONNECT_TIME: Duration = Duration::from_secs(2);
/// Time without faults before the next one.
const CALM: Duration = Duration::from_secs(2);
/// Interval of the looks at the number of acknowledgements.
const SAMPLE: Duration = Duration::from_millis(10);

/// The figures of all faults of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct OfAFault {
    count: u64,
    /// Longest time until all servers stored again.
    recovery: Duration,
    /// Longest time until the log had a leader.
    leaderless: Duration,
}

/// The figures of a run.
#[derive(Debug, Default)]
struct Figures {
    faults: BTreeMap<Fault, OfAFault>,
    /// Faults that this machine cannot carry out.
    impossible: BTreeSet<&'static str>,
    longest_pause: Duration,
    entries: String,
    verdict: Verdict,
}

/// Whether the run found no fault of the chat. A failed run keeps the folder.
pub(crate) async fn run(folder: TempDir, options: &Options, seed: u64, time: Duration) -> Result<bool> {
    let mut rng = Rng::with_seed(seed);
    let mut shared = Shared::default();
    shared.has_several_servers = true;
    let shared = Arc::new(shared);
    let begun = Instant::now();
    let mut figures = Figures::default();
    let done = carry_out(&folder, options, &mut rng, time, &shared, &mut figures).await;
    print(seed, &figures, &shared, begun.elapsed());
    if let Err(error) = &done {
        println!("FAILED: {error:#} (after {})", shared.steps());
    }
    shared.failures().iter().for_each(|what| println!("FAILED: {what}"));
    let is_good = done.is_ok() && !shared.has_failed();
    if !is_good {
        println!("the data is kept in {}", folder.keep().display());
    }
    Ok(is_good)
}

async fn carry_out(
    folder: &TempDir,
    options: &Options,
    rng: &mut Rng,
    time: Duration,
    shared: &Arc<Shared>,
    figures: &mut Figures,
) -> Result<()> {
    let mut machines = Machines::begin(folder.path(), rng).await?;
    let addresses = machines.addresses();
    let relay = Relay::start(addresses.clone()).await?;
    let mut people = People::begin(relay.addr, &addresses, shared.clone(), options, rng).await?;
    let pauses = watch_pauses(shared.clone());
    let kinds = options.cluster_faults();
    let broken = break_things(&mut machines, &mut people, &kinds, rng, time, figures).await;
    broken.with_context(|| format!("the logs end with {:#?}", machines.logs()))?;
    let history = people.finish().await?;
    figures.longest_pause = pauses.await?;
    let status = machines.commands.status().await?;
    figures.entries = format!("{} entries, {} bytes", status.entries, status.bytes);
    // Every server by itself, and once more after it has read its database anew.
    for round in 0..2 {
        for addr in &addresses {
            figures.verdict.add(history.judge(*addr).await?);
        }
        if round == 0 {
            machines.restart_nodes()?;
        }
    }
    let Verdict { findings, .. } = &figures.verdict;
    ensure!(figures.verdict.is_good(), "the logs are not what was acknowledged: {findings:#?}");
    ensure!(machines.panics() == 0, "a server panicked: {:#?}", machines.logs());
    Ok(())
}

/// Every kind of fault in a random order, again and again until the time is over.
async fn break_things(
    machines: &mut Machines,
    people: &mut People,
    kinds: &[Fault],
    rng: &mut Rng,
    time: Duration,
    figures: &mut Figures,
) -> Result<()> {
    let begun = Instant::now();
    let mut left = Vec::new();
    while begun.elapsed() < time && !people.shared.has_failed() {
        sleep(CALM).await;
        if left.is_empty() {
            left = kinds.to_vec();
            rng.shuffle(&mut left);
        }
        let Some(fault) = left.pop() else { continue };
        let (what, at) = (fault.describe(), begun.elapsed().as_secs_f64());
        println!("{what} at {at:.0} s, {} acknowledged", people.shared.acknowledged.load(Ordering::Relaxed));
        people.shared.step(format!("{what} at {at:.1} s"));
        let disturbed = people.shared.disturbance.clone().begin();
        let done = fault.carry_out(machines, rng).await.with_context(|| format!("at the fault `{what}`"))?;
        if let Done::Impossible(reason) = done {
            figures.impossible.insert(reason);
            continue;
        }
        let recovered = recover(people, &machines.commands).await;
        let (recovery, leaderless) = recovered.with_context(|| format!("after the fault `{what}`"))?;
        println!(
            "  the log had a leader after {leaderless:.1?}, and all servers stored after {recovery:.1?}"
        );
        let of_all = figures.faults.entry(fault).or_default();
        of_all.count += 1;
        of_all.recovery = of_all.recovery.max(recovery);
        of_all.leaderless = of_all.leaderless.max(leaderless);
        sleep(RECONNECT_TIME).await;
        drop(disturbed);
    }
    Ok(())
}

/// Waits until every server stores a message. Returns the time until then, and that until the log had a leader.
async fn recover(people: &mut People, commands: &ClusterCommands) -> Result<(Duration, Duration)> {
    let ended = Instant::now();
    let leader = async { commands.leader().await.map(|_| ended.elapsed()) };
    let sends =
        join_all(people.witnesses.iter_mut().map(|witness| timeout(RECOVERY_TIMEOUT, witness.send())));
    let all = async { (sends.await, ended.elapsed()) };
    let (leaderless, (sent, recovery)) = tokio::join!(leader, all);
    if let Some(index) = sent.iter().position(Result::is_err) {
        bail!("server {index} of the chat does not store within {RECOVERY_TIMEOUT:?}");
    }
    Ok((recovery, leaderless?))
}

/// Finds the longest time without an acknowledgement, until the sending ends.
fn watch_pauses(shared: Arc<Shared>) -> JoinHandle<Duration> {
    tokio::spawn(async move {
        let (mut longest, mut since, mut last) = (Duration::ZERO, Instant::now(), 0);
        while shared.is_sending() {
            sleep(SAMPLE).await;
            let now = shared.acknowledged.load(Ordering::Relaxed);
            if now != last {
                (since, last) = (Instant::now(), now);
            }
            longest = longest.max(since.elapsed());
        }
        longest
    })
}

fn print(seed: u64, figures: &Figures, shared: &Shared, took: Duration) {
    let row = |what: &str, figure: String| println!("| {what} | {figure} |");
    let seconds = |duration: Duration| format!("{:.1}", duration.as_secs_f64());
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed).to_string();
    println!("\n| what | figure |\n|---|---:|");
    row("seed", seed.to_string());
    row("acknowledged", count(&shared.acknowledged));
    row("acknowledged again", count(&shared.repeated));
    row("log", figures.entries.clone());
    row("calls that failed during faults", count(&shared.excused));
    row("calls that failed outside of faults", count(&shared.calm_failures));
    row("subscriptions opened", count(&shared.subscriptions));
    row("longest pause of writes, s", seconds(figures.longest_pause));
    let Verdict { lost, twice, out_of_order, foreign, .. } = &figures.verdict;
    row("lost, twice, out of order, foreign", format!("{lost}, {twice}, {out_of_order}, {foreign}"));
    row("time, s", seconds(took));
    println!(
        "\n| fault | times | longest recovery, s | of which without a leader, s |\n|---|---:|---:|---:|"
    );
    for (fault, of_all) in &figures.faults {
        let OfAFault { count, recovery, leaderless } = *of_all;
        println!("| {} | {count} | {} | {} |", fault.describe(), seconds(recovery), seconds(leaderless));
    }
    println!();
    for reason in &figures.impossible {
        println!("SKIPPED: {reason}");
    }
}
