//! How a write that webhooks want to see passes through planning: planned, asked about, planned again.
//!
//! Planning is synchronous, webhooks are not. So planning stops with a [`Question`] where mutating webhooks come in;
//! the [driver](super::admit) has it answered and plans again with the answer, which holds as long as the question
//! would be the same: an object that others changed meanwhile is asked about anew. What would be stored is noted, so
//! that validating webhooks and policies can judge it before the transaction, whose conditions guarantee that it is
//! what was judged.

use std::{ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use coracle_admission::{Attributes, Objects, Operation, Snapshot, plugins};
use coracle_api::{ApiError, Object, Resource, object};
use parking_lot::Mutex;

use super::{
    Context, Entry, Registry, Target, meta,
    plan::{Change, Current, Overlay, Plan, View},
    strategy,
};

/// One write on its way, where somebody wants to see it.
pub(super) struct Passage {
    pub snapshot: Arc<Snapshot>,
    /// The kind as the caller speaks of it.
    asked: &'static Resource,
    /// The subresource that is written.
    pub subresource: String,
    /// Whether mutating webhooks want to see it.
    pub is_mutated: bool,
    pub answer: Option<Answer>,
    seen: Mutex<Option<Seen>>,
}

/// What mutating webhooks made of an object.
pub(super) struct Answer {
    /// The object that they were asked about, at this revision of what it replaces.
    asked: Bytes,
    revision: i64,
    object: Bytes,
    pub warnings: Vec<String>,
}

/// What mutating webhooks are to be asked.
pub(super) struct Question {
    pub attributes: Attributes,
    pub objects: Objects,
    asked: Bytes,
    revision: i64,
}

/// What a plan would do, for those who judge it.
pub(super) struct Seen {
    pub target: Target,
    pub operation: Operation,
    pub objects: Objects,
}

impl Passage {
    pub fn new(
        snapshot: Arc<Snapshot>,
        asked: &'static Resource,
        subresource: &str,
        is_mutated: bool,
    ) -> Self {
        Self {
            snapshot,
            asked,
            subresource: subresource.to_owned(),
            is_mutated,
            answer: None,
            seen: Mutex::default(),
        }
    }

    /// The write as admission sees it.
    pub fn attributes(&self, ctx: &Context, target: &Target, operation: Operation) -> Attributes {
        let stored = stored(target.resource);
        Attributes {
            operation,
            // What was asked for may lead to the write of something else, such as a binding to that of a pod.
            resource: if self.asked.storage() == stored {
                self.asked
            } else {
                target.resource
            },
            stored,
            subresource: self.subresource.clone(),
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            peer: Arc::clone(&ctx.peer),
            dry_run: ctx.options.dry_run,
            field_manager: ctx.options.field_manager.clone(),
        }
    }

    /// What the last plan would do.
    pub fn take_seen(&self) -> Option<Seen> {
        self.seen.lock().take()
    }

    /// The object that webhooks made of this one; `None` where they have not been asked about it.
    fn answer_to(&self, asked: &Bytes, revision: i64) -> Option<Bytes> {
        let answer = self.answer.as_ref()?;
        (answer.revision == revision && answer.asked == *asked).then(|| answer.object.clone())
    }
}

impl Question {
    /// The answer in the form that planning finds again.
    pub fn answered(self, object: Option<Bytes>, warnings: Vec<String>) -> Answer {
        Answer {
            object: object.unwrap_or_else(|| self.asked.clone()),
            asked: self.asked,
            revision: self.revision,
            warnings,
        }
    }
}

/// An object, and what it replaces.
pub(super) struct Passing<'a> {
    pub operation: Operation,
    pub object: Box<dyn Object>,
    pub old: Option<(&'a Current, &'a dyn Object)>,
    /// Whether it is the object itself that is written, and not its status.
    pub is_main: bool,
}

