//! One run from the command line to the exit code.

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser as _;
use fastrand::Rng;
use harness::free_port;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::attacks::{Attack, Target};
use crate::cluster;
use crate::faults;
use crate::measure;
use crate::options::Options;
use crate::plan::{Plan, Step};
use crate::probe;
use crate::report::Report;
use crate::server::Server;
use crate::world::World;

/// Length of an attack after the newcomers were served, milliseconds.
const ATTACK_MS: std::ops::Range<u64> = 50..500;
/// Pause between two lines of progress.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// Exit code that a shell reports for a program that Ctrl-C ended.
const EXIT_INTERRUPTED: u8 = 130;

/// Runs with the command line's options. The exit code is 1 when anything is wrong.
pub(crate) fn main() -> ExitCode {
    let options = Options::parse();
    match with_options(&options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn with_options(options: &Options) -> Result<ExitCode> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let (kinds, time) = (options.kinds()?, options.time()?);
    let plan = Plan::new(seed, kinds, options.kills.is_some());
    if let Some(steps) = options.plan {
        plan.take(steps).for_each(|step| println!("{} {:?} {}", step.kind.name(), step.pause, step.seed));
        return Ok(ExitCode::SUCCESS);
    }
    println!("seed {seed}; the same again: {}", options.command(seed));
    allow_descriptors()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let is_good = runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            good = run(options, seed, plan, time) => good.map(Some),
            _ = interrupt.recv() => Ok(None),
            _ = terminate.recv() => Ok(None),
        }
    })?;
    Ok(match is_good {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => {
            println!("FAILED with the seed {seed}; the same again: {}", options.command(seed));
            ExitCode::FAILURE
        }
        None => ExitCode::from(EXIT_INTERRUPTED),
    })
}

/// Raises the limit of open files: a connection takes up to three descriptors of this process.
fn allow_descriptors() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("cannot raise the number of open files")
}

/// Whether the run found no fault. The table is always printed; a failed run keeps the data.
async fn run(options: &Options, seed: u64, plan: Plan, time: Duration) -> Result<bool> {
    let mut rng = Rng::with_seed(seed);
    let folder = tempfile::tempdir()?;
    if options.cluster {
        return cluster::run(folder, options, seed, time).await;
    }
    let server = Server::new(folder.path(), free_port(&mut rng)?)?;
    if let Some(seconds) = options.measure {
        return measure::run(server, &mut rng, seconds).await;
    }
    let mut report = Report { seed, ..Report::default() };
    let begun = Instant::now();
    let mut world = World::begin(server, options, &mut rng).await?;
    let shared = world.shared.clone();

    let carried_out = carry_out(&mut world, options, plan, time, &mut report).await;
    report.sent_for = begun.elapsed();
    let ended = match carried_out {
        Ok(()) => end(world, &mut report).await,
        Err(error) => Err(error.context(format!("the server's log ends with {:#?}", world.server.log()))),
    };
    report.took = begun.elapsed();
    report.print(Some(&shared));
    if let Err(error) = &ended {
        println!("FAILED: {error:#} (after {})", shared.steps());
    }
    let is_good = ended.is_ok() && !shared.has_failed();
    shared.failures().iter().for_each(|what| println!("FAILED: {what}"));
    if !is_good {
        println!("the data is kept in {}", folder.keep().display());
    }
    Ok(is_good)
}

/// Carries out the steps until the time is over or the targets are reached.
async fn carry_out(
    world: &mut World,
    options: &Options,
    plan: Plan,
    time: Duration,
    report: &mut Report,
) -> Result<()> {
    let (begun, mut reported) = (Instant::now(), Instant::now());
    let mut attack = None;
    for step in plan {
        let acknowledged = world.shared.acknowledged.load(Ordering::Relaxed);
        let reached = options.messages.is_none_or(|messages| acknowledged >= messages)
            && options.kills.is_none_or(|kills| report.done.kills >= kills);
        if world.shared.has_failed() || options.has_target() && reached {
            break;
        }
        if begun.elapsed() > time {
            ensure!(!options.has_target(), "the time is over, and the targets are not reached");
            break;
        }
        if reported.elapsed() > REPORT_INTERVAL {
            reported = Instant::now();
            println!("{acknowledged} acknowledged, {} kills, {:.0?}", report.done.kills, begun.elapsed());
        }
        sleep(step.pause).await;
        *report.steps.entry(step.kind).or_default() += 1;
        world.shared.step(format!("{} at {:.1} s", step.kind.name(), begun.elapsed().as_secs_f64()));
        if step.kind.is_attack() {
            // The attack before this one has continued during the faults in between.
            attack = None;
            attack.replace(attack_and_probe(world, &step, report).await?);
        } else {
            faults::carry_out(world, &step, &mut report.done).await?;
        }
        ensure!(!world.server.has_ended(), "the server has ended");
    }
    drop(attack);
    Ok(())
}

/// Begins an attack, and checks that newcomers are served.
async fn attack_and_probe(world: &mut World, step: &Step, report: &mut Report) -> Result<Attack> {
    let mut rng = Rng::with_seed(step.seed);
    let target =
        Target { server: world.server.addr(), authorization: world.mallory.authorization().to_owned() };
    let attack = Attack::begin(step.kind, &target, &mut rng).await;
    let took = probe::newcomers(world, report.steps.values().sum()).await;
    let took = took.with_context(|| format!("during the attack `{}`", step.kind.name()))?;
    report.longest_call = report.longest_call.max(took);
    sleep(Duration::from_millis(rng.u64(ATTACK_MS))).await;
    Ok(attack)
}

/// Waits for all senders and readers, and checks the logs.
async fn end(world: World, report: &mut Report) -> Result<()> {
    report.resident_bytes = world.server.resident_bytes().unwrap_or(0);
    let (server, outcome) = world.end().await?;
    report.panics = server.panics();
    report.calm_us = outcome.calm_us;
    let verdict = report.verdict.insert(outcome.verdict);
    if !verdict.is_good() {
        bail!("the logs are not what was acknowledged: {:#?}", verdict.findings);
    }
    ensure!(report.panics == 0, "the server panicked: {:#?}", server.log());
    Ok(())
}
