//! Which part of a room's rows is in the page: a bounded slice that moves with the reader. Plain
//! numbers; measuring and scrolling are the list's.
//!
//! Positions are the log's numbers, and the pending messages come after the last one, so that a
//! message keeps its position when it is stored.

/// Entries in the page at most.
pub(crate) const LIMIT: u64 = 160;

/// Entries in the page when the list is opened or the reader jumps.
pub(crate) const FRESH: u64 = 80;

/// By how many entries the slice moves when the reader comes near its edge.
pub(crate) const STEP: u64 = 40;

/// How many loaded entries there should be beyond the slice; below it more are asked for, before the
/// reader gets there.
const AHEAD: u64 = 120;

/// How near the end, in pixels, counts as at the end.
const END_SLACK: f64 = 32.0;

/// How near an edge of the slice, in heights of the view, the reader may come before it moves.
const EDGE_VIEWS: f64 = 1.5;

/// The positions that there are: from `first` up to and not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) first: u64,
    pub(crate) end: u64,
}

/// How far the reader has scrolled, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scroll {
    pub(crate) top: f64,
    pub(crate) view: f64,
    pub(crate) content: f64,
}

impl Scroll {
    /// How much is below the view.
    pub(crate) fn below(&self) -> f64 {
        self.content - self.view - self.top
    }

    /// Whether the last row is in view, or as good as.
    pub(crate) fn is_at_end(&self) -> bool {
        self.below() <= END_SLACK
    }

    fn is_near_top(&self) -> bool {
        self.top < self.view * EDGE_VIEWS
    }

    fn is_near_bottom(&self) -> bool {
        self.below() < self.view * EDGE_VIEWS
    }
}

/// The slice that is in the page: from `first` up to and not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) first: u64,
    pub(crate) end: u64,
}

impl Window {
    /// The newest rows.
    pub(crate) fn at_end(bounds: Bounds) -> Window {
        Window { first: bounds.first.max(bounds.end.saturating_sub(FRESH)), end: bounds.end }
    }

    /// Rows around one of them.
    pub(crate) fn around(position: u64, bounds: Bounds) -> Window {
        let first = position.saturating_sub(FRESH / 2).max(bounds.first);
        let end = (first + FRESH).min(bounds.end);
        Window { first: bounds.first.max(end.saturating_sub(FRESH)), end }
    }

    /// Follows what there is: a reader at the end sees what is new, and for all others nothing moves.
    pub(crate) fn fit(&mut self, bounds: Bounds, follow: bool) {
        let disjoint = self.end <= bounds.first || self.first >= bounds.end;
        if disjoint {
            *self = Window::at_end(bounds);
            return;
        }
        self.first = self.first.max(bounds.first);
        self.end = self.end.min(bounds.end);
        if follow {
            self.end = bounds.end;
            // Cut in larger bites than one, so that not every message removes a row.
            if self.end - self.first > LIMIT {
                self.first = self.end - FRESH;
            }
        } else if self.end - self.first < FRESH {
            // A short list fills up.
            self.end = bounds.end.min(self.first + FRESH);
        }
    }

    /// Moves the slice when the reader is near one of its edges and there is more. Whether it moved.
    pub(crate) fn follow_reader(&mut self, scroll: Scroll, bounds: Bounds) -> bool {
        let before = *self;
        if scroll.is_near_top() && self.first > bounds.first {
            self.first = bounds.first.max(self.first.saturating_sub(STEP));
            self.end = self.end.min(self.first + LIMIT);
        } else if scroll.is_near_bottom() && self.end < bounds.end {
            self.end = bounds.end.min(self.end + STEP);
            self.first = self.first.max(self.end.saturating_sub(LIMIT));
        }
        *self != before
    }

    /// Whether more should be loaded before the loaded range.
    pub(crate) fn wants_earlier(&self, bounds: Bounds) -> bool {
        self.first < bounds.first + AHEAD
    }

    /// Whether more should be loaded after the loaded range.
    pub(crate) fn wants_later(&self, bounds: Bounds) -> bool {
        self.end + AHEAD > bounds.end
    }

