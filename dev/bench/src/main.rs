//! Measured comparisons, each a ratio against a peer or a limit in the same run.
//!
//! `cargo xtask bench` builds and runs it. Client and server share the machine, so only ratios mean something. Linux
//! only: CPU time and memory are read from `/proc`.
#![expect(clippy::print_stdout, reason = "the report is what this program is for")]

mod catch_up;
mod channel;
mod cluster;
mod fan_out;
mod gateway;
mod grpcwebproxy;
mod page;
mod people;
mod process;
mod report;
mod sends;
mod shared_connections;
mod tls;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};

/// Rounds of each comparison. The report has the median and the range.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["chat", options @ ..] => chat(ChatOptions::parse_from(options)).await,
        ["channel", options @ ..] => channel::run(channel::Options::parse_from(options)).await,
        ["page", options @ ..] => page::run(page::Options::parse_from(options)).await,
        ["gateway", options @ ..] => gateway::run(gateway::Options::parse_from(options)).await,
        ["fan-out", options @ ..] => fan_out::run(fan_out::Options::parse_from(options)).await,
        ["cluster", options @ ..] => cluster::run(options).await,
        // The comparison of fan-outs starts this program again.
        ["write-server"] => fan_out::write_server(),
        // The comparison of gateways starts this program again.
        ["greeter"] => gateway::serve().await,
        // The comparison with bare HTTP/2 starts this program again.
        ["bare-server", message_bytes, per_second, count] => {
            shared_connections::bare_server(message_bytes.parse()?, per_second.parse()?, count.parse()?).await
        }
        // The measurement of a server starts this program again.
        ["channel-server"] => channel::serve_alone().await,
        _ => bail!(
            "usage: bench chat, bench channel PAGES, bench gateway, bench fan-out, bench cluster, or bench page"
        ),
    }
}

/// Measure the chat's server
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct ChatOptions {
    /// Cases to measure, instead of all
    #[arg(long = "case", value_enum, value_delimiter = ',')]
    cases: Vec<ChatCase>,
}

/// The cases of [`chat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ChatCase {
    /// Durable sends beside SayHello
    Sends,
    /// Subscribers on shared connections beside bare HTTP/2
    SharedConnections,
    /// Missed events beside reading their rows
    CatchUp,
}

async fn chat(options: ChatOptions) -> Result<()> {
    println!("{}\n", process::machine());
    let mut table = report::Table::new();
    let measures = |case| options.cases.is_empty() || options.cases.contains(&case);
    if measures(ChatCase::Sends) {
        sends::run(&mut table).await?;
    }
    if measures(ChatCase::SharedConnections) {
        shared_connections::run(&mut table).await?;
    }
    if measures(ChatCase::CatchUp) {
        catch_up::run(&mut table).await?;
    }
    println!("{table}");
    Ok(())
}
