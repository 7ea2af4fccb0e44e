//! `cargo xtask bench fan-out`: one room with thousands of subscribers. Our server beside Centrifuge's library, and beside a
//! program that only writes the bytes to each socket, which is the least that any server does.
//!
//! The client is the same for all: it finds the time of sending in what it reads, and parses nothing else.

mod connections;
mod http2;
mod idle;
mod received;
mod restart;
mod servers;
mod socket;
mod write_server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::time::{interval, sleep};

use self::received::{Received, message};
use self::servers::{Kind, Measured, Peer};
pub(crate) use self::write_server::run as write_server;
use crate::process::load;
use crate::report::{Samples, Table};

/// Open files of the server and of this program that are no subscriber's. The server itself keeps 192.
const OTHER_FILES: u64 = 200;
/// Time after which allocators have given back what opening the streams needed for a moment.
const SETTLE: Duration = Duration::from_millis(2_500);

/// Measure the fan-out of a room
#[derive(Clone, Debug, Parser)]
#[command(no_binary_name = true)]
pub(crate) struct Options {
    /// Rounds of the comparison
    #[arg(long, default_value_t = crate::ROUNDS)]
    rounds: usize,
    /// Subscribers; fewer where the limit of open files asks for it [default: 5000, and 20000 with --idle]
    #[arg(long)]
    subscribers: Option<usize>,
    /// Messages of a round
    #[arg(long, default_value_t = 100)]
    messages: u32,
    /// Messages in a second
    #[arg(long, default_value_t = 10)]
    rate: u32,
    /// Connections of the subscribers; sockets, Centrifuge and bare writes have HTTP/1.1 only
    #[arg(long, value_enum, default_value_t = Protocol::Http1)]
    protocol: Protocol,
    /// Servers to measure, instead of all that have the protocol
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Restart our server under the subscribers, and check that nothing is lost
    #[arg(long, conflicts_with_all = ["idle", "only"])]
    restart: bool,
    /// Measure our server's memory with idle subscribers, and the time of a send to them
    #[arg(long, conflicts_with = "only")]
    idle: bool,
    /// The program of `dev/bench/centrifuge`. Without it there is no peer.
    #[arg(long, env = "CENTRIFUGE")]
    centrifuge: Option<PathBuf>,
}

/// Connections of the subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// One for each
    Http1,
    /// One for each, with TLS
    Tls,
    /// One for ten, HTTP/2
    Http2,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    println!("{}, load {}\n", crate::process::machine(), load());
    let wanted = options.subscribers.unwrap_or(if options.idle { 20_000 } else { 5_000 });
    let subscribers = wanted.min(subscribers_that_fit()?);
    if subscribers < wanted {
        println!("{subscribers} subscribers: the limit of open files allows no more\n");
    }
    if options.restart {
        return restart::run(subscribers).await;
    }
    if options.idle {
        return idle::run(subscribers, options.protocol).await;
    }
    compare(&options, subscribers).await
}

async fn compare(options: &Options, subscribers: usize) -> Result<()> {
    let kinds = kinds(options);
    let mut rounds = vec![Vec::new(); kinds.len()];
    for round in 1..=options.rounds {
        for (kind, figures) in kinds.iter().zip(&mut rounds) {
            let measured = measure(options, *kind, subscribers).await?;
            eprintln!("round {round}, {kind}, load {}: {measured:?}", load());
            figures.push(measured);
        }
    }
    print(&kinds, &rounds);
    Ok(())
}

/// The servers to measure, in their order.
fn kinds(options: &Options) -> Vec<Kind> {
    let has_peer = options.centrifuge.is_some() && options.protocol == Protocol::Http1;
    let is_there = |kind: &Kind| match kind {
        Kind::Ours => true,
        Kind::CentrifugeStream | Kind::CentrifugeWebSocket => has_peer,
        Kind::OursBySocket | Kind::Writes => options.protocol == Protocol::Http1,
    };
    let is_wanted = |kind: &Kind| options.only.is_empty() || options.only.contains(kind);
    Kind::value_variants().iter().copied().filter(is_there).filter(is_wanted).collect()
}

