//! Writes that are not applied configurations: whoever changes a field owns it from then on, alone.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use coracle_api::schema::View;
use serde_json::Value;

use crate::compare::{Comparison, compare};
use crate::managers::{Manager, Managers, Operation, Writer};
use crate::set::FieldSet;

/// So many managers that update are told apart; older ones are folded into [`ANCIENT`].
pub const MAX_UPDATE_MANAGERS: usize = 10;
/// Under this name the oldest updates live on.
const ANCIENT: &str = "ancient-changes";

/// What every object has and nobody owns.
static NOBODYS: LazyLock<FieldSet> = LazyLock::new(|| {
    let paths: [&[&str]; 12] = [
        &["apiVersion"],
        &["kind"],
        &["metadata"],
        &["metadata", "clusterName"],
        &["metadata", "creationTimestamp"],
        &["metadata", "generation"],
        &["metadata", "managedFields"],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["metadata", "resourceVersion"],
        &["metadata", "selfLink"],
        &["metadata", "uid"],
    ];
    FieldSet::of_fields(paths)
});

/// What of `fields` somebody may own.
pub(crate) fn ownable(fields: &FieldSet) -> FieldSet {
    fields.difference(&NOBODYS)
}

impl Managers {
    /// The managers after `writer` has changed the object from `old` to `new`. Fields in `ignored` and below are such
    /// as this kind of write cannot change, whatever the two states say.
    #[must_use]
    pub fn update(
        mut self,
        old: &Value,
        new: &Value,
        view: View<'_>,
        ignored: &FieldSet,
        writer: Writer<'_>,
    ) -> Self {
        let comparison = compare(old, new, view).without(ignored);
        self.disown(&comparison, None);
        let changed = ownable(&comparison.added.union(&comparison.modified));
        if !changed.is_empty() {
            let mut own = writer.manager(Operation::Update);
            let before = self.take(&own).map(|before| before.fields).unwrap_or_default();
            own.fields = before.union(&changed);
            self.all.push(own);
        }
        self.fold_ancient();
        self
    }

    /// Takes changed and removed fields from everybody but `keeper`.
    pub(crate) fn disown(&mut self, comparison: &Comparison, keeper: Option<&Manager>) {
        let gone = comparison
            .added
            .union(&comparison.modified)
            .union(&comparison.removed);
        for manager in &mut self.all {
            if !keeper.is_some_and(|keeper| keeper.is_same(manager)) {
                manager.fields = manager.fields.difference(&gone);
            }
        }
        self.drop_empty();
    }

    /// Folds the oldest updates into one manager a version, until there are few enough.
    fn fold_ancient(&mut self) {
        let is_update = |manager: &&Manager| manager.operation == Operation::Update;
        let mut surplus = self
            .all
            .iter()
            .filter(is_update)
            .count()
            .saturating_sub(MAX_UPDATE_MANAGERS);
        if surplus == 0 {
            return;
        }
        let (mut updates, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.all)
            .into_iter()
            .partition(|manager| is_update(&manager));
        updates
            .sort_by(|one, other| (one.seconds(), one.identity()).cmp(&(other.seconds(), other.identity())));
        let mut kept: Vec<Manager> = others;
        // Where the oldest update of each version is now; the next one turns it into the version's ancient one.
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for manager in updates {
            match places
                .get(&manager.api_version)
                .and_then(|place| kept.get_mut(*place))
            {
                Some(ancient) if surplus > 0 || ancient.is_same(&manager) => {
                    surplus = surplus.saturating_sub(1);
                    ANCIENT.clone_into(&mut ancient.name);
                    ancient.subresource.clear();
                    ancient.fields = ancient.fields.union(&manager.fields);
                    ancient.time = manager.time;
                }
                Some(_) => kept.push(manager),
                None => {
                    places.insert(manager.api_version.clone(), kept.len());
                    kept.push(manager);
                }
            }
        }
        self.all = kept;
    }
}
