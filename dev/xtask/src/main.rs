//! Every command that a developer needs: `cargo xtask <command>`.
#![expect(clippy::print_stdout, reason = "these commands talk to the person at the terminal")]

mod bench;
mod browser;
mod chaos;
mod ci;
mod clients;
#[cfg(feature = "codegen")]
mod codegen;
mod command;
mod conformance;
mod debian;
mod dev;
mod dist;
mod e2e;
mod examples;
mod house;
mod page;
mod run;
mod server;
mod step;
mod test;
mod tools;
mod webnext;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Every command that a developer needs
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Tools that are not on PATH in the right version are installed into a cache that all clones share;\n\
                  CHINWAG_TOOLS names another folder for it. CHROME and CHROMEDRIVER name another browser.\n\
                  The output of each step is in target/xtask."
)]
struct Cli {
    /// Show the output of all programs
    #[arg(long, short, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what is missing, build the page, start the server and print its address
    Run {
        /// Open the address in the browser
        #[arg(long)]
        open: bool,
        /// Flags of the server
        #[arg(last = true)]
        flags: Vec<String>,
    },
    /// Set up and run every test; the last line is `N passed, N failed`
    Test,
    /// Run the end-to-end scenarios alone
    E2e {
        /// Browser of the people in the scenarios
        #[arg(long, value_enum, default_value = "chromium")]
        browser: e2e::Choice,
        /// Three servers of one chat in the place of one: browsers go to them in turn
        #[arg(long, conflicts_with = "browser")]
        cluster: bool,
        /// Parts of the scenarios' names, such as `tabs::`; without them all are run, in Firefox those that it is tested with
        names: Vec<String>,
    },
    /// Serve the application; rebuild and reload it on change
    Dev,
    /// Build the optimised page into dist/
    Page,
    /// Print the compressed size of the page
    Size {
        /// Print the size of each crate's code instead
        #[arg(long)]
        by_crate: bool,
    },
    /// Build the server with its page into one file that needs nothing beside it
    Dist,
    /// Generate proto/src/generated from the .proto files
    Codegen,
    /// Run the public conformance suite, which Go installs
    Conformance {
        /// Part of the suite
        #[arg(default_value = "all", value_parser = clap::builder::PossibleValuesParser::new(conformance::words()))]
        part: String,
        /// Transport in the browser; only `fetch` has to pass
        #[arg(long, value_enum, default_value = "fetch")]
        transport: conformance::Transport,
        /// Flags of the suite's runner, such as `--run 'Errors/**' --trace`
        #[arg(last = true)]
        flags: Vec<String>,
    },
    /// Kill, starve and attack the real server while many send and read, and check that nothing is lost
    Chaos {
        /// Flags of the program: `-- --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<String>,
    },
    /// Kill and freeze three servers of one chat and their three servers of NATS while many send and read, and check that nothing is lost
    ClusterTest {
        /// Flags of the program, such as `--minutes 10 --seed 7`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<String>,
    },
    /// Measure, each figure against a peer in the same run
    Bench {
        #[command(subcommand)]
        what: bench::Bench,
    },
    /// Take pictures of the pages in every width, theme and language
    Shots {
        /// Folder for the pictures
        folder: String,
    },
    /// Check format, lints, documentation, licences and packages, and run every test
    Ci,
    /// Build every application in examples/, and run the command that it names for checks
    Examples,
    /// Test our sockets beside those of grpc-webnext, whose server `protoc` is needed for
    Webnext,
    /// Check the limits of the house style, and print lengths of functions and files
    House,
    /// Run wasm tests in a browser; the runner in .cargo/config.toml
    #[command(hide = true)]
    BrowserTest {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// End the children of a killed xtask
    #[command(hide = true)]
    Reap,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.verbose {
        step::be_verbose();
    }
    match carry_out(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if command::interrupted() => {
            eprintln!("\nstopped");
            ExitCode::from(command::EXIT_INTERRUPTED)
        }
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> Result<()> {
    match command {
        Command::Run { open, flags } => run::run(open, flags),
        Command::Test => test::run(),
        Command::E2e { browser, cluster, names } => e2e::run(browser, cluster, &names),
        Command::Dev => dev::run(),
        Command::Page => page::run(),
        Command::Size { by_crate: false } => page::size(),
        Command::Size { by_crate: true } => page::size_by_crate(),
        Command::Dist => dist::run(),
        Command::Codegen => generate(),
        Command::Conformance { part, transport, flags } => conformance::run(&part, transport, &flags),
        Command::Chaos { flags } => chaos::run(&flags),
        Command::ClusterTest { flags } => chaos::cluster(&flags),
        Command::Bench { what } => bench::run(what),
        Command::Shots { folder } => test::shots(&folder),
        Command::Ci => ci::run(),
        Command::Examples => examples::run(),
        Command::Webnext => webnext::run(),
        Command::House => house::run(),
        Command::BrowserTest { arguments } => test::browser::run(&arguments),
        Command::Reap => {
            command::reap();
            Ok(())
        }
    }
}

#[cfg(feature = "codegen")]
fn generate() -> Result<()> {
    codegen::run(&root())
}

/// Starts this program again, built with the compiler of the contracts.
#[cfg(not(feature = "codegen"))]
fn generate() -> Result<()> {
    command::cargo(["run", "--quiet", "--package", "xtask", "--features", "codegen", "--", "codegen"]).run()
}

/// The root of the checkout that the current folder is in.
fn root() -> PathBuf {
    match harness::checkout::root() {
        Ok(root) => root,
        Err(error) => panic!("{error:#}"),
    }
}

/// The folder of build results.
fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The manifests of the packages that stand side by side in a folder.
fn manifests(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry?.path().join("Cargo.toml"));
    }
    found.retain(|manifest| manifest.is_file());
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_other_programs_are_passed_on() {
        let cli = Cli::parse_from(["cargo xtask", "chaos", "--minutes", "3", "--only", "kill"]);
        let Command::Chaos { flags } = cli.command else { panic!("{cli:?}") };
        assert_eq!(flags, ["--minutes", "3", "--only", "kill"]);
        let cli = Cli::parse_from(["cargo xtask", "run", "--open", "--", "--listen", "127.0.0.1:0"]);
        let Command::Run { open, flags } = cli.command else { panic!("{cli:?}") };
        assert!(open);
        assert_eq!(flags, ["--listen", "127.0.0.1:0"]);
    }
}
