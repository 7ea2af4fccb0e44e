//! Messages that arrive faster than anybody reads: the longest task, keys meanwhile, and memory afterwards.

use std::time::Duration;

use anyhow::{Context as _, Result};
use e2e::{Guest, Page, World, keys, part};
use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep_until};

use super::{N, person, row, value};
use crate::report::{Samples, Table};

/// Messages that arrive while keys are pressed.
const MESSAGES: usize = 20_000;
/// The time in which they are sent.
const SENT_WITHIN: Duration = Duration::from_secs(10);
/// Messages after which memory is measured.
const MESSAGES_IN_ALL: usize = 30_000;
/// Messages that are sent at once.
const BATCH: usize = 100;
const LAST: &str = "the very last";

pub(super) async fn run(rounds: usize, table: &mut Table) -> Result<()> {
    let (mut longest, mut keys, mut memory, mut sent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut world = World::start().await?;
        let guest = Guest::join(&world.url(), "Grace").await?;
        let page = person(&mut world, "Ada").await?;
        page.click(&part("textbox", N.message)).await?;
        let before: f64 = value(&page, "watch.memory.buffer.byteLength").await?;
        page.run::<()>("Object.assign(watch, { longest: 0, keys: [] })", vec![]).await?;
        let started = Instant::now();
        let sender = tokio::spawn(send(guest.clone(), MESSAGES));
        while !sender.is_finished() {
            page.press('x').await?;
        }
        sender.await??;
        sent.push(started.elapsed().as_secs_f64());
        longest.push(value(&page, "watch.longest").await?);
        let pressed: Vec<f64> = value(&page, "watch.keys").await?;
        keys.push(Samples::new(pressed).quantile(1.0));

        send(guest.clone(), MESSAGES_IN_ALL - MESSAGES - 1).await?;
        guest.send("general", LAST).await?;
        shows_last(&page).await?;
        let after: f64 = value(&page, "watch.memory.buffer.byteLength").await?;
        memory.push(after / before);
        world.close().await;
    }
    let conditions = format!("{MESSAGES} messages sent in {} s", Samples::new(sent).show());
    row(table, "longest task, ms (0 for at most 50)", longest, &conditions, "<= 100");
    row(table, "slowest key to the next paint, ms", keys, &conditions, "<= 100");
    row(table, "wasm memory after 30,000 messages", memory, "x the start", "<= 1.5");
    Ok(())
}

/// Sends `count` messages at an even rate, that of [`MESSAGES`] in [`SENT_WITHIN`].
async fn send(guest: Guest, count: usize) -> Result<()> {
    let started = Instant::now();
    let texts: Vec<String> =
        (1..=count).map(|number| format!("Line {number} that somebody wrote.")).collect();
    let batches = texts.chunks(BATCH).enumerate().map(async |(index, texts)| {
        let due = SENT_WITHIN.mul_f64((index * BATCH) as f64 / MESSAGES as f64);
        sleep_until(started + due).await;
        guest.send_all("general", texts).await
    });
    try_join_all(batches).await?;
    Ok(())
}

/// The reader has gone on meanwhile: the page is at the end, or its button leads there.
async fn shows_last(page: &Page) -> Result<()> {
    page.press(keys::END).await?;
    e2e::eventually("the last message", async || {
        let messages = page.messages().await?;
        let last = messages.last().context("there are no messages")?;
        anyhow::ensure!(last.text.contains(LAST), "the last is {last:?}");
        Ok(())
    })
    .await
}
