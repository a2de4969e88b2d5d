//! Fields that a configuration sets and others own, in the words of upstream.

use std::fmt;

use coracle_api::{ApiError, Cause, Details, Reason};

use crate::managers::{Manager, Operation};
use crate::set::FieldSet;

/// What one manager owns of what was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The owner; its fields are those in dispute.
    pub owner: Manager,
}

/// All that stands against a configuration, by owner; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts {
    all: Vec<Conflict>,
}

impl Conflicts {
    /// The conflicts with these owners; `None` where there are none.
    pub(crate) fn of(owners: impl IntoIterator<Item = Manager>) -> Option<Self> {
        let owners = owners.into_iter().filter(|owner| !owner.fields.is_empty());
        let mut all: Vec<Conflict> = owners.map(|owner| Conflict { owner }).collect();
        all.sort_by(|one, other| one.owner.identity().cmp(&other.owner.identity()));
        (!all.is_empty()).then_some(Self { all })
    }

    /// The conflicts, in the order of their owners' names.
    pub fn iter(&self) -> impl Iterator<Item = &Conflict> {
        self.all.iter()
    }

    /// What is left when these fields may be taken.
    pub(crate) fn except(self, allowed: &FieldSet) -> Option<Self> {
        Self::of(self.all.into_iter().map(|mut conflict| {
            conflict.owner.fields = conflict.owner.fields.difference(allowed);
            conflict.owner
        }))
    }

    /// The answer to the client: 409 with a cause for each field.
    pub fn into_api_error(self) -> ApiError {
        let causes = self.all.iter().flat_map(|Conflict { owner }| {
            owner.fields.paths().into_iter().map(|path| Cause {
                reason: "FieldManagerConflict".to_owned(),
                message: format!("conflict with {}", Owner(owner)),
                field: path.to_string(),
            })
        });
        let details = Details {
            causes: causes.collect(),
            ..Details::default()
        };
        ApiError::new(Reason::Conflict, self.to_string()).with_details(details)
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owners: Vec<_> = self
            .all
            .iter()
            .map(|Conflict { owner }| (Owner(owner), owner.fields.paths()))
            .collect();
        if let [(owner, paths)] = owners.as_slice()
            && let [path] = paths.as_slice()
        {
            return write!(f, "Apply failed with 1 conflict: conflict with {owner}: {path}");
        }
        let count: usize = owners.iter().map(|(_, paths)| paths.len()).sum();
        write!(f, "Apply failed with {count} conflicts: ")?;
        let mut lines = Vec::with_capacity(count + owners.len());
        for (owner, paths) in owners {
            lines.push(format!("conflicts with {owner}:"));
            lines.extend(paths.iter().map(|path| format!("- {path}")));
        }
        f.write_str(&lines.join("\n"))
    }
}

/// A manager as messages name it.
struct Owner<'a>(&'a Manager);

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manager {
            name,
            operation,
            api_version,
            subresource,
            ..
        } = self.0;
        write!(f, "{name:?}")?;
        if !subresource.is_empty() {
            write!(f, " with subresource {subresource:?}")?;
        }
        match operation {
            Operation::Apply => Ok(()),
            Operation::Update => write!(f, " using {api_version}"),
        }
    }
}
