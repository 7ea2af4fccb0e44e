//! The command line.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use crate::cluster_fault::Fault;
use crate::plan::{KINDS, Kind};

/// Minutes of a run without options: the short form in the tests.
const DEFAULT_MINUTES: f64 = 1.2;
/// Minutes after which a run that has not reached its `--messages` and `--kills` fails.
const MAX_MINUTES: f64 = 120.0;

/// Breaks the server on purpose while people send and read, and checks that nothing is lost.
#[derive(Clone, Debug, Parser)]
#[command(name = "chaos")]
pub(crate) struct Options {
    /// Minutes of faults: 1.2 unless there is another target; with --messages or --kills, the time after which the run
    /// fails (120)
    #[arg(long, value_name = "N")]
    pub(crate) minutes: Option<f64>,

    /// Seed of all decisions; random by default
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: Option<u64>,

    /// Run until this many messages were acknowledged
    #[arg(long, value_name = "N")]
    pub(crate) messages: Option<u64>,

    /// Run until the server was killed this often; half of the steps are kills then
    #[arg(long, value_name = "N")]
    pub(crate) kills: Option<u64>,

    /// Concurrent senders: half over gRPC, half over gRPC-Web
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) senders: u32,

    /// Concurrent readers
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub(crate) readers: u32,

    /// Only these faults and attacks
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) only: Vec<Kind>,

    /// All faults and attacks but these
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) without: Vec<Kind>,

    /// Three servers of one chat on three servers of NATS, and faults of both; needs a server with the feature `cluster`, and
    /// nats-server, which CHINWAG_NATS names
    #[arg(long, conflicts_with_all = ["messages", "kills", "only", "without", "measure", "plan"])]
    pub(crate) cluster: bool,

    /// Only these faults of the cluster
    #[arg(long, value_name = "FAULT", value_delimiter = ',', requires = "cluster")]
    pub(crate) faults: Vec<Fault>,

    /// Measure a client's latencies for this many seconds during each attack, and break nothing
    #[arg(long, value_name = "SECONDS")]
    pub(crate) measure: Option<f64>,

    /// Print the first N steps of the seed, and do nothing
    #[arg(long, value_name = "N")]
    pub(crate) plan: Option<usize>,
}

impl Options {
    /// The chosen faults and attacks; an error when there are none.
    pub(crate) fn kinds(&self) -> Result<Vec<Kind>> {
        let wanted =
            |kind: &Kind| (self.only.is_empty() || self.only.contains(kind)) && !self.without.contains(kind);
        let kinds: Vec<Kind> = KINDS.into_iter().filter(wanted).collect();
        ensure!(!kinds.is_empty(), "--only and --without leave no fault and no attack");
        ensure!(
            self.kills.is_none() || kinds.contains(&Kind::Kill),
            "--kills needs the fault `kill`, which --only or --without leave out"
        );
        Ok(kinds)
    }

    /// The chosen faults of a cluster.
    pub(crate) fn cluster_faults(&self) -> Vec<Fault> {
        if self.faults.is_empty() { Fault::value_variants().to_vec() } else { self.faults.clone() }
    }

    /// Whether the run ends at its targets instead of after a time.
    pub(crate) fn has_target(&self) -> bool {
        self.messages.is_some() || self.kills.is_some()
    }

    /// Time limit of the run.
    pub(crate) fn time(&self) -> Result<Duration> {
        let minutes = self.minutes.unwrap_or(if self.has_target() { MAX_MINUTES } else { DEFAULT_MINUTES });
        ensure!(minutes > 0.0 && minutes <= 10_000.0, "--minutes has to be above 0 and at most 10000");
        Ok(Duration::from_secs_f64(minutes * 60.0))
    }

    /// The command that repeats the run.
    pub(crate) fn command(&self, seed: u64) -> String {
        let name = if self.cluster { "cluster-test" } else { "chaos" };
        let mut command = format!("cargo xtask {name} --seed {seed}");
        let mut add = |flag: &str, value: String| command.push_str(&format!(" --{flag} {value}"));
        if let Some(minutes) = self.minutes {
            add("minutes", minutes.to_string());
        }
        if let Some(messages) = self.messages {
            add("messages", messages.to_string());
        }
        if let Some(kills) = self.kills {
            add("kills", kills.to_string());
        }
        add("senders", self.senders.to_string());
        add("readers", self.readers.to_string());
        for (flag, kinds) in [("only", &self.only), ("without", &self.without)] {
            if !kinds.is_empty() {
                add(flag, kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(","));
            }
        }
        if !self.faults.is_empty() {
            let names = self.faults.iter().filter_map(|fault| fault.to_possible_value());
            add("faults", names.map(|name| name.get_name().to_owned()).collect::<Vec<_>>().join(","));
        }
        command
    }
}
