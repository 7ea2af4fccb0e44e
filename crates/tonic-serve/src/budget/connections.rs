//! Open connections: their number, and the eviction of one where there is one too many. One scan finds candidates for several
//! evictions.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::connections_beyond;
use super::state::{Address, Budget, BudgetState, lock};
use crate::client_address::ClientAddress;
use crate::observer::{Limit, LimitOutcome};

/// Time for an evicted connection to finish its calls; then it is aborted.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Evicted connections that may be open beyond the limit; where few connections may be open, an eighth of these. Above it, new
/// connections are refused.
const MAX_CLOSING: usize = 64;

/// A network with more than this part of all connections loses connections with sessions too. Anybody can send a cookie, so a
/// few networks could occupy all places otherwise.
const NETWORK_SHARE: usize = 16;

/// Candidates that one scan finds, so that a flood of connections does not cost a scan each.
const SCAN_RESULTS: usize = 32;

/// Time for which the results of a scan are used.
const SCAN_VALIDITY: Duration = Duration::from_secs(1);

/// A scan without a result is not repeated before this multiple of its duration.
const SCAN_PAUSE_FACTOR: u32 = 10;

/// One connection, as the budget counts it.
pub(crate) struct Peer {
    pub(super) id: u64,
    pub(super) state: Arc<BudgetState>,
    pub(super) address: Arc<Address>,
    /// Bytes in memory and reservations.
    pub(super) bytes: Account,
    /// Bytes in memory.
    pub(super) in_memory: AtomicUsize,
    requests: AtomicUsize,
    calls: AtomicUsize,
    /// Of these, calls that carry a session.
    session_calls: AtomicUsize,
    /// Time of the accept, or of the last begin or end of a request, in milliseconds since the start of the budget.
    active: AtomicU64,
    /// Carries many clients with different addresses.
    pub(super) is_proxy: bool,
    /// Evicted and not closed yet. Changed only under the lock of the registry.
    is_closing: AtomicBool,
    /// Cancelled when the connection must finish within [`CLOSE_TIMEOUT`].
    pub(crate) close: CancellationToken,
    /// Cancelled when the connection must close at once.
    pub(crate) abort: CancellationToken,
}

/// The usefulness of a connection, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Usefulness {
    /// No request has come.
    NoRequest,
    /// No call is open.
    Idle,
    /// No open call carries a session.
    WithoutSession,
    /// An open call carries a session, and the network has many connections.
    WithSession,
}

/// Usefulness, size of the network where it matters, and time of the last activity.
pub(super) type Rank = (Usefulness, Reverse<usize>, u64);

impl Peer {
    /// Number of requests that have come.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// The time since which no call is open: that of the accept, or of the last end of a request.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.is_idle().then(|| self.state.time_of(self.active.load(Ordering::Relaxed)))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.calls.load(Ordering::Relaxed) == 0
    }

    /// Whether the connection carries many clients.
    pub(crate) fn is_proxy(&self) -> bool {
        self.is_proxy
    }

    /// Bytes of requests and responses in memory.
    pub(super) fn in_memory(&self) -> usize {
        self.in_memory.load(Ordering::Relaxed)
    }

    pub(super) fn begin_call(&self, has_session: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if has_session {
            self.session_calls.fetch_add(1, Ordering::Relaxed);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.active.store(self.state.now(), Ordering::Relaxed);
    }

    pub(super) fn end_call(&self, has_session: bool) {
        self.active.store(self.state.now(), Ordering::Relaxed);
        if has_session {
            self.session_calls.fetch_sub(1, Ordering::Relaxed);
        }
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// The rank among the candidates for eviction. `None` for those that are not candidates: connections with sessions of
    /// networks with at most `protected` connections.
    pub(super) fn rank(&self, protected: usize) -> Option<Rank> {
        if self.is_closing.load(Ordering::Relaxed) || self.abort.is_cancelled() {
            return None;
        }
        let connections = if self.is_proxy { 0 } else { self.address.connections_of_site() };
        let (usefulness, network) = if self.requests() == 0 {
            (Usefulness::NoRequest, 0)
        } else if self.is_idle() {
            (Usefulness::Idle, 0)
        } else if self.session_calls.load(Ordering::Relaxed) == 0 {
            (Usefulness::WithoutSession, 0)
        } else if connections > protected {
            (Usefulness::WithSession, connections)
        } else {
            return None;
        };
        Some((usefulness, Reverse(network), self.active.load(Ordering::Relaxed)))
    }
}

/// The permit of a connection. Dropping it makes room for another one.
pub(crate) struct ConnectionPermit(Arc<Peer>);

impl ConnectionPermit {
    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.0
    }

    /// Exchanges the permit of a proxy's connection for one of `client`, whom the proxy names as the client of the whole
    /// connection. `None` when a limit refuses it.
    pub(crate) fn pass_to(self, client: IpAddr) -> Option<Self> {
        let budget = Budget(Arc::clone(&self.0.state));
        drop(self);
        budget.admit(client)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let removed = lock(&self.0.state.registry).remove(&self.0);
        drop(removed);
    }
}

impl Budget {
    /// A permit for a new connection from `peer`, for which another connection may be evicted. `None` when a limit refuses it.
    pub(crate) fn admit(&self, peer: IpAddr) -> Option<ConnectionPermit> {
        let state = &self.0;
        let address = state.address(ClientAddress(peer));
        let is_proxy = (state.is_proxy)(peer);
        let mut registry = lock(&state.registry);
        if !is_proxy {
            for level in address.levels() {
                if level.connections.load(Ordering::Relaxed) >= level.max_connections {
                    state.evict_of(&mut registry, level)?;
                }
            }
        }
        if registry.open >= state.options.max_connections {
            state.evict_of_all(&mut registry, &address)?;
        }
        Some(ConnectionPermit(registry.add(state, address, is_proxy)))
    }
}

