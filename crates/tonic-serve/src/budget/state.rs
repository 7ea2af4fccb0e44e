//! The counts of a budget: of all clients, and of each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::time::{Instant, interval, sleep};

use super::account::Account;
use super::connections::{Candidates, Registry};
use super::report::{Counts, REPORT_INTERVAL, Reports};
use crate::client_address::ClientAddress;
use crate::observer::{Limit, LimitOutcome};
use crate::options::ServeOptions;

/// Pause after a connection was closed for the limit of bytes in all: the memory of a connection is freed by its own task.
const OVERSIZE_PAUSE: Duration = Duration::from_millis(5);

/// Bits of an IPv6 site.
const SITE_BITS: u8 = 48;

/// The limits of an IPv6 site are those of an address times this: a site is one subscriber, or a part of a provider's
/// network. Without them, one subscriber has 65,536 addresses with limits of their own.
const SITE_FACTOR: usize = 4;

/// This part of each limit of calls is reserved for calls that carry a session.
const SESSION_PART: usize = 4;

/// Whether connections from an address are those of a trusted proxy. They have no limit per address, and none of bytes per
/// connection; the requests on them carry the addresses of their clients. A connection whose client is named by the PROXY
/// protocol belongs to that client.
pub(crate) type IsProxy = Box<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The budget of one port. Clones share it.
#[derive(Clone)]
pub(crate) struct Budget(pub(crate) Arc<BudgetState>);

/// The state of a budget.
pub(crate) struct BudgetState {
    pub(super) options: ServeOptions,
    pub(super) is_proxy: IsProxy,
    started: Instant,
    pub(super) registry: Mutex<Registry>,
    pub(super) addresses: Mutex<HashMap<IpNet, Weak<Address>>>,
    pub(super) calls: AtomicUsize,
    /// Bytes in memory. Above the limit, connections are closed.
    bytes: AtomicUsize,
    /// Bytes in memory and reservations. At the limit, no more is reserved.
    pub(super) total: Account,
    /// Notified when more bytes are in memory than allowed.
    oversize: Notify,
    reports: Reports,
}

/// The counts of one address, or of one IPv6 site.
pub(super) struct Address {
    pub(super) network: IpNet,
    /// The site of an IPv6 address.
    site: Option<Arc<Address>>,
    state: Weak<BudgetState>,
    /// Changed only under the lock of the registry.
    pub(super) connections: AtomicUsize,
    pub(super) max_connections: usize,
    pub(super) calls: AtomicUsize,
    pub(super) max_calls: usize,
    pub(super) bytes: Account,
    pub(super) candidates: Mutex<Candidates>,
}

impl Budget {
    pub(crate) fn new(options: &ServeOptions, is_proxy: IsProxy) -> Self {
        Self(Arc::new(BudgetState {
            options: options.clone(),
            is_proxy,
            started: Instant::now(),
            registry: Mutex::default(),
            addresses: Mutex::default(),
            calls: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            total: Account::new(options.max_buffered_bytes),
            oversize: Notify::new(),
            reports: Reports::default(),
        }))
    }

    /// Closes connections while more bytes are in memory than allowed, and writes the reports that are due. Never returns.
    pub(crate) async fn watch(self) {
        let mut reports = interval(REPORT_INTERVAL);
        loop {
            tokio::select! {
                () = self.0.oversize.notified() => {
                    self.0.close_largest();
                    sleep(OVERSIZE_PAUSE).await;
                }
                _ = reports.tick() => self.0.report_due(),
            }
        }
    }
}

