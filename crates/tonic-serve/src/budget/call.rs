//! An open call. It counts against the limits of calls, and its bytes against those of its connection, of its client's address
//! and of all clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;
use http::Request;
use http::header::{AUTHORIZATION, COOKIE};
use tonic::Status;

use super::RETRY_AFTER;
use super::account::{Account, Level};
use super::connections::Peer;
use super::state::{Address, max_without_session};
use crate::client_address::ClientAddress;
use crate::observer::{Limit, LimitOutcome};
use crate::retry_later::retry_later;

/// The account of an open call. Every request has it in its extensions, in an [`Arc`].
pub(crate) struct CallAccount {
    pub(super) peer: Arc<Peer>,
    /// The client's address, which is not the peer's behind a proxy.
    address: Arc<Address>,
    has_session: bool,
    /// The limit that the call exceeds. Such a call is not counted, and must be refused.
    refused: Option<Limit>,
    ended: AtomicBool,
    /// Bytes of the response in memory, and the waiter for none.
    response: AtomicUsize,
    response_taken: AtomicWaker,
    /// Bytes reserved for a response that has not begun.
    reserved: AtomicUsize,
    /// Bytes of the request that the handler has, charged until the response begins.
    request: AtomicUsize,
}

/// Counts a call as open until it is dropped.
pub(crate) struct OpenCall(Arc<CallAccount>);

impl OpenCall {
    pub(crate) fn account(&self) -> &Arc<CallAccount> {
        &self.0
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Peer {
    /// Counts the call of `request`, and puts its [`CallAccount`] into the request's extensions, which must have the
    /// [`ClientAddress`] already.
    pub(crate) fn open_call<B>(self: &Arc<Self>, request: &mut Request<B>) -> OpenCall {
        let client = request.extensions().get::<ClientAddress>().copied();
        let address = match client {
            Some(client) if self.address.network != client.network().into() => self.state.address(client),
            _ => Arc::clone(&self.address),
        };
        let headers = request.headers();
        let has_session = headers.contains_key(AUTHORIZATION) || headers.contains_key(COOKIE);
        self.begin_call(has_session);
        let refused = self.count_call(&address, has_session).err();
        let call = Arc::new(CallAccount {
            peer: Arc::clone(self),
            address,
            has_session,
            refused,
            ended: AtomicBool::new(false),
            response: AtomicUsize::new(0),
            response_taken: AtomicWaker::new(),
            reserved: AtomicUsize::new(0),
            request: AtomicUsize::new(0),
        });
        request.extensions_mut().insert(Arc::clone(&call));
        OpenCall(call)
    }

    fn count_call(&self, address: &Arc<Address>, has_session: bool) -> Result<(), Limit> {
        let all = (&self.state.calls, self.state.options.max_calls, Limit::Calls);
        let levels = address.levels().map(|level| (&level.calls, level.max_calls, Limit::CallsPerAddress));
        for (counted, (calls, max, limit)) in levels.chain([all]).enumerate() {
            if !try_count(calls, max, has_session) {
                address.levels().take(counted).for_each(|level| subtract_one(&level.calls));
                self.state.count(limit, LimitOutcome::Refused);
                return Err(limit);
            }
        }
        Ok(())
    }
}

fn try_count(calls: &AtomicUsize, max: usize, has_session: bool) -> bool {
    let max = if has_session { max } else { max_without_session(max) };
    let one_more = |open| (open < max).then_some(open + 1);
    calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
}

fn subtract_one(calls: &AtomicUsize) {
    calls.fetch_sub(1, Ordering::Relaxed);
}

/// An account that may block a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Connection,
    Address,
    /// All clients. Blocks only reservations.
    All,
}

impl Holder {
    pub(super) fn limit(self) -> Limit {
        match self {
            Self::Connection => Limit::BufferedBytesPerConnection,
            Self::Address => Limit::BufferedBytesPerAddress,
            Self::All => Limit::BufferedBytes,
        }
    }
}

/// A level below which an account must fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Threshold {
    pub(super) holder: Holder,
    pub(super) level: Level,
}

/// A call is blocked until the first threshold is met, or the second where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocked(pub(super) Threshold, pub(super) Option<Threshold>);

impl CallAccount {
    /// Whether the call must be refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// The status of a gRPC call that must be refused.
    pub(crate) fn refusal(&self) -> Option<Status> {
        self.refused.map(|limit| {
            let message = match limit {
                Limit::CallsPerAddress => "too many calls from this address are open",
                _ => "too many calls are open",
            };
            retry_later(message, RETRY_AFTER)
        })
    }

    /// Charges a chunk of the response, until [`release_response`](Self::release_response).
    pub(crate) fn charge_response(&self, bytes: usize) {
        self.response.fetch_add(bytes, Ordering::Relaxed);
        self.charge(bytes);
    }

    pub(crate) fn release_response(&self, bytes: usize) {
        self.release(bytes);
        if self.response.fetch_sub(bytes, Ordering::AcqRel) == bytes {
            self.response_taken.wake();
        }
    }

