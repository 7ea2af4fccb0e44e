//! A client that is far behind, against reading the same rows from SQLite alone.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use futures_util::stream;
use http::uri::PathAndQuery;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use proto::chat::v1::subscribe_response::Frame;
use proto::chat::v1::{Cursor, Event, ListRoomsRequest, SubscribeRequest, SubscribeResponse};
use rusqlite::{Connection, OpenFlags};
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

use crate::ROUNDS;
use crate::people::{Guest, ROOM, connect, join};
use crate::process::backend;
use crate::report::{Samples, Table};

/// Events that the client has missed.
const EVENTS: u64 = 100_000;
/// Bytes that are read before the buffer is emptied.
const PAGE_BYTES: usize = 64 * 1024;
/// Number of writers that fill the room.
const WRITERS: usize = 256;

pub(crate) async fn run(table: &mut Table) -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = backend(data.path())?;
    let channel = connect(&server.url(), 1).await?.remove(0);
    let mut client = ChatServiceClient::new(channel.clone());
    let guests = join(&channel, WRITERS).await?;
    fill(&client, &guests).await?;
    let rooms = client.list_rooms(guests[0].request(ListRoomsRequest {})).await?.into_inner().rooms;
    let room = rooms.first().context("there is a room")?;

    let (mut numbers, mut whole, mut read) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        read.push(rows_per_second(data.path())?);
        numbers.push(events_per_second::<numbers::Response>(&channel, &guests[0], room.epoch).await?);
        whole.push(events_per_second::<SubscribeResponse>(&channel, &guests[0], room.epoch).await?);
    }
    for (client, caught_up, goal) in
        [("reads the numbers", numbers, ">= 0.5"), ("decodes every field", whole, "-")]
    {
        table.row(
            &format!("catch-up, 100,000 events behind, by a client that {client}"),
            Samples::ratios(&caught_up, &read).show(),
            &format!(
                "x reading the rows from SQLite ({} against {} per second)",
                Samples::new(caught_up).show(),
                Samples::new(read.clone()).show()
            ),
            goal,
        );
    }
    Ok(())
}

/// A client's view of a response.
trait Response: prost::Message + Default + Send + Sync + 'static {
    /// Sequence numbers of its events; `None` at the end of the catch-up.
    fn numbers(&self) -> Option<impl Iterator<Item = u64>>;
}

/// Every field, as a page decodes it.
impl Response for SubscribeResponse {
    fn numbers(&self) -> Option<impl Iterator<Item = u64>> {
        let events: &[Event] = match &self.frame {
            Some(Frame::CaughtUp(_)) => return None,
            Some(Frame::Events(events)) => &events.events,
            _ => &[],
        };
        Some(events.iter().map(|event| event.seq))
    }
}

/// Sequence numbers alone, so that the server is measured and not the client's memory. Decoding skips the other fields.
mod numbers {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Response {
        #[prost(message, optional, tag = "3")]
        events: Option<Events>,
        #[prost(message, optional, tag = "4")]
        caught_up: Option<Nothing>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Events {
        #[prost(message, repeated, tag = "1")]
        events: Vec<Event>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Event {
        #[prost(uint64, tag = "2")]
        seq: u64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Nothing {}

    impl super::Response for Response {
        fn numbers(&self) -> Option<impl Iterator<Item = u64>> {
            let events = self.events.iter().flat_map(|events| &events.events);
            self.caught_up.is_none().then(|| events.map(|event| event.seq))
        }
    }
}

async fn fill(client: &ChatServiceClient<Channel>, guests: &[Guest]) -> Result<()> {
    let sends = (0..EVENTS).map(|number| {
        let mut client = client.clone();
        let guest = &guests[number as usize % guests.len()];
        async move { client.send_message(guest.message("A line that somebody wrote, not too short.")).await }
    });
    let mut sends = stream::iter(sends).buffer_unordered(WRITERS);
    while let Some(sent) = sends.next().await {
        sent?;
    }
    Ok(())
}

/// Subscribes at the start of the log and reads to its head.
async fn events_per_second<R: Response>(channel: &Channel, guest: &Guest, epoch: u64) -> Result<f64> {
    let cursor = Cursor { room_id: ROOM.to_owned(), epoch, seq: 0, fingerprint: 0 };
    let request = SubscribeRequest { cursors: vec![cursor], replay_limit: 0 };
    let path = PathAndQuery::from_static("/chat.v1.ChatService/Subscribe");
    let codec = ProstCodec::<SubscribeRequest, R>::default();
    let start = Instant::now();
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await?;
    let mut frames = client.server_streaming(guest.request(request), path, codec).await?.into_inner();
    let mut last = 0;
    while let Some(frame) = frames.next().await {
        let frame = frame?;
        let Some(numbers) = frame.numbers() else { break };
        for number in numbers {
            ensure!(number == last + 1, "a gap: {number} after {last}");
            last = number;
        }
    }
    ensure!(last > EVENTS, "only {last} events came");
    Ok(last as f64 / start.elapsed().as_secs_f64())
}

/// The same rows, in the same order, by SQLite in this process.
fn rows_per_second(data: &Path) -> Result<f64> {
    let database = Connection::open_with_flags(data.join("chinwag.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let start = Instant::now();
    let room: i64 = database.query_row("SELECT key FROM rooms WHERE id = ?1", [ROOM], |row| row.get(0))?;
    let mut statement =
        database.prepare("SELECT seq, event FROM events WHERE room = ?1 AND seq > 0 ORDER BY seq")?;
    let mut rows = statement.query([room])?;
    let (mut count, mut page) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        // SQLite reuses its memory, so a reader has to copy rows.
        if page.len() > PAGE_BYTES {
            page.clear();
        }
        page.extend_from_slice(row.get_ref(1)?.as_blob()?);
        count += 1;
        ensure!(seq == count, "a gap: {seq} at {count}");
    }
    ensure!(count.unsigned_abs() > EVENTS, "only {count} rows");
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
