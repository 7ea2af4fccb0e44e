//! A room of 100,000 messages, from the click on its link.

use anyhow::Result;
use e2e::{Guest, World, beginning, part};
use serde_json::json;

use super::{N, person, row, value};
use crate::report::Table;

const MESSAGES: usize = 100_000;
const ROOM: &str = "Archive";
const LAST: &str = "the very last";

pub(super) async fn run(rounds: usize, table: &mut Table) -> Result<()> {
    let mut world = World::start().await?;
    let guest = Guest::join(&world.url(), "Grace").await?;
    let room = guest.create_room(ROOM).await?;
    let texts: Vec<String> =
        (1..=MESSAGES).map(|number| format!("Line {number} that somebody wrote.")).collect();
    guest.send_all(&room, &texts).await?;
    guest.send(&room, LAST).await?;
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let page = person(&mut world, &format!("Ada {round}")).await?;
        page.part(&part("textbox", N.message)).await?;
        for times in [&mut first, &mut again] {
            page.run::<()>("watch.expectRoom(arguments[0])", vec![json!(LAST)]).await?;
            page.click(&beginning("link", ROOM)).await?;
            times.push(value(&page, "watch.opened").await?);
            page.click(&beginning("link", "general")).await?;
            // The beginning of an empty room names it, too.
            page.part_of(&part("heading", "general"), 0).await?;
        }
        world.close_browsers().await;
    }
    world.close().await;
    let conditions = "from the click on its link";
    row(table, "a room of 100,000 messages, the first time, ms", first, conditions, "<= 100");
    row(table, "a room of 100,000 messages, again, ms", again, conditions, "<= 100");
    Ok(())
}
