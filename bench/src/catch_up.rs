//! A client that is far behind, against reading the same rows from SQLite alone.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use futures_util::stream;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use proto::chat::v1::subscribe_response::Frame;
use proto::chat::v1::{Cursor, ListRoomsRequest, SubscribeRequest};
use rusqlite::{Connection, OpenFlags};

use crate::ROUNDS;
use crate::people::{Guest, ROOM, connect, join};
use crate::process::Server;
use crate::report::{Samples, Table};

/// How far behind.
const EVENTS: u64 = 100_000;
/// How many writers fill the room.
const WRITERS: usize = 256;

pub(crate) async fn run(table: &mut Table) -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = Server::backend(data.path()).await?;
    let channel = connect(&server.uri(), 1).await?.remove(0);
    let mut client = ChatServiceClient::new(channel.clone());
    let guests = join(&channel, WRITERS).await?;
    fill(&client, &guests).await?;
    let rooms = client.list_rooms(guests[0].request(ListRoomsRequest {})).await?.into_inner().rooms;
    let room = rooms.first().context("there is a room")?;

    let (mut caught_up, mut read) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        read.push(rows_per_second(data.path())?);
        caught_up.push(events_per_second(&mut client, &guests[0], room.epoch).await?);
    }
    table.row(
        "catch-up, 100,000 events behind",
        Samples::ratios(&caught_up, &read).show(),
        &format!(
            "x reading the rows from SQLite ({} against {} per second)",
            Samples::new(caught_up).show(),
            Samples::new(read).show()
        ),
        ">= 0.5",
    );
    Ok(())
}

async fn fill(client: &ChatServiceClient<tonic::transport::Channel>, guests: &[Guest]) -> Result<()> {
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
async fn events_per_second(
    client: &mut ChatServiceClient<tonic::transport::Channel>,
    guest: &Guest,
    epoch: u64,
) -> Result<f64> {
    let cursor = Cursor { room_id: ROOM.to_owned(), epoch, seq: 0 };
    let request = SubscribeRequest { cursors: vec![cursor], replay_limit: 0 };
    let start = Instant::now();
    let mut frames = client.subscribe(guest.request(request)).await?.into_inner();
    let mut last = 0;
    while let Some(frame) = frames.next().await {
        match frame?.frame {
            Some(Frame::Events(events)) => {
                for event in events.events {
                    ensure!(event.seq == last + 1, "a gap: {} after {last}", event.seq);
                    last = event.seq;
                }
            }
            Some(Frame::CaughtUp(_)) => break,
            _ => {}
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
    let (mut count, mut bytes) = (0_u64, 0);
    while let Some(row) = rows.next()? {
        let _seq: i64 = row.get(0)?;
        bytes += row.get_ref(1)?.as_blob()?.len();
        count += 1;
    }
    ensure!(count > EVENTS && bytes > 0, "only {count} rows");
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
