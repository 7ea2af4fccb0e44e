//! Our server with as many idle subscribers as open files allow: its memory, and the time of a send to them.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use tokio::time::sleep;

use super::received::{Received, message};
use super::servers::{Kind, Measured};
use super::{Protocol, SETTLE};
use crate::report::Samples;

/// Sends that are measured, one after the other.
const SENDS: usize = 20;

pub(super) async fn run(subscribers: usize, protocol: Protocol) -> Result<()> {
    let mut server = Measured::start(Kind::Ours, protocol, subscribers, None).await?;
    let alone = sends(&mut server).await?;
    sleep(SETTLE).await;
    let memory = server.resident_bytes()?;
    let received = Arc::new(Received::default());
    let began = Instant::now();
    let _open = server.subscribe(subscribers, &received).await?;
    received.quiet().await;
    let opened = began.elapsed();
    sleep(SETTLE).await;
    let with_subscribers = server.resident_bytes()?;
    received.forget();
    let (mut sent, mut delivered) = (Vec::new(), Vec::new());
    for number in 1..=SENDS as u64 {
        let began = Instant::now();
        server.publish(&message()).await?;
        sent.push(began.elapsed().as_secs_f64() * 1_000.0);
        received.deliveries(number * subscribers as u64).await?;
        delivered.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    let mib = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
    println!("| {subscribers} idle subscribers | |\n|---|---:|");
    println!("| opened in | {:.1} s |", opened.as_secs_f64());
    println!(
        "| memory | {:.0} MiB, {:.0} of them before: {:.1} KiB each |",
        mib(with_subscribers),
        mib(memory),
        (with_subscribers.saturating_sub(memory)) as f64 / 1024.0 / subscribers as f64
    );
    println!("| a send without subscribers, ms | {} |", Samples::new(alone).show());
    println!("| a send, ms | {} |", Samples::new(sent).show());
    println!("| until all have it, ms | {} |", Samples::new(delivered).show());
    Ok(())
}

/// Times of sends to nobody, in milliseconds.
async fn sends(server: &mut Measured) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..SENDS {
        let began = Instant::now();
        server.publish(&message()).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(times)
}
