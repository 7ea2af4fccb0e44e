//! The state of the connection and the text of its strip. Nothing is shown while the connection works, nor for the moment in which a
//! new one is made.

/// Length of an interruption that is not shown, in milliseconds.
const GRACE_MS: f64 = 300.0;

/// The state of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Link {
    /// A call is starting, or missed events are still arriving.
    #[default]
    Connecting,
    /// Every room is at its head.
    Live,
    /// Waits for the next attempt.
    Waiting {
        /// Time of the attempt, by the page's monotonic clock, in milliseconds.
        until_ms: f64,
    },
}

/// The connection: the stream and the browser's network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connection {
    link: Link,
    online: bool,
    interrupted_since_ms: Option<f64>,
}

/// The content of the connection strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strip {
    /// The connection works.
    Nothing,
    /// A call is starting.
    Connecting,
    /// The browser has no network.
    Offline,
    /// Waits for the next attempt.
    Reconnecting {
        /// Seconds until then, rounded up.
        seconds: u64,
    },
    /// Number of missed events that are still to come.
    CatchingUp(u64),
}

impl Connection {
    /// A connection whose first call starts now.
    pub fn new(online: bool, now_ms: f64) -> Connection {
        Connection { link: Link::Connecting, online, interrupted_since_ms: Some(now_ms) }
    }

    /// Sets the state of the stream.
    pub fn set_link(&mut self, link: Link, now_ms: f64) {
        self.link = link;
        self.update_interruption(now_ms);
    }

    /// Sets whether the browser has a network.
    pub fn set_online(&mut self, online: bool, now_ms: f64) {
        self.online = online;
        self.update_interruption(now_ms);
    }

    /// Whether calls are likely to reach the server.
    pub fn can_send(&self) -> bool {
        self.online && !matches!(self.link, Link::Waiting { .. })
    }

    /// The strip at this time.
    pub fn strip(&self, catching_up: u64, now_ms: f64) -> Strip {
        if !self.online {
            return Strip::Offline;
        }
        let is_short = self.interrupted_since_ms.is_none_or(|since| now_ms - since < GRACE_MS);
        match self.link {
            Link::Live => Strip::Nothing,
            _ if is_short => Strip::Nothing,
            Link::Connecting if catching_up > 0 => Strip::CatchingUp(catching_up),
            Link::Connecting => Strip::Connecting,
            Link::Waiting { until_ms } => {
                let seconds = ((until_ms - now_ms) / 1_000.0).ceil();
                // After the wait comes an attempt.
                if seconds < 1.0 {
                    Strip::Connecting
                } else {
                    Strip::Reconnecting { seconds: seconds as u64 }
                }
            }
        }
    }

    /// Milliseconds until the strip changes with time alone; `None` when it does not.
    pub fn changes_in_ms(&self, now_ms: f64) -> Option<f64> {
        let since = self.interrupted_since_ms?;
        let grace = since + GRACE_MS - now_ms;
        if grace > 0.0 {
            return Some(grace);
        }
        match self.link {
            Link::Waiting { until_ms } if until_ms > now_ms => {
                let part = (until_ms - now_ms) % 1_000.0;
                Some(if part < 1.0 { 1_000.0 } else { part })
            }
            _ => None,
        }
    }

    fn update_interruption(&mut self, now_ms: f64) {
        if self.online && self.link == Link::Live {
            self.interrupted_since_ms = None;
        } else if self.interrupted_since_ms.is_none() {
            self.interrupted_since_ms = Some(now_ms);
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
    fn nothing_is_shown_while_connected() {
        assert_eq!(live().strip(0, 1_000_000.0), Strip::Nothing);
        assert_eq!(live().changes_in_ms(1_000_000.0), None);
    }

    #[test]
    fn a_quick_connection_is_not_shown() {
        let mut connection = Connection::new(true, 0.0);
        assert_eq!(connection.strip(0, 299.0), Strip::Nothing);
        connection.set_link(Link::Live, 299.0);
        assert_eq!(connection.strip(0, 400.0), Strip::Nothing);
    }

    #[test]
    fn a_slow_connection_is_shown_after_the_grace_time() {
        let connection = Connection::new(true, 0.0);
        assert_eq!(connection.changes_in_ms(100.0), Some(200.0));
        assert_eq!(connection.strip(0, 300.0), Strip::Connecting);
    }

    #[test]
    fn the_grace_time_does_not_restart_with_each_attempt() {
        let mut connection = live();
        connection.set_link(Link::Waiting { until_ms: 1_200.0 }, 1_000.0);
        connection.set_link(Link::Connecting, 1_200.0);
        assert_eq!(connection.strip(0, 1_299.0), Strip::Nothing);
        assert_eq!(connection.strip(0, 1_300.0), Strip::Connecting);
    }

    #[test]
    fn the_wait_is_counted_down_in_seconds() {
        let mut connection = live();
        connection.set_link(Link::Waiting { until_ms: 5_000.0 }, 1_000.0);
        assert_eq!(connection.strip(0, 1_400.0), Strip::Reconnecting { seconds: 4 });
        assert_eq!(connection.changes_in_ms(1_400.0), Some(600.0));
        assert_eq!(connection.strip(0, 2_000.5), Strip::Reconnecting { seconds: 3 });
        assert_eq!(connection.strip(0, 5_000.0), Strip::Connecting);
    }

    #[test]
    fn offline_is_shown_at_once() {
        let mut connection = live();
        connection.set_online(false, 1_000.0);
        assert_eq!(connection.strip(0, 1_000.0), Strip::Offline);
        assert!(!connection.can_send());
        connection.set_online(true, 2_000.0);
        assert_eq!(connection.strip(0, 2_000.0), Strip::Nothing);
        assert!(connection.can_send());
    }

    #[test]
    fn missed_events_are_counted() {
        let mut connection = live();
        connection.set_link(Link::Connecting, 1_000.0);
        assert_eq!(connection.strip(120, 1_100.0), Strip::Nothing);
        assert_eq!(connection.strip(120, 1_300.0), Strip::CatchingUp(120));
    }
}