/// The figures of one server in one round.
#[derive(Clone, Debug)]
struct Figures {
    kib_per_idle_subscriber: f64,
    cpu_per_delivery_us: f64,
    p50_ms: f64,
    p99_ms: f64,
}

async fn measure(options: &Options, kind: Kind, subscribers: usize) -> Result<Figures> {
    let peer = options.centrifuge.as_deref().map(Peer);
    let mut server = Measured::start(kind, options.protocol, subscribers, peer).await?;
    sleep(SETTLE).await;
    let memory = server.resident_bytes()? as f64;
    let received = Arc::new(Received::default());
    let open = server.subscribe(subscribers, &received).await?;
    received.quiet().await;
    sleep(SETTLE).await;
    let memory = server.resident_bytes()? as f64 - memory;

    // The first message also brings what is done once into memory.
    server.publish(&message()).await?;
    received.deliveries(subscribers as u64).await?;
    received.forget();
    let cpu = server.cpu_time()?;
    let mut ticks = interval(Duration::from_secs(1) / options.rate);
    for _ in 0..options.messages {
        ticks.tick().await;
        server.publish(&message()).await?;
    }
    let deliveries = subscribers as u64 * u64::from(options.messages);
    received.deliveries(deliveries).await?;
    let cpu = server.cpu_time()? - cpu;
    ensure!(open.are_open(), "{kind} has closed connections of subscribers");
    Ok(Figures {
        kib_per_idle_subscriber: memory / 1024.0 / subscribers as f64,
        cpu_per_delivery_us: cpu.as_secs_f64() * 1_000_000.0 / deliveries as f64,
        p50_ms: received.latency_ms(0.5),
        p99_ms: received.latency_ms(0.99),
    })
}

fn print(kinds: &[Kind], rounds: &[Vec<Figures>]) {
    println!("| server | KiB per idle subscriber | CPU per delivered message, µs | p50, ms | p99, ms |");
    println!("|---|---:|---:|---:|---:|");
    let show = |figures: &[Figures], one: fn(&Figures) -> f64| {
        Samples::new(figures.iter().map(one).collect()).show()
    };
    for (kind, figures) in kinds.iter().zip(rounds) {
        println!(
            "| {kind} | {} | {} | {} | {} |",
            show(figures, |round| round.kib_per_idle_subscriber),
            show(figures, |round| round.cpu_per_delivery_us),
            show(figures, |round| round.p50_ms),
            show(figures, |round| round.p99_ms),
        );
    }
    println!();
    let Some(ours) = kinds.iter().position(|kind| *kind == Kind::Ours) else { return };
    let mut table = Table::new();
    for (kind, theirs) in kinds.iter().zip(rounds).filter(|(kind, _)| **kind != Kind::Ours) {
        let mut row = |what: &str, one: fn(&Figures) -> f64, goal: &str| {
            let [ours, theirs] = [&rounds[ours], theirs].map(|all| all.iter().map(one).collect::<Vec<_>>());
            table.row(what, Samples::ratios(&ours, &theirs).show(), &format!("x {kind}"), goal);
        };
        let [memory, cpu, p99] = if kind.is_peer() { ["<= 0.5", "<= 0.7", "<= 1"] } else { ["-"; 3] };
        row("memory per idle subscriber", |round| round.kib_per_idle_subscriber, memory);
        row("CPU per delivered message", |round| round.cpu_per_delivery_us, cpu);
        row("p99", |round| round.p99_ms, p99);
    }
    println!("{table}");
}

/// Raises the limit of open files, and returns the number of subscribers that it allows.
fn subscribers_that_fit() -> Result<usize> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let files = limit.current.unwrap_or(u64::MAX);
    Ok(usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX))
}
