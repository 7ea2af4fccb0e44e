//! One budget for what the peers of a server may hold: connections, open calls, and bytes in memory, each
//! in all and per address, the bytes per connection too.
//!
//! Knows neither TLS nor a version of HTTP nor what a call does. Nobody waits for a peer here: a limit either
//! refuses, closes a connection, or stops asking one body for more.

mod account;
mod admission;
mod body;
mod call;
mod peers;
mod refusal;
mod report;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, interval, sleep};

use self::account::Account;
use self::peers::{Registry, Scan};
use self::report::{Outcome, REPORT_INTERVAL, Reports, Tally};
use crate::options::ServeOptions;

pub(crate) use self::admission::{Admission, AdmissionLayer};
pub(crate) use self::body::MeteredBody;
pub(crate) use self::call::{CallAccount, Received};
pub(crate) use self::peers::{LEAVE_TIMEOUT, Peer, Ticket};
pub(crate) use self::refusal::Refusals;
pub(crate) use self::report::Limit;

/// When a refused client may try again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How long the limit of bytes in all is not looked at after a connection was closed for it: the memory of a
/// connection is given back by its own task.
const OVERSIZE_PAUSE: Duration = Duration::from_millis(5);

/// Whether connections from an address are those of a proxy. They have no limit per address, and none of bytes per
/// connection; the requests on them have the addresses of their clients. A connection whose client the proxy names
/// by the PROXY protocol is that client's.
pub(crate) type IsProxy = Box<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The budget of one port. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Shared>);

struct Shared {
    options: ServeOptions,
    is_proxy: IsProxy,
    started: Instant,
    registry: Mutex<Registry>,
    addresses: Mutex<HashMap<IpAddr, Weak<Address>>>,
    calls: AtomicUsize,
    /// Bytes that are in memory. Above the limit, connections are closed.
    bytes: AtomicUsize,
    /// These, and those that are reserved for answers that have not begun. At the limit, nothing more is reserved.
    total: Account,
    /// Notified when more bytes are in memory than allowed.
    oversize: Notify,
    reports: Reports,
}

/// What all peers of one network hold together.
struct Address {
    network: IpAddr,
    shared: Weak<Shared>,
    /// Changed under the lock of the registry only.
    connections: AtomicUsize,
    calls: AtomicUsize,
    bytes: Account,
    scan: Mutex<Scan>,
}

impl Drop for Address {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut addresses = lock(&shared.addresses);
        // A new one may have taken its place already.
        if addresses.get(&self.network).is_some_and(|address| address.strong_count() == 0) {
            addresses.remove(&self.network);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `most`, but no more than an eighth of `connections`, and at least one: how many connections may be open beyond
/// their limit for a short time. The limit of open files has to have room for them.
fn few_of(connections: usize, most: usize) -> usize {
    (connections / 8).clamp(1, most)
}

impl Budget {
    pub(crate) fn new(options: &ServeOptions, is_proxy: IsProxy) -> Self {
        Self(Arc::new(Shared {
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

    /// Closes connections while more bytes are held than allowed, and reports what has waited for its report.
    /// Never returns.
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

impl Shared {
    fn address(self: &Arc<Self>, network: IpAddr) -> Arc<Address> {
        let mut addresses = lock(&self.addresses);
        if let Some(address) = addresses.get(&network).and_then(Weak::upgrade) {
            return address;
        }
        let address = Arc::new(Address {
            network,
            shared: Arc::downgrade(self),
            connections: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            bytes: Account::new(self.options.max_buffered_bytes_per_address),
            scan: Mutex::default(),
        });
        addresses.insert(network, Arc::downgrade(&address));
        address
    }

    /// Counts bytes in all; see [`Account`] for those of a connection and of an address.
    fn charge(&self, bytes: usize) {
        self.total.charge(bytes);
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held > self.options.max_buffered_bytes {
            self.oversize.notify_one();
        }
    }

    fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.total.release(bytes);
    }

    /// Closes the connections that hold the most, until the rest fits. What is reserved does not count: it is not
    /// in memory, and a connection with many calls has much of it.
    fn close_largest(&self) {
        let registry = lock(&self.registry);
        loop {
            // In this order: what is given back in between must not make more connections close.
            let ending = registry.ending_bytes();
            let held = self.bytes.load(Ordering::Relaxed).saturating_sub(ending);
            let open = registry.peers().filter(|peer| !peer.cut.is_cancelled());
            let largest = open.max_by_key(|peer| peer.in_memory());
            match largest {
                Some(peer) if held > self.options.max_buffered_bytes && peer.in_memory() > 0 => {
                    peer.cut.cancel();
                    let outcome = if peer.is_idle() { Outcome::ClosedIdle } else { Outcome::ClosedBusy };
                    self.count_in(&registry, Limit::BufferedBytes, outcome);
                }
                _ => return,
            }
        }
    }

    fn count(&self, limit: Limit, outcome: Outcome) {
        if let Some(tally) = self.reports.count(limit, outcome) {
            self.report(&lock(&self.registry), limit, tally);
        }
    }

    fn count_in(&self, registry: &Registry, limit: Limit, outcome: Outcome) {
        if let Some(tally) = self.reports.count(limit, outcome) {
            self.report(registry, limit, tally);
        }
    }

    fn report_due(&self) {
        for limit in Limit::ALL {
            if let Some(tally) = self.reports.due(limit) {
                self.report(&lock(&self.registry), limit, tally);
            }
        }
    }

    fn report(&self, registry: &Registry, limit: Limit, tally: Tally) {
        let Tally { refused, closed_idle, closed_busy, waited } = tally;
        let (connections, calls) = (registry.open(), self.calls.load(Ordering::Relaxed));
        let options = &self.options;
        match limit {
            Limit::Connections => tracing::warn!(
                connections.open = connections,
                connections.limit = options.max_connections,
                refused,
                closed_idle,
                closed_busy,
                "the limit of open connections was reached"
            ),
            Limit::ConnectionsPerAddress => tracing::warn!(
                connections.open = connections,
                connections.limit = options.max_connections_per_address,
                refused,
                closed_idle,
                closed_busy,
                "the limit of open connections per address was reached"
            ),
            Limit::Calls => tracing::warn!(
                calls.open = calls,
                calls.limit = options.max_calls,
                refused,
                "the limit of open calls was reached"
            ),
            Limit::CallsPerAddress => tracing::warn!(
                calls.open = calls,
                calls.limit = options.max_calls_per_address,
                refused,
                "the limit of open calls per address was reached"
            ),
            Limit::BufferedBytes => tracing::warn!(
                bytes.held = self.bytes.load(Ordering::Relaxed),
                bytes.limit = options.max_buffered_bytes,
                refused,
                closed_idle,
                closed_busy,
                waited,
                "the limit of buffered bytes was reached"
            ),
            Limit::BufferedBytesPerAddress => tracing::warn!(
                bytes.held = self.bytes.load(Ordering::Relaxed),
                bytes.limit = options.max_buffered_bytes_per_address,
                refused,
                waited,
                "the limit of buffered bytes per address was reached"
            ),
            Limit::BufferedBytesPerConnection => tracing::warn!(
                bytes.held = self.bytes.load(Ordering::Relaxed),
                bytes.limit = options.max_buffered_bytes_per_connection,
                refused,
                "the limit of buffered bytes per connection was reached"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
