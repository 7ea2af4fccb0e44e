//! Sends in a second, their latency, the tries of their appends, and their size in the log.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;

use super::servers::{Cluster, LogState, Place, SENDERS, Sender, Servers, TEXT, log_state};
use super::{Options, both};
use crate::report::{Samples, Table};

/// The figures of one place, round by round.
#[derive(Default)]
struct Rounds {
    per_second: Vec<f64>,
    p99_ms: Vec<f64>,
    tries: Vec<f64>,
    log_bytes: Vec<f64>,
}

/// The result of one measurement.
pub(super) struct Sent {
    count: f64,
    pub(super) per_second: f64,
    p99_ms: f64,
}

pub(super) async fn run(servers: &Servers, options: &Options, table: &mut Table) -> Result<()> {
    for (count, goals) in [(1, ["-", "-"]), (SENDERS, [">= 0.5", ">= 0.4"])] {
        let mut alone = Rounds::default();
        let mut clusters: Vec<_> =
            servers.clusters.iter().map(|_| [Rounds::default(), Rounds::default()]).collect();
        for _ in 0..options.rounds {
            alone.add(&measure(&servers.at_alone, count, options.length()).await?);
            for (Cluster { machines, at_one, at_all, .. }, rounds) in
                servers.clusters.iter().zip(&mut clusters)
            {
                for (place, rounds) in [at_one, at_all].into_iter().zip(rounds) {
                    let before = log_state(machines).await?;
                    let sent = measure(place, count, options.length()).await?;
                    rounds.add(&sent);
                    rounds.add_log(&sent, &before, &log_state(machines).await?);
                }
            }
        }
        let senders = if count == 1 { "1 sender" } else { &format!("{count} senders") };
        for (Cluster { log, .. }, [one, all]) in servers.clusters.iter().zip(&clusters) {
            for (place, rounds, goal) in [("one of three", one, goals[0]), ("all three", all, goals[1])] {
                rows(table, &format!("{senders} at {place}, log on {log}"), rounds, &alone, goal);
            }
        }
    }
    Ok(())
}

fn rows(table: &mut Table, which: &str, cluster: &Rounds, alone: &Rounds, goal: &str) {
    table.row(
        &format!("durable sends, {which}"),
        Samples::ratios(&cluster.per_second, &alone.per_second).show(),
        &both(&cluster.per_second, &alone.per_second, "per second"),
        goal,
    );
    table.row(
        &format!("p99 of the acknowledgement, {which}"),
        Samples::ratios(&cluster.p99_ms, &alone.p99_ms).show(),
        &both(&cluster.p99_ms, &alone.p99_ms, "ms"),
        "-",
    );
    let tries = Samples::new(cluster.tries.clone()).show();
    table.row(&format!("tries of each append, {which}"), tries, "1 when nobody else is first", "-");
    let text = TEXT.len() as f64;
    let ratios: Vec<_> = cluster.log_bytes.iter().map(|bytes| bytes / text).collect();
    let bytes = Samples::new(cluster.log_bytes.clone()).show();
    table.row(
        &format!("size of a send in the log, {which}"),
        Samples::new(ratios).show(),
        &format!("x its text ({bytes} against {text} bytes)"),
        "-",
    );
}

impl Rounds {
    fn add(&mut self, sent: &Sent) {
        self.per_second.push(sent.per_second);
        self.p99_ms.push(sent.p99_ms);
    }

    fn add_log(&mut self, sent: &Sent, before: &LogState, after: &LogState) {
        self.tries.push(after.tries_per_entry(before));
        self.log_bytes.push((after.bytes - before.bytes) / sent.count);
    }
}

/// Lets `count` guests send for some time, each one message after the other.
pub(super) async fn measure(place: &Place, count: usize, length: Duration) -> Result<Sent> {
    let start = Instant::now();
    let senders = place.senders(count).into_iter().map(|sender| send(sender, start + length));
    let latencies = try_join_all(senders).await?.concat();
    let (count, seconds) = (latencies.len() as f64, start.elapsed().as_secs_f64());
    Ok(Sent { count, per_second: count / seconds, p99_ms: Samples::new(latencies).quantile(0.99) })
}

/// The latencies of a sender's messages, milliseconds.
async fn send(mut sender: Sender, end: Instant) -> Result<Vec<f64>> {
    let mut latencies = Vec::new();
    loop {
        let begun = Instant::now();
        if begun >= end {
            return Ok(latencies);
        }
        sender.send().await?;
        latencies.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
}
