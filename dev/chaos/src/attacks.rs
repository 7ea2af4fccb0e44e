//! Hostile clients, each kind from an address of its own.
//!
//! They take what they are given and go on; the server may refuse them, and whether it does is not judged here.

mod http1;
mod http2;

use std::net::{Ipv4Addr, SocketAddr};

use fastrand::Rng;
use tokio::task::JoinSet;

use crate::plan::Kind;

/// An attack that goes on until this is dropped.
#[derive(Debug)]
pub(crate) struct Attack {
    _tasks: JoinSet<()>,
}

/// Where an attack goes, and in whose name.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) server: SocketAddr,
    /// A guest's `authorization`.
    pub(crate) authorization: String,
}

impl Attack {
    /// Begins the attack of this kind; returns when its connections are made, as far as the server let them.
    pub(crate) async fn begin(kind: Kind, target: &Target, rng: &mut Rng) -> Self {
        Self::begin_from(Ipv4Addr::new(127, 0, 2, rng.u8(1..=254)), kind, target, rng).await
    }

    /// The same from an address.
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
