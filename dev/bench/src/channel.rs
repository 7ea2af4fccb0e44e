//! Clients in a real browser: tonic-web-channel, others, and bare `fetch`, in turn against one server.
//!
//! Each client keeps its own browser, so that all are warm in the measured rounds. The order within a round rotates from
//! round to round. Peak memory is measured separately, in fresh browsers.

mod case;
mod page;
mod paired;
mod processes;
mod server;
mod table;
mod versions;
mod weight;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use harness::Chromium;

use self::case::{Case, Client};
use self::page::{Measured, Page};
use self::server::Server;
use crate::{ROUNDS, process};

/// A client that takes longer for a job, milliseconds, does it once.
const SLOW: f64 = 10_000.0;

/// Rounds of the memory measurement.
const MEMORY_ROUNDS: usize = 3;

#[derive(Debug, Parser)]
#[command(name = "bench channel", no_binary_name = true)]
pub(crate) struct Options {
    /// The folder that `cargo xtask bench channel` builds the pages into.
    pages: PathBuf,
    /// Number of measured rounds. One more runs first, to warm up.
    #[arg(long, default_value_t = ROUNDS, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100))]
    rounds: usize,
    /// Only these clients.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Client>,
    /// Only these cases.
    #[arg(long = "case", value_enum, value_delimiter = ',')]
    cases: Vec<Case>,
    /// Measure only times against `fetch`, in paired batches in one page, which resolve a few percent.
    #[arg(long)]
    paired: bool,
    /// Only serve the pages, for a profiler, and print the address
    #[arg(long)]
    serve: bool,
    /// The browser.
    #[arg(long, env = "CHROME", default_value = "chromium")]
    chrome: PathBuf,
}

impl Options {
    fn clients(&self) -> Vec<Client> {
        chosen(&self.only)
    }

    fn cases(&self) -> Vec<Case> {
        chosen(&self.cases)
    }
}

/// The chosen values, or all.
fn chosen<T: clap::ValueEnum + PartialEq>(these: &[T]) -> Vec<T> {
    let is_chosen = |one: &&T| these.is_empty() || these.contains(one);
    T::value_variants().iter().filter(is_chosen).map(T::clone).collect()
}

/// Times by case and client.
type Times = BTreeMap<(Case, Client), Rounds>;

/// In the order of the rounds.
#[derive(Debug, Default)]
struct Rounds {
    /// Milliseconds by the page's clock.
    clock: Vec<f64>,
    /// Milliseconds of CPU time of all of the browser's processes. Unlike the clock, it does not depend on the machine's
    /// load.
    cpu: Vec<f64>,
}

impl Rounds {
    /// Whether one round is enough.
    fn are_slow(&self) -> bool {
        self.clock.iter().any(|milliseconds| *milliseconds > SLOW)
    }
}

/// By client.
type Peaks = BTreeMap<Client, Memory>;

/// Growth of memory by the large messages, bytes, in the order of the rounds.
#[derive(Debug, Default)]
struct Memory {
    /// Peak of the page's process, which includes chunks that JavaScript has not collected yet.
    process: Vec<f64>,
    /// Memory of the WebAssembly module, which belongs to the client alone. Empty without a module.
    module: Vec<f64>,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let server = Server::start(&options.pages).await?;
    if options.serve {
        println!("listening on {}", server.url());
        let until_it_is_ended: () = std::future::pending().await;
        return Ok(until_it_is_ended);
    }
    if options.paired {
        let table = paired::measured(&options, &server).await?;
        println!("{}\n{}\n\n{table}", process::machine(), versions::all(&options.chrome)?);
        return Ok(());
    }
    let times = times(&options, &server).await?;
    let peaks = match options.cases().contains(&Case::Large) {
        true => peaks(&options, &server, &times).await?,
        false => Peaks::new(),
    };
    let weights = match options.cases().contains(&Case::Weight) {
        true => weight::of_pages(&options.pages.join("one_call"))?,
        false => BTreeMap::new(),
    };
    println!("{}", process::machine());
    println!("{}\n", versions::all(&options.chrome)?);
    println!("{}", table::measured(&options, &times));
    println!("{}", table::memory_and_weight(&peaks, &weights));
    println!("{}", table::goals(&times, &peaks, &weights));
    Ok(())
}

fn open(options: &Options, page: &Page) -> Result<Chromium> {
    Chromium::start(&options.chrome, &[], &page.url(), None)
}

async fn times(options: &Options, server: &Server) -> Result<Times> {
    let mut pages = Vec::new();
    for client in options.clients() {
        let page = server.page(client);
        let browser = open(options, &page)?;
        pages.push((page, browser));
    }
    for (page, _) in &mut pages {
        page.ready().await?;
    }
    let mut times = Times::new();
    for case in options.cases().into_iter().filter(|case| case.job().is_some()) {
        for round in 0..=options.rounds {
            for index in 0..pages.len() {
                let index = (index + round) % pages.len();
                let (page, browser) = &mut pages[index];
                if !page.client.can(case) {
                    continue;
                }
                take_turn(page, browser, case, round, &mut times).await?;
            }
        }
    }
    for (_, browser) in pages {
        browser.end().await?;
    }
    Ok(times)
}

/// Round 0 is there to warm up.
async fn take_turn(
    page: &mut Page,
    browser: &Chromium,
    case: Case,
    round: usize,
    times: &mut Times,
) -> Result<()> {
    let own = times.entry((case, page.client)).or_default();
    if own.are_slow() {
        return Ok(());
    }
    let before = processes::cpu(browser.id()?)?;
    let clock = measure(page, case).await?.milliseconds;
    let cpu = (processes::cpu(browser.id()?)?.saturating_sub(before)).as_secs_f64() * 1_000.0;
    let warms_up = round == 0 && clock <= SLOW;
    let note = if warms_up { " (to warm up)" } else { "" };
    eprintln!("{} {}: {clock:.1} ms, CPU {cpu:.0} ms{note}", case.letter(), page.client.name());
    if !warms_up {
        own.clock.push(clock);
        own.cpu.push(cpu);
    }
    Ok(())
}

/// Does the job of a case once; an error when messages are missing.
async fn measure(page: &mut Page, case: Case) -> Result<Measured> {
    let Some(job) = case.job() else { anyhow::bail!("{} is not measured by the clock", case.letter()) };
    let measured = page.run(job).await?;
    case.check(page.client, &measured)?;
    Ok(measured)
}

/// Peak memory of the page's process while it reads the large messages, above its memory before.
async fn peaks(options: &Options, server: &Server, times: &Times) -> Result<Peaks> {
    let mut peaks = Peaks::new();
    for round in 0..MEMORY_ROUNDS.min(options.rounds) {
        for client in options.clients() {
            let times = times.get(&(Case::Large, client));
            if round > 0 && times.is_some_and(Rounds::are_slow) {
                continue;
            }
            let mut page = server.page(client);
            let browser = open(options, &page)?;
            let module = page.ready().await?;
            let before = processes::Renderers::of(browser.id()?)?;
            let after = measure(&mut page, Case::Large).await?.memory;
            let peak = before.peak_since()?;
            eprintln!("memory {}: {:.1} MB", client.name(), peak / 1e6);
            let memory = peaks.entry(client).or_default();
            memory.process.push(peak);
            memory.module.extend(module.zip(after).map(|(before, after)| (after - before) as f64));
            browser.end().await?;
        }
    }
    Ok(peaks)
}
