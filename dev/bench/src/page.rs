//! The page in Chromium, as a person sees it: times until something is painted, and the memory of its program.
//!
//! Times are the browser's own, by a script that runs before the page's (`page/watch.js`). The server and the people who send share the
//! machine with the browser.

mod arrivals;
mod opening;
mod sending;
mod start;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use e2e::{Browser, ENGLISH, Names, Page, World};
use serde::de::DeserializeOwned;

use crate::report::{Samples, Table};
use crate::{ROUNDS, process};

/// The names of the page's parts.
const N: &Names = &ENGLISH;

/// The script that measures.
const WATCH: &str = include_str!("page/watch.js");

#[derive(Debug, Parser)]
#[command(name = "bench page", no_binary_name = true)]
pub(crate) struct Options {
    /// Number of rounds.
    #[arg(long, default_value_t = ROUNDS, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100))]
    rounds: usize,
    /// Only these cases.
    #[arg(long = "case", value_enum, value_delimiter = ',')]
    cases: Vec<Case>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    /// The start of the page with a slow processor and a slow network
    Start,
    /// From Enter to the message on both screens
    Sending,
    /// A room of 100,000 messages
    Opening,
    /// 20,000 messages in 10 s, and memory after 30,000
    Arrivals,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    println!("{}\n", process::machine());
    let mut table = Table::new();
    let rounds = options.rounds;
    let is_chosen = |case| options.cases.is_empty() || options.cases.contains(&case);
    if is_chosen(Case::Start) {
        start::run(rounds, &mut table).await?;
    }
    if is_chosen(Case::Sending) {
        sending::run(rounds, &mut table).await?;
    }
    if is_chosen(Case::Opening) {
        opening::run(rounds, &mut table).await?;
    }
    if is_chosen(Case::Arrivals) {
        arrivals::run(rounds, &mut table).await?;
    }
    println!("{table}");
    Ok(())
}

/// Opens a browser whose pages are measured.
async fn watched(world: &mut World, who: &str) -> Result<Page> {
    let page = world.browser(who, Browser::default()).await?;
    page.run_before_pages(WATCH).await?;
    Ok(page)
}

/// Opens a measured browser, and joins.
async fn person(world: &mut World, name: &str) -> Result<Page> {
    let page = watched(world, name).await?;
    page.open("/").await?;
    page.join(name).await?;
    page.click(&e2e::part("button", N.done)).await?;
    Ok(page)
}

/// The value of a JavaScript expression, after its promise.
async fn value<T: DeserializeOwned>(page: &Page, expression: &str) -> Result<T> {
    page.run(&format!("return {expression}"), vec![]).await
}

/// A row of the table from the values of all rounds.
fn row(table: &mut Table, what: &str, values: Vec<f64>, conditions: &str, goal: &str) {
    table.row(what, Samples::new(values).show(), conditions, goal);
}
