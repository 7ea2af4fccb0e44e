//! The kinds of faults of a cluster, and their names.

use clap::ValueEnum;

/// The ways in which servers and networks fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    KillNode,
    StopNode,
    FreezeNode,
    KillFollower,
    KillLeader,
    StopLeader,
    FreezeLeader,
    KillTwo,
    KillAll,
    /// One of NATS, and the others, get nothing of each other; their connections stay open.
    CutOffServer,
    /// The others get nothing of one of NATS.
    MuteServer,
    /// One of NATS gets nothing of the others.
    DeafServer,
    /// The connections between two of NATS end, and none is made.
    CutRoute,
    DelayRoutes,
    CutOffNode,
    MuteNode,
    DeafNode,
    /// The connections of a server of the chat end, and none is made.
    DisconnectNode,
    DelayNode,
    FillDisk,
    ChangeClock,
}

impl Fault {
    /// The fault in words, for the report.
    pub(crate) fn describe(self) -> &'static str {
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
            Self::CutOffServer => "a server of NATS is cut off from the others",
            Self::MuteServer => "a server of NATS is not heard by the others",
            Self::DeafServer => "a server of NATS does not hear the others",
            Self::CutRoute => "two servers of NATS have no connection",
            Self::DelayRoutes => "everything between servers of NATS is late",
            Self::CutOffNode => "a server of the chat is cut off from NATS",
            Self::MuteNode => "a server of the chat is not heard by NATS",
            Self::DeafNode => "a server of the chat does not hear NATS",
            Self::DisconnectNode => "a server of the chat has no connection to NATS",
            Self::DelayNode => "everything between a server of the chat and NATS is late",
            Self::FillDisk => "the disk of a server of NATS is full",
            Self::ChangeClock => "the clock of a server of the chat is wrong",
        }
    }
}
