//! `cargo xtask conformance`: the public ConnectRPC conformance suite against tonic-web-channel in a browser and against
//! tonic-serve. Every case runs, and none may fail.

mod outcome;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use self::outcome::Outcome;
use crate::browser::Browser;
use crate::command::{Program, cargo, program};
use crate::root;
use crate::step::{Steps, log, say, show};
use crate::target;
use crate::tools::{Suite, wasm_bindgen_program, wasm_target};

/// The parts of the suite, in the order of `all`.
pub(crate) const RUNS: [Run; 10] = [
    Run { word: "client-core", name: "browser-client-core", mode: Mode::Client, cases: 342 },
    Run { word: "client", name: "browser-client", mode: Mode::Client, cases: 830 },
    Run { word: "server", name: "server", mode: Mode::Server, cases: 1304 },
    Run { word: "server-max", name: "server-max", mode: Mode::Server, cases: 2332 },
    Run { word: "gateway", name: "gateway", mode: Mode::Gateway, cases: 1304 },
    Run { word: "both", name: "both", mode: Mode::Both, cases: 408 },
    Run { word: "socket", name: "browser-socket", mode: Mode::Client, cases: 409 },
    Run { word: "both-socket", name: "both-socket", mode: Mode::BothDirect, cases: 152 },
    Run { word: "gateway-socket", name: "gateway-socket", mode: Mode::GatewayDirect, cases: 152 },
    Run { word: "native", name: "native-client", mode: Mode::Native, cases: 409 },
];

/// One configuration of the suite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Its name on the command line.
    word: &'static str,
    /// Its file is `conformance/<name>.yaml`.
    pub(crate) name: &'static str,
    mode: Mode,
    /// Number of its cases in this version of the suite. Fewer would mean that some were left out.
    cases: usize,
}

/// The programs under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Our client, against the suite's servers.
    Client,
    /// Our server, against the suite's clients.
    Server,
    /// Our gateway to the suite's server for gRPC, against the suite's clients.
    Gateway,
    /// Our client against our server.
    Both,
    /// Our client against our server, by a socket between them.
    BothDirect,
    /// Our client and our gateway, by a socket between them, to the suite's server for gRPC.
    GatewayDirect,
    /// Our client without a browser, against the suite's servers.
    Native,
}

/// The transport of the channel in the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// The channel's own
    Fetch,
    /// The crate of that name, whose cases are only counted
    #[value(name = "tonic-web-wasm-client")]
    WasmClient,
}

/// The parts of the suite on the command line.
pub(crate) fn words() -> Vec<&'static str> {
    ["all"].into_iter().chain(RUNS.iter().map(|run| run.word)).collect()
}

/// Runs a part of the suite. With flags for the suite's runner, only its own verdict counts.
pub(crate) fn run(part: &str, transport: Transport, flags: &[String]) -> Result<()> {
    let runs: Vec<Run> = RUNS.into_iter().filter(|run| part == "all" || run.word == part).collect();
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
                flags => programs.program(run, flags)?.run_visibly(),
            };
            if let Err(error) = result {
                say(&format!("{}: {error:#}", run.name));
                bad.push(run.name);
            }
        }
        ensure!(bad.is_empty(), "not conformant: {}", bad.join(", "));
        Ok(())
    })
}

/// The browser, when one of `runs` needs it.
fn browser(runs: &[Run]) -> Result<Option<PathBuf>> {
    let any = runs.iter().any(|run| !matches!(run.mode, Mode::Server | Mode::Gateway | Mode::Native));
    any.then(|| Ok(Browser::set_up()?.chrome)).transpose()
}

/// The suite's runner, and the programs under test.
#[derive(Debug)]
pub(crate) struct Programs {
    runner: PathBuf,
    /// The suite's server for gRPC.
    server: PathBuf,
    /// The browser and the folder with the page that it opens.
    page: Option<(PathBuf, PathBuf)>,
    transport: Transport,
}

impl Programs {
    /// Builds the page for `transport`, when there is a browser. The programs of the host must be built already.
    pub(crate) fn build(suite: &Suite, browser: Option<PathBuf>, transport: Transport) -> Result<Self> {
        let page = match browser {
            Some(browser) => Some((browser, page(suite, transport)?)),
            None => None,
        };
        Ok(Self { runner: suite.runner.clone(), server: suite.server.clone(), page, transport })
    }

    /// Runs every case of `run`: an error when one fails, or when there are not as many as there should be.
    pub(crate) fn run(&self, run: Run) -> Result<()> {
        let shared = Arc::new(Mutex::new(Outcome::default()));
        let outcome = Arc::clone(&shared);
        let started = Instant::now();
        let (mut child, reader) = self.program(run, &[])?.start_reading_all(move |line| {
            log(line);
            outcome.lock().unwrap_or_else(PoisonError::into_inner).line(line);
        })?;
        let succeeded = child.wait()?;
        // It ends with the output.
        reader.join().ok();
        let outcome = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
        let (passed, took) = (outcome.passed, show(started.elapsed()));
        say(&format!("{}: {passed} of {} passed in {took}", run.name, run.cases));
        self.judge(run, &outcome, succeeded)
    }

    fn judge(&self, run: Run, outcome: &Outcome, succeeded: bool) -> Result<()> {
        if !succeeded {
            outcome.other.iter().for_each(|line| say(line));
        }
        let measured = self.transport == Transport::WasmClient && run.mode == Mode::Client;
        if measured {
            outcome.by_cause().iter().for_each(|line| say(line));
        } else {
            for failure in &outcome.failures {
                say(&format!("FAILED {}", failure.name));
                failure.message.iter().for_each(|line| say(&format!("    {line}")));
            }
        }
        ensure!(outcome.total == run.cases, "{} cases ran, not {}", outcome.total, run.cases);
        ensure!(
            measured || succeeded && outcome.passed == run.cases,
            "{} cases failed",
            outcome.failures.len()
        );
        Ok(())
    }

    fn program(&self, run: Run, flags: &[String]) -> Result<Program> {
        let client = || {
            let (_, page) = self.page.as_ref().context("there is no browser")?;
            Ok::<_, anyhow::Error>([built("conformance-client"), page.clone()])
        };
        let server = || [built("conformance-server")];
        let (mode, programs): (_, Vec<PathBuf>) = match run.mode {
            Mode::Client => ("client", client()?.into()),
            Mode::Server => ("server", server().into()),
            Mode::Gateway => ("server", server().into_iter().chain([self.server.clone()]).collect()),
            Mode::Both => ("both", client()?.into_iter().chain(["----".into()]).chain(server()).collect()),
            Mode::BothDirect | Mode::GatewayDirect => {
                let client = client()?.into_iter().chain(["direct".into(), "----".into()]);
                let upstream = (run.mode == Mode::GatewayDirect).then(|| self.server.clone());
                ("both", client.chain(server()).chain(upstream).collect())
            }
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

/// Builds the page's program; returns its folder.
fn page(suite: &Suite, transport: Transport) -> Result<PathBuf> {
    wasm_target()?;
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
    program(wasm_bindgen_program("wasm-bindgen")?, flags).arguments(files).run()?;
    Ok(folder)
}

/// The program `name` in cargo's folder.
fn built(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
