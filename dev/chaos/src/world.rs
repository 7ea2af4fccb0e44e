//! The chat under test: the server, the relay, rooms, senders and readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use fastrand::Rng;
use proto::chat::v1::RoomState;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tonic::Status;

use crate::check::{LogCheck, Verdict, check_stream};
use crate::options::Options;
use crate::person::Person;
use crate::reader::{Followed, Reader};
use crate::relay::Relay;
use crate::room::Room;
use crate::sender::{Record, Sender};
use crate::server::Server;
use crate::shared::Shared;
use crate::wire;

/// Number of rooms, the default one among them.
const ROOMS: usize = 4;
/// gRPC senders that share one HTTP/2 connection.
const SENDERS_PER_CONNECTION: u32 = 8;
/// Time limit of the last acknowledgements, and of the last events at the readers. Retries after faults are long.
const FINISH_TIMEOUT: Duration = Duration::from_secs(60);

/// The parts of a run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) relay: Relay,
    pub(crate) rooms: Vec<Room>,
    pub(crate) shared: Arc<Shared>,
    /// A sender that sends only to check that the server works.
    pub(crate) witness: Sender,
    /// The client for the other calls of that check.
    pub(crate) watcher: Person,
    /// The guest whose session the attacks use.
    pub(crate) mallory: Person,
    senders: Vec<JoinHandle<Record>>,
    readers: Vec<JoinHandle<Vec<Followed>>>,
    progress: Vec<Arc<AtomicU64>>,
    /// True when the readers have every event.
    done: watch::Sender<bool>,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// Latencies of acknowledgements outside of faults, microseconds, sorted.
    pub(crate) calm_us: Vec<u32>,
}

impl World {
    /// Starts the server, makes the rooms, and starts senders and readers.
    pub(crate) async fn begin(mut server: Server, options: &Options, rng: &mut Rng) -> Result<Self> {
        server.start()?;
        let relay = Relay::start(server.addr()).await?;
        let shared = Arc::<Shared>::default();
        let mut watcher = Person::join(wire::native(relay.addr)?, "Watcher").await?;
        let rooms = make_rooms(&mut watcher).await?;

        let mut senders = Vec::new();
        let mut client = wire::native(relay.addr)?;
        for index in 0..options.senders {
            if index % (2 * SENDERS_PER_CONNECTION) == 0 {
                client = wire::native(relay.addr)?;
            }
            let client = if index % 2 == 0 { client.clone() } else { wire::web(relay.addr)? };
            let person = Person::join(client, &format!("Sender {index}")).await?;
            // Both protocols in every room.
            let room = rooms[index as usize / 2 % rooms.len()].clone();
            senders.push(Sender::new(index, person, room, rng.fork(), shared.clone()));
        }
        let witness = watcher.over(wire::web(relay.addr)?);
        let witness = Sender::new(options.senders, witness, rooms[0].clone(), rng.fork(), shared.clone());

        let (mut readers, mut progress) = (Vec::new(), Vec::new());
        let (done, is_done) = watch::channel(false);
        for index in 0..options.readers {
            let client = if index % 2 == 0 { wire::native(relay.addr)? } else { wire::web(relay.addr)? };
            let person = Person::join(client, &format!("Reader {index}")).await?;
            let count = Arc::<AtomicU64>::default();
            progress.push(count.clone());
            let reader = Reader::new(index, person, &rooms, rng.fork(), shared.clone(), count);
            readers.push(tokio::spawn(reader.run(is_done.clone())));
        }
        let mallory = Person::join(wire::native(server.addr())?, "Mallory").await?;
        let senders = senders.into_iter().map(|sender| tokio::spawn(sender.run())).collect();
        Ok(Self { server, relay, rooms, shared, witness, watcher, mallory, senders, readers, progress, done })
    }

    /// Waits for senders and readers, restarts the server, and checks all logs.
    pub(crate) async fn end(mut self) -> Result<(Server, Outcome)> {
        self.shared.stop_sending();
        let until = Instant::now() + FINISH_TIMEOUT;
        let mut records = Vec::new();
        for sender in self.senders {
            let record = tokio::time::timeout_at(until, sender).await;
            records.push(record.context("a sender's last message was not acknowledged")??);
        }
        records.push(self.witness.record());
        let rooms = self.watcher.rooms().await?;
        let events: u64 = rooms.iter().map(|room| room.head_seq).sum();
        while self.progress.iter().any(|count| count.load(Ordering::SeqCst) < events) {
            if Instant::now() > until + FINISH_TIMEOUT {
                let has: Vec<_> = self.progress.iter().map(|count| count.load(Ordering::SeqCst)).collect();
                bail!("of {events} events the readers have only {has:?}");
            }
            sleep(Duration::from_millis(10)).await;
        }
        self.done.send_replace(true);
        let mut followed = Vec::new();
        for reader in self.readers {
            let last = Instant::now() + FINISH_TIMEOUT;
            followed.push(tokio::time::timeout_at(last, reader).await.context("a reader does not end")??);
        }
        self.server.shut_down()?;
        self.server.start()?;
        let mut reader = self.watcher.over(wire::native(self.server.addr())?);
        let verdict = judge(&mut reader, &self.rooms, &records, &followed).await?;
        let mut calm_us: Vec<u32> = records.into_iter().flat_map(|record| record.calm_us).collect();
        calm_us.sort_unstable();
        Ok((self.server, Outcome { verdict, calm_us }))
    }
}

async fn make_rooms(person: &mut Person) -> Result<Vec<Room>> {
    for number in 1..ROOMS {
        person.create_room(&format!("Room {number}")).await?;
    }
    Ok(rooms_of(person).await?)
}

/// All rooms.
pub(crate) async fn rooms_of(person: &mut Person) -> Result<Vec<Room>, Status> {
    let room = |(index, state): (usize, RoomState)| Room {
        index,
        id: state.room.unwrap_or_default().id,
        epoch: state.epoch,
    };
    Ok(person.rooms().await?.into_iter().enumerate().map(room).collect())
}

/// Reads all logs, and compares them with the acknowledgements and the readers' streams.
pub(crate) async fn judge(
    person: &mut Person,
    rooms: &[Room],
    records: &[Record],
    followed: &[Vec<Followed>],
) -> Result<Verdict> {
    let senders: Vec<_> = records.iter().map(|record| record.sent.clone()).collect();
    let mut all = Verdict::default();
    for room in rooms {
        let mut check = LogCheck::new(room.index, &senders);
        let mut seq = 0;
        loop {
            let page = person.events_after(&room.id, seq).await?;
            page.events.iter().for_each(|event| check.event(event));
            seq = page.events.last().map_or(seq, |event| event.seq);
            if !page.has_later || page.events.is_empty() {
                break;
            }
        }
        let (verdict, log) = check.end();
        all.add(verdict);
        for (index, reader) in followed.iter().enumerate() {
            check_stream(&mut all, index, room.index, &reader[room.index].events, &log);
        }
    }
    Ok(all)
}
