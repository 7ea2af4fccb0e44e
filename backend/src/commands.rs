//! The commands of the program: serving, which is the default, the gateway, and maintenance of the database.

mod backup;
mod check;
#[cfg(feature = "cluster")]
mod cluster;
mod restore;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

#[cfg(feature = "dist")]
use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

pub use self::backup::BackupCommand;
pub use self::check::CheckCommand;
#[cfg(feature = "cluster")]
pub use self::cluster::ClusterCommand;
pub use self::restore::RestoreCommand;
use crate::config::{Config, DEFAULT_DATA, GatewayConfig, LogConfig};
use crate::telemetry;

// Without a command, the options are those of `serve`. The documentation below is the start of the help.
/// Serves the Greeter, the chat and their page on one port.
///
/// Every option can also be set as an environment variable; the option takes precedence.
#[derive(Debug, Parser)]
#[command(name = "chinwag", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    serve: Config,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves; the default command
    // `cargo run backend` is `cargo run`.
    #[command(alias = "backend")]
    Serve(Box<Config>),
    /// Passes calls on to other gRPC servers, so that pages can make them
    Gateway(Box<GatewayConfig>),
    /// Copies the database to a file, even while a server uses it
    Backup(BackupCommand),
    /// Replaces the database with a copy
    Restore(RestoreCommand),
    /// Checks the database; changes nothing
    Check(CheckCommand),
    /// Makes a cluster of several servers of one chat, and looks at it
    #[cfg(feature = "cluster")]
    Cluster(ClusterCommand),
    /// Prints the licences of the libraries in this program
    #[cfg(feature = "dist")]
    Licences,
}

impl Command {
    /// Parses the program's arguments and environment; exits if they are invalid.
    pub fn from_arguments() -> Self {
        let CommandLine { command, serve } = CommandLine::parse();
        command.unwrap_or_else(|| Self::Serve(Box::new(serve)))
    }

    /// Runs a command of the database. The exit code is 0 for success, and 1 otherwise, with the reason on standard
    /// error.
    pub fn run(self) -> ExitCode {
        let done = match self {
            Self::Backup(command) => command.run(),
            Self::Restore(command) => command.run(),
            Self::Check(command) => command.run(),
            #[cfg(feature = "cluster")]
            Self::Cluster(command) => command.run(),
            #[cfg(feature = "dist")]
            Self::Licences => write_lines([crate::inside::LICENCES.to_owned()])
                .map(|()| ExitCode::SUCCESS)
                .context("cannot write to standard output"),
            Self::Serve(_) | Self::Gateway(_) => {
                Err(anyhow::anyhow!("serving is not a command of this kind"))
            }
        };
        done.unwrap_or_else(|error| {
            write_error(&error);
            ExitCode::FAILURE
        })
    }
}

/// Data folder and log options of a database command.
#[derive(Args, Debug)]
struct DataFolder {
    /// Directory of the database
    #[arg(long, env = "CHINWAG_DATA", value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,

    #[command(flatten)]
    log: LogConfig,
}

impl DataFolder {
    /// Starts logging and returns the directory.
    fn prepare(self) -> PathBuf {
        telemetry::start(&self.log);
        self.data
    }
}

/// Writes an error to standard error. Not through the log, which may be off.
pub fn write_error(error: &anyhow::Error) {
    if writeln!(io::stderr(), "error: {error:#}").is_err() {
        tracing::error!("{error:#}");
    }
}

/// Writes lines to standard output.
fn write_lines(lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    lines.into_iter().try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, clap::Error> {
        let line = CommandLine::try_parse_from([&["chinwag"], arguments].concat())?;
        Ok(line.command.unwrap_or_else(|| Command::Serve(Box::new(line.serve))))
    }

    #[test]
    fn command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default_command() {
        for words in [&[][..], &["serve"], &["backend"]] {
            let arguments = [words, &["--listen=127.0.0.1:7"]].concat();
            match parse(&arguments).unwrap() {
                Command::Serve(config) => assert_eq!(config.port.listen.port(), 7, "{words:?}"),
                other => panic!("{words:?}: {other:?}"),
            }
        }
        assert!(parse(&["frontend"]).is_err());
    }

    #[test]
    fn database_commands_take_a_folder_and_a_file() {
        assert!(matches!(parse(&["backup", "--data=here", "file"]).unwrap(), Command::Backup(_)));
        assert!(matches!(parse(&["restore", "file", "--replace"]).unwrap(), Command::Restore(_)));
        assert!(matches!(parse(&["check"]).unwrap(), Command::Check(_)));
        for wrong in [&["backup"][..], &["restore"], &["check", "file"], &["backup", "file", "--replace"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