impl Registry {
    /// Has built-in plugins and mutating webhooks complete an object. Breaks off where webhooks are still to be asked.
    pub(super) fn pass(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        passing: Passing<'_>,
    ) -> Result<ControlFlow<Plan, Box<dyn Object>>, ApiError> {
        let Passing {
            operation,
            mut object,
            old,
            is_main,
        } = passing;
        let snapshot = self.admission.snapshot(self);
        let old_object = old.map(|(_, old)| old);
        let built_in = |object: &mut dyn Object| {
            if !is_main {
                return Ok(());
            }
            plugins::mutate(&snapshot.cluster, self, operation, object, old_object)
        };
        built_in(&mut *object)?;
        let Some(passage) = overlay.passage().filter(|passage| passage.is_mutated) else {
            return Ok(ControlFlow::Continue(object));
        };
        let (resource, asked) = (object.resource(), Bytes::from(object.to_json()));
        let current = old.map(|(current, _)| &current.entry);
        let target = Target::new(resource, object.namespace(), object.name());
        match self.answered(ctx, passage, (operation, &target), asked.clone(), current) {
            ControlFlow::Break(plan) => Ok(ControlFlow::Break(plan)),
            ControlFlow::Continue(json) if json == asked => Ok(ControlFlow::Continue(object)),
            ControlFlow::Continue(json) => {
                let mut changed = read_changed(resource, &json)?;
                meta::place(&mut *changed, resource, &target.namespace, &target.name)?;
                strategy::of(resource).complete(&mut *changed);
                built_in(&mut *changed)?;
                Ok(ControlFlow::Continue(changed))
            }
        }
    }

    /// As [`Registry::pass`], for the body of a subresource that is an object of its own, such as a Scale.
    pub(super) fn pass_body(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        (operation, target): (Operation, &Target),
        body: &Bytes,
        current: Option<&Entry>,
    ) -> ControlFlow<Plan, Bytes> {
        match overlay.passage().filter(|passage| passage.is_mutated) {
            Some(passage) => self.answered(ctx, passage, (operation, target), body.clone(), current),
            None => ControlFlow::Continue(body.clone()),
        }
    }

    fn answered(
        &self,
        ctx: &Context,
        passage: &Passage,
        (operation, target): (Operation, &Target),
        asked: Bytes,
        current: Option<&Entry>,
    ) -> ControlFlow<Plan, Bytes> {
        let revision = current.map_or(0, |entry| entry.revision);
        if let Some(object) = passage.answer_to(&asked, revision) {
            return ControlFlow::Continue(object);
        }
        let objects = Objects {
            object: Some(asked.clone()),
            old: current.map(|entry| entry.json.clone()),
        };
        ControlFlow::Break(Plan::Ask(Box::new(Question {
            attributes: passage.attributes(ctx, target, operation),
            objects,
            asked,
            revision,
        })))
    }

    /// Notes what a plan would do, where somebody is to judge it.
    pub(super) fn note(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        change: &Change<'_>,
        object: impl FnOnce(i64) -> Entry,
        view: View,
    ) -> Result<(), ApiError> {
        let Some(passage) = overlay.passage() else {
            return Ok(());
        };
        let (operation, old) = match change {
            Change::Create { .. } => (Operation::Create, None),
            Change::Replace { current, .. } | Change::Remove { current, .. } => {
                (Operation::Update, Some(current.entry.clone()))
            }
        };
        let object = self.shown(ctx, object(old.as_ref().map_or(0, |old| old.revision)), view)?;
        let old = old.map(|old| self.shown(ctx, old, view)).transpose()?;
        *passage.seen.lock() = Some(Seen {
            target: target.clone(),
            operation,
            objects: Objects {
                object: Some(object.json),
                old: old.map(|old| old.json),
            },
        });
        Ok(())
    }
}

/// The version under which the objects of a kind are stored.
fn stored(resource: &'static Resource) -> &'static Resource {
    resource
        .stored_as
        .as_ref()
        .map_or(resource, |stored| stored.resource)
}

/// Reads what webhooks made of an object. That it cannot be read is their fault, not the caller's.
fn read_changed(resource: &'static Resource, json: &[u8]) -> Result<Box<dyn Object>, ApiError> {
    strategy::of(resource)
        .decode(resource, json, object::Duplicates::Ignore)
        .map(|decoded| decoded.object)
        .map_err(|error| ApiError::internal(error.into_api_error(resource)))
}
