//! The socket that a request has opened, on its way from the service to the connection.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::upgrade::OnUpgrade;

use crate::app::InheritedHeaders;
use crate::client_address::ClientAddress;

/// The socket that a request of a connection has opened.
pub(super) struct OpenedTunnel {
    pub(super) upgrade: OnUpgrade,
    pub(super) client: ClientAddress,
    pub(super) inherited: InheritedHeaders,
}

/// A place for it, until the connection has written the response.
#[derive(Clone, Default)]
pub(super) struct PendingTunnel(Arc<Mutex<Option<OpenedTunnel>>>);

impl PendingTunnel {
    pub(super) fn set(&self, opened: OpenedTunnel) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
    }

    pub(super) fn take(&self) -> Option<OpenedTunnel> {
        take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
