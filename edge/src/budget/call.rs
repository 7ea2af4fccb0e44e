//! An open call: it counts against the limits of calls, and its bytes against those of its connection, of its
//! client's address and of all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Request;
use http::header::{AUTHORIZATION, COOKIE};
use tonic::Status;

use super::account::{Account, Piece};
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

impl Call {
    /// The accounts that may make it wait.
    pub(super) fn accounts(&self) -> [&Account; 2] {
        [&self.peer.bytes, &self.address.bytes]
    }

    pub(super) fn charge(&self, bytes: usize) {
        self.accounts().into_iter().for_each(|account| account.charge(bytes));
        self.peer.shared.charge(bytes);
    }

    pub(super) fn release(&self, bytes: usize) {
        self.peer.shared.release(bytes);
        self.accounts().into_iter().for_each(|account| account.release(bytes));
    }

    /// Charges for an answer that has not begun. `false`: an account is full.
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let [peer, address] = self.accounts();
        if !peer.try_charge(bytes) {
            return false;
        }
        if !address.try_charge(bytes) {
            peer.release(bytes);
            return false;
        }
        self.peer.shared.charge(bytes);
        self.reserved.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    pub(super) fn has_reservation(&self) -> bool {
        self.reserved.load(Ordering::Relaxed) > 0
    }

    /// The answer has begun, and is charged by itself.
    pub(super) fn answered(&self) {
        for held in [&self.reserved, &self.request] {
            let bytes = held.swap(0, Ordering::Relaxed);
            if bytes > 0 {
                self.release(bytes);
            }
        }
    }

    fn end(&self) {
        if self.ended.swap(true, Ordering::Relaxed) {
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
        match self.call.accounts().into_iter().any(|account| account.is_full(Piece::First)) {
            true => Err(retry_later("too many bytes of requests and answers wait", RETRY_AFTER)),
            false => Ok(()),
        }
    }
}

impl Drop for Received {
    /// The body has been read: now the handler has what was in it.
    fn drop(&mut self) {
        self.call.request.fetch_add(self.charged, Ordering::Relaxed);
        if self.call.ended.load(Ordering::Relaxed) {
            self.call.answered();
        }
    }
}
