//! Tests of the election, on a browser with one lock and one channel.

use super::*;

/// Tabs of one browser, its lock and its channel.
struct Browser {
    tabs: Vec<Tabs>,
    frozen: Vec<bool>,
    holder: Option<usize>,
    queue: Vec<usize>,
    streams: Vec<bool>,
    now_ms: f64,
}

impl Browser {
    fn with(count: usize) -> Browser {
        let mut browser = Browser {
            tabs: (0..count).map(|tab| Tabs::new(tab as f64)).collect(),
            frozen: vec![false; count],
            holder: None,
            queue: Vec::new(),
            streams: vec![false; count],
            now_ms: 0.0,
        };
        for tab in 0..count {
            let actions = browser.tabs[tab].start();
            browser.run(tab, actions);
        }
        browser
    }

    fn run(&mut self, tab: usize, actions: Vec<TabAction>) {
        for action in actions {
            match action {
                TabAction::QueueForLock => {
                    self.queue.push(tab);
                    self.pass_lock_on();
                }
                TabAction::StealLock => {
                    let old = self.holder.replace(tab);
                    let actions = self.tabs[tab].lock_granted(self.now_ms);
                    self.run(tab, actions);
                    // A frozen tab learns of it when it wakes.
                    if let Some(old) = old.filter(|old| !self.frozen[*old]) {
                        let actions = self.tabs[old].lock_lost();
                        self.run(old, actions);
                    }
                }
                TabAction::ReleaseLock => {
                    self.queue.retain(|queued| *queued != tab);
                    if self.holder == Some(tab) {
                        self.holder = None;
                        self.pass_lock_on();
                    }
                }
                TabAction::Ping => {
                    for other in 0..self.tabs.len() {
                        if other != tab && !self.frozen[other] {
                            let actions = self.tabs[other].pinged();
                            self.run(other, actions);
                        }
                    }
                }
                TabAction::Announce => {
                    let term = self.tabs[tab].leader().unwrap();
                    for other in 0..self.tabs.len() {
                        if other != tab && !self.frozen[other] {
                            let actions = self.tabs[other].announced(term, 0.0);
                            self.run(other, actions);
                        }
                    }
                }
                TabAction::OpenStream => self.streams[tab] = true,
                TabAction::CloseStream => self.streams[tab] = false,
                TabAction::SendAll => {}
            }
        }
    }

    fn pass_lock_on(&mut self) {
        if self.holder.is_none() && !self.queue.is_empty() {
            let tab = self.queue.remove(0);
            self.holder = Some(tab);
            let actions = self.tabs[tab].lock_granted(self.now_ms);
            self.run(tab, actions);
        }
    }

    fn catch_up(&mut self) {
        for tab in 0..self.tabs.len() {
            let actions = self.tabs[tab].caught_up();
            self.run(tab, actions);
        }
    }

    fn tick(&mut self, visible: &[usize]) {
        self.now_ms += f64::from(PING_INTERVAL_MS);
        for tab in visible.iter().filter(|tab| !self.frozen[**tab]).copied().collect::<Vec<_>>() {
            let actions = self.tabs[tab].tick();
            self.run(tab, actions);
        }
    }

    fn leaders(&self) -> Vec<usize> {
        (0..self.tabs.len()).filter(|tab| self.tabs[*tab].role() == Role::Leader).collect()
    }

    fn open_streams(&self) -> usize {
        self.streams.iter().filter(|open| **open).count()
    }
}

#[test]
fn twenty_tabs_have_one_leader_and_one_stream() {
    let mut browser = Browser::with(20);
    assert_eq!(browser.leaders(), [0]);
    browser.catch_up();
    assert_eq!(browser.open_streams(), 1);
    for _ in 0..20 {
        browser.tick(&[3, 7]);
    }
    assert_eq!(browser.leaders(), [0], "it answers");
}

#[test]
fn a_closed_leader_is_replaced_at_once() {
    let mut browser = Browser::with(3);
    browser.catch_up();
    let actions = browser.tabs[0].stop();
    browser.run(0, actions);
    assert_eq!(browser.leaders(), [1]);
    assert_eq!(browser.open_streams(), 1);
}

