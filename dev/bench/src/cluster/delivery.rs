//! The time from an acknowledgement to the message's arrival at a reader of another server, at half of the load that senders can make.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use proto::chat::v1::subscribe_response::Frame;
use proto::chat::v1::{SubscribeRequest, SubscribeResponse};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Streaming;
use tonic::transport::Channel;

use super::servers::{Place, SENDERS, Sender, Servers};
use super::{Options, sends};
use crate::people::Guest;
use crate::report::{Samples, Table};

/// Time in which the reader has to have the last message.
const PATIENCE: Duration = Duration::from_secs(30);

/// The figures of one place, round by round, milliseconds.
#[derive(Default)]
struct Rounds {
    acknowledged_p99: Vec<f64>,
    delivered_p50: Vec<f64>,
    delivered_p99: Vec<f64>,
}

/// A message that was stored.
struct Sent {
    seq: u64,
    acknowledged: Instant,
    /// From the time at which it was due, milliseconds.
    latency_ms: f64,
}

pub(super) async fn run(servers: &Servers, options: &Options, table: &mut Table) -> Result<()> {
    // A cluster's reader is at the second server, and all senders are at the first.
    let mut places = vec![("one server", &servers.at_alone, servers.at_alone.channel(0))];
    places.extend(servers.clusters.iter().map(|of| (of.log, &of.at_one, of.at_all.channel(1))));
    let (mut rates, mut rounds) = (Vec::new(), Vec::new());
    for (_, place, _) in &places {
        rates.push(sends::measure(place, SENDERS, options.length()).await?.per_second / 2.0);
        rounds.push(Rounds::default());
    }
    for _ in 0..options.rounds {
        for (((_, place, reader), rate), rounds) in places.iter().zip(&rates).zip(&mut rounds) {
            rounds.measure(place, reader.clone(), *rate, options.length()).await?;
        }
    }
    for (index, (log, ..)) in places.iter().enumerate().skip(1) {
        let load =
            format!("at {:.0} and {:.0} sends per second, half of the load of each", rates[index], rates[0]);
        let mut row = |what: &str, one: fn(&Rounds) -> &Vec<f64>, goal: &str| {
            let [cluster, alone] =
                [one(&rounds[index]), one(&rounds[0])].map(|of| Samples::new(of.clone()).show());
            let what = format!("{what}, log on {log}");
            table.row(&what, cluster, &format!("ms; one server: {alone} ms, {load}"), goal);
        };
        row("p50 from the acknowledgement to a reader of another server", |of| &of.delivered_p50, "-");
        row("p99 from the acknowledgement to a reader of another server", |of| &of.delivered_p99, "<= 20");
        row("p99 of the acknowledgement meanwhile", |of| &of.acknowledged_p99, "-");
    }
    Ok(())
}

impl Rounds {
    async fn measure(&mut self, place: &Place, reader: Channel, rate: f64, length: Duration) -> Result<()> {
        let stream = subscribe(reader, &place.guests[0]).await?;
        let (last, is_last) = watch::channel(None);
        let reading = tokio::spawn(read(stream, is_last));
        let sent = send_all(place, rate, length).await?;
        last.send_replace(sent.iter().map(|sent| sent.seq).max());
        let arrived = timeout(PATIENCE, reading).await.context("the reader does not get everything")???;
        let mut delays = Vec::new();
        for Sent { seq, acknowledged, .. } in &sent {
            let arrived = arrived.get(seq).with_context(|| format!("message {seq} did not come"))?;
            // Often the reader has it before the sender is told.
            delays.push(arrived.saturating_duration_since(*acknowledged).as_secs_f64() * 1_000.0);
        }
        let delays = Samples::new(delays);
        self.delivered_p50.push(delays.quantile(0.5));
        self.delivered_p99.push(delays.quantile(0.99));
        let latencies = Samples::new(sent.iter().map(|sent| sent.latency_ms).collect());
        self.acknowledged_p99.push(latencies.quantile(0.99));
        Ok(())
    }
}

async fn subscribe(channel: Channel, guest: &Guest) -> Result<Streaming<SubscribeResponse>> {
    let request = guest.request(SubscribeRequest { cursors: Vec::new(), replay_limit: 0 });
    let mut stream = ChatServiceClient::new(channel).subscribe(request).await?.into_inner();
    while let Some(response) = stream.message().await? {
        if let Some(Frame::CaughtUp(_)) = response.frame {
            return Ok(stream);
        }
    }
    bail!("the stream ends before it has caught up")
}

/// The time at which each message came, up to the last one.
async fn read(
    mut stream: Streaming<SubscribeResponse>,
    mut last: watch::Receiver<Option<u64>>,
) -> Result<HashMap<u64, Instant>> {
    let mut arrived = HashMap::new();
    loop {
        let is_over = last.borrow_and_update().is_some_and(|last| arrived.contains_key(&last));
        if is_over {
            return Ok(arrived);
        }
        let response = tokio::select! {
            response = stream.message() => response?.context("the reader's stream has ended")?,
            changed = last.changed() => {
                changed?;
                continue;
            }
        };
        let now = Instant::now();
        if let Some(Frame::Events(events)) = response.frame {
            arrived.extend(events.events.into_iter().map(|event| (event.seq, now)));
        }
    }
}

/// All guests together send `rate` messages in a second.
async fn send_all(place: &Place, rate: f64, length: Duration) -> Result<Vec<Sent>> {
    let pause = Duration::from_secs_f64(SENDERS as f64 / rate);
    let start = Instant::now();
    let senders = place.senders(SENDERS).into_iter().enumerate().map(|(index, sender)| {
        let first = start + pause.mul_f64(index as f64 / SENDERS as f64);
        send(sender, first, pause, start + length)
    });
    Ok(try_join_all(senders).await?.into_iter().flatten().collect())
}

/// A message that has to wait for the one before it counts from its own time.
async fn send(mut sender: Sender, first: Instant, pause: Duration, end: Instant) -> Result<Vec<Sent>> {
    let (mut sent, mut due) = (Vec::new(), first);
    while due < end {
        sleep_until(due).await;
        let seq = sender.send().await?;
        let acknowledged = Instant::now();
        sent.push(Sent { seq, acknowledged, latency_ms: (acknowledged - due).as_secs_f64() * 1_000.0 });
        due += pause;
    }
    Ok(sent)
}
