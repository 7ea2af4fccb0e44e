//! Signals for parts of the page that come and go while what they read stays.

use leptos::{
    prelude::*,
    reactive::{
        computed::ArcMemo,
        graph::{Subscriber as _, ToAnySubscriber as _},
    },
};

/// What `read` reads from signals that outlive the owner, such as one row of a list.
///
/// A signal keeps its subscribers' memory until it goes itself: an effect or memo of a row that reads the page's language costs memory, and
/// time at each change, after the row is gone. This memo leaves the signals that it reads when its owner goes; effects and memos that read
/// this one go with it. They are told of a value for which `has_changed` is true of the previous one and itself.
pub(crate) fn scoped<T>(
    read: impl Fn() -> T + Send + Sync + 'static,
    has_changed: fn(Option<&T>, Option<&T>) -> bool,
) -> Memo<T>
where
    T: Send + Sync + 'static,
{
    let memo = ArcMemo::new_with_compare(move |_| read(), has_changed);
    let kept = memo.clone();
    on_cleanup(move || {
        let subscriber = kept.to_any_subscriber();
        subscriber.clear_sources(&subscriber);
    });
    memo.into()
}

/// Whether two values differ, for [`scoped`].
pub(crate) fn differs<T: PartialEq>(previous: Option<&T>, value: Option<&T>) -> bool {
    previous != value
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests {
    use super::*;

    #[test]
    fn a_memo_leaves_its_signals_with_its_owner() {
        let signal = ArcRwSignal::new(1);
        let read = signal.clone();
        let owner = Owner::new();
        // It outlives the owner here, so that one sees whether the signal still tells it of changes.
        let memo = owner.with(|| ArcMemo::from(scoped(move || read.get(), differs)));
        assert_eq!(memo.get_untracked(), 1);
        signal.set(2);
        assert_eq!(memo.get_untracked(), 2);
        owner.cleanup();
        signal.set(3);
        assert_eq!(memo.get_untracked(), 2);
    }
}
