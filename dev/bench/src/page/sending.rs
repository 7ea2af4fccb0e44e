//! From Enter to the message on the own screen and on another.

use anyhow::Result;
use e2e::{World, keys, part};
use serde_json::json;

use super::{N, person, row, value};
use crate::report::{Samples, Table};

/// Messages in a round.
const MESSAGES: usize = 100;

/// The time of a paint or of a key since the epoch, which both browsers share.
const SINCE_EPOCH: &str = "performance.timeOrigin";

pub(super) async fn run(rounds: usize, table: &mut Table) -> Result<()> {
    let mut world = World::start().await?;
    let ada = person(&mut world, "Ada").await?;
    let grace = person(&mut world, "Grace").await?;
    grace.part(&part("textbox", N.message)).await?;
    let (mut own, mut other) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    // One more runs first, to warm up.
    for round in 0..=rounds {
        let (mut to_own, mut to_other) = (Vec::new(), Vec::new());
        for number in 0..MESSAGES {
            let text = format!("message {round}.{number}.");
            ada.fill(&part("textbox", N.message), &text).await?;
            for page in [&ada, &grace] {
                page.run::<()>("watch.expect(arguments[0])", vec![json!(text)]).await?;
            }
            ada.press(keys::ENTER).await?;
            let (pressed, shown): (f64, f64) = value(
                &ada,
                &format!(
                    "watch.shown.then((shown) => [{SINCE_EPOCH} + watch.pressed, {SINCE_EPOCH} + shown])"
                ),
            )
            .await?;
            let elsewhere: f64 =
                value(&grace, &format!("watch.shown.then((shown) => {SINCE_EPOCH} + shown)")).await?;
            to_own.push(shown - pressed);
            to_other.push(elsewhere - pressed);
        }
        if round > 0 {
            for (all, times) in [(&mut own, to_own), (&mut other, to_other)] {
                let times = Samples::new(times);
                all[0].push(times.quantile(0.5));
                all[1].push(times.quantile(0.99));
            }
        }
    }
    world.close().await;
    let conditions = format!("{MESSAGES} messages a round");
    for (what, [p50, p99], goals) in
        [("the own message painted", own, ["16", "33"]), ("painted on another screen", other, ["20", "60"])]
    {
        row(table, &format!("Enter to {what}, p50, ms"), p50, &conditions, &format!("<= {}", goals[0]));
        row(table, &format!("Enter to {what}, p99, ms"), p99, &conditions, &format!("<= {}", goals[1]));
    }
    Ok(())
}
