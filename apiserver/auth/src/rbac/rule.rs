//! One rule of a role, and whether it grants something or covers another rule.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Attributes, Target};

/// Stands for everything in verbs, groups, resources and paths.
const ALL: &str = "*";

/// A `PolicyRule`, as it stands in roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// Verbs; `*` for all.
    #[serde(deserialize_with = "nullable")]
    pub verbs: Vec<String>,
    /// API groups; empty text for the core group.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// `pods`, `pods/log`, `*/scale` or `*`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Only objects of these names; empty for all.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// Paths that are no objects; a trailing `*` stands for any rest.
    #[serde(
        rename = "nonResourceURLs",
        deserialize_with = "nullable",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub non_resource_urls: Vec<String>,
}

/// Go writes lists that are not there as null.
fn nullable<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|own| own == wanted || own == ALL)
}

impl Rule {
    /// A rule about resources.
    #[must_use]
    pub fn resources(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Self {
        Self {
            verbs: owned(verbs),
            api_groups: owned(groups),
            resources: owned(resources),
            ..Self::default()
        }
    }

    /// A rule about paths.
    #[must_use]
    pub fn paths(paths: &[&str], verbs: &[&str]) -> Self {
        Self {
            verbs: owned(verbs),
            non_resource_urls: owned(paths),
            ..Self::default()
        }
    }

    /// The same rule for objects of these names alone.
    #[must_use]
    pub fn named(mut self, names: &[&str]) -> Self {
        self.resource_names = owned(names);
        self
    }

    /// Whether the rule grants what is asked.
    #[must_use]
    pub fn allows(&self, asked: &Attributes<'_>) -> bool {
        if !has(&self.verbs, asked.verb) {
            return false;
        }
        match asked.target {
            Target::Path(path) => self.non_resource_urls.iter().any(|own| is_path_in(path, own)),
            Target::Resource(about) => {
                has(&self.api_groups, about.group)
                    && self
                        .resources
                        .iter()
                        .any(|own| is_resource_in(about.resource, about.subresource, own))
                    && (self.resource_names.is_empty()
                        || self.resource_names.iter().any(|own| own == about.name))
            }
        }
    }

    /// The rule as rules that each say one thing: one verb of one resource (by one name), or of one path.
    fn atoms(&self) -> Vec<Self> {
        let mut atoms = Vec::new();
        let one = |text: &String| vec![text.clone()];
        for verb in &self.verbs {
            for path in &self.non_resource_urls {
                atoms.push(Self {
                    verbs: one(verb),
                    non_resource_urls: one(path),
                    ..Self::default()
                });
            }
            for (group, resource) in self
                .api_groups
                .iter()
                .flat_map(|group| self.resources.iter().map(move |resource| (group, resource)))
            {
                let atom = Self {
                    verbs: one(verb),
                    api_groups: one(group),
                    resources: one(resource),
                    ..Self::default()
                };
                if self.resource_names.is_empty() {
                    atoms.push(atom);
                    continue;
                }
                atoms.extend(self.resource_names.iter().map(|name| Self {
                    resource_names: one(name),
                    ..atom.clone()
                }));
            }
        }
        atoms
    }

    /// Whether everything that `atom` grants is granted by this rule.
    fn covers(&self, atom: &Self) -> bool {
        let all_in = |own: &[String], wanted: &[String]| {
            own.iter().any(|own| own == ALL) || wanted.iter().all(|wanted| own.contains(wanted))
        };
        if !all_in(&self.verbs, &atom.verbs) {
            return false;
        }
        if !atom.non_resource_urls.is_empty() {
            return atom
                .non_resource_urls
                .iter()
                .all(|path| self.non_resource_urls.iter().any(|own| is_path_in(path, own)));
        }
        let is_covered = |resource: &String| {
            let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
            self.resources
                .iter()
                .any(|own| is_resource_in(resource, part, own))
        };
        all_in(&self.api_groups, &atom.api_groups)
            && atom.resources.iter().all(is_covered)
            && (self.resource_names.is_empty()
                || (!atom.resource_names.is_empty()
                    && atom
                        .resource_names
                        .iter()
                        .all(|name| self.resource_names.contains(name))))
    }
}

/// What of `wanted` none of the rules `held` covers, one thing a rule, without repetition.
#[must_use]
pub fn uncovered<'a>(held: &[&Rule], wanted: impl IntoIterator<Item = &'a Rule>) -> Vec<Rule> {
    let mut missing: Vec<Rule> = wanted
        .into_iter()
        .flat_map(Rule::atoms)
        .filter(|atom| !held.iter().any(|own| own.covers(atom)))
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

/// `own` grants `resource/part`.
fn is_resource_in(resource: &str, part: &str, own: &str) -> bool {
    if own == ALL {
        return true;
    }
    match own.split_once('/') {
        None => part.is_empty() && own == resource,
        Some((whole, own_part)) => {
            !part.is_empty() && own_part == part && (whole == resource || whole == ALL)
        }
    }
}

/// `own` grants `path`.
fn is_path_in(path: &str, own: &str) -> bool {
    match own.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => own == path,
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// As refusals show it: `{APIGroups:["apps"], Resources:["deployments"], Verbs:["create"]}`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("ResourceNames", &self.resource_names),
            ("NonResourceURLs", &self.non_resource_urls),
            ("Verbs", &self.verbs),
        ];
        f.write_str("{")?;
        let shown = parts.iter().filter(|(_, list)| !list.is_empty());
        for (index, (name, list)) in shown.enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}:[")?;
            for (index, text) in list.iter().enumerate() {
                let comma = if index == 0 { "" } else { " " };
                write!(f, "{comma}{text:?}")?;
            }
            f.write_str("]")?;
        }
        f.write_str("}")
    }
}
