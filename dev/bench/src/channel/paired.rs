//! Clients in pairs with bare `fetch`: short batches of both in turns, in one page.
//!
//! Browsers differ from each other by several percent, and so do rounds that lie seconds apart. Batches of milliseconds
//! in the same page see the same machine, so their ratios resolve a few percent.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};

use super::case::{Case, Distance};
use super::client::{Client, Served};
use super::server::Server;
use super::{Options, open};
use crate::report::Samples;

/// Pairs of batches in one page, besides those that warm up.
const PAIRS: u32 = 60;

/// Measures each client in `--rounds` pages, and returns the table.
pub(crate) async fn measured(options: &Options, server: &Server) -> Result<String> {
    let mut table =
        String::from("| case | client | time / fetch: median | 25 % to 75 % |\n|---|---|---|---|\n");
    for client in options.clients().into_iter().filter(can_be_paired) {
        let mut pages = Vec::new();
        for _ in 0..options.rounds {
            pages.push(page(options, server, client).await?);
        }
        for case in options.cases().into_iter().filter(|case| case.batch(PAIRS).is_some()) {
            let ratios = pages.iter().flatten().filter(|(measured, _)| *measured == case);
            let ratios = Samples::new(ratios.flat_map(|(_, ratios)| ratios.iter().copied()).collect());
            let spread = (ratios.quantile(0.25), ratios.quantile(0.75));
            let median = ratios.median();
            // Cannot fail.
            writeln!(
                table,
                "| {} | {} | {median:.3} | {:.3} to {:.3} |",
                case.letter(),
                client.name(),
                spread.0,
                spread.1
            )?;
        }
    }
    Ok(table)
}

/// Whether it calls the same server as `fetch`.
fn can_be_paired(client: &Client) -> bool {
    *client != Client::Fetch && client.served() == Served::Page
}

/// The ratios of each case in one page.
async fn page(options: &Options, server: &Server, client: Client) -> Result<Vec<(Case, Vec<f64>)>> {
    let page = server.page(client, Distance::Near);
    let mut page = page.with_context(|| format!("{} has no server", client.name()))?;
    let browser = open(options, &page)?;
    page.ready().await?;
    let mut cases = Vec::new();
    for case in options.cases() {
        let Some(job) = case.batch(PAIRS) else { continue };
        let ratios = page.run(job).await?.ratios.unwrap_or_default();
        ensure!(ratios.len() == PAIRS as usize, "{}: {} ratios came", client.name(), ratios.len());
        eprintln!("{} {}: {:.3}", case.letter(), client.name(), Samples::new(ratios.clone()).median());
        cases.push((case, ratios));
    }
    drop(browser);
    Ok(cases)
}
