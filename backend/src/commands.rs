//! What the program can be told to do: to serve, which needs no word, and to look after the database.

mod backup;
mod check;
mod restore;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use self::backup::BackupCommand;
pub use self::check::CheckCommand;
pub use self::restore::RestoreCommand;
use crate::config::{Config, DEFAULT_DATA, LogConfig};
use crate::telemetry;

// The command line. Without a command its options are those of `serve`. What follows is the help's beginning.
/// Serves the Greeter, the chat and their page on one port.
///
/// Every option can be given as an environment variable too; the option wins.
#[derive(Debug, Parser)]
#[command(name = "chinwag", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    serve: Config,
}

/// What the program can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves; this is what the program does without a command
    // `cargo run backend` is `cargo run`.
    #[command(alias = "backend")]
    Serve(Box<Config>),
    /// Copies the database to a file, while a server may be using it
    Backup(BackupCommand),
    /// Puts a copy in the place of the database
    Restore(RestoreCommand),
    /// Looks whether the database is right; changes nothing
    Check(CheckCommand),
}

impl Command {
    /// From the program's arguments and environment; ends the program when they are wrong.
    pub fn from_arguments() -> Self {
        let CommandLine { command, serve } = CommandLine::parse();
        command.unwrap_or_else(|| Self::Serve(Box::new(serve)))
    }

    /// Carries out a command that does not serve. The exit code is 0 when all is well, and 1 when not, with the reason
    /// on standard error.
    pub fn run(self) -> ExitCode {
        let done = match self {
            Self::Backup(command) => command.run(),
            Self::Restore(command) => command.run(),
            Self::Check(command) => command.run(),
            Self::Serve(_) => Err(anyhow::anyhow!("serving is not a command of this kind")),
        };
        done.unwrap_or_else(|error| {
            write_error(&error);
            ExitCode::FAILURE
        })
    }
}

/// Which database a command is about.
#[derive(Args, Debug)]
struct Folder {
    /// Directory of the database
    #[arg(long, env = "CHINWAG_DATA", value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,

    #[command(flatten)]
    log: LogConfig,
}

impl Folder {
    /// The directory, now that what is done with it is logged.
    fn open(self) -> PathBuf {
        telemetry::start(&self.log);
        self.data
    }
}

/// Writes why the program did not do what was asked. Not through the log, which may be off.
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
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serving_needs_no_word_and_understands_two() {
        for words in [&[][..], &["serve"], &["backend"]] {
            let arguments = [words, &["--listen=127.0.0.1:7"]].concat();
            match parse(&arguments).unwrap() {
                Command::Serve(config) => assert_eq!(config.listen.port(), 7, "{words:?}"),
                other => panic!("{words:?}: {other:?}"),
            }
        }
        assert!(parse(&["frontend"]).is_err());
    }

    #[test]
    fn the_database_commands_name_a_folder_and_a_file() {
        assert!(matches!(parse(&["backup", "--data=here", "file"]).unwrap(), Command::Backup(_)));
        assert!(matches!(parse(&["restore", "file", "--replace"]).unwrap(), Command::Restore(_)));
        assert!(matches!(parse(&["check"]).unwrap(), Command::Check(_)));
        for wrong in [&["backup"][..], &["restore"], &["check", "file"], &["backup", "file", "--replace"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
