//! One timeout for all that wait a moment for what is nearly always there at once.
//!
//! A timeout of its own would be set and soon cleared for nearly every call, and this wait need not be exact.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use gloo_timers::callback::Timeout;

use crate::timer::GRACE;

thread_local! {
    static TICKS: RefCell<Ticks> = RefCell::default();
}

/// Ends between one and two times [`GRACE`] after it was first polled.
#[derive(Debug, Default)]
pub(crate) struct Grace {
    /// The tick that ends it.
    until: Option<u64>,
}

/// The ends of the one timeout. It runs while the list is not empty, and starts with the next who waits.
#[derive(Default)]
struct Ticks {
    count: u64,
    /// To be woken by the next tick. Whoever left before is among them, so these are as many as calls that waited
    /// since the last one.
    waiting: Vec<Waker>,
}

impl Future for Grace {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        TICKS.with_borrow_mut(|ticks| {
            let idle = ticks.waiting.is_empty();
            // How much is left of a timeout that runs is not known, so it does not count.
            let until = *self.until.get_or_insert(ticks.count + if idle { 1 } else { 2 });
            if ticks.count >= until {
                return Poll::Ready(());
            }
            if idle {
                Timeout::new(GRACE.as_millis() as u32, tick).forget();
            }
            // One task makes many calls.
            if !ticks.waiting.last().is_some_and(|last| last.will_wake(cx.waker())) {
                ticks.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }
}

fn tick() {
    let waiting = TICKS.with_borrow_mut(|ticks| {
        ticks.count += 1;
        std::mem::take(&mut ticks.waiting)
    });
    waiting.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::timer::{Instant, Sleep};

    fn ticks() -> (u64, usize) {
        TICKS.with_borrow(|ticks| (ticks.count, ticks.waiting.len()))
    }

    #[wasm_bindgen_test]
    async fn each_ends_after_its_time_and_before_thrice_of_it_wherever_the_timeout_is_by_then() {
        let one = async |quarters: u32| {
            Sleep::new(quarters * GRACE / 4).await;
            let start = Instant::now();
            Grace::default().await;
            start.elapsed()
        };
        for waited in join_all((0..4).map(one)).await {
            // Twice is the most; a machine may be busy. The clock is coarser than the timer.
            assert!((GRACE * 99 / 100..GRACE * 3).contains(&waited), "{waited:?}");
        }
    }

    #[wasm_bindgen_test]
    async fn many_who_leave_early_need_one_timeout_which_is_the_last_when_nobody_waits() {
        let (before, _) = ticks();
        let polled = std::future::poll_fn(|cx| {
            // The ones of other tests have ended.
            Poll::Ready((0..1_000).all(|_| Grace::default().poll_unpin(cx).is_pending()))
        });
        assert!(polled.await);
        assert_eq!(ticks(), (before, 1));

        Sleep::new(GRACE * 5 / 2).await;

        assert_eq!(ticks(), (before + 1, 0));
    }
}
