//! The longest pause of writes while a server dies or is stopped.

use std::time::Duration;

use anyhow::{Context as _, Result};
use harness::{Machines, Postgres, Server};
use tokio::task::block_in_place;

use super::Options;
use super::servers::{Cluster, Servers};
use super::traffic::{Pause, Traffic};
use crate::report::{Samples, Table};

/// Time limit of a graceful shutdown.
const STOP: Duration = Duration::from_secs(20);

/// A death or an orderly end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Kill,
    Stop,
}

/// The server that ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Leader,
    Node,
}

/// The waits of all rounds, seconds.
#[derive(Default)]
struct Rounds {
    of_one: Vec<f64>,
    of_all: Vec<f64>,
}

pub(super) async fn run(servers: &mut Servers, options: &Options, table: &mut Table) -> Result<()> {
    let mut traffic = Traffic::begin(&[servers.alone.url()], &servers.at_alone.guests)?;
    let (mut killed, mut stopped) = (Rounds::default(), Rounds::default());
    for _ in 0..options.rounds {
        for (end, rounds) in [(End::Kill, &mut killed), (End::Stop, &mut stopped)] {
            traffic.goes_on().await?;
            traffic.forget();
            block_in_place(|| end.node(&mut servers.alone).and_then(|()| servers.alone.start()))?;
            rounds.add(traffic.goes_on().await?);
        }
    }
    drop(traffic);
    let Servers { clusters, .. } = servers;
    let Some((Cluster { machines, at_all, .. }, others)) = clusters.split_first_mut() else { return Ok(()) };
    let urls: Vec<String> = machines.nodes.iter().map(Server::url).collect();
    let mut traffic = Traffic::begin(&urls, &at_all.guests)?;
    for (what, whose, end, alone) in [
        ("the log's leader is killed", Whose::Leader, End::Kill, &killed),
        ("the log's leader is stopped", Whose::Leader, End::Stop, &stopped),
        ("a server of the chat is killed", Whose::Node, End::Kill, &killed),
        ("a server of the chat is stopped", Whose::Node, End::Stop, &stopped),
    ] {
        let mut rounds = Rounds::default();
        for round in 0..options.rounds {
            rounds.add(measure(machines, &mut traffic, whose, end, round).await?);
        }
        row(table, what, &rounds, alone);
    }
    drop(traffic);
    for cluster in others {
        restart_postgres(cluster, options, table, [&killed, &stopped]).await?;
    }
    Ok(())
}

/// The waits while the server of PostgreSQL ends and is started at once.
async fn restart_postgres(
    cluster: &mut Cluster,
    options: &Options,
    table: &mut Table,
    [killed, stopped]: [&Rounds; 2],
) -> Result<()> {
    let Cluster { machines: Machines { postgres, nodes, .. }, at_all, .. } = cluster;
    let postgres = postgres.as_mut().context("the cluster has no PostgreSQL")?;
    let urls: Vec<String> = nodes.iter().map(Server::url).collect();
    let mut traffic = Traffic::begin(&urls, &at_all.guests)?;
    for (what, end, alone) in [
        ("PostgreSQL crashes and is started at once", Postgres::crash as fn(&mut Postgres) -> _, killed),
        ("PostgreSQL is stopped and started at once", Postgres::stop, stopped),
    ] {
        let mut rounds = Rounds::default();
        for _ in 0..options.rounds {
            traffic.goes_on().await?;
            traffic.forget();
            block_in_place(|| end(postgres).and_then(|()| postgres.start()))?;
            rounds.add(traffic.goes_on().await?);
        }
        row(table, what, &rounds, alone);
    }
    Ok(())
}

/// The waits from the end of a server until everybody is acknowledged again. Then it is started.
async fn measure(
    machines: &mut Machines,
    traffic: &mut Traffic,
    whose: Whose,
    end: End,
    round: usize,
) -> Result<Pause> {
    let leader = machines.commands.healthy().await?;
    traffic.goes_on().await?;
    traffic.forget();
    let node = round % machines.nodes.len();
    block_in_place(|| match (whose, end) {
        (Whose::Leader, End::Kill) => machines.nats[leader].kill(),
        (Whose::Leader, End::Stop) => machines.nats[leader].stop(),
        (Whose::Node, end) => end.node(&mut machines.nodes[node]),
    })?;
    let pause = traffic.goes_on().await?;
    block_in_place(|| match whose {
        Whose::Leader => machines.nats[leader].start(),
        Whose::Node => machines.nodes[node].start().map(drop),
    })?;
    Ok(pause)
}

impl End {
    fn node(self, server: &mut Server) -> Result<()> {
        match self {
            Self::Kill => server.kill(),
            Self::Stop => server.terminate(STOP).map(drop),
        }
    }
}

impl Rounds {
    fn add(&mut self, pause: Pause) {
        self.of_one.push(pause.of_one.as_secs_f64());
        self.of_all.push(pause.of_all.as_secs_f64());
    }
}

fn row(table: &mut Table, what: &str, cluster: &Rounds, alone: &Rounds) {
    let show = |samples: &[f64]| Samples::new(samples.to_vec()).show();
    let against = format!(
        "s; nobody at all was acknowledged for {} s; {} x one server that ends so and is started at once ({} s)",
        show(&cluster.of_all),
        Samples::ratios(&cluster.of_one, &alone.of_one).show(),
        show(&alone.of_one),
    );
    table.row(&format!("longest wait of a sender, {what}"), show(&cluster.of_one), &against, "-");
}
