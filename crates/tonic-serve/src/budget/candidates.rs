//! Candidates for eviction: the least useful connections, found by one scan for several evictions.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::connections::{Peer, Rank, Usefulness};

/// Candidates that one scan finds, so that a flood of connections does not cost a scan each.
const SCAN_RESULTS: usize = 32;

/// Time for which the results of a scan are used.
const SCAN_VALIDITY: Duration = Duration::from_secs(1);

/// A scan without a result is not repeated before this multiple of its duration.
const SCAN_PAUSE_FACTOR: u32 = 10;

/// The results of the last scan.
#[derive(Default)]
pub(super) struct Candidates {
    /// The least useful one is the last.
    found: Vec<(Rank, u64)>,
    valid_until: Option<Instant>,
    /// After a scan without a result: no scan before this time that protects at least as many connections per network.
    pause: Option<(Instant, usize)>,
}

impl Candidates {
    /// The least useful of those `peers` that `filter` accepts and that may be evicted where networks keep `protected`
    /// connections with sessions.
    pub(super) fn next(
        &mut self,
        peers: &HashMap<u64, Arc<Peer>>,
        protected: usize,
        filter: impl Fn(&Peer) -> bool,
    ) -> Option<(Usefulness, Arc<Peer>)> {
        let start = Instant::now();
        if self.pause.is_some_and(|(until, least)| start < until && protected >= least) {
            return None;
        }
        if self.valid_until.is_none_or(|until| until < start) {
            self.found.clear();
        }
        if let Some(found) = self.pop(peers, protected) {
            return Some(found);
        }
        let candidates = peers.values().filter(|peer| filter(peer));
        self.found.extend(candidates.filter_map(|peer| Some((peer.rank(protected)?, peer.id))));
        if self.found.len() > SCAN_RESULTS {
            self.found.select_nth_unstable(SCAN_RESULTS);
            self.found.truncate(SCAN_RESULTS);
        }
        self.found.sort_unstable_by_key(|found| Reverse(*found));
        self.valid_until = Some(start + SCAN_VALIDITY);
        let found = self.pop(peers, protected);
        self.pause = found.is_none().then(|| (start + start.elapsed() * SCAN_PAUSE_FACTOR, protected));
        found
    }

    /// Skips candidates that were active since the scan. The size of their networks may have changed.
    fn pop(&mut self, peers: &HashMap<u64, Arc<Peer>>, protected: usize) -> Option<(Usefulness, Arc<Peer>)> {
        while let Some(((usefulness, _, active), id)) = self.found.pop() {
            let is_same = |(now, _, active_now): Rank| (now, active_now) == (usefulness, active);
            if let Some(peer) = peers.get(&id).filter(|peer| peer.rank(protected).is_some_and(is_same)) {
                return Some((usefulness, Arc::clone(peer)));
            }
        }
        None
    }
}