impl BudgetState {
    /// Evicts the least useful connection of `address`.
    fn evict_of(&self, registry: &mut Registry, address: &Arc<Address>) -> Option<()> {
        let filter =
            |peer: &Peer| !peer.is_proxy && peer.address.levels().any(|level| Arc::ptr_eq(level, address));
        let find =
            |registry: &mut Registry| lock(&address.candidates).next(&registry.peers, usize::MAX, filter);
        self.evict(registry, Limit::ConnectionsPerAddress, find)
    }

    /// Evicts the least useful of all connections for a new one from `address`.
    fn evict_of_all(&self, registry: &mut Registry, address: &Address) -> Option<()> {
        // A network takes no place of a session from a network that has fewer connections.
        let own = address.connections_of_site();
        let protected = own.max(self.options.max_connections / NETWORK_SHARE);
        let find = |registry: &mut Registry| registry.candidates.next(&registry.peers, protected, |_| true);
        self.evict(registry, Limit::Connections, find)
    }

    fn evict(
        &self,
        registry: &mut Registry,
        limit: Limit,
        find: impl FnOnce(&mut Registry) -> Option<(Usefulness, Arc<Peer>)>,
    ) -> Option<()> {
        let may_evict = registry.may_evict(self.options.max_connections);
        let Some((usefulness, peer)) = may_evict.then(|| find(registry)).flatten() else {
            self.count_locked(registry, limit, LimitOutcome::Refused);
            return None;
        };
        registry.begin_close(&peer);
        let outcome = match usefulness {
            Usefulness::NoRequest => {
                peer.abort.cancel();
                LimitOutcome::ClosedIdle
            }
            Usefulness::Idle => LimitOutcome::ClosedIdle,
            Usefulness::WithoutSession | Usefulness::WithSession => LimitOutcome::ClosedBusy,
        };
        peer.close.cancel();
        self.count_locked(registry, limit, outcome);
        Some(())
    }
}

/// The open connections.
#[derive(Default)]
pub(super) struct Registry {
    peers: HashMap<u64, Arc<Peer>>,
    next_id: u64,
    /// Connections that count against the limit.
    open: usize,
    /// Evicted connections that are still open.
    closing: usize,
    /// Closed connections whose streams have not released all their bytes.
    closed: Vec<Weak<Peer>>,
    candidates: Candidates,
}

impl Registry {
    /// Bytes that will be released soon without closing another connection.
    pub(super) fn ending_bytes(&self) -> usize {
        let closed: usize = self.closed.iter().filter_map(Weak::upgrade).map(|peer| peer.in_memory()).sum();
        let aborted = self.peers.values().filter(|peer| peer.abort.is_cancelled());
        closed + aborted.map(|peer| peer.in_memory()).sum::<usize>()
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = &Arc<Peer>> {
        self.peers.values()
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Whether one more connection is accepted without a call being ended for it.
    pub(super) fn has_room(&self, max_connections: usize) -> bool {
        let is_idle = |peer: &&Arc<Peer>| !peer.is_closing.load(Ordering::Relaxed) && peer.is_idle();
        self.open < max_connections
            || (self.may_evict(max_connections) && self.peers.values().find(is_idle).is_some())
    }

    /// Whether another connection may be closing while a new one takes its place.
    fn may_evict(&self, max_connections: usize) -> bool {
        self.closing < connections_beyond(max_connections, MAX_CLOSING)
    }

    fn add(&mut self, state: &Arc<BudgetState>, address: Arc<Address>, is_proxy: bool) -> Arc<Peer> {
        self.next_id += 1;
        let options = &state.options;
        // A proxy's clients are limited by their addresses, and must not delay each other.
        let max_bytes =
            if is_proxy { options.max_buffered_bytes } else { options.max_buffered_bytes_per_connection };
        let peer = Arc::new(Peer {
            id: self.next_id,
            state: Arc::clone(state),
            address,
            bytes: Account::new(max_bytes),
            in_memory: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            session_calls: AtomicUsize::new(0),
            active: AtomicU64::new(state.now()),
            is_proxy,
            is_closing: AtomicBool::new(false),
            close: CancellationToken::new(),
            abort: CancellationToken::new(),
        });
        self.open += 1;
        if !is_proxy {
            for level in peer.address.levels() {
                level.connections.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.peers.insert(peer.id, Arc::clone(&peer));
        peer
    }

    fn begin_close(&mut self, peer: &Peer) {
        peer.is_closing.store(true, Ordering::Relaxed);
        self.uncount(peer);
        self.closing += 1;
    }

    fn uncount(&mut self, peer: &Peer) {
        self.open -= 1;
        if !peer.is_proxy {
            for level in peer.address.levels() {
                level.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    fn remove(&mut self, peer: &Peer) -> Option<Arc<Peer>> {
        if peer.is_closing.load(Ordering::Relaxed) {
            self.closing -= 1;
        } else {
            self.uncount(peer);
        }
        let removed = self.peers.remove(&peer.id);
        if let Some(peer) = removed.as_ref().filter(|peer| peer.in_memory() > 0) {
            self.closed.retain(|peer| peer.strong_count() > 0);
            self.closed.push(Arc::downgrade(peer));
        }
        removed
    }
}

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
