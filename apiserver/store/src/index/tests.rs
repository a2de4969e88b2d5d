//! The index against a list of everything that ever happened.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::{HistoryLimits, Index, NewVersion};
use crate::types::{Key, ReadError, Revision};

fn put(index: &mut Index, key: &str, deleted: bool, at_s: u32) -> Option<Revision> {
    let key: Key = Arc::from(key);
    let revision = index.latest() + 1;
    index.insert(&NewVersion {
        key: &key,
        revision,
        deleted,
        fence: None,
        bytes: 10,
        at_s,
    })
}

#[test]
fn limits_decide_where_compaction_goes() {
    let mut index = Index::default();
    for at_s in 0..10 {
        put(&mut index, "/a", false, at_s);
    }
    let limits = HistoryLimits {
        age_s: 100,
        revisions: 100,
        bytes: 1_000,
    };
    assert_eq!(index.compaction_target(&limits, 10, 100), 0);
    assert_eq!(
        index.compaction_target(
            &HistoryLimits {
                revisions: 4,
                ..limits
            },
            10,
            100
        ),
        6
    );
    assert_eq!(
        index.compaction_target(&HistoryLimits { bytes: 25, ..limits }, 10, 100),
        8
    );
    assert_eq!(
        index.compaction_target(&HistoryLimits { age_s: 5, ..limits }, 10, 100),
        5
    );
}

#[test]
fn a_step_is_bounded_and_below_the_compacted_revision_is_an_error() {
    let mut index = Index::default();
    for _ in 0..10 {
        put(&mut index, "/a", false, 0);
    }
    let mut dropped = Vec::new();
    index.compact(8, 3, &mut dropped);
    assert_eq!((index.compacted(), dropped.as_slice()), (3, &[1, 2][..]));
    assert_eq!(
        index.readable(2),
        Err(ReadError::Compacted {
            requested: 2,
            oldest: 3
        })
    );
    assert_eq!(
        index.readable(11),
        Err(ReadError::Future {
            requested: 11,
            latest: 10
        })
    );
    assert_eq!(index.at("/a", 3), Some(3));
}

/// Everything that ever happened, and the questions answered by walking it.
#[derive(Default)]
struct Model {
    events: Vec<(String, bool)>,
}

impl Model {
    fn at(&self, key: &str, at: Revision) -> Option<Revision> {
        let last = self.events[..at as usize].iter().rposition(|(k, _)| k == key)?;
        (!self.events[last].1).then_some(last as Revision + 1)
    }
}

proptest! {
    #[test]
    fn the_index_agrees_with_the_model(
        events in prop::collection::vec((0u8..6, any::<bool>()), 1..60),
        compact in prop::collection::vec(0i64..60, 0..4),
    ) {
        let mut index = Index::default();
        let mut model = Model::default();
        for (key, delete) in events {
            let key = format!("/k/{key}");
            let delete = delete && index.current(&key).is_some();
            let before = model.at(&key, model.events.len() as Revision);
            prop_assert_eq!(put(&mut index, &key, delete, 0), before);
            model.events.push((key, delete));
        }
        let mut dropped = Vec::new();
        for upto in compact {
            index.compact(upto, 1_000, &mut dropped);
        }
        let gone: BTreeSet<_> = dropped.iter().copied().collect();
        prop_assert_eq!(gone.len(), dropped.len(), "a value is dropped once");
        let mut reachable = BTreeSet::new();
        for at in index.compacted()..=index.latest() {
            let walked = index.range("/k/", None, 100, at);
            let expected: Vec<_> = (0..6).map(|k| format!("/k/{k}")).filter_map(|k| Some((k.clone(), model.at(&k, at)?))).collect();
            prop_assert_eq!(walked.iter().map(|(k, r)| (k.to_string(), *r)).collect::<Vec<_>>(), expected);
            reachable.extend(walked.iter().map(|(_, r)| *r));
        }
        reachable.extend(index.compacted() + 1..=index.latest());
        let all: BTreeSet<_> = (1..=index.latest()).collect();
        prop_assert_eq!(all.difference(&reachable).copied().collect::<BTreeSet<_>>(), gone, "dropped = unreachable");
        let live = |at| (0..6).filter(|k| model.at(&format!("/k/{k}"), at).is_some()).count() as u64;
        let (first, last) = index.count_at(None, 3, index.latest());
        let (rest, end) = last.map_or((0, None), |last| index.count_at(Some(&last), 100, index.latest()));
        prop_assert_eq!((first + rest, end), (live(index.latest()), None));
        for change in index.changes(index.compacted(), 1_000) {
            let (key, deleted) = &model.events[change.revision as usize - 1];
            prop_assert_eq!(&*change.key, key.as_str());
            prop_assert_eq!(change.kind == crate::types::ChangeKind::Delete, *deleted);
            prop_assert_eq!(change.previous, model.at(key, change.revision - 1));
        }
        prop_assert_eq!(index.live(), (0..6).filter(|k| model.at(&format!("/k/{k}"), index.latest()).is_some()).count());
    }
}
