//! From Enter to the message on the own screen and on another.

use anyhow::Result;
use e2e::{Page, World, keys, part};
use serde_json::json;

use super::{N, person, row, value};
use crate::report::{Samples, Table};

/// Messages in a round.
const MESSAGES: usize = 100;

/// The time of a paint or of a key since the epoch, which both browsers share.
const SINCE_EPOCH: &str = "performance.timeOrigin";

/// A page that only appends the text: the time that the browser and this machine take.
const BARE: &str =
    "data:text/html,<!doctype html><textarea aria-label=Message></textarea><div role=log></div><script>
    const field = document.querySelector('textarea');
    field.onkeydown = (event) => {
        if (event.key !== 'Enter') return;
        event.preventDefault();
        const message = Object.assign(document.createElement('article'), { textContent: field.value });
        document.querySelector('[role=log]').append(message);
        field.value = '';
    };
</script>";

pub(super) async fn run(rounds: usize, table: &mut Table) -> Result<()> {
    let mut world = World::start().await?;
    let ada = person(&mut world, "Ada").await?;
    let grace = person(&mut world, "Grace").await?;
    grace.part(&part("textbox", N.message)).await?;
    let (mut own, mut other, mut bare) = (Quantiles::default(), Quantiles::default(), Quantiles::default());
    // One more runs first, to warm up.
    for round in 0..=rounds {
        let (mut to_own, mut to_other) = (Vec::new(), Vec::new());
        for number in 0..MESSAGES {
            let text = format!("message {round}.{number}.");
            grace.run::<()>("watch.expect(arguments[0])", vec![json!(text)]).await?;
            let (pressed, shown) = write(&ada, &text).await?;
            let elsewhere: f64 =
                value(&grace, &format!("watch.shown.then((shown) => {SINCE_EPOCH} + shown)")).await?;
            to_own.push(shown - pressed);
            to_other.push(elsewhere - pressed);
        }
        if round > 0 {
            own.add(to_own);
            other.add(to_other);
        }
    }
    ada.visit(BARE).await?;
    for round in 0..=rounds {
        let mut times = Vec::new();
        for number in 0..MESSAGES {
            let (pressed, shown) = write(&ada, &format!("message {round}.{number}.")).await?;
            times.push(shown - pressed);
        }
        if round > 0 {
            bare.add(times);
        }
    }
    world.close().await;
    own.rows(table, "Enter to the own message painted", ["<= 16", "<= 33"]);
    other.rows(table, "Enter to painted on another screen", ["<= 20", "<= 60"]);
    bare.rows(table, "Enter to painted, a page that only appends the text", ["-", "-"]);
    Ok(())
}

/// Writes a message and sends it by Enter. Returns the times of the key and of the message's paint since the epoch, in milliseconds.
async fn write(page: &Page, text: &str) -> Result<(f64, f64)> {
    page.fill(&part("textbox", N.message), text).await?;
    page.run::<()>("watch.expect(arguments[0])", vec![json!(text)]).await?;
    page.press(keys::ENTER).await?;
    let times =
        format!("watch.shown.then((shown) => [{SINCE_EPOCH} + watch.pressed, {SINCE_EPOCH} + shown])");
    value(page, &times).await
}

/// Quantiles of each round, in milliseconds.
#[derive(Default)]
struct Quantiles {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Quantiles {
    fn add(&mut self, times: Vec<f64>) {
        let times = Samples::new(times);
        self.p50.push(times.quantile(0.5));
        self.p99.push(times.quantile(0.99));
    }

    fn rows(self, table: &mut Table, what: &str, [p50, p99]: [&str; 2]) {
        let conditions = format!("{MESSAGES} messages a round");
        row(table, &format!("{what}, p50, ms"), self.p50, &conditions, p50);
        row(table, &format!("{what}, p99, ms"), self.p99, &conditions, p99);
    }
}
