//! `cargo xtask conformance`: the public ConnectRPC conformance suite against our channel in a browser and
//! against our edge. Every case runs, and none may fail.

mod outcome;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use self::outcome::Outcome;
use crate::browser::Browser;
use crate::command::{Program, cargo, program};
use crate::root;
use crate::server::target;
use crate::step::{Steps, note, show};
use crate::tools::{Suite, wasm_bindgen, wasm_target};

/// What can be run, in the order of `all`.
pub(crate) const RUNS: [Run; 6] = [
    Run { word: "client-core", name: "browser-client-core", mode: Mode::Client, cases: 342 },
    Run { word: "client", name: "browser-client", mode: Mode::Client, cases: 830 },
    Run { word: "server", name: "server", mode: Mode::Server, cases: 1304 },
    Run { word: "server-max", name: "server-max", mode: Mode::Server, cases: 2332 },
    Run { word: "both", name: "both", mode: Mode::Both, cases: 408 },
    Run { word: "native", name: "native-client", mode: Mode::Native, cases: 409 },
];

/// One configuration of the suite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// On the command line.
    word: &'static str,
    /// Its file is `conformance/<name>.yaml`.
    pub(crate) name: &'static str,
    mode: Mode,
    /// How many cases it has at our version of the suite. Fewer would mean that something was left out.
    cases: usize,
}

/// Whose programs are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Our client, against the suite's servers.
    Client,
    /// Our server, against the suite's clients.
    Server,
    /// Our client against our server.
    Both,
    /// Our client without a browser, against the suite's servers.
    Native,
}

/// What carries the browser's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Our own.
    Fetch,
    /// `tonic-web-wasm-client`, which is measured and not held to anything.
    WasmClient,
}

/// The words that come after `cargo xtask conformance`. Those after `--` go to the suite's runner, to look at
/// some cases: `-- --run 'Errors/**' --trace`.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let at = arguments.iter().position(|word| *word == "--");
    let (arguments, flags) = arguments.split_at(at.unwrap_or(arguments.len()));
    let flags = flags.get(1..).unwrap_or_default();
    let (words, transport) = match arguments {
        [words @ .., "--transport", "fetch"] => (words, Transport::Fetch),
        [words @ .., "--transport", "tonic-web-wasm-client"] => (words, Transport::WasmClient),
        words => (words, Transport::Fetch),
    };
    let runs: Vec<Run> = match words {
        [] | ["all"] => RUNS.to_vec(),
        [word] => RUNS.into_iter().filter(|run| run.word == *word).collect(),
        _ => Vec::new(),
    };
    let known: Vec<_> = RUNS.iter().map(|run| run.word).collect();
    ensure!(!runs.is_empty(), "`cargo xtask conformance` knows all, {}", known.join(", "));

    let mut steps = Steps::new(3);
    let (suite, browser) =
        steps.step("The suite, tools and browser", || Ok((Suite::set_up()?, browser(&runs)?)))?;
    let programs = steps.step("Client and server", || {
        suite.contracts(cargo(["build", "--package", "conformance"])).run()?;
        Programs::build(&suite, browser, transport)
    })?;
    steps.step("Conformance", || {
        let mut bad = Vec::new();
        for run in runs {
            let result = match flags {
                [] => programs.run(run),
                flags => programs.program(run, flags)?.run(),
            };
            if let Err(error) = result {
                println!("      {}: {error:#}", run.name);
                bad.push(run.name);
            }
        }
        ensure!(bad.is_empty(), "not conformant: {}", bad.join(", "));
        Ok(())
    })
}

/// Where one of `runs` needs it.
fn browser(runs: &[Run]) -> Result<Option<String>> {
    let any = runs.iter().any(|run| matches!(run.mode, Mode::Client | Mode::Both));
    any.then(|| Ok(Browser::set_up()?.chrome)).transpose()
}

/// The suite, and our programs that it starts.
#[derive(Debug)]
pub(crate) struct Programs {
    runner: PathBuf,
    /// The browser and the folder with the page that it opens.
    page: Option<(String, PathBuf)>,
    transport: Transport,
}

