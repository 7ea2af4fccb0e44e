//! Makes a built page smaller: one short-named script and module, one style sheet, and compressed files.
//!
//! `cargo xtask` runs it. It is a program of its own, so that xtask itself is built soon.
#![expect(clippy::print_stdout, reason = "the figures are what some commands are for")]

mod compress;
mod module;
mod names;
mod page;
mod weigh;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use self::module::Tools;

/// Make a built page smaller
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Pack the page that trunk has built
    Page {
        /// The folder with index.html
        dist: PathBuf,
        #[command(flatten)]
        tools: Tools,
    },
    /// Pack one module in place and bundle the script that loads it
    Module {
        /// A script that imports `the-module`
        entry: PathBuf,
        /// wasm-bindgen's script
        glue: PathBuf,
        /// wasm-bindgen's module
        wasm: PathBuf,
        /// The bundle
        script: PathBuf,
        #[command(flatten)]
        tools: Tools,
    },
    /// Print the size of each file of a packed page
    Size {
        /// The folder with index.html
        dist: PathBuf,
    },
    /// Print the size of each crate's code in a module with names
    Weigh {
        /// A module whose functions have mangled names
        wasm: PathBuf,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Page { dist, tools } => page::pack(&dist, &tools),
        Command::Module { entry, glue, wasm, script, tools } => tools.pack(&entry, &glue, &wasm, &script),
        Command::Size { dist } => page::print_sizes(&dist),
        Command::Weigh { wasm } => weigh::run(&std::fs::read(wasm)?),
    }
}
