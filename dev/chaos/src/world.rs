//! The server under test with its people: the server, the relay in front of it, and those who use it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use anyhow::Result;
use fastrand::Rng;

use crate::check::Verdict;
use crate::options::Options;
use crate::people::People;
use crate::person::Person;
use crate::relay::Relay;
use crate::sender::Sender;
use crate::server::Server;
use crate::shared::Shared;
use crate::wire;

/// The parts of a run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) relay: Relay,
    /// The guest whose session the attacks use.
    pub(crate) mallory: Person,
    people: People,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// Latencies of acknowledgements outside of faults, microseconds, sorted.
    pub(crate) calm_us: Vec<u32>,
}

impl World {
    /// Starts the server, makes the rooms, and starts senders and readers.
    pub(crate) async fn begin(mut server: Server, options: &Options, rng: &mut Rng) -> Result<Self> {
        server.start()?;
        let relay = Relay::start(vec![server.addr()]).await?;
        let people = People::begin(relay.addr, &[relay.addr], Arc::<Shared>::default(), options, rng).await?;
        let mallory = Person::join(wire::native(server.addr())?, "Mallory").await?;
        Ok(Self { server, relay, mallory, people })
    }

    /// The sender that checks that the server works.
    pub(crate) fn witness(&mut self) -> &mut Sender {
        &mut self.people.witnesses[0]
    }

    /// Waits for senders and readers, restarts the server, and checks all logs.
    pub(crate) async fn end(mut self) -> Result<(Server, Outcome)> {
        let history = self.people.finish().await?;
        self.server.shut_down()?;
        self.server.start()?;
        let verdict = history.judge(self.server.addr()).await?;
        let mut calm_us: Vec<u32> = history.records.into_iter().flat_map(|record| record.calm_us).collect();
        calm_us.sort_unstable();
        Ok((self.server, Outcome { verdict, calm_us }))
    }
}

impl Deref for World {
    type Target = People;

    fn deref(&self) -> &People {
        &self.people
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut People {
        &mut self.people
    }
}