impl BudgetState {
    /// The limit, as a sentence, that leaves no room for another client.
    pub(crate) fn reached_limit(&self) -> Option<&'static str> {
        let options = &self.options;
        if !lock(&self.registry).has_room(options.max_connections) {
            return Some("the limit of open connections is reached");
        }
        let calls = self.calls.load(Ordering::Relaxed);
        (calls >= max_without_session(options.max_calls)).then_some("the limit of open calls is reached")
    }

    /// The counts of `client`'s address.
    pub(super) fn address(self: &Arc<Self>, client: ClientAddress) -> Arc<Address> {
        let site = client.site().and_then(|site| IpNet::new(site, SITE_BITS).ok());
        let site = site.map(|network| self.counts_of(network, None));
        self.counts_of(client.network().into(), site)
    }

    fn counts_of(self: &Arc<Self>, network: IpNet, site: Option<Arc<Address>>) -> Arc<Address> {
        let mut addresses = lock(&self.addresses);
        if let Some(address) = addresses.get(&network).and_then(Weak::upgrade) {
            return address;
        }
        let factor = if network.prefix_len() == SITE_BITS { SITE_FACTOR } else { 1 };
        let options = &self.options;
        let address = Arc::new(Address {
            network,
            site,
            state: Arc::downgrade(self),
            connections: AtomicUsize::new(0),
            max_connections: options.max_connections_per_address.saturating_mul(factor),
            calls: AtomicUsize::new(0),
            max_calls: options.max_calls_per_address.saturating_mul(factor),
            bytes: Account::new(options.max_buffered_bytes_per_address),
            candidates: Mutex::default(),
        });
        addresses.insert(network, Arc::downgrade(&address));
        address
    }

    /// Milliseconds since the start.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The time of a value of [`now`](Self::now).
    pub(super) fn time_of(&self, millis: u64) -> Instant {
        self.started + Duration::from_millis(millis)
    }

    /// Counts bytes in memory.
    pub(super) fn add_memory(&self, bytes: usize) {
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held > self.options.max_buffered_bytes {
            self.oversize.notify_one();
        }
    }

    pub(super) fn remove_memory(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Closes the connections that hold the most, until the rest fits. Reservations do not count: they are not in memory, and
    /// a connection with many calls has many.
    fn close_largest(&self) {
        let registry = lock(&self.registry);
        loop {
            // In this order: bytes that are released in between must not make more connections close.
            let ending = registry.ending_bytes();
            let held = self.bytes.load(Ordering::Relaxed).saturating_sub(ending);
            let open = registry.peers().filter(|peer| !peer.abort.is_cancelled());
            let largest = open.max_by_key(|peer| peer.in_memory());
            match largest {
                Some(peer) if held > self.options.max_buffered_bytes && peer.in_memory() > 0 => {
                    peer.abort.cancel();
                    let outcome =
                        if peer.is_idle() { LimitOutcome::ClosedIdle } else { LimitOutcome::ClosedBusy };
                    self.count_locked(&registry, Limit::BufferedBytes, outcome);
                }
                _ => return,
            }
        }
    }

    /// Counts an event for the report of `limit`.
    pub(super) fn count(&self, limit: Limit, outcome: LimitOutcome) {
        self.tell(limit, outcome);
        if let Some(counts) = self.reports.count(limit, outcome) {
            self.report(&lock(&self.registry), limit, counts);
        }
    }

    /// As [`count`](Self::count), for callers that hold the lock of the registry.
    pub(super) fn count_locked(&self, registry: &Registry, limit: Limit, outcome: LimitOutcome) {
        self.tell(limit, outcome);
        if let Some(counts) = self.reports.count(limit, outcome) {
            self.report(registry, limit, counts);
        }
    }

    fn tell(&self, limit: Limit, outcome: LimitOutcome) {
        if let Some(observer) = &self.options.observer {
            observer.limit_reached(limit, outcome);
        }
    }

    fn report_due(&self) {
        for limit in Limit::ALL {
            if let Some(counts) = self.reports.due(limit) {
                self.report(&lock(&self.registry), limit, counts);
            }
        }
    }

    fn report(&self, registry: &Registry, limit: Limit, counts: Counts) {
        let options = &self.options;
        let (mut connections_limit, mut calls_limit, mut bytes_limit) = (None, None, None);
        let name = match limit {
            Limit::Connections => {
                connections_limit = Some(options.max_connections);
                "open connections"
            }
            Limit::ConnectionsPerAddress => {
                connections_limit = Some(options.max_connections_per_address);
                "open connections per address"
            }
            Limit::Calls => {
                calls_limit = Some(options.max_calls);
                "open calls"
            }
            Limit::CallsPerAddress => {
                calls_limit = Some(options.max_calls_per_address);
                "open calls per address"
            }
            Limit::BufferedBytes => {
                bytes_limit = Some(options.max_buffered_bytes);
                "buffered bytes"
            }
            Limit::BufferedBytesPerAddress => {
                bytes_limit = Some(options.max_buffered_bytes_per_address);
                "buffered bytes per address"
            }
            Limit::BufferedBytesPerConnection => {
                bytes_limit = Some(options.max_buffered_bytes_per_connection);
                "buffered bytes per connection"
            }
        };
        tracing::warn!(
            connections.open = registry.open(),
            connections.limit = connections_limit,
            calls.open = self.calls.load(Ordering::Relaxed),
            calls.limit = calls_limit,
            bytes.held = self.bytes.load(Ordering::Relaxed),
            bytes.limit = bytes_limit,
            refused = counts.refused,
            closed_idle = counts.closed_idle,
            closed_busy = counts.closed_busy,
            waited = counts.waited,
            "the limit of {name} was reached"
        );
    }
}

impl Address {
    /// The address and its site, which have separate limits.
    pub(super) fn levels(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        std::iter::once(self).chain(&self.site)
    }

    /// Connections of the address, and of an IPv6 address those of its site.
    pub(super) fn connections_of_site(&self) -> usize {
        self.site.as_deref().unwrap_or(self).connections.load(Ordering::Relaxed)
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let Some(state) = self.state.upgrade() else { return };
        let mut addresses = lock(&state.addresses);
        // A new entry may have replaced it already.
        if addresses.get(&self.network).is_some_and(|address| address.strong_count() == 0) {
            addresses.remove(&self.network);
        }
    }
}

/// The part of a limit of `max` calls that calls without a session may use.
pub(super) fn max_without_session(max: usize) -> usize {
    max - max / SESSION_PART
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
