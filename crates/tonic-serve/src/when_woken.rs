//! A future that is polled only when it was woken.
//!
//! A task with several futures polls all of them whenever one of them wakes it. Futures that hardly ever wake it, such as the
//! wait for a shutdown, lock lists that all tasks share each time they are polled. `FuturesUnordered` does the same for many
//! futures, with a list of its own and three atomic operations for each poll.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use futures_util::task::{ArcWake, AtomicWaker, waker};

/// Polls `F` the first time, and then when it has woken its task. It must not be polled after it was ready.
pub(crate) struct WhenWoken<F> {
    future: F,
    waking: Arc<Waking>,
    /// The task that `waking` wakes.
    task: Option<Waker>,
}

/// The waker of the future.
struct Waking {
    has_come: AtomicBool,
    task: AtomicWaker,
}

impl ArcWake for Waking {
    fn wake_by_ref(waking: &Arc<Self>) {
        waking.has_come.store(true, Ordering::Release);
        waking.task.wake();
    }
}

impl<F> WhenWoken<F> {
    pub(crate) fn new(future: F) -> Self {
        let waking = Waking { has_come: AtomicBool::new(true), task: AtomicWaker::new() };
        Self { future, waking: Arc::new(waking), task: None }
    }
}

impl<F: Future + Unpin> Future for WhenWoken<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let is_same_task = this.task.as_ref().is_some_and(|task| task.will_wake(cx.waker()));
        if is_same_task && !this.waking.has_come.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // A wake-up takes the task out. One that comes before the next line is seen by the one after it.
        this.waking.task.register(cx.waker());
        if !is_same_task {
            this.task = Some(cx.waker().clone());
        }
        if !this.waking.has_come.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = waker(Arc::clone(&this.waking));
        Pin::new(&mut this.future).poll(&mut Context::from_waker(&waker))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Task {
        fn wakes(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl ArcWake for Task {
        fn wake_by_ref(task: &Arc<Self>) {
            task.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ready at the poll of this number; keeps its waker.
    struct ReadyAt {
        number: usize,
        polls: usize,
        waker: Option<Waker>,
    }

    impl Future for ReadyAt {
        type Output = usize;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
            self.polls += 1;
            self.waker = Some(cx.waker().clone());
            if self.polls == self.number { Poll::Ready(self.polls) } else { Poll::Pending }
        }
    }

    fn poll(future: &mut WhenWoken<ReadyAt>, task: &Arc<Task>) -> Poll<usize> {
        Pin::new(future).poll(&mut Context::from_waker(&waker(Arc::clone(task))))
    }

    fn wake(future: &WhenWoken<ReadyAt>) {
        future.future.waker.as_ref().unwrap().wake_by_ref();
    }

    #[test]
    fn is_polled_at_first_and_when_woken() {
        let task = Arc::<Task>::default();
        let mut future = WhenWoken::new(ReadyAt { number: 3, polls: 0, waker: None });
        for wakes in 0..2 {
            assert_eq!(poll(&mut future, &task), Poll::Pending);
            assert_eq!(poll(&mut future, &task), Poll::Pending);
            assert_eq!((future.future.polls, task.wakes()), (wakes + 1, wakes));
            wake(&future);
            assert_eq!(task.wakes(), wakes + 1);
        }
        assert_eq!(poll(&mut future, &task), Poll::Ready(3));
    }

    #[test]
    fn wakes_the_task_that_polled_it_last() {
        let (before, after) = (Arc::<Task>::default(), Arc::<Task>::default());
        let mut future = WhenWoken::new(ReadyAt { number: 9, polls: 0, waker: None });
        assert_eq!(poll(&mut future, &before), Poll::Pending);
        assert_eq!(poll(&mut future, &after), Poll::Pending);
        wake(&future);
        assert_eq!((before.wakes(), after.wakes()), (0, 1));
        assert_eq!(poll(&mut future, &after), Poll::Pending);
        assert_eq!(future.future.polls, 2);
    }

    #[test]
    fn wake_before_the_next_poll_is_not_lost() {
        let task = Arc::<Task>::default();
        let mut future = WhenWoken::new(ReadyAt { number: 2, polls: 0, waker: None });
        assert_eq!(poll(&mut future, &task), Poll::Pending);
        wake(&future);
        wake(&future);
        assert_eq!(poll(&mut future, &task), Poll::Ready(2));
    }
}
