//! The faults of a cluster. Each ends with all servers running and all connections passing.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use tokio::time::sleep;

use super::machines::Machines;
use super::network::Direction;
use crate::cluster_fault::Fault;
use crate::relay::Mode;

/// Time in which a server is gone, frozen or cut off: shorter and longer than an election, milliseconds.
const AWAY_MS: std::ops::Range<u64> = 200..12_000;

/// Delay of a chunk of bytes in each direction, milliseconds.
const DELAY_MS: std::ops::Range<u64> = 5..100;

/// Largest error of a clock, seconds.
const MAX_CLOCK_ERROR: i64 = 2 * 60 * 60;

/// The result of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    CarriedOut,
    /// This machine cannot do it.
    Impossible(&'static str),
}

impl Fault {
    /// Carries it out, and mends it.
    pub(super) async fn carry_out(self, machines: &mut Machines, rng: &mut Rng) -> Result<Done> {
        let away = Duration::from_millis(rng.u64(AWAY_MS));
        let node = rng.usize(..machines.nodes.len());
        match self {
            Self::KillNode | Self::StopNode | Self::FreezeNode => {
                self.of_a_node(machines, node, away).await?;
            }
            Self::FillDisk => return machines.fill_disk(away).await,
            Self::ChangeClock => {
                let seconds = rng.i64(-MAX_CLOCK_ERROR..=MAX_CLOCK_ERROR);
                return machines.change_clock(node, seconds, away).await;
            }
            Self::KillFollower
            | Self::KillLeader
            | Self::StopLeader
            | Self::FreezeLeader
            | Self::KillTwo
            | Self::KillAll => self.of_nats(machines, rng, away).await?,
            _ => {
                self.begin_in_the_network(machines, rng, node);
                sleep(away).await;
                machines.network.heal();
            }
        }
        Ok(Done::CarriedOut)
    }

    async fn of_a_node(self, machines: &mut Machines, node: usize, away: Duration) -> Result<()> {
        match self {
            Self::FreezeNode => {
                machines.nodes[node].pause()?;
                sleep(away).await;
                return machines.nodes[node].resume();
            }
            Self::StopNode => drop(machines.stop_node(node)?),
            _ => {
                machines.nodes[node].kill()?;
                sleep(away / 4).await;
            }
        }
        machines.nodes[node].start().map(drop)
    }

    async fn of_nats(self, machines: &mut Machines, rng: &mut Rng, away: Duration) -> Result<()> {
        let count = machines.nats.len();
        let leader = machines.commands.leader().await?;
        let killed: Vec<usize> = match self {
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
            _ => (0..count).collect(),
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

    fn begin_in_the_network(self, machines: &Machines, rng: &mut Rng, node: usize) {
        let Machines { network, nats, .. } = machines;
        let server = rng.usize(..nats.len());
        let delay = Duration::from_millis(rng.u64(DELAY_MS));
        match self {
            Self::CutOffServer => network.change_server(server, Direction::Both, Mode::Silent),
            Self::MuteServer => network.change_server(server, Direction::Out, Mode::Silent),
            Self::DeafServer => network.change_server(server, Direction::In, Mode::Silent),
            Self::CutRoute => {
                network.change_link(server, (server + 1) % nats.len(), Direction::Both, Mode::Cut);
            }
            Self::DelayRoutes => network.delay_routes(delay),
            Self::CutOffNode => network.change_node(node, Direction::Both, Mode::Silent),
            Self::MuteNode => network.change_node(node, Direction::Out, Mode::Silent),
            Self::DeafNode => network.change_node(node, Direction::In, Mode::Silent),
            Self::DisconnectNode => network.change_node(node, Direction::Both, Mode::Cut),
            Self::DelayNode => network.change_node(node, Direction::Both, Mode::Pass(delay)),
            _ => {}
        }
    }
}
