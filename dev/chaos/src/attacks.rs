//! Hostile clients, each attack from another loopback address.
//!
//! The server may refuse them; only its service to other clients is checked.

mod http1;
mod http2;

use std::net::{Ipv4Addr, SocketAddr};

use fastrand::Rng;
use tokio::task::JoinSet;

use crate::plan::Kind;

/// An attack that lasts until this is dropped.
#[derive(Debug)]
pub(crate) struct Attack {
    _tasks: JoinSet<()>,
}

/// The server under attack, and a session for calls.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) server: SocketAddr,
    /// A guest's `authorization`.
    pub(crate) authorization: String,
}

impl Attack {
    /// Begins an attack of this kind, and returns when its connections are made or refused.
    pub(crate) async fn begin(kind: Kind, target: &Target, rng: &mut Rng) -> Self {
        Self::begin_from(Ipv4Addr::new(127, 0, 2, rng.u8(1..=254)), kind, target, rng).await
    }

    /// The same from the address `source`.
    pub(crate) async fn begin_from(source: Ipv4Addr, kind: Kind, target: &Target, rng: &mut Rng) -> Self {
        let mut tasks = JoinSet::new();
        match kind {
            Kind::ZeroWindow => http2::zero_window(target, source, &mut tasks).await,
            Kind::Unread => http2::unread(target, source, &mut tasks).await,
            Kind::Joins => http2::joins(target, source, rng, &mut tasks).await,
            Kind::Resets => http2::resets(target, source, &mut tasks).await,
            Kind::HalfHeads => http1::half_heads(target, source, &mut tasks).await,
            Kind::SlowBodies => http1::slow_bodies(target, source, &mut tasks).await,
            Kind::Connects => http1::connects(target, source, &mut tasks).await,
            _ => {}
        }
        Self { _tasks: tasks }
    }
}
