//! The open connections: how many there may be, and which one goes when there is one too many.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::report::{Limit, Outcome};
use super::{Address, Budget, Shared, few_of, lock};
use crate::client::ClientAddress;

/// How long a connection that has to make room may take to finish; then it is cut.
pub(crate) const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// How many connections may be on their way out, beyond the limit; where few connections may be open, an eighth
/// of these. Above it, new connections are refused.
const MAX_LEAVING: usize = 64;

/// How many of the least useful connections one look at all of them finds. The next ones that have to make
/// room are taken from these, so that a flood of connections does not cost a look at all of them each.
const SCAN_RESULTS: usize = 32;

/// For how long they are taken from these.
const SCAN_VALIDITY: Duration = Duration::from_secs(1);

/// A look that found nothing is not repeated before this many times of what it took.
const SCAN_PAUSE_FACTOR: u32 = 10;

/// A network with more than this part of all connections makes room with those that carry a session, too. Anybody
/// can send a cookie, so a few networks could hold all places for good otherwise.
const NETWORK_SHARE: usize = 16;

/// One connection, as the budget sees it.
pub(crate) struct Peer {
    id: u64,
    pub(super) shared: Arc<Shared>,
    pub(super) address: Arc<Address>,
    /// Bytes that it holds, and those that are reserved for answers that have not begun.
    pub(super) bytes: Account,
    /// The first of these.
    pub(super) in_memory: AtomicUsize,
    requests: AtomicUsize,
    calls: AtomicUsize,
    /// Of these, calls that carry a session.
    session_calls: AtomicUsize,
    /// Milliseconds from the start of the budget to the accept, or to the last begin or end of a request.
    active: AtomicU64,
    /// It carries many clients, each with an address of its own.
    pub(super) is_proxy: bool,
    /// It has to make room, and counts as leaving. Changed under the lock of the registry only.
    leaves: AtomicBool,
    /// Cancelled when the connection shall finish what it has within [`LEAVE_TIMEOUT`] and close.
    pub(crate) leave: CancellationToken,
    /// Cancelled when the connection shall close at once.
    pub(crate) cut: CancellationToken,
}

/// How useful a connection is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// No request has come.
    Silent,
    /// No call is open.
    Idle,
    /// None of the open calls carries a session.
    WithoutSession,
    /// An open call carries a session, and its network has many connections.
    WithSession,
}

/// How useful, of how large a network if that matters, and since when nothing has happened.
type Rank = (Use, Reverse<usize>, u64);

impl Peer {
    /// Requests that have come, for whoever looks whether there are new ones.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.calls.load(Ordering::Relaxed) == 0
    }

    /// Whether it carries many clients.
    pub(crate) fn is_proxy(&self) -> bool {
        self.is_proxy
    }

    /// Bytes of requests and answers that it holds.
    pub(super) fn in_memory(&self) -> usize {
        self.in_memory.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self, has_session: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if has_session {
            self.session_calls.fetch_add(1, Ordering::Relaxed);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.active.store(self.shared.now(), Ordering::Relaxed);
    }

    pub(super) fn end(&self, has_session: bool) {
        self.active.store(self.shared.now(), Ordering::Relaxed);
        if has_session {
            self.session_calls.fetch_sub(1, Ordering::Relaxed);
        }
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// `None`: it does not have to make room for anybody. With a session it does where its network has more
    /// connections than `kept`.
    fn rank(&self, kept: usize) -> Option<Rank> {
        if self.leaves.load(Ordering::Relaxed) || self.cut.is_cancelled() {
            return None;
        }
        let connections = if self.is_proxy { 0 } else { self.address.connections.load(Ordering::Relaxed) };
        let (usefulness, network) = if self.requests() == 0 {
            (Use::Silent, 0)
        } else if self.is_idle() {
            (Use::Idle, 0)
        } else if self.session_calls.load(Ordering::Relaxed) == 0 {
            (Use::WithoutSession, 0)
        } else if connections > kept {
            (Use::WithSession, connections)
        } else {
            return None;
        };
        Some((usefulness, Reverse(network), self.active.load(Ordering::Relaxed)))
    }
}

/// A connection's place. It is free again when this is dropped.
pub(crate) struct Ticket(Arc<Peer>);

impl Ticket {
    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.0
    }

    /// A place for `client` instead, which the proxy that has this one names as the client of the whole connection.
    pub(crate) fn pass_to(self, client: IpAddr) -> Result<Self, Limit> {
        let budget = Budget(Arc::clone(&self.0.shared));
        drop(self);
        budget.admit(client)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let removed = lock(&self.0.shared.registry).remove(&self.0);
        drop(removed);
    }
}

