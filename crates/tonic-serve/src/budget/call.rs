//! An open call: it counts against the limits of calls, and its bytes against those of its connection, of its
//! client's address and of all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;
use http::Request;
use http::header::{AUTHORIZATION, COOKIE};
use tonic::Status;

use super::account::{Account, Level};
use super::peers::Peer;
use super::report::{Limit, Outcome};
use super::{Address, RETRY_AFTER};
use crate::client::{ClientAddress, retry_later};

/// This part of each limit of calls is kept for calls that carry a session.
const SESSION_RESERVE: usize = 4;

/// A call, as the budget sees it. Every request has it among its extensions; cloning shares it.
#[derive(Clone)]
pub(crate) struct CallAccount(pub(super) Arc<Call>);

pub(super) struct Call {
    peer: Arc<Peer>,
    /// That of the client, which is not the peer's when a proxy is in between.
    address: Arc<Address>,
    has_session: bool,
    /// `Some`: it was not counted, and has to be refused.
    refused: Option<Limit>,
    ended: AtomicBool,
    /// Bytes of the answer that were made and not taken, and who waits until there are none.
    untaken: AtomicUsize,
    taken: AtomicWaker,
    /// Bytes that are charged for an answer that has not begun.
    reserved: AtomicUsize,
    /// Bytes of the request that the handler has, charged until the answer begins.
    request: AtomicUsize,
}

/// Counts a call as open until it is dropped.
pub(crate) struct OpenCall(pub(super) Arc<Call>);

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Peer {
    /// Counts the call that `request` makes, and puts its [`CallAccount`] among the request's extensions.
    /// The address of the client has to be there already.
    pub(crate) fn open_call<B>(self: &Arc<Self>, request: &mut Request<B>) -> OpenCall {
        let client = request.extensions().get::<ClientAddress>().map(|client| client.network());
        let address = match client {
            Some(network) if network != self.address.network => self.shared.address(network),
            _ => Arc::clone(&self.address),
        };
        let headers = request.headers();
        let has_session = headers.contains_key(AUTHORIZATION) || headers.contains_key(COOKIE);
        self.begin(has_session);
        let refused = self.count_call(&address, has_session).err();
        let call = Arc::new(Call {
            peer: Arc::clone(self),
            address,
            has_session,
            refused,
            ended: AtomicBool::new(false),
            untaken: AtomicUsize::new(0),
            taken: AtomicWaker::new(),
            reserved: AtomicUsize::new(0),
            request: AtomicUsize::new(0),
        });
        request.extensions_mut().insert(CallAccount(Arc::clone(&call)));
        OpenCall(call)
    }

    fn count_call(&self, address: &Address, has_session: bool) -> Result<(), Limit> {
        let shared = &self.shared;
        let options = &shared.options;
        let counted = if !count(&address.calls, options.max_calls_per_address, has_session) {
            Err(Limit::CallsPerAddress)
        } else if !count(&shared.calls, options.max_calls, has_session) {
            address.calls.fetch_sub(1, Ordering::Relaxed);
            Err(Limit::Calls)
        } else {
            Ok(())
        };
        counted.inspect_err(|limit| shared.count(*limit, Outcome::Refused))
    }
}

fn count(calls: &AtomicUsize, limit: usize, has_session: bool) -> bool {
    let limit = if has_session { limit } else { limit - limit / SESSION_RESERVE };
    let more = |open| (open < limit).then_some(open + 1);
    calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

/// An account that may make a call wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Connection,
    Address,
    /// That of all together, which holds up only what is reserved.
    Total,
}

/// That an account is filled less than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Below {
    pub(super) account: Which,
    pub(super) level: Level,
}

/// What a call waits for: the first, or the second where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait(pub(super) Below, pub(super) Option<Below>);

impl Wait {
    fn limit(self) -> Limit {
        match self.0.account {
            Which::Connection => Limit::BufferedBytesPerConnection,
            Which::Address => Limit::BufferedBytesPerAddress,
            Which::Total => Limit::BufferedBytes,
        }
    }
}

impl Call {
    /// Its answer has to wait. One that a slow client holds up by itself is nothing to report.
    pub(super) fn waits(&self, wait: Wait) {
        if wait.limit() != Limit::BufferedBytesPerConnection {
            self.peer.shared.count(wait.limit(), Outcome::Waited);
        }
    }

    pub(super) fn account(&self, which: Which) -> &Account {
        match which {
            Which::Connection => &self.peer.bytes,
            Which::Address => &self.address.bytes,
            Which::Total => &self.peer.shared.total,
        }
    }

    fn accounts(&self) -> [&Account; 2] {
        [Which::Connection, Which::Address].map(|which| self.account(which))
    }

