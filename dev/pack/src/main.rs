//! Makes the page: its program split into parts and bundled with short names, one style sheet, and compressed files.
//!
//! `cargo xtask` runs it. It is a program of its own, so that xtask itself is built soon.
#![expect(clippy::print_stdout, reason = "the figures are what some commands are for")]

mod compress;
mod exports;
mod files;
mod merge;
mod module;
mod names;
mod order;
mod page;
mod panics;
mod program;
mod service_worker;
mod weigh;

use std::fs;
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
    /// Make the page
    Page {
        /// The page's index.html
        index: PathBuf,
        /// Its program, as cargo built it, with `--emit-relocs` and names
        program: PathBuf,
        /// The folder to make
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
        Command::Page { index, program, dist, tools } => page::pack(&index, &program, &dist, &tools),
        Command::Module { entry, glue, wasm, script, tools } => {
            fs::write(&wasm, panics::without_texts(&fs::read(&wasm)?)?)?;
            tools.pack(&entry, &glue, &wasm, &[], &script)
        }
        Command::Size { dist } => page::print_sizes(&dist),
        Command::Weigh { wasm } => weigh::run(&fs::read(wasm)?),
    }
}
