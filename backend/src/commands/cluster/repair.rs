//! `chinwag cluster repair`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::{COPY, DataFolder, block_on, hex, new_log, remove, to_servers, write_lines};
use crate::chat::log::Log;
use crate::chat::log::cluster::{ClusterError, FIRST_COPY, Status};
use crate::chat::log::servers::Servers;
use crate::chat::{self, Comparison, Relation, StoppedFolder, Surplus};
use crate::config::ClusterConfig;

#[derive(Args, Debug)]
pub(super) struct RepairCommand {
    /// Keep the folder's database under another name, and start again from the cluster's newest copy
    #[arg(long)]
    from_cluster: bool,

    /// Make the log anew from the folder's database, in the place of the one that there is. All rooms get new epochs, and every
    /// other server has to be repaired with --from-cluster
    #[arg(long, conflicts_with = "from_cluster")]
    from_folder: bool,

    /// Servers of NATS that have each entry of a log that is made anew
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 3,
        value_parser = clap::value_parser!(u8).range(1..=5),
        requires = "from_folder"
    )]
    replicas: u8,

    #[command(flatten)]
    cluster: ClusterConfig,

    #[command(flatten)]
    folder: DataFolder,
}

/// The log that the cluster has.
struct Found {
    log: Arc<dyn Log>,
    status: Status,
}

impl RepairCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { from_cluster, from_folder, replicas, cluster, folder } = self;
        let (servers, data) = (to_servers(&cluster)?, folder.prepare());
        let folder = StoppedFolder::new(&data)?;
        let runtime = super::runtime()?;
        let found = runtime.block_on(find(&servers))?;
        let relation = report(&servers, &data, &folder, found.as_ref())?;
        match (from_cluster, from_folder) {
            (true, _) => {
                let Found { log, .. } = found.with_context(|| missing(&servers))?;
                let aside = folder.set_aside()?;
                chat::start_from_copy(&data, &*log)?;
                write_lines([format!("the folder begins anew; its database is kept in {}", aside.display())])?;
            }
            (_, true) => {
                ensure!(relation != Some(Relation::Continues), "nothing was changed: the log continues the folder");
                let aside = make_anew(&servers, &data, folder, replicas)?;
                let name = servers.name();
                write_lines([
                    format!("made the log of the cluster {name} anew from the folder, and kept its database in {}", aside.display()),
                    "repair every other server with --from-cluster before it is started".to_owned(),
                ])?;
            }
            _ if relation == Some(Relation::Continues) => {}
            _ => write_lines([
                "nothing was changed; --from-cluster starts again from the cluster's newest copy, and --from-folder makes \
                 the log anew from this folder"
                    .to_owned(),
            ])?,
        }
        Ok(())
    }
}

fn missing(servers: &Servers) -> String {
    format!("these servers have no cluster named {}", servers.name())
}

/// The cluster, if there is one.
async fn find(servers: &Servers) -> anyhow::Result<Option<Found>> {
    match servers.open().await {
        Ok(log) => Ok(Some(Found { log, status: servers.status().await? })),
        Err(ClusterError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Prints how folder and cluster are related, and what only one of them has.
fn report(
    servers: &Servers,
    data: &Path,
    folder: &StoppedFolder,
    found: Option<&Found>,
) -> anyhow::Result<Option<Relation>> {
    let data = data.display();
    write_lines([match folder.followed()? {
        Some((id, applied)) => format!("folder {data}: follows the log {} up to entry {applied}", hex(id)),
        None => format!("folder {data}: has a chat of its own, and follows no log"),
    }])?;
    let Some(Found { log, status }) = found else {
        write_lines([format!(
            "cluster {}: {}; the folder has everything that is left",
            servers.name(),
            missing(servers)
        )])?;
        return Ok(None);
    };
    let Status { id, first, end, copies, .. } = status;
    let copy = copies.first().map_or_else(|| "none".to_owned(), |copy| format!("at {}", copy.position));
    write_lines([format!(
        "cluster {}: has the log {}, entries {first} to {end}, newest copy: {copy}",
        servers.name(),
        hex(*id)
    )])?;
    match folder.compare(&**log) {
        Ok(comparison) => {
            write_lines(describe(&comparison))?;
            Ok(Some(comparison.relation))
        }
        Err(chat::RepairError::Log(error)) => {
            let error = anyhow::Error::from(error);
            write_lines([format!(
                "the cluster's log cannot be read into a database ({error:#}), so that it is not known which content differs"
            )])?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn describe(comparison: &Comparison) -> Vec<String> {
    let Comparison { followed, end, relation, only_here, only_in_log } = comparison;
    let applied = followed.map_or(0, |(_, applied)| applied);
    let mut lines = vec![match relation {
        Relation::Continues => "the log continues the folder: nothing is to be repaired".to_owned(),
        Relation::OtherLog => "the cluster's log is another one than the folder's".to_owned(),
        Relation::LogIsShorter => {
            format!("the log has lost entries: {} to {applied}, which the folder has", end + 1)
        }
        Relation::Diverged => "the log has other entries than the folder".to_owned(),
    }];
    lines.extend(describe_surplus("folder", only_here));
    lines.extend(describe_surplus("cluster", only_in_log));
    lines
}

fn describe_surplus(place: &str, surplus: &Surplus) -> Vec<String> {
    let Surplus { rooms, users, sessions } = surplus;
    if surplus.is_empty() {
        return vec![format!("only in the {place}: nothing")];
    }
    let room = |difference: &chat::RoomDifference| {
        let chat::RoomDifference { room, events, first, last } = difference;
        format!("only in the {place}: {events} events of the room {room:?}, numbers {first} to {last}")
    };
    let mut lines: Vec<_> = rooms.iter().map(room).collect();
    lines.push(format!("only in the {place}: {users} persons, {sessions} sessions"));
    lines
}

/// Makes the log anew from the folder's database, and puts that aside.
fn make_anew(servers: &Servers, data: &Path, folder: StoppedFolder, replicas: u8) -> anyhow::Result<PathBuf> {
    let (id, copy) = (new_log()?, data.join(COPY));
    remove(&copy)?;
    folder.first_snapshot(&copy, id, FIRST_COPY)?;
    let made = block_on(servers.replace(replicas.into(), id, &copy));
    remove(&copy)?;
    made??;
    let aside = folder.set_aside()?;
    start(servers, data)?;
    Ok(aside)
}

/// Puts the copy with which the new log begins into the folder.
fn start(servers: &Servers, data: &Path) -> anyhow::Result<()> {
    let runtime = super::runtime()?;
    let log = runtime.block_on(servers.open())?;
    if !chat::start_from_copy(data, &*log)? {
        bail!("the new log has no copy of the database");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::log::LogId;

    fn surplus(events: u64) -> Surplus {
        let room = chat::RoomDifference { room: "General".to_owned(), events, first: 17, last: 19 };
        Surplus { rooms: vec![room], users: 1, sessions: 2 }
    }

    #[test]
    fn report_names_the_lost_entries_and_what_they_wrote() {
        let comparison = Comparison {
            followed: Some((LogId([7; 16]), 30)),
            end: 27,
            relation: Relation::LogIsShorter,
            only_here: surplus(3),
            only_in_log: Surplus::default(),
        };
        assert_eq!(
            describe(&comparison),
            [
                "the log has lost entries: 28 to 30, which the folder has",
                "only in the folder: 3 events of the room \"General\", numbers 17 to 19",
                "only in the folder: 1 persons, 2 sessions",
                "only in the cluster: nothing",
            ]
        );
    }
}