impl Budget {
    /// A place for a new connection from `peer`, for which the least useful one may have to go.
    pub(crate) fn admit(&self, peer: IpAddr) -> Result<Ticket, Limit> {
        let shared = &self.0;
        let address = shared.address(ClientAddress(peer).network());
        let is_proxy = (shared.is_proxy)(peer);
        let mut registry = lock(&shared.registry);
        if !is_proxy
            && address.connections.load(Ordering::Relaxed) >= shared.options.max_connections_per_address
        {
            shared.make_room(&mut registry, Limit::ConnectionsPerAddress, &address)?;
        }
        if registry.open >= shared.options.max_connections {
            shared.make_room(&mut registry, Limit::Connections, &address)?;
        }
        Ok(Ticket(registry.add(shared, address, is_proxy)))
    }
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sends the least useful connection away: of all, or of those of `address`.
    fn make_room(&self, registry: &mut Registry, limit: Limit, address: &Arc<Address>) -> Result<(), Limit> {
        let found = if registry.leaving >= few_of(self.options.max_connections, MAX_LEAVING) {
            None
        } else if limit == Limit::ConnectionsPerAddress {
            let counts = |peer: &Peer| !peer.is_proxy && Arc::ptr_eq(&peer.address, address);
            lock(&address.scan).next(&registry.peers, usize::MAX, counts)
        } else {
            // No network takes such a place from one that has fewer connections.
            let own = address.connections.load(Ordering::Relaxed);
            let kept = own.max(self.options.max_connections / NETWORK_SHARE);
            registry.scan.next(&registry.peers, kept, |_| true)
        };
        let Some((usefulness, peer)) = found else {
            self.count_in(registry, limit, Outcome::Refused);
            return Err(limit);
        };
        registry.send_away(&peer);
        let outcome = match usefulness {
            Use::Silent => {
                peer.cut.cancel();
                Outcome::ClosedIdle
            }
            Use::Idle => Outcome::ClosedIdle,
            Use::WithoutSession | Use::WithSession => Outcome::ClosedBusy,
        };
        peer.leave.cancel();
        self.count_in(registry, limit, outcome);
        Ok(())
    }
}

/// The open connections.
#[derive(Default)]
pub(super) struct Registry {
    peers: HashMap<u64, Arc<Peer>>,
    next_id: u64,
    /// Connections that count against the limit.
    open: usize,
    /// Those that were sent away and are still there.
    leaving: usize,
    /// Connections that have ended, and whose streams have not all given back what they held.
    ended: Vec<Weak<Peer>>,
    scan: Scan,
}

