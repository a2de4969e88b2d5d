//! The managers of an object: who owns which fields, and `metadata.managedFields`, where that is kept.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, Time};

use crate::set::FieldSet;

/// The only form of field sets there is.
const FIELDS_TYPE: &str = "FieldsV1";

/// How a manager writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// It applies configurations: a field that it no longer applies goes away.
    Apply,
    /// It writes in any other way: a field that it no longer writes stays.
    Update,
}

/// Somebody who owns fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Its name, such as `kubectl`.
    pub name: String,
    /// How it writes.
    pub operation: Operation,
    /// The version in which it wrote; not part of the identity of one that applies.
    pub api_version: String,
    /// Through which subresource it writes; empty for the object itself.
    pub subresource: String,
    /// When its fields changed last, in whole seconds.
    pub time: Option<Timestamp>,
    /// What it owns.
    pub fields: FieldSet,
}

/// Everybody who owns fields of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managers {
    pub(crate) all: Vec<Manager>,
}

/// Who writes, how and when.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// Its name, such as `kubectl`; empty for `unknown`.
    pub manager: &'a str,
    /// The `apiVersion` in which it writes.
    pub api_version: &'a str,
    /// The subresource that it writes to; empty for the object itself.
    pub subresource: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// Managed fields that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to decode managed fields: entry {index}: {why}")]
pub struct Malformed {
    /// Which entry, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Writer<'_> {
    /// The manager that this writer is, owning nothing yet.
    pub(crate) fn manager(&self, operation: Operation) -> Manager {
        let name = if self.manager.is_empty() {
            "unknown"
        } else {
            self.manager
        };
        Manager {
            name: name.to_owned(),
            operation,
            api_version: self.api_version.to_owned(),
            subresource: self.subresource.to_owned(),
            time: Some(self.now),
            fields: FieldSet::default(),
        }
    }
}

impl Manager {
    /// Whether both are the same manager, whatever they own.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    pub(crate) fn identity(&self) -> (&str, Operation, &str, &str) {
        let api_version = match self.operation {
            Operation::Apply => "",
            Operation::Update => self.api_version.as_str(),
        };
        (&self.name, self.operation, api_version, &self.subresource)
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.time.map_or(0, Timestamp::as_second)
    }

    fn decode(index: usize, entry: &ManagedFieldsEntry) -> Result<Self, Malformed> {
        let malformed = |why| Malformed { index, why };
        let operation = match entry.operation.as_deref() {
            Some("Apply") => Operation::Apply,
            Some("Update") => Operation::Update,
            _ => return Err(malformed("operation must be `Apply` or `Update`")),
        };
        if entry.fields_type.as_deref() != Some(FIELDS_TYPE) {
            return Err(malformed("fieldsType must be `FieldsV1`"));
        }
        let fields = match &entry.fields_v1 {
            None => FieldSet::default(),
            Some(FieldsV1(value)) => {
                FieldSet::from_value(value).ok_or_else(|| malformed("fieldsV1 is not a set of fields"))?
            }
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Ok(Self {
            name: text(&entry.manager),
            operation,
            api_version: text(&entry.api_version),
            subresource: text(&entry.subresource),
            time: entry.time.as_ref().map(|time| time.0),
            fields,
        })
    }

    fn encode(&self) -> ManagedFieldsEntry {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let operation = match self.operation {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        };
        ManagedFieldsEntry {
            api_version: some(&self.api_version),
            fields_type: some(FIELDS_TYPE),
            fields_v1: Some(FieldsV1(self.fields.to_value())),
            manager: some(&self.name),
            operation: some(operation),
            subresource: some(&self.subresource),
            time: self.time.map(Time),
        }
    }
}

impl Managers {
    /// Reads `metadata.managedFields`.
    ///
    /// # Errors
    /// [`Malformed`] of the first entry that is broken.
    pub fn decode(entries: &[ManagedFieldsEntry]) -> Result<Self, Malformed> {
        let all = entries
            .iter()
            .enumerate()
            .map(|(index, entry)| Manager::decode(index, entry));
        Ok(Self {
            all: all.collect::<Result<_, _>>()?,
        })
    }

    /// As `metadata.managedFields`: those who apply first, then by time, name, version and subresource.
    pub fn encode(&self) -> Vec<ManagedFieldsEntry> {
        let mut sorted: Vec<&Manager> = self.all.iter().collect();
        sorted.sort_by(|one, other| {
            let order = |manager: &Manager| (manager.operation, manager.seconds());
            order(one)
                .cmp(&order(other))
                .then_with(|| one.name.cmp(&other.name))
                .then_with(|| one.api_version.cmp(&other.api_version))
                .then_with(|| one.subresource.cmp(&other.subresource))
        });
        sorted.into_iter().map(Manager::encode).collect()
    }

    /// Whether nobody owns anything.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Everybody, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Manager> {
        self.all.iter()
    }

    /// The one with the identity of `manager`, taken out.
    pub(crate) fn take(&mut self, manager: &Manager) -> Option<Manager> {
        let at = self.all.iter().position(|own| own.is_same(manager))?;
        Some(self.all.remove(at))
    }

    /// Forgets those who own nothing any more.
    pub(crate) fn drop_empty(&mut self) {
        self.all.retain(|manager| !manager.fields.is_empty());
    }
}