#[test]
fn a_leader_that_stops_is_replaced_within_two_seconds() {
    let mut browser = Browser::with(5);
    browser.catch_up();
    browser.frozen[0] = true;
    let frozen_ms = browser.now_ms;
    while browser.holder == Some(0) {
        browser.tick(&[2, 4]);
    }
    assert!(browser.now_ms - frozen_ms < 2_000.0, "after {} ms", browser.now_ms - frozen_ms);
    let leader = browser.holder.unwrap();
    assert!(browser.tabs[leader].role() == Role::Leader && browser.streams[leader]);
}

#[test]
fn a_leader_that_stopped_and_goes_on_follows() {
    let mut browser = Browser::with(3);
    browser.catch_up();
    browser.frozen[0] = true;
    while browser.holder == Some(0) {
        browser.tick(&[1]);
    }
    let old = browser.tabs[0].leader().unwrap();
    assert!(!browser.tabs[2].follows(old), "what it still says does not count");
    browser.tabs[2].announced(old, 0.0);
    assert!(!browser.tabs[2].follows(old));
    browser.frozen[0] = false;
    // The other leader's answer may come before the browser's report.
    let newer = browser.tabs[1].leader().unwrap();
    let actions = browser.tabs[0].announced(newer, 0.0);
    browser.run(0, actions);
    assert_eq!(browser.leaders(), [1]);
    let actions = browser.tabs[0].lock_lost();
    browser.run(0, actions);
    assert_eq!(browser.leaders(), [1]);
    browser.catch_up();
    assert_eq!(browser.open_streams(), 1);
    assert!(browser.tabs[0].follows(browser.tabs[1].leader().unwrap()));
}

#[test]
fn a_hidden_tab_does_not_take_the_lock() {
    let mut browser = Browser::with(2);
    browser.frozen[0] = true;
    browser.tick(&[]);
    assert_eq!(browser.holder, Some(0));
    browser.tick(&[1]);
    assert_eq!(browser.holder, Some(0), "the leader has time to answer");
}

#[test]
fn a_later_leader_wins_although_the_clock_was_set_back() {
    let mut tabs = Tabs::new(1.0);
    tabs.start();
    tabs.announced(Term { since_ms: 5_000.0, tab: 2.0 }, 0.0);
    tabs.lock_granted(1_000.0);
    assert!(tabs.leader().unwrap() > Term { since_ms: 5_000.0, tab: 2.0 });
}

#[test]
fn the_lock_is_given_back_after_signing_out_while_queued() {
    let mut tabs = Tabs::new(1.0);
    tabs.start();
    tabs.stop();
    assert_eq!(tabs.lock_granted(0.0), [TabAction::ReleaseLock]);
    assert_eq!(tabs.role(), Role::Idle);
}

#[test]
fn a_leader_that_is_hidden_for_long_gives_way_to_a_visible_tab() {
    let mut tabs = Tabs::new(1.0);
    tabs.start();
    let leader = Term { since_ms: 1.0, tab: 2.0 };
    tabs.announced(leader, 59_000.0);
    assert_eq!(tabs.tick(), [TabAction::Ping]);
    tabs.announced(leader, 61_000.0);
    assert_eq!(tabs.tick(), [TabAction::StealLock]);
}

#[test]
fn a_leader_that_the_browser_freezes_gives_way_and_catches_up_later() {
    let mut browser = Browser::with(3);
    browser.catch_up();
    for tab in [0, 1] {
        let actions = browser.tabs[tab].frozen();
        browser.run(tab, actions);
    }
    assert_eq!(browser.leaders(), [2], "a frozen tab does not queue");
    assert_eq!(browser.open_streams(), 1);
    let actions = browser.tabs[0].resumed();
    browser.run(0, actions);
    assert_eq!((browser.leaders(), browser.streams[0]), (vec![2], true), "it missed frames");
    browser.catch_up();
    assert_eq!(browser.open_streams(), 1);
}