impl Registry {
    /// Bytes that will be free soon without anybody being closed.
    pub(super) fn ending_bytes(&self) -> usize {
        let ended: usize = self.ended.iter().filter_map(Weak::upgrade).map(|peer| peer.in_memory()).sum();
        let cut = self.peers.values().filter(|peer| peer.cut.is_cancelled());
        ended + cut.map(|peer| peer.in_memory()).sum::<usize>()
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = &Arc<Peer>> {
        self.peers.values()
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    fn add(&mut self, shared: &Arc<Shared>, address: Arc<Address>, is_proxy: bool) -> Arc<Peer> {
        self.next_id += 1;
        self.open += 1;
        if !is_proxy {
            address.connections.fetch_add(1, Ordering::Relaxed);
        }
        let options = &shared.options;
        // What one client of a proxy holds is limited by its address, and must not hold up the others.
        let max_bytes =
            if is_proxy { options.max_buffered_bytes } else { options.max_buffered_bytes_per_connection };
        let peer = Arc::new(Peer {
            id: self.next_id,
            shared: Arc::clone(shared),
            address,
            bytes: Account::new(max_bytes),
            in_memory: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            session_calls: AtomicUsize::new(0),
            active: AtomicU64::new(shared.now()),
            is_proxy,
            leaves: AtomicBool::new(false),
            leave: CancellationToken::new(),
            cut: CancellationToken::new(),
        });
        self.peers.insert(peer.id, Arc::clone(&peer));
        peer
    }

    fn send_away(&mut self, peer: &Peer) {
        peer.leaves.store(true, Ordering::Relaxed);
        self.uncount(peer);
        self.leaving += 1;
    }

    fn uncount(&mut self, peer: &Peer) {
        self.open -= 1;
        if !peer.is_proxy {
            peer.address.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn remove(&mut self, peer: &Peer) -> Option<Arc<Peer>> {
        if peer.leaves.load(Ordering::Relaxed) {
            self.leaving -= 1;
        } else {
            self.uncount(peer);
        }
        let removed = self.peers.remove(&peer.id);
        if let Some(peer) = removed.as_ref().filter(|peer| peer.in_memory() > 0) {
            self.ended.retain(|peer| peer.strong_count() > 0);
            self.ended.push(Arc::downgrade(peer));
        }
        removed
    }
}

/// The last look for the least useful connections.
#[derive(Default)]
pub(super) struct Scan {
    /// The least useful one is the last.
    found: Vec<(Rank, u64)>,
    valid_until: Option<Instant>,
    /// No look before this time for those who could only find less than the last look, which kept so many.
    pause: Option<(Instant, usize)>,
}

impl Scan {
    /// The least useful of those `peers` that `counts` says yes to and that have a rank by `kept`.
    fn next(
        &mut self,
        peers: &HashMap<u64, Arc<Peer>>,
        kept: usize,
        counts: impl Fn(&Peer) -> bool,
    ) -> Option<(Use, Arc<Peer>)> {
        let start = Instant::now();
        if self.pause.is_some_and(|(until, least)| start < until && kept >= least) {
            return None;
        }
        if self.valid_until.is_none_or(|until| until < start) {
            self.found.clear();
        }
        if let Some(found) = self.pop(peers, kept) {
            return Some(found);
        }
        self.found.extend(
            peers.values().filter(|peer| counts(peer)).filter_map(|peer| Some((peer.rank(kept)?, peer.id))),
        );
        if self.found.len() > SCAN_RESULTS {
            self.found.select_nth_unstable(SCAN_RESULTS);
            self.found.truncate(SCAN_RESULTS);
        }
        self.found.sort_unstable_by_key(|found| Reverse(*found));
        self.valid_until = Some(start + SCAN_VALIDITY);
        let found = self.pop(peers, kept);
        self.pause = found.is_none().then(|| (start + start.elapsed() * SCAN_PAUSE_FACTOR, kept));
        found
    }

    /// Skips those to whom something has happened since the look. Their networks may have got smaller.
    fn pop(&mut self, peers: &HashMap<u64, Arc<Peer>>, kept: usize) -> Option<(Use, Arc<Peer>)> {
        while let Some(((usefulness, _, active), id)) = self.found.pop() {
            let is_same = |(now, _, active_now): Rank| (now, active_now) == (usefulness, active);
            if let Some(peer) = peers.get(&id).filter(|peer| peer.rank(kept).is_some_and(is_same)) {
                return Some((usefulness, Arc::clone(peer)));
            }
        }
        None
    }
}
