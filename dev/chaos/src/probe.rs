//! Well-behaved newcomers during an attack: every operation of the chat has to work.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use proto::chat::v1::subscribe_response::Frame;
use tokio::time::timeout;

use crate::person::{CALL_TIMEOUT, Person};
use crate::wire::{self, Client};
use crate::world::World;

/// Joins, lists, subscribes, reads and sends, over both protocols. Returns the duration of the longest call.
pub(crate) async fn newcomers(world: &mut World, round: u64) -> Result<Duration> {
    let native = newcomer(world, wire::native(world.relay.addr)?, &format!("Newcomer {round}")).await?;
    let web = newcomer(world, wire::web(world.relay.addr)?, &format!("Web newcomer {round}")).await?;
    Ok(native.max(web))
}

async fn newcomer(world: &mut World, client: Client, name: &str) -> Result<Duration> {
    let mut longest = Stopwatch::default();
    let mut person = longest.of("Join", Person::join(client, name)).await?;
    longest.of("GetSession", person.session()).await?;
    longest.of("ListRooms", person.rooms()).await?;
    longest.of("ListEvents", person.events_after(&world.rooms[0].id, 0)).await?;
    let mut frames = longest.of("Subscribe", person.subscribe(Vec::new())).await?;
    let caught_up = async {
        while let Some(response) = frames.message().await? {
            if let Some(Frame::CaughtUp(_)) = response.frame {
                return Ok(());
            }
        }
        bail!("the stream ended before CaughtUp")
    };
    let caught_up = async {
        timeout(CALL_TIMEOUT, caught_up)
            .await
            .with_context(|| format!("no CaughtUp within {CALL_TIMEOUT:?}"))?
    };
    longest.of("Subscribe", caught_up).await?;
    let sent = async {
        world.witness().send().await;
        anyhow::Ok(())
    };
    longest.of("SendMessage", sent).await?;
    Ok(longest.0)
}

/// The longest measured time.
#[derive(Default)]
struct Stopwatch(Duration);

impl Stopwatch {
    async fn of<T, E>(&mut self, what: &str, call: impl Future<Output = Result<T, E>>) -> Result<T>
    where
        Result<T, E>: anyhow::Context<T, E>,
    {
        let begun = Instant::now();
        let answer = call.await.with_context(|| format!("a newcomer's {what} failed"));
        self.0 = self.0.max(begun.elapsed());
        answer
    }
}
