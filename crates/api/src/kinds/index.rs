//! The ways to find a row. Each costs a few comparisons, however many kinds there are: requests, and every change that
//! the store publishes, come through here.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::LazyLock;

use super::{RESOURCES, Resource};

type Row = &'static Resource;

static INDEX: LazyLock<Index> = LazyLock::new(Index::of_rows);

#[derive(Default)]
struct Index {
    /// By group, version and plural.
    by_path: BTreeMap<(&'static str, &'static str, &'static str), Row>,
    /// By `apiVersion` and kind.
    of_object: BTreeMap<(&'static str, &'static str), Row>,
    /// Stored rows by their store prefix; no prefix begins with another.
    of_key: BTreeMap<&'static str, Row>,
    /// By kind in lowercase, plural, singular and short names; in the order of the table.
    named: BTreeMap<String, Vec<Row>>,
}

impl Index {
    fn of_rows() -> Self {
        let mut index = Self::default();
        for &row in RESOURCES {
            index.by_path.insert((row.group, row.version, row.plural), row);
            index.of_object.insert((row.api_version, row.kind), row);
            if row.is_storage() {
                index.of_key.insert(row.store_prefix, row);
            }
            let mut names = vec![row.kind.to_ascii_lowercase()];
            names.extend([row.plural, row.singular].map(str::to_owned));
            names.extend(row.short_names.iter().map(|name| (*name).to_owned()));
            for name in names {
                let rows = index.named.entry(name).or_default();
                if rows.last() != Some(&row) {
                    rows.push(row);
                }
            }
        }
        index
    }
}

impl Resource {
    fn is_named(&self, name: &str) -> bool {
        self.kind.eq_ignore_ascii_case(name)
            || self.plural == name
            || self.singular == name
            || self.short_names.contains(&name)
    }
}

/// The rows that `name` may mean: a kind in any case, a plural, a singular or a short name.
fn named(name: &str) -> impl Iterator<Item = Row> {
    let key = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    };
    let rows = INDEX.named.get(&*key).map(Vec::as_slice).unwrap_or_default();
    rows.iter().copied().filter(move |row| row.is_named(name))
}

/// Finds a resource by `name`: a kind, plural, singular or short name, a plural with its group
/// (`deployments.apps`, `deployments.v1.apps`), or everything at once (`apps/v1/Deployment`).
///
/// `api_version` narrows the search where it is not empty. Where two groups share a name the first row wins, as the
/// first group in discovery does for kubectl.
pub fn find(api_version: &str, name: &str) -> Option<Row> {
    let (api_version, name) = match name.rsplit_once('/') {
        Some((prefix, rest)) if api_version.is_empty() || api_version == prefix => (prefix, rest),
        Some(_) => return None,
        None => (api_version, name),
    };
    let fits = |row: &Row| api_version.is_empty() || row.api_version == api_version;
    if let Some(found) = named(name).find(fits) {
        return Some(found);
    }
    let (plural, group) = name.split_once('.')?;
    named(plural).filter(fits).find(|row| {
        let versioned = group
            .strip_prefix(row.version)
            .and_then(|rest| rest.strip_prefix('.'));
        row.group == group || versioned == Some(row.group)
    })
}

/// Finds the resource that a REST path names: exact group, version and plural.
pub fn by_path(group: &str, version: &str, plural: &str) -> Option<Row> {
    INDEX.by_path.get(&(group, version, plural)).copied()
}

/// Whether any resource is served in this version of this group.
pub fn is_version(group: &str, version: &str) -> bool {
    let first = INDEX.by_path.range((group, version, "")..).next();
    first.is_some_and(|((own, served, _), _)| *own == group && *served == version)
}

/// Finds the resource of an object's `apiVersion` and `kind`, both exact.
pub fn of_object(api_version: &str, kind: &str) -> Option<Row> {
    INDEX.of_object.get(&(api_version, kind)).copied()
}

/// Finds the stored resource whose store prefix `key` starts with.
pub fn of_key(key: &str) -> Option<Row> {
    // No prefix begins with another, so the one that fits stands directly before the key.
    let before = (Bound::Unbounded, Bound::Included(key));
    let (prefix, row) = INDEX.of_key.range::<str, _>(before).next_back()?;
    key.starts_with(prefix).then_some(*row)
}

/// Orders versions as discovery lists them, the preferred one first: stable before beta before alpha, each from high to
/// low, and after them what does not look like a version, by name.
pub fn compare_versions(one: &str, other: &str) -> Ordering {
    match (maturity(one), maturity(other)) {
        (Some(own), Some(others)) => others.cmp(&own),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(other),
    }
}

/// How mature a version is, its number, and the number of the beta or alpha: `v2beta1` is (1, 2, 1).
fn maturity(version: &str) -> Option<(u8, u32, u32)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(rest.len());
    let (major, rest) = rest.split_at(digits);
    let major = major.parse().ok()?;
    if rest.is_empty() {
        return Some((2, major, 0));
    }
    let (level, minor) = match rest.strip_prefix("beta") {
        Some(minor) => (1, minor),
        None => (0, rest.strip_prefix("alpha")?),
    };
    Some((level, major, minor.parse().ok()?))
}
