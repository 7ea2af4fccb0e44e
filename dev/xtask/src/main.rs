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
mod dev;
mod page;
mod run;
mod server;
mod size;
mod step;
mod test;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

const HELP: &str = "\
cargo xtask <command>

  run [--open] [-- FLAGS]  install what is missing, build the page, start the server and print its
                           address; --open opens the browser, FLAGS go to the server
  test                     set up and run every test; ends with `N passed, N failed`
  dev                      server and page, built again and reloaded on change
  page                     build the optimised page into dist/, and nothing else
  size [--by-crate]        what the page weighs, compressed; or what each crate adds to its code
  codegen                  make proto/src/generated from the .proto files
  conformance [WHAT]       the public conformance suite, which Go installs; WHAT is client-core, client,
                           server, server-max, both, native or all; `--transport tonic-web-wasm-client`
                           measures the other transport, `-- FLAGS` go to the suite (--run, --trace)
  chaos [FLAGS]            kills, stops, starves and attacks the real server while many send and read, and checks
                           that nothing is lost; --minutes N, --seed S to repeat a run, --messages N and
                           --kills N to go on until there were so many, --only and --without KINDS
  bench chat               measured comparisons of the chat
  bench channel [FLAGS]    our channel against other clients in a browser; --rounds N, --case a,b,
                           --only ours,fetch for less than all of it
  shots DIR                pictures of the pages in every width, theme and language
  ci                       format, lints, documentation, licences, and every test

Tools that are not on PATH in the right version are installed into a cache that all clones share;
CHINWAG_TOOLS names another folder for it. CHROME and CHROMEDRIVER name another browser.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{HELP}");
            Ok(())
        }
        ["run", rest @ ..] => run::run(rest),
        ["test"] => test::run(),
        ["dev"] => dev::run(),
        ["page"] => page::run(),
        ["size"] => size::run(),
        ["size", "--by-crate"] => size::by_crate(),
        ["codegen"] => generate(),
        ["conformance", rest @ ..] => conformance::run(rest),
        ["chaos", rest @ ..] => chaos::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["browser-test", rest @ ..] => test::browser::run(rest),
        ["shots", dir] => test::shots(dir),
        ["ci"] => ci::run(),
        other => {
            eprintln!("no such command: cargo xtask {}\n\n{HELP}", other.join(" "));
            return ExitCode::from(2);
        }
    };
    match result {
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

#[cfg(feature = "codegen")]
fn generate() -> Result<()> {
    codegen::run(&root())
}

/// Starts this program again, built with the compiler of the contracts.
#[cfg(not(feature = "codegen"))]
fn generate() -> Result<()> {
    command::cargo(["run", "--quiet", "--package", "xtask", "--features", "codegen", "--", "codegen"]).run()
}

/// The root of the checkout that the current folder is in. It is looked for at run time, so that a checkout can be renamed
/// without building this program again.
fn root() -> PathBuf {
    let current = std::env::current_dir().expect("the current folder can be read");
    let mut folders = current.ancestors();
    match folders.find(|folder| folder.join("dev/xtask/Cargo.toml").is_file()) {
        Some(root) => root.to_owned(),
        None => panic!("{} is not in a checkout of Chinwag", current.display()),
    }
}
