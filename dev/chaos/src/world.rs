//! The chat as it is before the first fault: rooms, senders, readers, one of whom is hostile.

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

use crate::check::{LogCheck, Verdict, judge_stream};
use crate::options::Options;
use crate::person::Person;
use crate::reader::{Followed, Reader};
use crate::relay::Relay;
use crate::sender::{Record, Sender};
use crate::server::Server;
use crate::shared::Shared;
use crate::wire;

/// Rooms that are written to, the first one among them.
const ROOMS: usize = 4;
/// gRPC senders that share one HTTP/2 connection.
const SENDERS_PER_CONNECTION: u32 = 8;
/// How long the senders may take to have their last messages acknowledged, and the readers to get them.
const LAST_PATIENCE: Duration = Duration::from_secs(60);

/// A room, as everybody knows it from the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// Its place in the list of rooms.
    pub(crate) index: usize,
    pub(crate) id: String,
    pub(crate) epoch: u64,
}

/// Everybody.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) relay: Relay,
    pub(crate) rooms: Vec<Room>,
    pub(crate) shared: Arc<Shared>,
    /// The sender that looks whether the server works: it sends when it is told to.
    pub(crate) witness: Sender,
    /// Its other calls.
    pub(crate) watcher: Person,
    /// In whose name the attacks on calls with a session are made.
    pub(crate) mallory: Person,
    senders: Vec<JoinHandle<Record>>,
    readers: Vec<JoinHandle<Vec<Followed>>>,
    progress: Vec<Arc<AtomicU64>>,
    /// Tells the readers that they have everything.
    done: watch::Sender<bool>,
}

/// What came out at the end.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// How long acknowledgements took while nothing was broken, microseconds, sorted.
    pub(crate) calm_us: Vec<u32>,
}

impl World {
    /// Starts the server, makes the rooms, and lets everybody begin.
    pub(crate) async fn begin(mut server: Server, options: &Options, rng: &mut Rng) -> Result<Self> {
        server.start().await?;
        let relay = Relay::start(server.addr).await?;
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
            // Both wires in every room.
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
        let mallory = Person::join(wire::native(server.addr)?, "Mallory").await?;
        let senders = senders.into_iter().map(|sender| tokio::spawn(sender.run())).collect();
        Ok(Self { server, relay, rooms, shared, witness, watcher, mallory, senders, readers, progress, done })
    }

    /// Lets everybody finish, starts the server once more, reads all logs, and judges.
    pub(crate) async fn end(mut self) -> Result<(Server, Outcome)> {
        self.shared.stop_sending();
        let until = Instant::now() + LAST_PATIENCE;
        let mut records = Vec::new();
        for sender in self.senders {
            let record = tokio::time::timeout_at(until, sender).await;
            records.push(record.context("a sender's last message was not acknowledged")??);
        }
        records.push(self.witness.record());
        let rooms = self.watcher.rooms().await?;
        let events: u64 = rooms.iter().map(|room| room.head_seq).sum();
        while self.progress.iter().any(|count| count.load(Ordering::SeqCst) < events) {
            if Instant::now() > until + LAST_PATIENCE {
                let has: Vec<_> = self.progress.iter().map(|count| count.load(Ordering::SeqCst)).collect();
                bail!("of {events} events the readers have got only {has:?}");
            }
            sleep(Duration::from_millis(10)).await;
        }
        self.done.send_replace(true);
        let mut followed = Vec::new();
        for reader in self.readers {
            let last = Instant::now() + LAST_PATIENCE;
            followed.push(tokio::time::timeout_at(last, reader).await.context("a reader does not end")??);
        }
        self.server.terminate().await?;
        self.server.start().await?;
        let mut reader = self.watcher.over(wire::native(self.server.addr)?);
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

/// All rooms that there are.
pub(crate) async fn rooms_of(person: &mut Person) -> Result<Vec<Room>, Status> {
    let room = |(index, state): (usize, RoomState)| Room {
        index,
        id: state.room.unwrap_or_default().id,
        epoch: state.epoch,
    };
    Ok(person.rooms().await?.into_iter().enumerate().map(room).collect())
}

/// Reads all logs, and compares them with what was acknowledged and with what readers were sent.
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
            judge_stream(&mut all, index, room.index, &reader[room.index].events, &log);
        }
    }
    Ok(all)
}