impl Programs {
    /// With the page for `transport`, when there is a browser to show it. The host's programs are there.
    pub(crate) fn build(suite: &Suite, browser: Option<String>, transport: Transport) -> Result<Self> {
        let page = match browser {
            Some(browser) => Some((browser, page(suite, transport)?)),
            None => None,
        };
        Ok(Self { runner: suite.runner.clone(), page, transport })
    }

    /// Runs every case of `run`: an error when one fails, or when there are not as many as there should be.
    pub(crate) fn run(&self, run: Run) -> Result<()> {
        let heard = Arc::new(Mutex::new(Outcome::default()));
        let listener = Arc::clone(&heard);
        let started = Instant::now();
        let (mut running, reader) = self.program(run, &[])?.start_reading_all(move |line| {
            listener.lock().unwrap_or_else(PoisonError::into_inner).line(line);
        })?;
        let good = running.wait()?;
        // It only ends by the end of the output.
        reader.join().ok();
        let outcome = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        let (passed, took) = (outcome.passed, show(started.elapsed()));
        note(&format!("{}: {passed} of {} passed in {took}", run.name, run.cases));
        self.judge(run, &outcome, good)
    }

    fn judge(&self, run: Run, outcome: &Outcome, good: bool) -> Result<()> {
        if !good {
            outcome.other.iter().for_each(|line| note(line));
        }
        let measured = self.transport == Transport::WasmClient && run.mode == Mode::Client;
        if measured {
            outcome.by_cause().iter().for_each(|line| note(line));
        } else {
            for failure in &outcome.failures {
                note(&format!("FAILED {}", failure.name));
                failure.message.iter().for_each(|line| note(&format!("    {line}")));
            }
        }
        ensure!(outcome.total == run.cases, "{} cases ran, not {}", outcome.total, run.cases);
        ensure!(measured || good && outcome.passed == run.cases, "{} cases failed", outcome.failures.len());
        Ok(())
    }

    fn program(&self, run: Run, flags: &[&str]) -> Result<Program> {
        let client = || {
            let (_, page) = self.page.as_ref().context("there is no browser")?;
            Ok::<_, anyhow::Error>([built("conformance-client"), page.clone()])
        };
        let server = || [built("conformance-server")];
        let (mode, programs): (_, Vec<PathBuf>) = match run.mode {
            Mode::Client => ("client", client()?.into()),
            Mode::Server => ("server", server().into()),
            Mode::Both => ("both", client()?.into_iter().chain(["----".into()]).chain(server()).collect()),
            Mode::Native => ("client", vec![built("conformance-native-client")]),
        };
        let config = root().join(format!("dev/conformance/{}.yaml", run.name));
        let chosen = ["--conf".as_ref(), config.as_os_str(), "--mode".as_ref(), mode.as_ref()];
        let program = program(&self.runner, chosen).arguments(flags).arguments(["--"]).arguments(programs);
        Ok(match &self.page {
            Some((browser, _)) => program.env("CHROME", browser),
            None => program,
        })
    }
}

/// Builds the page's program, and gives back the folder that it is in.
fn page(suite: &Suite, transport: Transport) -> Result<PathBuf> {
    wasm_target()?;
    let wasm_bindgen = wasm_bindgen()?;
    let (name, feature) = match transport {
        Transport::Fetch => ("fetch", None),
        Transport::WasmClient => ("tonic-web-wasm-client", Some("tonic-web-wasm-client")),
    };
    let words = "build --target wasm32-unknown-unknown --package conformance --bin conformance-page";
    let features = feature.into_iter().flat_map(|feature| ["--features", feature]);
    suite.contracts(cargo(words.split(' ').chain(features))).run()?;

    let folder = target().join("conformance").join(name);
    let wasm = target().join("wasm32-unknown-unknown/debug/conformance-page.wasm");
    let flags = ["--target", "web", "--no-typescript", "--out-dir"];
    let files = [folder.as_os_str(), wasm.as_os_str()];
    let name = Path::new("wasm-bindgen");
    let program_path = wasm_bindgen.map_or_else(|| name.to_owned(), |folder| folder.join(name));
    program(program_path, flags).arguments(files).quiet()?;
    Ok(folder)
}

/// Where cargo puts `name`.
fn built(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
