//! `chinwag gateway` beside other proxies in front of one gRPC server: calls per second, CPU per call, latency, and memory
//! of streams on which nothing happens.
//!
//! Each protocol has its peer: `grpcwebproxy` translates gRPC-Web over HTTP/1.1, nginx passes gRPC over HTTP/2 on.

mod client;
mod proxies;
mod upstream;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use futures_util::future::try_join_all;
use tokio::time::sleep_until;

use self::client::{Caller, Protocol};
use self::proxies::Proxy;
pub(crate) use self::upstream::serve;
use crate::process::own_server;
use crate::report::{Samples, Table};

/// Concurrent callers, each with one call at a time.
const CALLERS: usize = 32;
/// Streams on which nothing happens. Over HTTP/1.1 each has a connection.
const IDLE_STREAMS: usize = 500;
/// Length of one measurement.
const MEASURED: Duration = Duration::from_secs(3);

/// Measure the gateway beside other proxies
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
pub(crate) struct Options {
    /// Rounds of each comparison
    #[arg(long, default_value_t = crate::ROUNDS)]
    rounds: usize,
    /// The program `grpcwebproxy`. Without it gRPC-Web has no peer.
    #[arg(long, env = "GRPCWEBPROXY")]
    grpcwebproxy: Option<PathBuf>,
    /// The program `nginx`, 1.13.10 or newer. Without it gRPC over HTTP/2 has no peer.
    #[arg(long, env = "NGINX", default_value = "nginx")]
    nginx: PathBuf,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    println!("{}\n", crate::process::machine());
    let (_upstream, upstream) = own_server(&["greeter"])?;
    let mut table = Table::new();
    let gateway = || proxies::gateway(upstream);
    if let Some(program) = &options.grpcwebproxy {
        let peer = || proxies::grpcwebproxy(program, upstream);
        compare(&mut table, Protocol::Web, options.rounds, &gateway, ("grpcwebproxy", &peer)).await?;
    }
    let nginx = proxies::found(&options.nginx);
    if let Some(program) = &nginx {
        let peer = || proxies::nginx(program, upstream);
        compare(&mut table, Protocol::Native, options.rounds, &gateway, ("nginx", &peer)).await?;
    }
    println!("{table}");
    println!("{}", proxies::versions(options.grpcwebproxy.as_deref(), nginx.as_deref()));
    Ok(())
}

/// The figures of one proxy in one round.
struct Figures {
    calls_per_second: f64,
    cpu_per_call_us: f64,
    p99_ms: f64,
    kib_per_idle_stream: f64,
}

async fn compare(
    table: &mut Table,
    protocol: Protocol,
    rounds: usize,
    gateway: &dyn Fn() -> Result<Proxy>,
    (name, peer): (&str, &dyn Fn() -> Result<Proxy>),
) -> Result<()> {
    // The same calls for both: half of what the slower one can do.
    let rate = {
        let (gateway, peer) = (gateway()?, peer()?);
        let fastest = saturate(&gateway, protocol).await?.0;
        fastest.min(saturate(&peer, protocol).await?.0) / 2.0
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(measure(&gateway()?, protocol, rate).await?);
        theirs.push(measure(&peer()?, protocol, rate).await?);
    }
    let mut row = |what: &str, figure: fn(&Figures) -> f64, goal: &str| {
        let values = |all: &[Figures]| all.iter().map(figure).collect::<Vec<_>>();
        let (ours, theirs) = (values(&ours), values(&theirs));
        table.row(
            &format!("{protocol}: {what}"),
            Samples::ratios(&ours, &theirs).show(),
            &format!("x {name} ({} against {})", Samples::new(ours).show(), Samples::new(theirs).show()),
            goal,
        );
    };
    row("calls per second", |figures| figures.calls_per_second, ">= 1");
    row("CPU per call, µs", |figures| figures.cpu_per_call_us, "<= 1");
    row(&format!("p99 at {rate:.0} calls per second, ms"), |figures| figures.p99_ms, "<= 1");
    row("memory per idle stream, KiB", |figures| figures.kib_per_idle_stream, "<= 1");
    Ok(())
}

async fn measure(proxy: &Proxy, protocol: Protocol, rate: f64) -> Result<Figures> {
    let (calls_per_second, cpu_per_call_us) = saturate(proxy, protocol).await?;
    let p99_ms = Samples::new(paced(proxy, protocol, rate).await?).quantile(0.99);
    let kib_per_idle_stream = idle_streams(proxy, protocol).await?;
    Ok(Figures { calls_per_second, cpu_per_call_us, p99_ms, kib_per_idle_stream })
}

/// Calls per second when each caller calls again at once, and the proxy's CPU time for each, in microseconds.
async fn saturate(proxy: &Proxy, protocol: Protocol) -> Result<(f64, f64)> {
    let callers = protocol.callers(proxy.addr(), CALLERS).await?;
    let (start, cpu) = (Instant::now(), proxy.cpu_time()?);
    let counts = try_join_all(callers.into_iter().map(|mut caller| async move {
        let mut count = 0_u32;
        while start.elapsed() < MEASURED {
            caller.call().await?;
            count += 1;
        }
        anyhow::Ok(count)
    }))
    .await?;
    let (elapsed, cpu) = (start.elapsed(), proxy.cpu_time()? - cpu);
    let calls = f64::from(counts.iter().sum::<u32>());
    Ok((calls / elapsed.as_secs_f64(), cpu.as_secs_f64() * 1_000_000.0 / calls))
}

/// Latencies at `rate` calls per second, in milliseconds. A call that has to wait for the one before it counts from its
/// scheduled time.
async fn paced(proxy: &Proxy, protocol: Protocol, rate: f64) -> Result<Vec<f64>> {
    let callers = protocol.callers(proxy.addr(), CALLERS).await?;
    let pause = Duration::from_secs_f64(CALLERS as f64 / rate);
    let start = tokio::time::Instant::now();
    let latencies = try_join_all(callers.into_iter().enumerate().map(|(index, mut caller)| async move {
        let first = start + pause.mul_f64(index as f64 / CALLERS as f64);
        let (mut due, mut latencies) = (first, Vec::new());
        while due < first + MEASURED {
            sleep_until(due).await;
            caller.call().await?;
            latencies.push(due.elapsed().as_secs_f64() * 1_000.0);
            due += pause;
        }
        anyhow::Ok(latencies)
    }))
    .await?;
    Ok(latencies.concat())
}

/// Memory of the proxy for each stream on which one message has come, and then nothing, in KiB.
async fn idle_streams(proxy: &Proxy, protocol: Protocol) -> Result<f64> {
    let before = proxy.resident_bytes()? as f64;
    let mut callers = protocol.callers(proxy.addr(), IDLE_STREAMS).await?;
    let streams = try_join_all(callers.iter_mut().map(Caller::open)).await?;
    let bytes = proxy.resident_bytes()? as f64 - before;
    drop(streams);
    Ok(bytes / 1024.0 / IDLE_STREAMS as f64)
}
