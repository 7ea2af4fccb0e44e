//! Servers that write at the same time, in simulated time.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Servers that evaluate and append in turn or at once, in simulated time.
struct Simulation {
    orders: Vec<Order>,
    /// Races that each has lost since its last entry.
    lost: Vec<u32>,
    now: Instant,
}

/// An entry of the simulation.
#[derive(Debug)]
struct Entry {
    writer: usize,
    /// Appends that were refused.
    refused: usize,
    waited: Duration,
}

impl Simulation {
    fn new(servers: usize) -> Self {
        let orders = (0..servers).map(|server| Order::new(server as Writer)).collect();
        Self { orders, lost: vec![0; servers], now: Instant::now() }
    }

    /// The next entry, if these servers have something to write, when each applies the entry before and takes its group within
    /// these times. Who has lost two races has its turn.
    fn next(&mut self, busy: &[usize], delays: &[Duration], times: &[Duration]) -> Entry {
        let starving = busy.iter().any(|&server| self.lost[server] >= 2);
        let racing = busy.iter().filter(|&&server| !starving || self.lost[server] >= 2);
        let start = |&server: &usize| {
            let turn = self.orders[server].wait_until().filter(|_| !starving);
            (turn.unwrap_or(self.now).max(self.now + delays[server]), server)
        };
        let starts: Vec<_> = racing.map(start).collect();
        let &(begun, writer) = starts.iter().min_by_key(|(begun, server)| *begun + times[*server]).unwrap();
        let stored = begun + times[writer];
        let refused: Vec<_> = starts.iter().filter(|(at, other)| *other != writer && *at < stored).collect();
        refused.iter().for_each(|(_, server)| self.lost[*server] += 1);
        self.lost[writer] = 0;
        let entry = Entry { writer, refused: refused.len(), waited: begun - self.now };
        self.now = stored;
        self.orders.iter_mut().for_each(|order| order.came(writer as Writer, stored));
        self.orders[writer].wrote_in(times[writer]);
        entry
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn servers_that_always_have_something_to_write_take_turns(
        servers in 2..7_usize,
        delays in vec(vec(0..1_000_u64, 7), 200),
        times in vec(vec(2_000..4_000_u64, 7), 200),
    ) {
        let mut simulation = Simulation::new(servers);
        let busy: Vec<_> = (0..servers).collect();
        let micros = |times: &[u64]| times.iter().copied().map(Duration::from_micros).collect::<Vec<_>>();
        let entries: Vec<_> = delays.iter().zip(&times)
            .map(|(delays, times)| simulation.next(&busy, &micros(delays), &micros(times)))
            .collect();
        let steady = &entries[100..];
        prop_assert!(steady.iter().all(|entry| entry.refused == 0), "{entries:?}");
        for round in steady.windows(servers) {
            let mut writers: Vec<_> = round.iter().map(|entry| entry.writer).collect();
            writers.sort_unstable();
            prop_assert_eq!(&writers, &busy);
        }
    }
}

#[test]
fn server_that_falls_silent_is_waited_for_once_by_each_of_the_others() {
    let mut simulation = Simulation::new(3);
    let (delays, times) = ([MS / 4, MS / 3, MS / 2], [MS * 3; 3]);
    for _ in 0..60 {
        simulation.next(&[0, 1, 2], &delays, &times);
    }
    let entries: Vec<_> = (0..20).map(|_| simulation.next(&[0, 1], &delays, &times)).collect();
    let waits: Vec<_> = entries.iter().map(|entry| entry.waited).filter(|waited| *waited > MS).collect();
    assert!((1..=2).contains(&waits.len()), "{entries:?}");
    assert!(waits.iter().all(|waited| *waited <= MS * 3 * WAIT), "{entries:?}");
    assert!(entries[10..].iter().all(|entry| entry.refused == 0), "{entries:?}");
    // It writes again, and so on.
    let entries: Vec<_> = (0..60).map(|_| simulation.next(&[0, 1, 2], &delays, &times)).collect();
    assert!(entries[40..].iter().all(|entry| entry.refused == 0), "{entries:?}");
}

/// Whether a server waits that has written these entries, as (writer, time after the one before), and is server 0.
fn waits(entries: impl IntoIterator<Item = (Writer, Duration)>) -> Option<Duration> {
    let (mut order, mut now) = (Order::new(0), Instant::now());
    order.wrote_in(MS * 3);
    for (writer, after) in entries {
        now += after;
        order.came(writer, now);
    }
    order.wait_until().map(|until| until - now)
}

#[test]
fn server_waits_for_those_that_write_in_every_round_and_for_no_others() {
    let written = |writers: &[Writer]| waits(writers.iter().map(|writer| (*writer, MS * 4)));
    assert_eq!(written(&[]), None);
    assert_eq!(written(&[0, 0, 0, 0]), None, "alone");
    assert_eq!(written(&[0, 1, 2, 0, 1, 2, 0]), Some(MS * 3 * WAIT * 2));
    assert_eq!(written(&[0, 1, 2, 0, 1, 2, 0, 1]), Some(MS * 3 * WAIT));
    assert_eq!(written(&[0, 1, 2, 0, 1, 2, 0, 1, 2]), None, "its turn");
    assert_eq!(written(&[0, 1, 0, 1, 0, 0]), None, "the other has missed its turn");
    assert_eq!(written(&[0, 0, 0, 0, 0, 1, 0]), None, "the other writes now and then");
    assert_eq!(written(&[1, 2, 1, 2, 1, 2]), None, "it has written nothing");
    // While entries are far apart, nobody races.
    assert_eq!(waits([0, 1, 2, 0, 1, 2, 0].map(|writer| (writer, MS * 100))), None);
}

#[test]
fn wait_is_bounded_however_long_a_group_took() {
    let (mut order, now) = (Order::new(0), Instant::now());
    [0, 1, 2, 0, 1, 2, 0].iter().for_each(|writer| order.came(*writer, now));
    assert_eq!(order.wait_until(), None, "the time of a group is not known");
    order.wrote_in(Duration::from_secs(3_600));
    assert_eq!(order.wait_until(), Some(now + TURN));
}
