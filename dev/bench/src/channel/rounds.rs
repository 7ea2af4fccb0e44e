//! The measured rounds: every client has a browser of its own, and they take turns.

use std::collections::BTreeMap;

use anyhow::Result;
use harness::Chromium;

use super::case::{Case, Distance};
use super::client::Client;
use super::page::{Measured, Page};
use super::server::Server;
use super::{Options, open, processes};

/// A client that takes longer for a job, milliseconds, does it once.
const SLOW: f64 = 10_000.0;

/// Characters of a peer's error in a note.
const MAX_NOTE: usize = 80;

/// One figure of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Figure {
    pub(crate) distance: Distance,
    pub(crate) case: Case,
    pub(crate) client: Client,
}

/// In the order of the rounds.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    /// Milliseconds by the page's clock.
    pub(crate) clock: Vec<f64>,
    /// Milliseconds of CPU time of all of the browser's processes. Unlike the clock, it does not depend on the machine's
    /// load.
    pub(crate) cpu: Vec<f64>,
}

impl Rounds {
    /// Whether one round is enough.
    pub(crate) fn are_slow(&self) -> bool {
        self.clock.iter().any(|milliseconds| *milliseconds > SLOW)
    }
}

pub(crate) type Times = BTreeMap<Figure, Rounds>;

/// The measured times, and the reasons for those that are missing.
#[derive(Debug, Default)]
pub(crate) struct Measurement {
    pub(crate) times: Times,
    pub(crate) notes: BTreeMap<Figure, String>,
}

/// A client in its browser.
struct Seat {
    client: Client,
    /// `None` when its server is not there.
    open: Option<(Page, Chromium)>,
}

impl Figure {
    /// Does the job of the case once; an error when messages are missing.
    pub(crate) async fn measure(self, page: &mut Page) -> Result<Measured> {
        let Some(job) = self.case.job(self.distance) else {
            anyhow::bail!("{} is not measured by the clock", self.case.letter())
        };
        let measured = page.run(job).await?;
        self.case.check(self.distance, self.client, &measured)?;
        Ok(measured)
    }
}

impl Seat {
    async fn new(options: &Options, server: &Server, client: Client, distance: Distance) -> Result<Self> {
        let Some(mut page) = server.page(client, distance) else { return Ok(Self { client, open: None }) };
        let browser = open(options, &page)?;
        page.ready().await?;
        Ok(Self { client, open: Some((page, browser)) })
    }
}

impl Measurement {
    /// Measures all cases at a distance.
    pub(crate) async fn add(&mut self, options: &Options, server: &Server, distance: Distance) -> Result<()> {
        let cases: Vec<_> = options.cases().into_iter().filter(|case| case.job(distance).is_some()).collect();
        if cases.is_empty() {
            return Ok(());
        }
        let mut seats = Vec::new();
        for client in options.clients() {
            seats.push(Seat::new(options, server, client, distance).await?);
        }
        for case in cases {
            for round in 0..=options.rounds {
                for index in 0..seats.len() {
                    let index = (index + round) % seats.len();
                    let seat = &mut seats[index];
                    let figure = Figure { distance, case, client: seat.client };
                    if let Err(error) = self.take_turn(figure, seat, round).await {
                        self.give_up(figure, error)?;
                        // Its page has stopped.
                        *seat = Seat::new(options, server, seat.client, distance).await?;
                    }
                }
            }
        }
        for (_, browser) in seats.into_iter().filter_map(|seat| seat.open) {
            browser.end().await?;
        }
        Ok(())
    }

    /// Round 0 is there to warm up.
    async fn take_turn(&mut self, figure: Figure, seat: &mut Seat, round: usize) -> Result<()> {
        if self.notes.contains_key(&figure) {
            return Ok(());
        }
        let reason = figure.case.reason_against(figure.client);
        let reason = reason.or_else(|| seat.open.is_none().then_some("its server is not installed"));
        if let Some(reason) = reason {
            self.notes.insert(figure, reason.to_owned());
            return Ok(());
        }
        let Some((page, browser)) = &mut seat.open else { return Ok(()) };
        let own = self.times.entry(figure).or_default();
        if own.are_slow() {
            return Ok(());
        }
        let before = processes::cpu(browser.id()?)?;
        let clock = figure.measure(page).await?.milliseconds;
        let cpu = (processes::cpu(browser.id()?)?.saturating_sub(before)).as_secs_f64() * 1_000.0;
        let warms_up = round == 0 && clock <= SLOW;
        let note = if warms_up { " (to warm up)" } else { "" };
        let (case, place) = (figure.case.letter(), figure.distance.suffix());
        eprintln!("{case}{place} {}: {clock:.1} ms, CPU {cpu:.0} ms{note}", figure.client.name());
        if !warms_up {
            own.clock.push(clock);
            own.cpu.push(cpu);
        }
        Ok(())
    }

    /// Notes the failure of a peer. One of ours, or of the limit, ends the measurement.
    fn give_up(&mut self, figure: Figure, error: anyhow::Error) -> Result<()> {
        if figure.client.is_ours() {
            return Err(error);
        }
        let reason = format!("{error:#}");
        eprintln!("{} {}: {reason}", figure.case.letter(), figure.client.name());
        self.times.remove(&figure);
        // The page adds the stack of its script, which begins with the text again.
        let first = reason.lines().next().unwrap_or_default();
        let without_name = first.trim_start_matches(figure.client.name()).trim_start_matches(": ");
        self.notes.insert(figure, without_name.chars().take(MAX_NOTE).collect());
        Ok(())
    }
}
