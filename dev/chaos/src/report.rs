//! The table at the end of a run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::check::Verdict;
use crate::faults::Done;
use crate::plan::Kind;
use crate::shared::Shared;

/// The figures of one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) done: Done,
    pub(crate) steps: BTreeMap<Kind, u64>,
    /// The longest call of a newcomer during an attack.
    pub(crate) longest_call: Duration,
    pub(crate) took: Duration,
    /// Time in which messages were sent.
    pub(crate) sent_for: Duration,
    pub(crate) panics: u64,
    pub(crate) resident_bytes: u64,
    /// Latencies of acknowledgements outside of faults, microseconds, sorted.
    pub(crate) calm_us: Vec<u32>,
    pub(crate) verdict: Option<Verdict>,
}

impl Report {
    /// Prints the table. An aborted run has no verdict.
    pub(crate) fn print(&self, shared: Option<&Shared>) {
        println!("\n| what | figure |\n|---|---:|");
        row("seed", self.seed);
        if let Some(shared) = shared {
            self.print_traffic(shared);
        }
        row("kills", self.done.kills);
        for (kind, count) in &self.steps {
            let what = if kind.is_attack() { "attacks" } else { "faults" };
            row(&format!("{what}: {}", kind.name()), count);
        }
        row("longest recovery, s", seconds(self.done.longest_recovery));
        row("longest stop after SIGTERM, s", seconds(self.done.longest_stop));
        row("longest call of a newcomer during an attack, s", seconds(self.longest_call));
        row("server's memory at the end, MB", self.resident_bytes / 1_000_000);
        row("panics of the server", self.panics);
        match &self.verdict {
            Some(verdict) => {
                row("lost", verdict.lost);
                row("twice", verdict.twice);
                row("out of order", verdict.out_of_order);
                row("foreign", verdict.foreign);
            }
            None => row("lost, twice, out of order, foreign", "not checked"),
        }
        row("time, s", seconds(self.took));
        println!();
        if self.done.has_no_small_disk {
            println!("SKIPPED: small-disk, because this process may not mount a disk");
        }
    }

    fn print_traffic(&self, shared: &Shared) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let acknowledged = count(&shared.acknowledged);
        row("acknowledged", acknowledged);
        row("acknowledged per second", format!("{:.0}", acknowledged as f64 / self.sent_for.as_secs_f64()));
        row("acknowledged again", count(&shared.repeated));
        row("p99 of the acknowledgement outside of faults, ms", self.p99_ms());
        row("calls that failed during faults", count(&shared.excused));
        row("calls that failed outside of faults", count(&shared.calm_failures));
        row("subscriptions opened", count(&shared.subscriptions));
    }

    fn p99_ms(&self) -> String {
        match self.calm_us.get(self.calm_us.len() * 99 / 100) {
            Some(us) => format!("{:.1}", f64::from(*us) / 1_000.0),
            None => "-".to_owned(),
        }
    }
}

fn row(what: &str, figure: impl std::fmt::Display) {
    println!("| {what} | {figure} |");
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}
