//! `--measure`: latencies of a well-behaved client during one kind of attack after another.
//!
//! Only failed calls fail the run: the times depend on the machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use proto::chat::v1::subscribe_response::Frame;
use tokio::time::{sleep, timeout};
use tonic::Status;

use crate::attacks::{Attack, Target};
use crate::person::{CALL_TIMEOUT, Person};
use crate::plan::Kind;
use crate::server::Server;
use crate::wire;

/// The attacks, and how often each is started from the same address. Unread streams take 160 connections of 100 streams,
/// silent and slow connections are 1,500 of each kind.
const ATTACKS: [(Option<Kind>, usize); 8] = [
    (None, 0),
    (Some(Kind::ZeroWindow), 8),
    (Some(Kind::Unread), 40),
    (Some(Kind::Connects), 10),
    (Some(Kind::HalfHeads), 10),
    (Some(Kind::SlowBodies), 10),
    (Some(Kind::Joins), 10),
    (Some(Kind::Resets), 40),
];

/// The measured calls.
const CALLS: [&str; 4] = ["ListRooms", "Subscribe", "SendMessage", "new connection"];

/// Pause between two rounds of calls. A round ends a stream, and the server closes connections that end hundreds of
/// streams every second.
const PACE: Duration = Duration::from_millis(20);

/// The result of one attack.
#[derive(Default)]
struct Row {
    times: [Vec<Duration>; CALLS.len()],
    failures: usize,
    first_failure: Option<String>,
}

/// Measures each attack for `seconds` and prints the table. Returns whether no call failed.
pub(crate) async fn run(mut server: Server, rng: &mut Rng, seconds: f64) -> Result<bool> {
    println!(
        "| attack | calls | failed | {} | server, MB |",
        CALLS.map(|call| format!("{call} p50 / p99 / max, ms")).join(" | ")
    );
    println!("|---|---:|---:|{}---:|", "---:|".repeat(CALLS.len()));
    let mut failures = 0;
    for (kind, times) in ATTACKS {
        let name = kind.map_or("none".to_owned(), Kind::name);
        let addr = server.start()?;
        let mallory = Person::join(wire::native(addr)?, &format!("Mallory {name}")).await?;
        let target = Target { server: addr, authorization: mallory.authorization().to_owned() };
        let source = Ipv4Addr::new(127, 0, 2, rng.u8(1..=254));
        let attacker = kind.map(|kind| {
            let mut rng = rng.fork();
            tokio::spawn(async move {
                let mut held = Vec::new();
                for _ in 0..times {
                    held.push(Attack::begin_from(source, kind, &target, &mut rng).await);
                }
                std::future::pending::<()>().await;
            })
        });
        let row = client(addr, &format!("Ada {name}"), Duration::from_secs_f64(seconds)).await?;
        let resident = server.resident_bytes().unwrap_or_default();
        attacker.iter().for_each(tokio::task::JoinHandle::abort);
        row.print(&name, resident);
        failures += row.failures;
        ensure!(!server.has_ended(), "the server has ended");
        server.shut_down()?;
    }
    Ok(failures == 0)
}

/// Makes calls one after another for `time`.
async fn client(addr: SocketAddr, name: &str, time: Duration) -> Result<Row> {
    let mut ada = Person::join(wire::native(addr)?, name).await.context("the client cannot join")?;
    let rooms = ada.rooms().await?;
    let room = rooms.first().and_then(|state| state.room.clone()).context("there is no room")?;
    let (mut row, begun, mut number) = (Row::default(), Instant::now(), 0_u128);
    while begun.elapsed() < time {
        number += 1;
        sleep(PACE).await;
        row.note(0, async { ada.rooms().await.map(drop) }).await;
        row.note(1, caught_up(&mut ada.clone())).await;
        let operation_id = number.to_be_bytes().to_vec();
        row.note(2, async { ada.send(&room.id, operation_id, "measured").await.map(drop) }).await;
        let mut newcomer = ada.over(wire::native(addr)?);
        row.note(3, async move { newcomer.rooms().await.map(drop) }).await;
    }
    Ok(row)
}

/// Opens a stream and reads it until it has caught up.
async fn caught_up(person: &mut Person) -> Result<(), Status> {
    let mut frames = person.subscribe(Vec::new()).await?;
    let caught_up = async {
        while let Some(response) = frames.message().await? {
            if let Some(Frame::CaughtUp(_)) = response.frame {
                return Ok(());
            }
        }
        Err(Status::unavailable("the stream ended before CaughtUp"))
    };
    let late = |_| Err(Status::deadline_exceeded(format!("no CaughtUp within {CALL_TIMEOUT:?}")));
    timeout(CALL_TIMEOUT, caught_up).await.unwrap_or_else(late)
}

impl Row {
    async fn note(&mut self, call: usize, answer: impl Future<Output = Result<(), Status>>) {
        let begun = Instant::now();
        match answer.await {
            Ok(()) => self.times[call].push(begun.elapsed()),
            Err(status) => {
                self.failures += 1;
                self.first_failure.get_or_insert_with(|| format!("{}: {status}", CALLS[call]));
            }
        }
    }

    fn print(&self, attack: &str, resident: u64) {
        let cells: Vec<String> = self.times.iter().map(|times| quantiles(times)).collect();
        let calls: usize = self.times.iter().map(Vec::len).sum::<usize>() + self.failures;
        println!(
            "| {attack} | {calls} | {} | {} | {} |",
            self.failures,
            cells.join(" | "),
            resident / 1_000_000
        );
        if let Some(failure) = &self.first_failure {
            println!("FAILED: {failure}");
        }
    }
}

/// Median, p99 and maximum, milliseconds.
fn quantiles(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |part: usize| times.get(times.len().saturating_sub(1) * part / 100).copied().unwrap_or_default();
    [50, 99, 100].map(|part| format!("{:.1}", at(part).as_secs_f64() * 1e3)).join(" / ")
}