    /// Whether a position is in the page.
    pub(crate) fn contains(&self, position: u64) -> bool {
        (self.first..self.end).contains(&position)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: Bounds = Bounds { first: 1, end: 100_001 };
    const TOP: Scroll = Scroll { top: 0.0, view: 600.0, content: 4_000.0 };
    const MIDDLE: Scroll = Scroll { top: 1_700.0, view: 600.0, content: 4_000.0 };
    const END: Scroll = Scroll { top: 3_400.0, view: 600.0, content: 4_000.0 };

    #[test]
    fn a_room_opens_at_its_newest_rows() {
        assert_eq!(Window::at_end(ALL), Window { first: 100_001 - FRESH, end: 100_001 });
        assert_eq!(Window::at_end(Bounds { first: 1, end: 4 }), Window { first: 1, end: 4 });
        assert_eq!(Window::at_end(Bounds { first: 1, end: 1 }), Window { first: 1, end: 1 });
    }

    #[test]
    fn scrolling_to_the_first_of_100_000_messages_and_back_never_holds_more_than_the_limit() {
        let mut window = Window::at_end(ALL);
        let mut steps = 0;
        while window.follow_reader(TOP, ALL) {
            steps += 1;
            assert!(window.end - window.first <= LIMIT);
        }
        assert_eq!(window.first, 1);
        assert!(steps > 2_000);
        while window.follow_reader(END, ALL) {
            assert!(window.end - window.first <= LIMIT);
        }
        assert_eq!(window.end, 100_001);
    }

    #[test]
    fn in_the_middle_nothing_moves() {
        let mut window = Window::around(500, ALL);
        let before = window;
        assert!(!window.follow_reader(MIDDLE, ALL));
        window.fit(Bounds { first: 1, end: 200_000 }, false);
        assert_eq!(window, before);
    }

    #[test]
    fn the_reader_at_the_end_follows_what_comes() {
        let mut window = Window::at_end(ALL);
        for end in 100_002..101_000 {
            window.fit(Bounds { first: 1, end }, true);
            assert_eq!(window.end, end);
            assert!(window.end - window.first <= LIMIT);
        }
    }

    #[test]
    fn what_was_shown_and_is_gone_is_replaced_by_the_newest() {
        let mut window = Window { first: 10, end: 20 };
        window.fit(Bounds { first: 500, end: 900 }, false);
        assert_eq!(window, Window { first: 820, end: 900 });
    }

    #[test]
    fn history_is_wanted_before_the_reader_gets_there() {
        let loaded = Bounds { first: 901, end: 1_001 };
        assert!(Window { first: 921, end: 1_001 }.wants_earlier(loaded));
        let loaded = Bounds { first: 701, end: 1_001 };
        assert!(!Window { first: 921, end: 1_001 }.wants_earlier(loaded));
        assert!(Window { first: 921, end: 1_001 }.wants_later(loaded));
        assert!(!Window { first: 701, end: 761 }.wants_later(loaded));
    }

    #[test]
    fn at_the_end_means_within_a_line_of_it() {
        assert!(END.is_at_end());
        assert!(Scroll { top: 3_370.0, ..END }.is_at_end());
        assert!(!Scroll { top: 3_360.0, ..END }.is_at_end());
        assert!(Scroll { top: 0.0, view: 600.0, content: 300.0 }.is_at_end());
    }

    proptest! {
        #[test]
        fn the_slice_stays_within_its_bounds(
            first in 1_u64..1_000,
            length in 0_u64..2_000,
            moves in proptest::collection::vec((0_u8..5, 0_u64..300), 0..60),
        ) {
            let mut bounds = Bounds { first, end: first + length };
            let mut window = Window::at_end(bounds);
            for (what, by) in moves {
                match what {
                    0 => { window.follow_reader(TOP, bounds); }
                    1 => { window.follow_reader(END, bounds); }
                    2 => { bounds.end += by; window.fit(bounds, true); }
                    3 => { bounds.end += by; window.fit(bounds, false); }
                    _ => { bounds.first = (bounds.first + by).min(bounds.end); window.fit(bounds, false); }
                }
                prop_assert!(window.first >= bounds.first && window.end <= bounds.end);
                prop_assert!(window.first <= window.end && window.end - window.first <= LIMIT);
                prop_assert!(window.first < window.end || bounds.first == bounds.end);
            }
        }
    }
}
