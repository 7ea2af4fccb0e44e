//! The faults of a cluster. Each ends with all servers running.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use tokio::time::sleep;

use super::machines::Machines;

/// Time in which a server is gone or frozen: shorter and longer than an election, milliseconds.
const AWAY_MS: std::ops::Range<u64> = 200..12_000;

/// The ways in which servers fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    KillNode,
    StopNode,
    FreezeNode,
    KillFollower,
    KillLeader,
    StopLeader,
    FreezeLeader,
    KillTwo,
    KillAll,
}

/// All of them.
pub(super) const FAULTS: [Fault; 9] = [
    Fault::KillNode,
    Fault::StopNode,
    Fault::FreezeNode,
    Fault::KillFollower,
    Fault::KillLeader,
    Fault::StopLeader,
    Fault::FreezeLeader,
    Fault::KillTwo,
    Fault::KillAll,
];

impl Fault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::KillNode => "a server of the chat is killed",
            Self::StopNode => "a server of the chat is stopped",
            Self::FreezeNode => "a server of the chat is frozen",
            Self::KillFollower => "a follower of NATS is killed",
            Self::KillLeader => "the leader of NATS is killed",
            Self::StopLeader => "the leader of NATS is stopped",
            Self::FreezeLeader => "the leader of NATS is frozen",
            Self::KillTwo => "two servers of NATS are killed",
            Self::KillAll => "all servers of NATS are killed",
        }
    }

    /// Carries it out, and starts what has ended.
    pub(super) async fn carry_out(self, machines: &mut Machines, rng: &mut Rng) -> Result<()> {
        let node = rng.usize(..machines.nodes.len());
        let count = machines.nats.len();
        let leader = machines.leader().await?;
        let away = Duration::from_millis(rng.u64(AWAY_MS));
        let killed: Vec<usize> = match self {
            Self::KillNode => {
                machines.nodes[node].kill()?;
                sleep(away / 4).await;
                return machines.nodes[node].start().map(drop);
            }
            Self::StopNode => {
                machines.stop_node(node)?;
                return machines.nodes[node].start().map(drop);
            }
            Self::FreezeNode => {
                machines.nodes[node].pause()?;
                sleep(away).await;
                return machines.nodes[node].resume();
            }
            Self::FreezeLeader => {
                machines.nats[leader].pause()?;
                sleep(away).await;
                return machines.nats[leader].resume();
            }
            Self::StopLeader => {
                machines.nats[leader].stop()?;
                sleep(away / 4).await;
                return machines.start_nats(leader);
            }
            Self::KillFollower => vec![(leader + 1) % count],
            Self::KillLeader => vec![leader],
            // With or without the leader.
            Self::KillTwo => {
                let first = rng.usize(..count);
                vec![first, (first + 1) % count]
            }
            Self::KillAll => (0..count).collect(),
        };
        for index in &killed {
            machines.nats[*index].kill()?;
        }
        sleep(away).await;
        for index in killed {
            machines.start_nats(index)?;
        }
        Ok(())
    }
}
