//! `cargo xtask bench cluster`: three servers of one chat on three servers of NATS, beside one server that has its chat alone, in the
//! same run.
//!
//! All of them, and the clients, share the machine, so that only ratios mean something. Every server of NATS syncs every write.

mod delivery;
mod pauses;
mod rebuild;
mod sends;
mod servers;
mod traffic;

use std::time::Duration;

use anyhow::Result;
use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueEnum};

use self::servers::Servers;
use crate::ROUNDS;
use crate::process::{load, machine};
use crate::report::{Samples, Table};

/// Measure several servers of one chat
#[derive(Clone, Debug, Parser)]
#[command(name = "bench cluster", no_binary_name = true)]
pub(crate) struct Options {
    /// Rounds of each comparison
    #[arg(long, default_value_t = ROUNDS, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    rounds: usize,
    /// Length of each measurement of sends and deliveries, seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Events that a new server has to get
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    events: u64,
    /// Rounds of the rebuild, which are longer
    #[arg(long, default_value_t = 3, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    rebuilds: usize,
    /// Measure also three servers of a chat whose log is in PostgreSQL, except for the rebuild
    #[arg(long)]
    postgres: bool,
    /// Cases to measure, instead of all
    #[arg(long = "case", value_enum, value_delimiter = ',')]
    cases: Vec<Case>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    /// Sends in a second and their latency, with 1 and 256 senders
    Sends,
    /// From the acknowledgement to a reader of another server
    Delivery,
    /// The longest pause of writes while servers die or are stopped
    Pauses,
    /// A new server that gets everything, from the log and from a copy of the database
    Rebuild,
}

impl Options {
    fn measures(&self, case: Case) -> bool {
        self.cases.is_empty() || self.cases.contains(&case)
    }

    /// Length of a measurement.
    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

pub(crate) async fn run(words: &[&str]) -> Result<()> {
    let options = Options::parse_from(words);
    println!("{}, load {}", machine(), load());
    println!(
        "`{}`\n",
        ["cargo xtask bench cluster"].iter().chain(words).copied().collect::<Vec<_>>().join(" ")
    );
    let mut table = Table::new();
    if [Case::Sends, Case::Delivery, Case::Pauses].iter().any(|case| options.measures(*case)) {
        let mut servers = Servers::begin(options.postgres).await?;
        if options.measures(Case::Sends) {
            sends::run(&servers, &options, &mut table).await?;
        }
        if options.measures(Case::Delivery) {
            delivery::run(&servers, &options, &mut table).await?;
        }
        if options.measures(Case::Pauses) {
            pauses::run(&mut servers, &options, &mut table).await?;
        }
    }
    if options.measures(Case::Rebuild) {
        rebuild::run(&options, &mut table).await?;
    }
    println!("{table}\nload {} at the end", load());
    Ok(())
}

/// Both figures of a ratio, for the report.
fn both(cluster: &[f64], alone: &[f64], unit: &str) -> String {
    let show = |samples: &[f64]| Samples::new(samples.to_vec()).show();
    format!("x one server ({} against {} {unit})", show(cluster), show(alone))
}
