//! Counters of the chat: groups of writes, commits, reads of the tail, resumed cursors, goodbyes, appends to a log.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use proto::chat::v1::{GoodbyeReason, LostReason, Recovery};

/// Bounds of the number of writes in a group.
const GROUP_SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0];

/// Bounds of the time of a commit, seconds.
const COMMIT_SECONDS: [f64; 13] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Bounds of the number of appends that an entry took.
const APPEND_TRIES: [f64; 8] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 32.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// The counters of a chat.
#[derive(Debug)]
pub(super) struct ChatMetrics {
    /// Writes in a group.
    pub(super) group_size: Histogram,
    /// Time of a commit, with its sync.
    pub(super) commit_seconds: Histogram,
    /// Reads of an entry that the tail had.
    pub(super) tail_hits: Counter,
    /// Reads of an entry that the tail had no more.
    pub(super) tail_misses: Counter,
    tail_reads: Family<ResultLabel, Counter>,
    resumes: Family<OutcomeLabel, Counter>,
    goodbyes: Family<ReasonLabel, Counter>,
    /// Appends to the log until an entry was stored.
    pub(super) append_tries: Histogram,
    /// Questions and appends that the log did not answer.
    pub(super) log_unanswered: Counter,
}

impl Default for ChatMetrics {
    /// Series that begin at their first event would hide it from rates, so all begin at zero.
    fn default() -> Self {
        let tail_reads = Family::<ResultLabel, Counter>::default();
        let [tail_hits, tail_misses] =
            ["hit", "miss"].map(|result| tail_reads.get_or_create_owned(&ResultLabel { result }));
        let resumes = Family::<OutcomeLabel, Counter>::default();
        for outcome in ["fresh", "full", "limited", "lost_epoch", "lost_future", "lost_history"] {
            drop(resumes.get_or_create(&OutcomeLabel { outcome }));
        }
        let goodbyes = Family::<ReasonLabel, Counter>::default();
        for reason in ["shutdown", "signed_out", "slow"] {
            drop(goodbyes.get_or_create(&ReasonLabel { reason }));
        }
        Self {
            group_size: Histogram::new(GROUP_SIZES),
            commit_seconds: Histogram::new(COMMIT_SECONDS),
            tail_hits,
            tail_misses,
            tail_reads,
            resumes,
            goodbyes,
            append_tries: Histogram::new(APPEND_TRIES),
            log_unanswered: Counter::default(),
        }
    }
}

impl ChatMetrics {
    /// Adds those of the log that servers share to a registry.
    pub(super) fn register_log(&self, registry: &mut Registry) {
        let help = "Appends to the log of the servers until an entry was stored; more than one when another server was first";
        registry.register("chinwag_log_append_tries", help, self.append_tries.clone());
        let help = "Appends and questions that the log of the servers did not answer";
        registry.register("chinwag_log_unanswered", help, self.log_unanswered.clone());
    }

    /// Adds the others to a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Writes that were committed in one transaction";
        registry.register("chinwag_writer_group_size", help, self.group_size.clone());
        let help = "Time of a commit, with its sync to disk";
        registry.register("chinwag_commit_seconds", help, self.commit_seconds.clone());
        let help = "Reads of streams from the tail; a miss reads the database instead";
        registry.register("chinwag_tail_reads", help, self.tail_reads.clone());
        let help = "Rooms of streams that began, by what became of the client's cursor";
        registry.register("chinwag_resumes", help, self.resumes.clone());
        registry.register(
            "chinwag_goodbyes",
            "Streams that the server ended, by reason",
            self.goodbyes.clone(),
        );
    }

    /// Counts what became of a cursor.
    pub(super) fn count_resume(&self, recovery: Recovery, lost: LostReason) {
        let outcome = match (recovery, lost) {
            (Recovery::Full, _) => "full",
            (Recovery::Limited, _) => "limited",
            (Recovery::Lost, LostReason::Epoch) => "lost_epoch",
            (Recovery::Lost, LostReason::Future) => "lost_future",
            (Recovery::Lost, _) => "lost_history",
            _ => "fresh",
        };
        self.resumes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a goodbye.
    pub(super) fn count_goodbye(&self, reason: GoodbyeReason) {
        let reason = match reason {
            GoodbyeReason::SignedOut => "signed_out",
            GoodbyeReason::Slow => "slow",
            _ => "shutdown",
        };
        self.goodbyes.get_or_create(&ReasonLabel { reason }).inc();
    }
}
