//! The tables of the channel's report.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::case::{Case, Client, LARGE_BYTES};
use super::weight::Weight;
use super::{Memory, Options, Peaks, Times};
use crate::report::Samples;

/// The peers in the columns of ratios.
const PEERS: [Client; 3] = [Client::Fetch, Client::ConnectWeb, Client::TonicWebWasm];

/// Name of a goal, the measurement, and the condition.
type Goal = (&'static str, Option<Samples>, fn(f64) -> bool);

/// Times, and ratios of times. Below 1 is faster.
pub(crate) fn measured(options: &Options, times: &Times) -> String {
    let mut text = String::new();
    for case in options.cases() {
        let of = |client| times.get(&(case, client));
        let mut rows = String::new();
        for client in options.clients() {
            let Some(own) = of(client) else { continue };
            let ratios = PEERS.map(|peer| ratio(Some(&own.clock), of(peer).map(|peer| &peer.clock)));
            let ratios = ratios.map(|ratio| ratio.map_or_else(|| "-".to_owned(), |ratio| ratio.show()));
            let [fetch, connect, tonic] = ratios;
            let [clock, cpu] = [&own.clock, &own.cpu].map(|times| Samples::new(times.clone()).show());
            let name = client.name();
            write_line(&mut rows, &format!("| {name} | {clock} | {fetch} | {connect} | {tonic} | {cpu} |"));
        }
        if !rows.is_empty() {
            write_line(&mut text, &format!("{}:\n", case.title()));
            write_line(
                &mut text,
                "| client | ms, median (range) | x fetch | x connect-web | x tonic-web-wasm-client | CPU of the \
                 browser, ms |",
            );
            write_line(&mut text, "|---|---:|---:|---:|---:|---:|");
            write_line(&mut text, &rows);
        }
    }
    text
}

pub(crate) fn memory_and_weight(peaks: &Peaks, weights: &BTreeMap<Client, Weight>) -> String {
    let mut text = String::new();
    if !peaks.is_empty() {
        write_line(&mut text, "Growth of memory by (c), MB:\n");
        write_line(
            &mut text,
            "| client | peak of the page's process | memory of the module |\n|---|---:|---:|",
        );
        for (client, Memory { process, module }) in peaks {
            let show = |bytes: &[f64]| match bytes {
                [] => "-".to_owned(),
                bytes => Samples::new(bytes.iter().map(|bytes| bytes / 1e6).collect()).show(),
            };
            let (name, process, module) = (client.name(), show(process), show(module));
            write_line(&mut text, &format!("| {name} | {process} | {module} |"));
        }
        text.push('\n');
    }
    if !weights.is_empty() {
        write_line(&mut text, &format!("{}:\n", Case::Weight.title()));
        write_line(&mut text, "| client | bytes | brotli |\n|---|---:|---:|");
        for (client, Weight { plain, brotli }) in weights {
            write_line(&mut text, &format!("| {} | {plain} | {brotli} |", client.name()));
        }
    }
    text
}

/// The goals of tonic-web-channel.
pub(crate) fn goals(times: &Times, peaks: &Peaks, weights: &BTreeMap<Client, Weight>) -> String {
    let of = |case, client| times.get(&(case, client)).map(|rounds| &rounds.clock);
    let against = |case, peer| ratio(of(case, Client::Channel), of(case, peer));
    let speed = |case, peer| ratio(of(case, peer), of(case, Client::Channel));
    let weight = |client| weights.get(&client).map(|weight| vec![weight.brotli as f64]);
    let goals: [Goal; 7] = [
        ("(a) at most 1.05 x the time of fetch", against(Case::Unary, Client::Fetch), |x| x <= 1.05),
        ("(b) at least 20 x as fast as connect-web", speed(Case::Small, Client::ConnectWeb), |x| x >= 20.0),
        ("(b) at most the time of tonic-web-wasm-client", against(Case::Small, Client::TonicWebWasm), |x| {
            x <= 1.0
        }),
        ("(c) at most 1.15 x the time of fetch", against(Case::Large, Client::Fetch), |x| x <= 1.15),
        (
            "(c) its memory grows by at most 16 messages",
            peaks.get(&Client::Channel).map(|own| {
                Samples::new(own.module.iter().map(|bytes| bytes / f64::from(LARGE_BYTES)).collect())
            }),
            |x| x <= 16.0,
        ),
        ("(d) at most 1.05 x the time of fetch", against(Case::Concurrent, Client::Fetch), |x| x <= 1.05),
        (
            "(e) smaller than with tonic-web-wasm-client",
            ratio(weight(Client::Channel).as_ref(), weight(Client::TonicWebWasm).as_ref()),
            |x| x < 1.0,
        ),
    ];
    let mut text = "| goal | measured, median (range) | |\n|---|---:|---|\n".to_owned();
    for (goal, measured, is_met) in goals {
        if let Some(measured) = measured {
            let met = if is_met(measured.median()) { "met" } else { "MISSED" };
            write_line(&mut text, &format!("| {goal} | {} | {met} |", measured.show()));
        }
    }
    text
}

/// Ratios round by round.
fn ratio(of: Option<&Vec<f64>>, to: Option<&Vec<f64>>) -> Option<Samples> {
    Some(Samples::ratios(of?, to?))
}

fn write_line(text: &mut String, line: &str) {
    // Writing into a string cannot fail.
    writeln!(text, "{line}").ok();
}
