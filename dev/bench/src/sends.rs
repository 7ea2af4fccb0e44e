//! Durable sends against `SayHello`: the same client, the same number of callers.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;
use harness::Server;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use proto::helloworld::HelloRequest;
use proto::helloworld::greeter_client::GreeterClient;
use tokio::time::sleep_until;
use tonic::transport::Channel;

use crate::ROUNDS;
use crate::people::{Guest, connect, join};
use crate::process::backend;
use crate::report::{Samples, Table};

/// Length of one measurement.
const MEASURED: Duration = Duration::from_secs(3);
/// HTTP/2 connections that the callers share.
const CONNECTIONS: usize = 8;
/// A text of usual length.
const TEXT: &str = "The quick brown fox jumps over the lazy dog, twice a day.";

pub(crate) async fn run(table: &mut Table) -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = backend(data.path())?;
    let channels = connect(&server.url(), CONNECTIONS).await?;
    let guests = join(&channels[0], 256).await?;

    for (senders, goal) in [(1, "-"), (256, ">= 0.5")] {
        let (mut sends, mut hellos) = (Rounds::default(), Rounds::default());
        for _ in 0..ROUNDS {
            hellos
                .add(measure(&server, senders, |index| hello(channels[index % CONNECTIONS].clone())).await?);
            let send = |index: usize| send(channels[index % CONNECTIONS].clone(), guests[index].clone());
            sends.add(measure(&server, senders, send).await?);
        }
        table.row(
            &format!("durable sends, {senders} concurrent"),
            Samples::ratios(&sends.per_second, &hellos.per_second).show(),
            &against(&sends.per_second, &hellos.per_second, "per second"),
            goal,
        );
        table.row(
            &format!("the same, the server's CPU time for each, {senders} concurrent"),
            Samples::ratios(&sends.cpu_us, &hellos.cpu_us).show(),
            &against(&sends.cpu_us, &hellos.cpu_us, "µs"),
            "-",
        );
        if senders > 1 {
            let half = Samples::new(sends.per_second).median() / 2.0;
            acknowledgements(table, &channels, &guests, half).await?;
        }
    }
    Ok(())
}

/// The figures of one kind of call, round by round.
#[derive(Default)]
struct Rounds {
    per_second: Vec<f64>,
    /// The server's CPU time for each call, microseconds.
    cpu_us: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, (per_second, cpu_us): (f64, f64)) {
        self.per_second.push(per_second);
        self.cpu_us.push(cpu_us);
    }
}

fn against(sends: &[f64], hellos: &[f64], unit: &str) -> String {
    let show = |samples: &[f64]| Samples::new(samples.to_vec()).show();
    format!("x SayHello ({} against {} {unit})", show(sends), show(hellos))
}

fn hello(channel: Channel) -> impl AsyncFnMut() -> Result<()> {
    let mut client = GreeterClient::new(channel);
    async move || {
        client.say_hello(HelloRequest { name: TEXT.to_owned() }).await?;
        Ok(())
    }
}

fn send(channel: Channel, guest: Guest) -> impl AsyncFnMut() -> Result<()> {
    let mut client = ChatServiceClient::new(channel);
    async move || {
        client.send_message(guest.message(TEXT)).await?;
        Ok(())
    }
}

/// Calls per second of `callers` clients, each with one call at a time, and the server's CPU time for each in microseconds.
async fn measure<Call>(server: &Server, callers: usize, caller: impl Fn(usize) -> Call) -> Result<(f64, f64)>
where
    Call: AsyncFnMut() -> Result<()>,
{
    let cpu = server.cpu_time()?;
    let start = Instant::now();
    let counts = try_join_all((0..callers).map(|index| {
        let mut call = caller(index);
        async move {
            let mut count = 0_u32;
            while start.elapsed() < MEASURED {
                call().await?;
                count += 1;
            }
            anyhow::Ok(count)
        }
    }))
    .await?;
    let (count, seconds) = (f64::from(counts.iter().sum::<u32>()), start.elapsed().as_secs_f64());
    let cpu = server.cpu_time()?.saturating_sub(cpu);
    Ok((count / seconds, cpu.as_secs_f64() * 1e6 / count))
}

/// The latency of acknowledgements at a fixed rate of sends per second. A send that has to wait for the one before it
/// counts from its scheduled time.
async fn acknowledgements(
    table: &mut Table,
    channels: &[Channel],
    guests: &[Guest],
    rate: f64,
) -> Result<()> {
    let pause = Duration::from_secs_f64(guests.len() as f64 / rate);
    let mut p99 = Vec::new();
    for _ in 0..ROUNDS {
        let start = tokio::time::Instant::now();
        let latencies = try_join_all(guests.iter().enumerate().map(|(index, guest)| {
            let client = ChatServiceClient::new(channels[index % channels.len()].clone());
            let first = start + pause.mul_f64(index as f64 / guests.len() as f64);
            paced(client, guest, first, pause)
        }))
        .await?;
        p99.push(Samples::new(latencies.concat()).quantile(0.99));
    }
    table.row(
        &format!("p99 of the acknowledgement at {rate:.0} sends per second, ms"),
        Samples::new(p99).show(),
        "half of that load",
        "-",
    );
    Ok(())
}

async fn paced(
    mut client: ChatServiceClient<Channel>,
    guest: &Guest,
    first: tokio::time::Instant,
    pause: Duration,
) -> Result<Vec<f64>> {
    let mut latencies = Vec::new();
    let mut due = first;
    while due < first + MEASURED {
        sleep_until(due).await;
        client.send_message(guest.message(TEXT)).await?;
        latencies.push(due.elapsed().as_secs_f64() * 1_000.0);
        due += pause;
    }
    Ok(latencies)
}