    /// Ends the reservation and the charge for the request. The response has begun and is charged itself, or never will be.
    pub(crate) fn begin_response(&self) {
        let reserved = self.reserved.swap(0, Ordering::Relaxed);
        if reserved > 0 {
            self.peer.state.total.release(reserved);
            self.accounts().into_iter().for_each(|account| account.release(reserved));
        }
        let request = self.request.swap(0, Ordering::SeqCst);
        if request > 0 {
            self.release(request);
        }
    }

    /// Wakes the task of `cx` when no byte of the response is in memory.
    pub(super) fn wake_when_taken(&self, cx: &Context<'_>) {
        self.response_taken.register(cx.waker());
    }

    /// Counts a blocked call for the reports. A slow client that blocks its own connection is not worth a report.
    pub(super) fn count_wait(&self, blocked: Blocked) {
        let limit = blocked.0.holder.limit();
        if limit != Limit::BufferedBytesPerConnection {
            self.peer.state.count(limit, LimitOutcome::Waited);
        }
    }

    pub(super) fn account(&self, holder: Holder) -> &Account {
        match holder {
            Holder::Connection => &self.peer.bytes,
            Holder::Address => &self.address.bytes,
            Holder::All => &self.peer.state.total,
        }
    }

    fn accounts(&self) -> [&Account; 2] {
        [Holder::Connection, Holder::Address].map(|holder| self.account(holder))
    }

    fn add_memory(&self, bytes: usize) {
        self.peer.in_memory.fetch_add(bytes, Ordering::Relaxed);
        self.peer.state.add_memory(bytes);
    }

    fn remove_memory(&self, bytes: usize) {
        self.peer.state.remove_memory(bytes);
        self.peer.in_memory.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn charge(&self, bytes: usize) {
        self.charge_accounts(bytes);
        self.add_memory(bytes);
    }

    fn charge_accounts(&self, bytes: usize) {
        self.accounts().into_iter().for_each(|account| account.charge(bytes));
        self.peer.state.total.charge(bytes);
    }

    pub(super) fn release(&self, bytes: usize) {
        self.remove_memory(bytes);
        self.peer.state.total.release(bytes);
        self.accounts().into_iter().for_each(|account| account.release(bytes));
    }

    /// Charges bytes of a request whose call waits for a reservation.
    pub(super) fn charge_waiting(&self, bytes: usize) {
        self.accounts().into_iter().for_each(|account| account.add_waiting(bytes));
        self.add_memory(bytes);
    }

    pub(super) fn release_waiting(&self, bytes: usize) {
        self.remove_memory(bytes);
        self.accounts().into_iter().for_each(|account| account.remove_waiting(bytes));
    }

    /// Charges such bytes as others, because the call waits no more.
    pub(super) fn end_waiting(&self, bytes: usize) {
        self.accounts().into_iter().for_each(|account| account.remove_waiting(bytes));
        self.charge_accounts(bytes);
    }

    /// Whether the response may be asked for another chunk.
    pub(super) fn may_respond(&self) -> Result<(), Blocked> {
        if self.reserved.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        let level = if self.response.load(Ordering::Acquire) == 0 { Level::Reserve } else { Level::Limit };
        if self.peer.bytes.is_full(level) {
            return Err(Blocked(Threshold { holder: Holder::Connection, level }, None));
        }
        if !self.address.bytes.is_full(level) {
            return Ok(());
        }
        let address = Threshold { holder: Holder::Address, level };
        if self.peer.is_proxy {
            return Err(Blocked(address, None));
        }
        // A connection whose client reads is not blocked by others of its address.
        if self.peer.bytes.is_full(Level::Small) {
            let small = Threshold { holder: Holder::Connection, level: Level::Small };
            return Err(Blocked(address, Some(small)));
        }
        Ok(())
    }

    /// Whether the request may have more bytes in memory. The limit that refuses them otherwise.
    pub(super) fn may_receive(&self) -> Result<(), Limit> {
        self.may_respond().map_err(|blocked| blocked.0.holder.limit())?;
        let holders = [Holder::Connection, Holder::Address];
        let full = holders.into_iter().find(|holder| self.account(*holder).is_full_of_requests());
        full.map_or(Ok(()), |holder| Err(holder.limit()))
    }

    /// Reserves bytes for a response that has not begun. They are not in memory, so they close no connection.
    pub(super) fn reserve(&self, bytes: usize) -> Result<(), Blocked> {
        const ORDER: [Holder; 3] = [Holder::Connection, Holder::Address, Holder::All];
        for (charged, holder) in ORDER.into_iter().enumerate() {
            if !self.account(holder).try_charge(bytes) {
                ORDER[..charged].iter().for_each(|holder| self.account(*holder).release(bytes));
                return Err(Blocked(Threshold { holder, level: Level::Limit }, None));
            }
        }
        self.reserved.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Leaves the charge for a request's bytes to the call, because the handler has them now.
    pub(super) fn keep_request(&self, bytes: usize) {
        self.request.fetch_add(bytes, Ordering::SeqCst);
        if self.ended.load(Ordering::SeqCst) {
            self.begin_response();
        }
    }

    fn end(&self) {
        // Ordered with the end of the request's body: one of the two has to see the other's change.
        if self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        self.begin_response();
        self.peer.end_call(self.has_session);
        if self.refused.is_none() {
            self.address.levels().for_each(|level| subtract_one(&level.calls));
            subtract_one(&self.peer.state.calls);
        }
    }
}
