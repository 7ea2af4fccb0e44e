//! The rules that every log has to keep, whatever is behind it; here for the one in memory.

use bytes::Bytes;
use futures_util::StreamExt as _;
#[cfg(feature = "cluster")]
use futures_util::stream::BoxStream;

use super::*;
use crate::chat::log::{Appended, LogError, Record};

/// Entries that differ.
pub(super) fn entry(number: usize) -> Bytes {
    format!("entry {number}").into()
}

pub(super) async fn read(log: &dyn Log, after: Position, count: usize) -> Vec<Record> {
    log.follow(after).take(count).map(Result::unwrap).collect().await
}

/// The next of those that follow, which comes or fails in time.
#[cfg(feature = "cluster")]
pub(super) async fn next(
    followed: &mut BoxStream<'static, Result<Record, LogError>>,
) -> Result<Record, LogError> {
    let next = tokio::time::timeout(Duration::from_secs(20), followed.next()).await;
    next.expect("nothing came").expect("it ended without an error")
}

/// Checks the rules with two connections to one new log.
pub(super) async fn keeps_the_rules(one: &dyn Log, two: &dyn Log) {
    assert_eq!(one.id(), two.id());
    assert_eq!(one.end().await.unwrap(), 0);
    // Of appends at one position exactly one succeeds, and a position that is taken is refused for ever.
    for position in 0..10 {
        let appends = (0..6).map(|n| {
            let log = if n % 2 == 0 { one } else { two };
            log.append(position, entry(n))
        });
        let answers = futures_util::future::join_all(appends).await;
        let stored = answers.into_iter().filter(|answer| matches!(answer, Ok(Appended::Stored))).count();
        assert_eq!(stored, 1, "at {position}");
        assert_eq!(two.append(position, entry(7)).await.unwrap(), Appended::Conflict);
        assert!(one.end().await.unwrap() > position, "the end is not before what was acknowledged");
    }
    assert_eq!(one.append(12, entry(1)).await.unwrap(), Appended::Conflict, "no gap");
    // An entry of the largest size passes.
    let large = Bytes::from(vec![7; 512 * 1024]);
    assert_eq!(two.append(10, large.clone()).await.unwrap(), Appended::Stored);
    // Every follower sees the same bytes at dense positions, from any start.
    let all = read(one, 0, 11).await;
    let positions: Vec<_> = all.iter().map(|record| record.position).collect();
    assert_eq!(positions, (1..=11).collect::<Vec<_>>());
    assert_eq!(all[10].entry, large);
    assert_eq!(read(two, 0, 11).await, all);
    assert_eq!(read(two, 6, 5).await, all[6..]);
    // One that waits gets the next entry.
    let mut waiting = one.follow(11);
    assert!(futures_util::poll!(waiting.next()).is_pending());
    assert_eq!(two.append(11, entry(2)).await.unwrap(), Appended::Stored);
    assert_eq!(waiting.next().await.unwrap().unwrap(), Record { position: 12, entry: entry(2) });
}

/// Checks that the end is answered while entries come, which an answer that is on its way cannot know.
pub(super) async fn answers_beside_appends(log: &dyn Log) {
    let before = log.end().await.unwrap();
    let appended = async {
        for position in before..before + 300 {
            assert_eq!(log.append(position, entry(1)).await.unwrap(), Appended::Stored);
        }
    };
    let asked = async {
        let mut end = before;
        while end < before + 300 {
            let answer = log.end().await.unwrap();
            assert!(answer >= end, "{answer} after {end}");
            end = answer;
        }
    };
    tokio::join!(appended, asked);
}

/// Checks the rules of copies with two connections to one log that has none.
pub(super) async fn keeps_copies(one: &dyn Log, two: &dyn Log) {
    let folder = TempDir::new().unwrap();
    let [from, into] = ["from", "into"].map(|name| folder.path().join(name));
    assert_eq!(one.newest_snapshot(&into).await.unwrap(), None);
    assert!(matches!(one.put_snapshot(3, &from).await, Err(LogError::Snapshot(_))), "there is no file");
    // One that comes late does not take the place of a newer one.
    for (position, newest) in [(3, 3), (7, 7), (5, 7)] {
        let copy = |position: u64| format!("copy at {position}").into_bytes().repeat(100_000);
        std::fs::write(&from, copy(position)).unwrap();
        one.put_snapshot(position, &from).await.unwrap();
        assert_eq!(two.newest_snapshot(&into).await.unwrap(), Some(newest));
        assert!(std::fs::read(&into).unwrap() == copy(newest), "at {newest}");
    }
    let nowhere = folder.path().join("none").join("into");
    assert!(matches!(two.newest_snapshot(&nowhere).await, Err(LogError::Snapshot(_))));
}

#[tokio::test]
async fn log_in_memory_keeps_the_rules() {
    let log = Memory::new(1);
    let (one, two) = (log.connect(), log.connect());
    keeps_the_rules(&*one, &*two).await;
    answers_beside_appends(&*one).await;
    keeps_copies(&*one, &*two).await;
    two.trim(4).await.unwrap();
    assert_eq!(read(&*one, 4, 1).await[0].position, 5);
    let trimmed = one.follow(3).next().await.unwrap();
    assert!(matches!(trimmed, Err(LogError::Trimmed { first: 5 })), "{trimmed:?}");
}

#[tokio::test]
async fn unanswered_append_that_is_repeated_is_stored_once() {
    for fault in [AppendFault::AnswerLost, AppendFault::Lost, AppendFault::Delayed] {
        let log = Memory::new(1);
        let (one, two) = (log.connect(), log.connect());
        one.order(vec![Some(fault)], Vec::new());
        assert!(matches!(one.append(0, entry(1)).await, Err(LogError::Unanswered(_))));
        let again = one.append(0, entry(1)).await.unwrap();
        let was_stored = fault != AppendFault::Lost;
        assert_eq!(again == Appended::Conflict, was_stored, "{fault:?}");
        assert_eq!(read(&*two, 0, 1).await, [Record { position: 1, entry: entry(1) }]);
        assert_eq!(log.end(), 1);
    }
}

#[tokio::test]
async fn append_that_was_delayed_past_a_conflict_is_refused() {
    let log = Memory::new(1);
    let (one, two) = (log.connect(), log.connect());
    two.append(0, entry(2)).await.unwrap();
    one.order(vec![Some(AppendFault::Delayed)], Vec::new());
    assert!(one.append(0, entry(1)).await.is_err());
    assert_eq!(two.append(1, entry(3)).await.unwrap(), Appended::Stored);
    let entries: Vec<_> = read(&*one, 0, 2).await.into_iter().map(|record| record.entry).collect();
    assert_eq!(entries, [entry(2), entry(3)]);
    assert_eq!(log.end(), 2);
}
