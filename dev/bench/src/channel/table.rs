//! The tables of the channel's report.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::case::{Case, Distance, LARGE_BYTES};
use super::client::Client;
use super::rounds::{Figure, Measurement, Times};
use super::weight::{Size, Weight};
use super::{Memory, Options, Peaks};
use crate::report::Samples;

/// Name of a goal, the measurement, and the condition.
type Goal = (&'static str, Option<Samples>, fn(f64) -> bool);

/// Times, and ratios of times. A dash stands for a client that cannot do a case; a note below the table says why.
pub(crate) fn measured(options: &Options, measurement: &Measurement) -> String {
    let mut text = String::new();
    for distance in options.distances() {
        for case in options.cases() {
            let table = of_case(options, measurement, distance, case);
            if !table.is_empty() {
                write_line(&mut text, &format!("{}:\n", case.title(distance)));
                write_line(&mut text, &table);
            }
        }
    }
    text
}

fn of_case(options: &Options, measurement: &Measurement, distance: Distance, case: Case) -> String {
    let figure = |client| Figure { distance, case, client };
    let of = |client| measurement.times.get(&figure(client)).filter(|rounds| !rounds.clock.is_empty());
    let clock = |client| of(client).map(|rounds| &rounds.clock);
    let (mut rows, mut notes) = (String::new(), String::new());
    for client in options.clients() {
        let name = client.name();
        let Some(own) = of(client) else {
            if let Some(reason) = measurement.notes.get(&figure(client)) {
                write_line(&mut rows, &format!("| {name} | - | - | - | - |"));
                write_line(&mut notes, &format!("- {name}: {reason}."));
            }
            continue;
        };
        let show = |ratio: Option<Samples>| ratio.map_or_else(|| "-".to_owned(), |ratio| ratio.show());
        let fetch = show(ratio(Some(&own.clock), clock(Client::Fetch)));
        let socket = show(ratio(clock(Client::Socket), Some(&own.clock)));
        let [clock, cpu] = [&own.clock, &own.cpu].map(|times| Samples::new(times.clone()).show());
        write_line(&mut rows, &format!("| {name} | {clock} | {fetch} | {socket} | {cpu} |"));
    }
    if rows.is_empty() {
        return rows;
    }
    let head = "| client | ms, median (range) | x fetch | our socket's time over it | CPU of the browser, ms |\n\
                |---|---:|---:|---:|---:|\n";
    if !notes.is_empty() {
        notes.insert(0, '\n');
    }
    format!("{head}{rows}{notes}")
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
        write_line(
            &mut text,
            &format!("{}, and the parts of one that makes all kinds:\n", Case::Weight.title(Distance::Near)),
        );
        let head =
            "| client | bytes | brotli | all kinds that it has: bytes | brotli |\n|---|---:|---:|---:|---:|";
        write_line(&mut text, head);
        for (client, Weight { one_call, all_kinds }) in weights {
            let show = |size: Option<Size>| match size {
                Some(Size { plain, brotli }) => format!("{plain} | {brotli}"),
                None => "- | -".to_owned(),
            };
            write_line(
                &mut text,
                &format!("| {} | {} | {} |", client.name(), show(*one_call), show(*all_kinds)),
            );
        }
    }
    text
}

/// The goals of tonic-web-channel. They are about the same machine.
pub(crate) fn goals(times: &Times, peaks: &Peaks, weights: &BTreeMap<Client, Weight>) -> String {
    let figure = |case, client| Figure { distance: Distance::Near, case, client };
    let of = |case, client| times.get(&figure(case, client)).map(|rounds| &rounds.clock);
    let against = |case, peer| ratio(of(case, Client::Channel), of(case, peer));
    let speed = |case, peer| ratio(of(case, peer), of(case, Client::Channel));
    let weight = |client| weights.get(&client).and_then(|weight| Some(vec![weight.one_call?.brotli as f64]));
    let socket = |case| ratio(of(case, Client::Socket), of(case, Client::Fetch));
    let goals: [Goal; 11] = [
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
        ("(a) the socket: at most 0.5 x the time of fetch", socket(Case::Unary), |x| x <= 0.5),
        ("(b) the socket: at most the time of fetch", socket(Case::Small), |x| x <= 1.0),
        ("(c) the socket: at most the time of fetch", socket(Case::Large), |x| x <= 1.0),
        ("(d) the socket: at most the time of fetch", socket(Case::Concurrent), |x| x <= 1.0),
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
