//! The history of a set's pod templates, kept as ControllerRevisions: what StatefulSets and DaemonSets share, and what
//! `kubectl rollout history` and `undo` read.
//!
//! A template has one revision; whoever goes back to it gives that revision the next number. Which of them a set still
//! needs is the set's own affair. Source: "Controller revisions" in the API reference, and the form in which kubectl
//! compares them.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::{Labels, Resource, kinds};
use coracle_client::Propagation;
use coracle_runtime::{Note, Plan, Step};
use serde_json::{Value, json};

use crate::{
    view::{Meta, Revision, Selects, Template},
    world::World,
    writes,
};

/// The revisions of one set, as they are seen.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Its own, oldest first.
    pub(crate) revisions: Vec<Arc<Revision>>,
    /// Those to adopt.
    pub(crate) orphans: Vec<Arc<Revision>>,
    /// The hash of the present template.
    pub(crate) hash: String,
    /// A revision of the name that the present template would get exists, ours or not.
    pub(crate) name_taken: bool,
}

/// The set whose history it is.
pub(crate) struct Of<'a> {
    pub(crate) resource: &'static Resource,
    pub(crate) meta: &'a Meta,
    pub(crate) template: &'a Template,
    /// Copied to new revisions: a change's cause is among them.
    pub(crate) annotations: &'a Labels,
    /// The label under which a revision says its hash.
    pub(crate) hash_label: &'static str,
}

/// What the present template is among the revisions.
#[derive(Debug)]
pub(crate) enum Present<'a> {
    /// It has the highest number.
    Is(&'a Revision),
    /// A write that makes it so was planned.
    Becomes,
    /// Another revision has its name: it needs another hash.
    Collides,
}

/// The name of a revision.
fn name(meta: &Meta, hash: &str) -> String {
    format!("{}-{hash}", meta.name)
}

impl History {
    /// What the caches show of the history of `owner`. Orphans are yet to be verified against the live owner.
    pub(crate) fn read(
        world: &World,
        owner: &impl Selects,
        template: &Template,
        collisions: Option<i32>,
    ) -> Self {
        let meta = owner.meta();
        let mut revisions = world.revisions.controlled_by(&meta.uid);
        revisions.sort_by(|a, b| {
            (a.number, a.meta.created, &a.meta.name).cmp(&(b.number, b.meta.created, &b.meta.name))
        });
        let hash = template.hash(collisions);
        let taken = world.revisions.cache.get(&meta.namespace, &name(meta, &hash));
        Self {
            revisions,
            orphans: world.orphan_revisions(owner),
            hash,
            name_taken: taken.is_some(),
        }
    }

    /// The revision of the present template, or the writes that bring it about.
    pub(crate) fn settle<'a>(&'a self, of: &Of<'_>, plan: &mut Plan) -> Present<'a> {
        let highest = self.revisions.last().map_or(0, |last| last.number);
        let is_present = |revision: &&Arc<Revision>| revision.template.is_same_as(of.template);
        let known = self.revisions.iter().rev().find(is_present);
        match known {
            Some(known) if known.number == highest => Present::Is(known),
            Some(known) => {
                let body = json!({"revision": highest + 1});
                plan.write(writes::patch_exactly(
                    kinds::CONTROLLER_REVISION,
                    &known.meta,
                    &body,
                ));
                Present::Becomes
            }
            None if self.name_taken => Present::Collides,
            None => {
                plan.steps.push(self.create(of, highest + 1));
                Present::Becomes
            }
        }
    }

    /// Adopts revisions that nobody controls.
    pub(crate) fn adopt(&self, of: &Of<'_>, plan: &mut Plan) {
        let owner = writes::owner_reference(of.resource, of.meta);
        for revision in &self.orphans {
            plan.write(writes::adopt(kinds::CONTROLLER_REVISION, &revision.meta, &owner));
        }
    }

    /// Deletes the oldest of those revisions that are not in use, but for the last `limit`.
    pub(crate) fn truncate(&self, limit: i32, is_used: impl Fn(&Revision) -> bool, plan: &mut Plan) {
        let unused = self.revisions.iter().filter(|revision| !is_used(revision));
        let unused: Vec<_> = unused.filter(|revision| !revision.meta.is_deleting()).collect();
        let surplus = unused.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        for revision in unused.into_iter().take(surplus) {
            plan.write(writes::delete(
                kinds::CONTROLLER_REVISION,
                &revision.meta,
                Propagation::Background,
            ));
        }
    }

    fn create(&self, of: &Of<'_>, number: i64) -> Step {
        let name = name(of.meta, &self.hash);
        let mut labels = of.template.metadata["labels"].clone();
        labels[of.hash_label] = json!(self.hash);
        let annotations: serde_json::Map<String, Value> = of
            .annotations
            .iter()
            .map(|(key, value)| (key.to_owned(), json!(value)))
            .collect();
        let body = json!({
            "apiVersion": kinds::CONTROLLER_REVISION.api_version(),
            "kind": kinds::CONTROLLER_REVISION.kind,
            "metadata": {
                "name": name,
                "namespace": of.meta.namespace,
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [writes::owner_reference(of.resource, of.meta)],
            },
            "data": data(of.template),
            "revision": number,
        });
        let about = of.meta.reference(of.resource);
        let why = format!("Failed to create revision {name}: {{error}}");
        Step {
            write: writes::create(
                kinds::CONTROLLER_REVISION,
                &of.meta.namespace,
                Bytes::from(body.to_string()),
            ),
            then: None,
            otherwise: Some(Note::warning(about, "FailedCreateRevision", why)),
        }
    }
}

/// The patch that gives a set this template. kubectl compares it with its own by the byte, and Go writes an empty
/// creation time and empty resources where we leave them out.
fn data(template: &Template) -> Value {
    let mut metadata = template.metadata.clone();
    metadata["creationTimestamp"] = Value::Null;
    let mut spec: Value = serde_json::from_str(&template.spec).unwrap_or_default();
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            if container["resources"].is_null() {
                container["resources"] = json!({});
            }
        }
    }
    // Asking for a list that is not there has put a null in its place.
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    json!({"spec": {"template": {"metadata": metadata, "spec": spec, "$patch": "replace"}}})
}
