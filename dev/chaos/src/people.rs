//! The people of a run: the rooms, those who send to them, and those who read them.

use std::net::SocketAddr;
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
use crate::room::Room;
use crate::sender::{Record, Sender};
use crate::shared::Shared;
use crate::wire;

/// Number of rooms, the default one among them.
const ROOMS: usize = 4;
/// gRPC senders that share one HTTP/2 connection.
const SENDERS_PER_CONNECTION: u32 = 8;
/// Time limit of the last acknowledgements, and of the last events at the readers. Retries after faults are long.
const FINISH_TIMEOUT: Duration = Duration::from_secs(60);

/// Senders and readers, who work until [`People::finish`].
#[derive(Debug)]
pub(crate) struct People {
    pub(crate) rooms: Vec<Room>,
    pub(crate) shared: Arc<Shared>,
    /// Senders that send only to check that a server works.
    pub(crate) witnesses: Vec<Sender>,
    /// The client for the other calls of that check.
    pub(crate) watcher: Person,
    senders: Vec<JoinHandle<Record>>,
    readers: Vec<JoinHandle<Vec<Followed>>>,
    progress: Vec<Arc<AtomicU64>>,
    /// True when the readers have every event.
    done: watch::Sender<bool>,
}

/// The history of their sends and reads.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) rooms: Vec<Room>,
    pub(crate) watcher: Person,
    pub(crate) records: Vec<Record>,
    followed: Vec<Vec<Followed>>,
}

impl People {
    /// Makes the rooms, and starts senders and readers at `relay`. There is a witness for each of the addresses in `witnessed`.
    pub(crate) async fn begin(
        relay: SocketAddr,
        witnessed: &[SocketAddr],
        shared: Arc<Shared>,
        options: &Options,
        rng: &mut Rng,
    ) -> Result<Self> {
        let mut watcher = Person::join(wire::native(relay)?, "Watcher").await?;
        let rooms = make_rooms(&mut watcher).await?;
        let mut senders = Vec::new();
        let mut client = wire::native(relay)?;
        for index in 0..options.senders {
            if index % (2 * SENDERS_PER_CONNECTION) == 0 {
                client = wire::native(relay)?;
            }
            let client = if index % 2 == 0 { client.clone() } else { wire::web(relay)? };
            let person = Person::join(client, &format!("Sender {index}")).await?;
            // Both protocols in every room.
            let room = rooms[index as usize / 2 % rooms.len()].clone();
            senders.push(Sender::new(index, person, room, rng.fork(), shared.clone()));
        }
        let mut witnesses = Vec::new();
        for (index, addr) in (options.senders..).zip(witnessed) {
            let witness = watcher.over(wire::web(*addr)?);
            witnesses.push(Sender::new(index, witness, rooms[0].clone(), rng.fork(), shared.clone()));
        }
        let (mut readers, mut progress) = (Vec::new(), Vec::new());
        let (done, is_done) = watch::channel(false);
        for index in 0..options.readers {
            let client = if index % 2 == 0 { wire::native(relay)? } else { wire::web(relay)? };
            let person = Person::join(client, &format!("Reader {index}")).await?;
            let count = Arc::<AtomicU64>::default();
            progress.push(count.clone());
            let reader = Reader::new(index, person, &rooms, rng.fork(), shared.clone(), count);
            readers.push(tokio::spawn(reader.run(is_done.clone())));
        }
        let senders = senders.into_iter().map(|sender| tokio::spawn(sender.run())).collect();
        Ok(Self { rooms, shared, witnesses, watcher, senders, readers, progress, done })
    }

    /// Waits until all messages are acknowledged, and until all readers have all events.
    pub(crate) async fn finish(mut self) -> Result<History> {
        self.shared.stop_sending();
        let until = Instant::now() + FINISH_TIMEOUT;
        let mut records = Vec::new();
        for sender in self.senders {
            let record = tokio::time::timeout_at(until, sender).await;
            records.push(record.context("a sender's last message was not acknowledged")??);
        }
        records.extend(self.witnesses.into_iter().map(Sender::record));
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
        Ok(History { rooms: self.rooms, watcher: self.watcher, records, followed })
    }
}

impl History {
    /// Reads all logs of the server at `addr`, and compares them with the acknowledgements and the readers' streams.
    pub(crate) async fn judge(&self, addr: SocketAddr) -> Result<Verdict> {
        let mut reader = self.watcher.over(wire::native(addr)?);
        judge(&mut reader, &self.rooms, &self.records, &self.followed).await
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