    pub(super) fn charge(&self, bytes: usize) {
        self.accounts().into_iter().for_each(|account| account.charge(bytes));
        self.peer.in_memory.fetch_add(bytes, Ordering::Relaxed);
        self.peer.shared.charge(bytes);
    }

    pub(super) fn release(&self, bytes: usize) {
        self.peer.shared.release(bytes);
        self.peer.in_memory.fetch_sub(bytes, Ordering::Relaxed);
        self.accounts().into_iter().for_each(|account| account.release(bytes));
    }

    /// Charges for a piece of the answer.
    pub(super) fn charge_piece(&self, bytes: usize) {
        self.untaken.fetch_add(bytes, Ordering::Relaxed);
        self.charge(bytes);
    }

    pub(super) fn release_piece(&self, bytes: usize) {
        self.release(bytes);
        if self.untaken.fetch_sub(bytes, Ordering::AcqRel) == bytes {
            self.taken.wake();
        }
    }

    /// Wakes the task of `cx` when all that was made of the answer is taken.
    pub(super) fn wake_when_taken(&self, cx: &Context<'_>) {
        self.taken.register(cx.waker());
    }

    /// Whether more of the answer may be made.
    pub(super) fn may_make(&self) -> Result<(), Wait> {
        if self.reserved.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        let level = if self.untaken.load(Ordering::Acquire) == 0 { Level::Reserve } else { Level::Limit };
        if self.peer.bytes.is_full(level) {
            return Err(Wait(Below { account: Which::Connection, level }, None));
        }
        if !self.address.bytes.is_full(level) {
            return Ok(());
        }
        let address = Below { account: Which::Address, level };
        if self.peer.is_proxy {
            return Err(Wait(address, None));
        }
        // Of a full address, a connection that takes what it gets goes on.
        if self.peer.bytes.is_full(Level::Small) {
            return Err(Wait(address, Some(Below { account: Which::Connection, level: Level::Small })));
        }
        Ok(())
    }

    /// Reserves bytes for an answer that has not begun. They are not in memory, so they make no connection close.
    pub(super) fn reserve(&self, bytes: usize) -> Result<(), Wait> {
        const ORDER: [Which; 3] = [Which::Connection, Which::Address, Which::Total];
        for (charged, account) in ORDER.into_iter().enumerate() {
            if !self.account(account).try_charge(bytes) {
                ORDER[..charged].iter().for_each(|account| self.account(*account).release(bytes));
                return Err(Wait(Below { account, level: Level::Limit }, None));
            }
        }
        self.reserved.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// The answer has begun, and is charged by itself.
    pub(super) fn answered(&self) {
        let reserved = self.reserved.swap(0, Ordering::Relaxed);
        if reserved > 0 {
            self.peer.shared.total.release(reserved);
            self.accounts().into_iter().for_each(|account| account.release(reserved));
        }
        let request = self.request.swap(0, Ordering::SeqCst);
        if request > 0 {
            self.release(request);
        }
    }

    fn end(&self) {
        // In one order with the end of the request's body: one of the two has to see the other's change.
        if self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        self.answered();
        self.peer.end(self.has_session);
        if self.refused.is_none() {
            self.address.calls.fetch_sub(1, Ordering::Relaxed);
            self.peer.shared.calls.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl CallAccount {
    /// Whether the call has to be refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.0.refused.is_some()
    }

    /// How a call of gRPC is refused.
    pub(super) fn refusal(&self) -> Option<Status> {
        self.0.refused.map(|limit| {
            let sentence = match limit {
                Limit::CallsPerAddress => "too many calls from this address are open",
                _ => "too many calls are open",
            };
            retry_later(sentence, RETRY_AFTER)
        })
    }
}

/// Bytes of a request that have come, charged until the call is answered.
pub(crate) struct Received {
    call: Arc<Call>,
    charged: usize,
}

impl Received {
    pub(crate) fn new(call: &CallAccount) -> Self {
        Self { call: Arc::clone(&call.0), charged: 0 }
    }

    /// Sets how many bytes of the request are held. More than before are refused while the connection or the
    /// address holds too much.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), Status> {
        let before = std::mem::replace(&mut self.charged, bytes);
        if bytes <= before {
            self.call.release(before - bytes);
            return Ok(());
        }
        self.call.charge(bytes - before);
        match self.call.may_make() {
            Ok(()) => Ok(()),
            Err(wait) => {
                self.call.peer.shared.count(wait.limit(), Outcome::Refused);
                Err(retry_later("too many bytes of requests and answers wait", RETRY_AFTER))
            }
        }
    }
}

impl Drop for Received {
    /// The body has been read: now the handler has what was in it.
    fn drop(&mut self) {
        self.call.request.fetch_add(self.charged, Ordering::SeqCst);
        if self.call.ended.load(Ordering::SeqCst) {
            self.call.answered();
        }
    }
}
