//! The window: the bounded part of a room's messages that is in the document, moving with the reader.
//!
//! Positions are sequence numbers. Pending messages come after the last one, so a message keeps its position when it is stored.

/// Largest number of entries in the window, unless four views hold more.
pub const LIMIT: u64 = 160;

/// Entries in the window after opening a room or a jump.
pub const INITIAL: u64 = 60;

/// Entries by which the window moves when the reader comes near its edge.
pub const STEP: u64 = 40;

/// New entries at the end for which old ones stay: several rows are removed at a time, not one for every message.
const SURPLUS: u64 = 20;

/// Loaded entries beyond the window below which more history is loaded.
const PREFETCH: u64 = 120;

/// Distance from the end that counts as being at the end, in pixels.
const END_TOLERANCE: f64 = 32.0;

/// Distance from an edge at which the window moves, in heights of the view.
const EDGE_VIEWS: f64 = 1.25;

/// Heights of the view that a window at the end keeps, of entries as high as those at the last look. With fewer it would move at once.
const KEPT_VIEWS: f64 = EDGE_VIEWS + 1.25;

/// Heights of the view that a window may always hold, so that it never gives up one edge for the other.
const LIMIT_VIEWS: f64 = 4.0;

/// The positions that exist: from `first` up to and not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first position.
    pub first: u64,
    /// One past the last position.
    pub end: u64,
}

/// The scroll position of the list, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scroll {
    /// Height of the content above the view.
    pub top: f64,
    /// Height of the view.
    pub view: f64,
    /// Height of the content.
    pub content: f64,
}

impl Scroll {
    /// Height of the content below the view.
    pub fn below(&self) -> f64 {
        self.content - self.view - self.top
    }

    /// Whether the end of the list is in view.
    pub fn is_at_end(&self) -> bool {
        self.below() <= END_TOLERANCE
    }

    fn is_near_top(&self) -> bool {
        self.top < self.view * EDGE_VIEWS
    }

    fn is_near_bottom(&self) -> bool {
        self.below() < self.view * EDGE_VIEWS
    }
}

/// A reader's place in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The sequence number of a message in view.
    pub seq: u64,
    /// Distance of the message below the upper edge of the list, in pixels.
    pub offset_px: i32,
}

/// The window: from `first` up to and not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first position.
    pub first: u64,
    /// One past the last position.
    pub end: u64,
}

impl Window {
    /// A window at the newest entries.
    pub fn at_end(bounds: Bounds) -> Window {
        Window { first: bounds.first.max(bounds.end.saturating_sub(INITIAL)), end: bounds.end }
    }

    /// A window around a position.
    pub fn around(position: u64, bounds: Bounds) -> Window {
        let first = position.saturating_sub(INITIAL / 2).max(bounds.first);
        let end = (first + INITIAL).min(bounds.end);
        Window { first: bounds.first.max(end.saturating_sub(INITIAL)), end }
    }

    /// Entries that have the height of the view, or a few more; 0 while nothing has a height.
    pub fn entries_of_view(&self, scroll: Scroll) -> u64 {
        if scroll.content <= 0.0 {
            return 0;
        }
        ((self.end - self.first) as f64 * scroll.view / scroll.content).ceil() as u64
    }

    /// Adapts to new bounds: with `follow` the window ends at the newest entry, otherwise it stays where it is. `of_view` is the number of
    /// entries that had the height of the view at the last look.
    pub fn fit(&mut self, bounds: Bounds, follow: bool, of_view: u64) {
        let disjoint = self.end <= bounds.first || self.first >= bounds.end;
        if disjoint {
            *self = Window::at_end(bounds);
            return;
        }
        self.first = self.first.max(bounds.first);
        self.end = self.end.min(bounds.end);
        if follow {
            self.end = bounds.end;
            let kept = INITIAL.max(views(KEPT_VIEWS, of_view));
            if self.end - self.first > kept + SURPLUS {
                self.first = self.end - kept;
            }
        } else if self.end - self.first < INITIAL {
            // A short list is filled.
            self.end = bounds.end.min(self.first + INITIAL);
        }
    }

    /// Moves the window when the reader is near one of its edges and more is loaded there. Returns whether it moved.
    pub fn follow_reader(&mut self, scroll: Scroll, bounds: Bounds) -> bool {
        let before = *self;
        let limit = LIMIT.max(views(LIMIT_VIEWS, self.entries_of_view(scroll)));
        if scroll.is_near_top() && self.first > bounds.first {
            self.first = bounds.first.max(self.first.saturating_sub(STEP));
            self.end = self.end.min(self.first + limit);
        } else if scroll.is_near_bottom() && self.end < bounds.end {
            self.end = bounds.end.min(self.end + STEP);
            self.first = self.first.max(self.end.saturating_sub(limit));
        }
        *self != before
    }

