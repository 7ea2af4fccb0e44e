//! Three servers of NATS and three servers of one chat, as processes on this machine.

use std::path::Path;

use anyhow::Result;
use fastrand::Rng;

use crate::cluster_commands::{cluster_urls, nats_name};
use crate::{ClusterCommands, Nats, Postgres, Server, free_port};

/// Servers of each kind.
const COUNT: usize = 3;
/// The cluster's name.
const NAME: &str = "team";

/// All servers. Dropping them kills them.
#[derive(Debug)]
pub struct Machines {
    /// The servers of NATS, which sync every write.
    pub nats: Vec<Nats>,
    /// The server of PostgreSQL that has the log in their place.
    pub postgres: Option<Postgres>,
    /// The servers of the chat.
    pub nodes: Vec<Server>,
    /// The commands of `chinwag cluster`.
    pub commands: ClusterCommands,
}

impl Machines {
    /// Starts all of them, with their files in `folder`. The chat begins with the database in the folder `data`, if one is named.
    /// `flags` are those of each server of the chat.
    ///
    /// # Errors
    ///
    /// There is no program of NATS, or the server's was built without the feature `cluster`.
    pub async fn begin(folder: &Path, data: Option<&Path>, rng: &mut Rng, flags: &[String]) -> Result<Self> {
        let (mut clients, mut routes) = (Vec::new(), Vec::new());
        for _ in 0..COUNT {
            clients.push(free_port(rng)?);
            routes.push(free_port(rng)?);
        }
        let commands = ClusterCommands::new(NAME, &clients);
        let mut machines = Self { nats: Vec::new(), postgres: None, nodes: Vec::new(), commands };
        for index in 0..COUNT {
            let folder = folder.join(nats_name(index));
            let (client, route, others) = (clients[index], routes[index], cluster_urls(&routes));
            let config = format!(
                "server_name: {}\nlisten: {client}\njetstream {{ store_dir: {:?}, sync_interval: always }}\n\
                 cluster {{ name: {NAME}, listen: {route}, routes: [{others}] }}\n",
                nats_name(index),
                folder.join("store"),
            );
            let mut nats = Nats::new(&folder, &config)?;
            nats.start()?;
            machines.nats.push(nats);
        }
        machines.commands.init(data.unwrap_or(&folder.join("nothing"))).await?;
        machines.start_nodes(folder, rng, flags)?;
        Ok(machines)
    }

    /// The same with one server of PostgreSQL in the place of those of NATS, for a new chat.
    ///
    /// # Errors
    ///
    /// There is no program of PostgreSQL, or the server's was built without the feature `postgres`.
    pub async fn begin_on_postgres(folder: &Path, rng: &mut Rng, flags: &[String]) -> Result<Self> {
        let mut postgres = Postgres::new(free_port(rng)?)?;
        postgres.start()?;
        let commands = ClusterCommands::at(NAME, &postgres.url());
        let mut machines = Self { nats: Vec::new(), postgres: Some(postgres), nodes: Vec::new(), commands };
        machines.commands.init(&folder.join("nothing")).await?;
        machines.start_nodes(folder, rng, flags)?;
        Ok(machines)
    }

    fn start_nodes(&mut self, folder: &Path, rng: &mut Rng, flags: &[String]) -> Result<()> {
        for index in 0..COUNT {
            let mut node = self.node(&folder.join(format!("node-{index}")))?.listen(free_port(rng)?);
            node.add_flags(flags);
            node.start()?;
            self.nodes.push(node);
        }
        Ok(())
    }

    /// Another server of the chat with its data in `folder`, not started.
    pub fn node(&self, folder: &Path) -> Result<Server> {
        Ok(Server::new(folder)?.flags(self.commands.flags()))
    }
}
