//! How the connection is, and what the strip says about it. Nothing while it is well, and nothing
//! for the moments that a healthy connection takes to be made.

/// A trouble that is over within this time is not shown.
const PATIENCE_MS: f64 = 300.0;

/// The stream's state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Link {
    /// A call is being made, or what was missed is still coming.
    #[default]
    Connecting,
    /// Every room is at its head.
    Live,
    /// The next attempt comes at this time.
    Waiting {
        /// By the page's clock.
        until_ms: f64,
    },
}

/// The connection as the page sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Connection {
    link: Link,
    online: bool,
    unwell_since_ms: Option<f64>,
}

/// What the strip says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strip {
    /// All is well.
    Nothing,
    /// A call is being made.
    Connecting,
    /// The browser has no network.
    Offline,
    /// The next attempt comes in so many seconds.
    Reconnecting {
        /// Rounded up.
        seconds: u64,
    },
    /// So many events are still to come.
    CatchingUp(u64),
}

impl Connection {
    /// A connection that is being made since now.
    pub(crate) fn new(online: bool, now_ms: f64) -> Connection {
        Connection { link: Link::Connecting, online, unwell_since_ms: Some(now_ms) }
    }

    /// The stream changed.
    pub(crate) fn set_link(&mut self, link: Link, now_ms: f64) {
        self.link = link;
        self.note(now_ms);
    }

    /// The browser's network came or went.
    pub(crate) fn set_online(&mut self, online: bool, now_ms: f64) {
        self.online = online;
        self.note(now_ms);
    }

    /// Whether calls can be expected to reach the server.
    pub(crate) fn may_send(&self) -> bool {
        self.online && !matches!(self.link, Link::Waiting { .. })
    }

    /// What to show now.
    pub(crate) fn strip(&self, catching_up: u64, now_ms: f64) -> Strip {
        if !self.online {
            return Strip::Offline;
        }
        let patient = self.unwell_since_ms.is_none_or(|since| now_ms - since < PATIENCE_MS);
        match self.link {
            Link::Live => Strip::Nothing,
            _ if patient => Strip::Nothing,
            Link::Connecting if catching_up > 0 => Strip::CatchingUp(catching_up),
            Link::Connecting => Strip::Connecting,
            Link::Waiting { until_ms } => {
                let seconds = ((until_ms - now_ms) / 1_000.0).ceil();
                // A wait that is over is an attempt.
                if seconds < 1.0 {
                    Strip::Connecting
                } else {
                    Strip::Reconnecting { seconds: seconds as u64 }
                }
            }
        }
    }

    /// When the strip may say something else without anything happening; none while all is well.
    pub(crate) fn changes_in_ms(&self, now_ms: f64) -> Option<f64> {
        let since = self.unwell_since_ms?;
        let patience = since + PATIENCE_MS - now_ms;
        if patience > 0.0 {
            return Some(patience);
        }
        match self.link {
            Link::Waiting { until_ms } if until_ms > now_ms => {
                let part = (until_ms - now_ms) % 1_000.0;
                Some(if part < 1.0 { 1_000.0 } else { part })
            }
            _ => None,
        }
    }

    fn note(&mut self, now_ms: f64) {
        if self.online && self.link == Link::Live {
            self.unwell_since_ms = None;
        } else if self.unwell_since_ms.is_none() {
            self.unwell_since_ms = Some(now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Connection {
        let mut connection = Connection::new(true, 0.0);
        connection.set_link(Link::Live, 50.0);
        connection
    }

    #[test]
    fn nothing_is_shown_while_it_is_well() {
        assert_eq!(live().strip(0, 1_000_000.0), Strip::Nothing);
        assert_eq!(live().changes_in_ms(1_000_000.0), None);
    }

    #[test]
    fn a_connection_that_is_made_quickly_is_never_mentioned() {
        let mut connection = Connection::new(true, 0.0);
        assert_eq!(connection.strip(0, 299.0), Strip::Nothing);
        connection.set_link(Link::Live, 299.0);
        assert_eq!(connection.strip(0, 400.0), Strip::Nothing);
    }

    #[test]
    fn a_slow_connection_is_mentioned_when_patience_ends() {
        let connection = Connection::new(true, 0.0);
        assert_eq!(connection.changes_in_ms(100.0), Some(200.0));
        assert_eq!(connection.strip(0, 300.0), Strip::Connecting);
    }

    #[test]
    fn a_short_break_is_not_mentioned_and_patience_does_not_begin_anew_with_each_attempt() {
        let mut connection = live();
        connection.set_link(Link::Waiting { until_ms: 1_200.0 }, 1_000.0);
        connection.set_link(Link::Connecting, 1_200.0);
        assert_eq!(connection.strip(0, 1_299.0), Strip::Nothing);
        assert_eq!(connection.strip(0, 1_300.0), Strip::Connecting);
    }

    #[test]
    fn the_wait_is_counted_down_in_full_seconds() {
        let mut connection = live();
        connection.set_link(Link::Waiting { until_ms: 5_000.0 }, 1_000.0);
        assert_eq!(connection.strip(0, 1_400.0), Strip::Reconnecting { seconds: 4 });
        assert_eq!(connection.changes_in_ms(1_400.0), Some(600.0));
        assert_eq!(connection.strip(0, 2_000.5), Strip::Reconnecting { seconds: 3 });
        assert_eq!(connection.strip(0, 5_000.0), Strip::Connecting);
    }

    #[test]
    fn offline_is_said_at_once_and_over_everything_else() {
        let mut connection = live();
        connection.set_online(false, 1_000.0);
        assert_eq!(connection.strip(0, 1_000.0), Strip::Offline);
        assert!(!connection.may_send());
        connection.set_online(true, 2_000.0);
        assert_eq!(connection.strip(0, 2_000.0), Strip::Nothing);
        assert!(connection.may_send());
    }

    #[test]
    fn what_is_still_to_come_is_counted() {
        let mut connection = live();
        connection.set_link(Link::Connecting, 1_000.0);
        assert_eq!(connection.strip(120, 1_100.0), Strip::Nothing);
        assert_eq!(connection.strip(120, 1_300.0), Strip::CatchingUp(120));
    }
}