    /// Whether older messages should be loaded.
    pub fn needs_earlier(&self, bounds: Bounds) -> bool {
        self.first < bounds.first + PREFETCH
    }

    /// Whether newer messages should be loaded.
    pub fn needs_later(&self, bounds: Bounds) -> bool {
        self.end + PREFETCH > bounds.end
    }

    /// Whether the window has a position.
    pub fn contains(&self, position: u64) -> bool {
        (self.first..self.end).contains(&position)
    }
}

/// Entries of `count` views, of which one holds `of_view`.
fn views(count: f64, of_view: u64) -> u64 {
    (count * of_view as f64).ceil() as u64
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
    fn a_room_opens_at_its_newest_entries() {
        assert_eq!(Window::at_end(ALL), Window { first: 100_001 - INITIAL, end: 100_001 });
        assert_eq!(Window::at_end(Bounds { first: 1, end: 4 }), Window { first: 1, end: 4 });
        assert_eq!(Window::at_end(Bounds { first: 1, end: 1 }), Window { first: 1, end: 1 });
    }

    #[test]
    fn the_window_keeps_its_limit_over_100_000_messages() {
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
    fn the_window_stays_while_the_reader_is_in_its_middle() {
        let mut window = Window::around(500, ALL);
        let before = window;
        assert!(!window.follow_reader(MIDDLE, ALL));
        window.fit(Bounds { first: 1, end: 200_000 }, false, 0);
        assert_eq!(window, before);
    }

    #[test]
    fn the_window_follows_new_messages_at_the_end() {
        let mut window = Window::at_end(ALL);
        for end in 100_002..101_000 {
            window.fit(Bounds { first: 1, end }, true, 0);
            assert_eq!(window.end, end);
            assert!(window.end - window.first <= LIMIT);
        }
    }

    #[test]
    fn a_window_at_the_end_moves_once_for_many_messages_at_any_height() {
        for (view, row) in [(300.0, 26.0), (640.0, 26.0), (640.0, 60.0), (1_250.0, 26.0), (4_000.0, 20.0)] {
            let mut bounds = ALL;
            let mut window = Window::at_end(bounds);
            let at_end = |window: &Window| {
                let content = (window.end - window.first) as f64 * row;
                Scroll { top: (content - view).max(0.0), view, content }
            };
            let mut moves = 0;
            for _ in 0..10 * SURPLUS {
                let mut looks = 0;
                while window.follow_reader(at_end(&window), bounds) {
                    looks += 1;
                    assert!(looks < 100, "the window of {view} pixels never stands still");
                }
                moves += looks;
                assert_eq!(window.end, bounds.end, "the end is left in a view of {view} pixels");
                bounds.end += 1;
                let of_view = window.entries_of_view(at_end(&window));
                window.fit(bounds, true, of_view);
            }
            let most = views(LIMIT_VIEWS, window.entries_of_view(at_end(&window))).max(LIMIT);
            assert!(window.end - window.first <= most, "{window:?}");
            // The first ones fill the view.
            assert!(moves <= 20, "{moves} moves in a view of {view} pixels");
        }
    }

    #[test]
    fn a_window_out_of_bounds_moves_to_the_end() {
        let mut window = Window { first: 10, end: 20 };
        window.fit(Bounds { first: 500, end: 900 }, false, 0);
        assert_eq!(window, Window { first: 900 - INITIAL, end: 900 });
    }

    #[test]
    fn history_is_loaded_before_the_reader_needs_it() {
        let loaded = Bounds { first: 901, end: 1_001 };
        assert!(Window { first: 921, end: 1_001 }.needs_earlier(loaded));
        let loaded = Bounds { first: 701, end: 1_001 };
        assert!(!Window { first: 921, end: 1_001 }.needs_earlier(loaded));
        assert!(Window { first: 921, end: 1_001 }.needs_later(loaded));
        assert!(!Window { first: 701, end: 761 }.needs_later(loaded));
    }

    #[test]
    fn the_end_has_a_tolerance_of_one_line() {
        assert!(END.is_at_end());
        assert!(Scroll { top: 3_370.0, ..END }.is_at_end());
        assert!(!Scroll { top: 3_360.0, ..END }.is_at_end());
        assert!(Scroll { top: 0.0, view: 600.0, content: 300.0 }.is_at_end());
    }

    proptest! {
        #[test]
        fn the_window_stays_within_bounds_and_limit(
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
                    2 => { bounds.end += by; window.fit(bounds, true, 0); }
                    3 => { bounds.end += by; window.fit(bounds, false, 0); }
                    _ => { bounds.first = (bounds.first + by).min(bounds.end); window.fit(bounds, false, 0); }
                }
                prop_assert!(window.first >= bounds.first && window.end <= bounds.end);
                prop_assert!(window.first <= window.end && window.end - window.first <= LIMIT);
                prop_assert!(window.first < window.end || bounds.first == bounds.end);
            }
        }
    }
}
