//! What happens at the limits: a watcher that does not read, a revision that is gone, time without changes.

use coracle_api::kinds;
use coracle_store::Store;

use super::{Bench, State};
use crate::{
    registry::Start,
    watch::{EventKind, Filter, MAX_QUEUED_EVENTS},
};

const STATE: State = State { label: 0, node: 0 };

#[tokio::test(start_paused = true)]
async fn a_watcher_that_does_not_read_is_cut_off_and_slows_nobody() {
    let bench = Bench::new(64 << 20);
    let all = Start::Now { initial: false };
    let mut idle = bench
        .cache
        .watch(kinds::POD, Filter::default(), all, true)
        .unwrap();
    let mut busy = bench
        .cache
        .watch(kinds::POD, Filter::default(), all, true)
        .unwrap();
    let mut told = 0;
    for _ in 0..=MAX_QUEUED_EVENTS {
        bench.put(0, 0, &STATE).await;
        told += busy
            .next()
            .await
            .unwrap()
            .unwrap()
            .iter()
            .filter(|event| event.entry.is_some())
            .count();
    }
    assert_eq!(told, MAX_QUEUED_EVENTS + 1);
    let error = idle.next().await.unwrap().unwrap_err();
    assert!(
        error.is_transient() && error.message().contains("resume after resource version 0"),
        "{error}"
    );
    assert!(idle.next().await.is_none(), "an error ends the watch");
    // It resumes without a gap.
    let mut resumed = bench
        .cache
        .watch(kinds::POD, Filter::default(), Start::After(1), true)
        .unwrap();
    assert_eq!(resumed.next().await.unwrap().unwrap()[0].revision, 2);
}

#[tokio::test(start_paused = true)]
async fn below_the_compacted_revision_it_is_expired_and_live_watches_go_on() {
    let bench = Bench::new(0);
    let mut live = bench
        .cache
        .watch(kinds::POD, Filter::default(), Start::Now { initial: false }, true)
        .unwrap();
    for _ in 0..10 {
        bench.put(0, 0, &STATE).await;
    }
    let mut behind = bench
        .cache
        .watch(kinds::POD, Filter::default(), Start::After(3), true)
        .unwrap();
    bench.store.compact(8);
    let refused = bench
        .cache
        .watch(kinds::POD, Filter::default(), Start::After(7), true)
        .err()
        .unwrap();
    assert_eq!(refused.message(), "too old resource version: 7 (8)");
    assert!(refused.is_expired());
    let error = behind.next().await.unwrap().unwrap_err();
    assert!(
        error.is_expired(),
        "a watch that still read history is told: {error}"
    );
    assert_eq!(
        live.next().await.unwrap().unwrap().len(),
        10,
        "compaction ends no live watch"
    );
    let mut edge = bench
        .cache
        .watch(kinds::POD, Filter::default(), Start::After(8), true)
        .unwrap();
    assert_eq!(edge.next().await.unwrap().unwrap()[0].revision, 9);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_has_not_happened_is_refused() {
    let bench = Bench::new(1 << 20);
    let error = bench
        .cache
        .watch(kinds::POD, Filter::default(), Start::After(5), true)
        .err()
        .unwrap();
    assert!(
        error
            .message()
            .contains("Too large resource version: 5, current: 0"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_only_where_something_moved() {
    let bench = Bench::new(1 << 20);
    let elsewhere = Filter {
        namespace: "ns9".to_owned(),
        ..Filter::default()
    };
    let mut watch = bench
        .cache
        .watch(kinds::POD, elsewhere, Start::Now { initial: true }, true)
        .unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap()[0].kind, EventKind::Synced);
    bench.put(0, 0, &STATE).await;
    let told = watch.next().await.unwrap().unwrap();
    assert_eq!((told[0].kind, told[0].revision), (EventKind::Bookmark, 1));
    let quiet = tokio::time::timeout(std::time::Duration::from_secs(60), watch.next()).await;
    assert!(quiet.is_err(), "nothing moved, nothing is told");
}

/// A standing cluster with many watches pays for a hundred bookmarks a second, not for one of each watch.
#[tokio::test(start_paused = true)]
async fn many_watches_tell_their_progress_less_often() {
    const WATCHES: usize = 2_000;
    let bench = Bench::new(1 << 20);
    let elsewhere = Filter {
        namespace: "ns9".to_owned(),
        ..Filter::default()
    };
    let begin = || {
        bench
            .cache
            .watch(kinds::POD, elsewhere.clone(), Start::Now { initial: true }, true)
            .unwrap()
    };
    let mut others: Vec<_> = (1..WATCHES).map(|_| begin()).collect();
    let mut watch = begin();
    assert_eq!(watch.next().await.unwrap().unwrap()[0].kind, EventKind::Synced);
    let mut seconds = Vec::new();
    for version in 0..3 {
        bench.put(0, version, &STATE).await;
        let before = tokio::time::Instant::now();
        let told = watch.next().await.unwrap().unwrap();
        assert_eq!(told[0].kind, EventKind::Bookmark);
        seconds.push(before.elapsed().as_secs());
        others.truncate(if version == 1 { 0 } else { WATCHES });
    }
    assert_eq!(seconds, [1, 20, 20], "the third was set while all watched");
    bench.put(0, 3, &STATE).await;
    let alone = tokio::time::timeout(std::time::Duration::from_secs(2), watch.next()).await;
    assert!(
        alone.is_ok(),
        "one that watches alone hears of progress each second"
    );
}

#[tokio::test(start_paused = true)]
async fn events_stay_out_of_the_window() {
    let bench = Bench::new(1 << 20);
    let watch = || {
        bench
            .cache
            .watch(kinds::EVENT, Filter::default(), Start::After(0), true)
    };
    drop(watch().unwrap());
    bench.put(0, 0, &STATE).await;
    let mut watch = watch().unwrap();
    let told = watch.next().await.unwrap().unwrap();
    assert_eq!(told[0].kind, EventKind::Bookmark, "a pod is no event");
}
