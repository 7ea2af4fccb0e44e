//! The servers of a scenario: one that has its chat alone, or three of one chat on three servers of NATS.

use std::path::Path;
use std::slice;

use anyhow::bail;
use fastrand::Rng;
use harness::{CLUSTER_VARIABLE, Machines, Server};

use crate::{Result, files};

/// The servers. Dropping them kills them.
#[derive(Debug)]
pub(crate) enum Servers {
    Alone(Server),
    Cluster(Machines),
}

impl Servers {
    /// Starts those that `CHINWAG_E2E_CLUSTER` chooses: three for `1`, and one if it is not set.
    pub(crate) async fn chosen(folder: &Path) -> Result<Servers> {
        match std::env::var(CLUSTER_VARIABLE).unwrap_or_default().as_str() {
            "" => {
                let mut server = Server::new(&folder.join("data"))?.flags(flags()?);
                server.start()?;
                Ok(Servers::Alone(server))
            }
            "1" => Servers::cluster(folder).await,
            other => bail!("{CLUSTER_VARIABLE} is {other:?}, and not `1`"),
        }
    }

    /// Starts three of one chat.
    pub(crate) async fn cluster(folder: &Path) -> Result<Servers> {
        Ok(Servers::Cluster(Machines::begin(folder, None, &mut Rng::new(), &flags()?).await?))
    }

    /// The servers of the chat.
    pub(crate) fn all(&self) -> &[Server] {
        match self {
            Servers::Alone(server) => slice::from_ref(server),
            Servers::Cluster(machines) => &machines.nodes,
        }
    }

    /// The servers of the chat.
    pub(crate) fn all_mut(&mut self) -> &mut [Server] {
        match self {
            Servers::Alone(server) => slice::from_mut(server),
            Servers::Cluster(machines) => &mut machines.nodes,
        }
    }
}

fn flags() -> Result<[String; 2]> {
    Ok([format!("--page={}", files::dist()?.display()), "--log=info".to_owned()])
}
