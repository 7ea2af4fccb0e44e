//! `chinwag cluster init`, `status`, `snapshot` and `repair`.

mod repair;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use tokio::runtime::Runtime;

use self::repair::RepairCommand;
use super::{DataFolder, write_lines};
use crate::chat::log::LogId;
use crate::chat::log::cluster::{FIRST_COPY, Status, hex};
use crate::chat::log::servers::Servers;
use crate::chat::{DATABASE_FILE, StoppedFolder};
use crate::config::{ClusterConfig, LogConfig};
use crate::telemetry;

/// Name of the copy that is made for the cluster, in the data folder.
const COPY: &str = "chinwag.db.cluster";

/// Makes a cluster of servers of one chat, and looks at it.
#[derive(Args, Debug)]
pub struct ClusterCommand {
    #[command(subcommand)]
    command: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Makes the log of a cluster, once. The database in the data folder becomes the one that its servers begin with
    ///
    /// The server of that folder has to be stopped. All rooms get new epochs, so that clients reload them. The folder is left as it is,
    /// and belongs to a chat on one server: every server of the cluster needs a new folder of its own. Without a database in the
    /// folder the cluster begins a new chat.
    Init(InitCommand),
    /// Prints the state of a cluster
    Status(Place),
    /// Writes the newest copy of the database that the cluster has to a file
    ///
    /// `chinwag restore` makes a chat on one server of it.
    Snapshot(SnapshotCommand),
    /// Compares a folder with the cluster whose log does not continue it; changes nothing unless a flag says so
    ///
    /// For a server that has stopped following the log, because that was made anew or has lost or replaced entries. The server of
    /// the folder has to be stopped.
    Repair(RepairCommand),
}

/// The cluster, and log options.
#[derive(Args, Debug)]
struct Place {
    #[command(flatten)]
    cluster: ClusterConfig,

    #[command(flatten)]
    log: LogConfig,
}

#[derive(Args, Debug)]
struct InitCommand {
    /// Servers of NATS that have each entry: 3, or 1 where losing the log with one machine is accepted
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,

    #[command(flatten)]
    cluster: ClusterConfig,

    #[command(flatten)]
    folder: DataFolder,
}

#[derive(Args, Debug)]
struct SnapshotCommand {
    /// The file to create; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    place: Place,
}

impl ClusterCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Kind::Init(command) => command.run()?,
            Kind::Status(place) => {
                let status = block_on(place.prepare()?.status())??;
                write_lines(describe(&status))?;
            }
            Kind::Snapshot(command) => command.run()?,
            Kind::Repair(command) => command.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl InitCommand {
    fn run(self) -> anyhow::Result<()> {
        let Self { replicas, cluster, folder } = self;
        let (servers, data) = (to_servers(&cluster)?, folder.prepare());
        let id = new_log()?;
        let copy = data.join(COPY);
        let has_chat = data.join(DATABASE_FILE).exists();
        // Held to the end: what a server stored meanwhile would not be in the copy.
        let folder = has_chat.then(|| StoppedFolder::new(&data)).transpose()?;
        if let Some(folder) = &folder {
            remove(&copy)?;
            folder.first_snapshot(&copy, id, FIRST_COPY)?;
        }
        let made = block_on(servers.init(replicas.into(), id, has_chat.then_some(copy.as_path())));
        remove(&copy)?;
        made??;
        let data = data.display();
        let begin = if has_chat {
            format!(
                "its servers begin with the chat of {data}, which is another one from now on: do not serve it again"
            )
        } else {
            format!("its servers begin a new chat, because {data} has none")
        };
        write_lines([format!("made the cluster {}; {begin}", servers.name())])?;
        Ok(())
    }
}

impl SnapshotCommand {
    fn run(self) -> anyhow::Result<()> {
        let Self { file, place } = self;
        let servers = place.prepare()?;
        let path = file.display();
        ensure!(!file.exists(), "the file {path} exists, and was left as it is: choose another FILE");
        let saved = block_on(servers.save_newest(&file));
        if !matches!(saved, Ok(Ok(Some(_)))) {
            remove(&file)?;
        }
        let position = saved??
            .with_context(|| format!("the cluster {} has no copy of the database yet", servers.name()))?;
        fs::File::open(&file)
            .and_then(|file| file.sync_all())
            .with_context(|| format!("cannot write {path}"))?;
        write_lines([format!("wrote the copy at position {position} to {path}")])?;
        Ok(())
    }
}

impl Place {
    /// Starts logging, and returns the servers.
    fn prepare(&self) -> anyhow::Result<Servers> {
        telemetry::start(&self.log);
        to_servers(&self.cluster)
    }
}

fn new_log() -> anyhow::Result<LogId> {
    let mut id = LogId([0; 16]);
    getrandom::fill(&mut id.0).context("the system gave no random numbers")?;
    Ok(id)
}

fn to_servers(cluster: &ClusterConfig) -> anyhow::Result<Servers> {
    if let Err(refusal) = cluster.check() {
        refusal.exit();
    }
    cluster
        .to_servers()
        .context("name the servers of the log by --cluster, and the cluster by --cluster-name")
}

fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    Ok(runtime()?.block_on(work))
}

/// A log that is used outside of it works as long as it lives.
fn runtime() -> anyhow::Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.context("cannot start threads")
}

fn remove(file: &PathBuf) -> anyhow::Result<()> {
    if file.exists() {
        fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

fn describe(status: &Status) -> Vec<String> {
    let Status { id, end, first, bytes, leader, replicas, copies } = status;
    let mut lines = vec![
        format!("log: {}", hex(*id)),
        format!("entries: {first} to {end}, {bytes} bytes"),
        format!("leader: {}", leader.as_deref().unwrap_or("none, or a server without a cluster of NATS")),
    ];
    for replica in replicas {
        let state = if replica.is_current { "current" } else { "BEHIND" };
        lines.push(format!("replica: {} ({state})", replica.name));
    }
    if copies.is_empty() {
        lines.push("copies of the database: none yet".to_owned());
    }
    for copy in copies {
        let age = copy.made.and_then(|made| SystemTime::now().duration_since(made).ok());
        let age =
            age.map_or_else(|| "at an unknown time".to_owned(), |age| format!("{} s ago", age.as_secs()));
        lines.push(format!(
            "copy of the database: at position {}, {} bytes, made {age}",
            copy.position, copy.bytes
        ));
    }
    lines
}
