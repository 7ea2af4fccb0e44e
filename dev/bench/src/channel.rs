//! Clients in a real browser: tonic-web-channel, others, and bare `fetch`, in turn against one server.
//!
//! Each client keeps its own browser, so that all are warm in the measured rounds. The order within a round rotates from
//! round to round. Peak memory is measured separately, in fresh browsers.

mod addresses;
mod case;
mod client;
mod page;
mod paired;
mod processes;
mod raw_socket;
mod relay;
mod rounds;
mod server;
mod serving;
mod table;
mod versions;
mod weight;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use harness::Chromium;

use self::case::{Case, Distance};
use self::client::Client;
use self::page::Page;
use self::rounds::{Figure, Measurement};
use self::server::Server;
pub(crate) use self::server::serve_alone;
use crate::{ROUNDS, process};

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
    /// Only at these distances between page and server.
    #[arg(long = "distance", value_enum, value_delimiter = ',')]
    distances: Vec<Distance>,
    /// Measure only times against `fetch`, in paired batches in one page, which resolve a few percent.
    #[arg(long)]
    paired: bool,
    /// Only serve the pages, for a profiler, and print the address
    #[arg(long)]
    serve: bool,
    /// The program `grpcwebproxy`, the server of two peers. Without it they are left out.
    #[arg(long, env = "GRPCWEBPROXY")]
    proxy: Option<PathBuf>,
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

    fn distances(&self) -> Vec<Distance> {
        chosen(&self.distances)
    }
}

/// The chosen values, or all.
fn chosen<T: clap::ValueEnum + PartialEq>(these: &[T]) -> Vec<T> {
    let is_chosen = |one: &&T| these.is_empty() || these.contains(one);
    T::value_variants().iter().filter(is_chosen).map(T::clone).collect()
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
    let server = Server::start(&options.pages, options.proxy.as_deref()).await?;
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
    let mut measurement = Measurement::default();
    for distance in options.distances() {
        measurement.add(&options, &server, distance).await?;
    }
    let peaks = match options.cases().contains(&Case::Large) {
        true => peaks(&options, &server, &measurement).await?,
        false => Peaks::new(),
    };
    let weights = match options.cases().contains(&Case::Weight) {
        true => weight::of_pages(&options.pages)?,
        false => BTreeMap::new(),
    };
    let serving = match options.cases().contains(&Case::Serving) {
        true => Some(serving::measured(options.rounds).await?),
        false => None,
    };
    println!("{}", process::machine());
    println!("{}\n", versions::all(&options.chrome)?);
    println!("{}", table::measured(&options, &measurement));
    println!("{}", table::memory_and_weight(&peaks, &weights));
    if let Some(serving) = serving {
        println!("{}:\n\n{serving}", Case::Serving.title(Distance::Near));
    }
    println!("{}", table::goals(&measurement.times, &peaks, &weights));
    Ok(())
}

fn open(options: &Options, page: &Page) -> Result<Chromium> {
    Chromium::start(&options.chrome, &[], &page.url(), None)
}

/// Peak memory of the page's process while it reads the large messages, above its memory before.
async fn peaks(options: &Options, server: &Server, measurement: &Measurement) -> Result<Peaks> {
    let mut peaks = Peaks::new();
    for round in 0..MEMORY_ROUNDS.min(options.rounds) {
        for client in options.clients() {
            let figure = Figure { distance: Distance::Near, case: Case::Large, client };
            let is_left_out = measurement.notes.contains_key(&figure)
                || measurement.times.get(&figure).is_some_and(|times| round > 0 && times.are_slow());
            let Some(mut page) = server.page(client, Distance::Near).filter(|_| !is_left_out) else {
                continue;
            };
            let browser = open(options, &page)?;
            let module = page.ready().await?;
            let before = processes::Renderers::of(browser.id()?)?;
            let after = figure.measure(&mut page).await?.memory;
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
