//! Planning of creates, updates and patches: decode, complete, judge, and hand over to the transaction.

use std::ops::ControlFlow;

use bytes::Bytes;
use coracle_admission::Operation;
use coracle_api::{ApiError, FieldError, Object, Resource, kinds, patch};

use super::{
    Context, PatchType, Preconditions, Registry, Target, Write, Written,
    body::{Body, decode, decode_patched},
    custom, managed, meta,
    passage::Passing,
    plan::{Change, Current, Overlay, Plan, Reserved, View},
    scale,
    strategy::{self, Behaviour},
};

/// What of an object an update may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Main,
    Status,
    Finalize,
    Approval,
    /// Another subresource, which the strategy knows by name.
    Named(&'static str),
}

impl Part {
    /// The subresource that it is written through; empty for the object itself.
    fn subresource(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Finalize => "finalize",
            Self::Approval => "approval",
            Self::Named(name) => name,
        }
    }
}

impl Registry {
    /// Makes the plan of a write against the present state.
    pub(super) fn plan(&self, ctx: &Context, write: &Write, overlay: &Overlay) -> Result<Plan, ApiError> {
        if let Some(answer) = self.plan_answer(ctx, write) {
            return answer;
        }
        match write {
            Write::Create {
                resource,
                namespace,
                name,
                body,
            } => {
                if *resource == kinds::BINDING {
                    return self.plan_binding_by_name(ctx, overlay, namespace, body);
                }
                let body = decode(ctx, resource, body)?;
                self.plan_create(ctx, overlay, resource, (namespace, name), body)
            }
            Write::CreateSubresource {
                target,
                subresource,
                body,
            } => match subresource.as_str() {
                "" => {
                    let body = decode(ctx, target.resource, body)?;
                    self.plan_create(
                        ctx,
                        overlay,
                        target.resource,
                        (&target.namespace, &target.name),
                        body,
                    )
                }
                _ => {
                    let asked = (Operation::Create, target);
                    match self.pass_body(ctx, overlay, asked, body, None) {
                        ControlFlow::Continue(body) => {
                            self.plan_act(ctx, overlay, target, subresource, &body)
                        }
                        ControlFlow::Break(plan) => Ok(plan),
                    }
                }
            },
            Write::Update {
                target,
                subresource,
                body,
            } => self.plan_update(ctx, overlay, target, subresource, body),
            Write::Patch {
                target,
                subresource,
                patch_type,
                body,
                preconditions,
            } => self.plan_patch(
                ctx,
                overlay,
                target,
                subresource,
                *patch_type,
                body,
                preconditions,
            ),
            Write::Apply {
                target,
                subresource,
                body,
                force,
            } => self.plan_apply(ctx, overlay, target, subresource, body, *force),
            Write::Delete { target, options } => self.plan_delete(ctx, overlay, target, options),
        }
    }

    pub(super) fn plan_create(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        resource: &'static Resource,
        (namespace, name): (&str, &str),
        body: Body,
    ) -> Result<Plan, ApiError> {
        let Body {
            mut object,
            warnings,
            view,
            applied,
        } = body;
        let behaviour = strategy::of(resource);
        if let Some(refusal) = behaviour.refuse_create() {
            return Err(refusal);
        }
        meta::place(&mut *object, resource, namespace, name)?;
        behaviour.complete(&mut *object);
        let is_applied = applied.is_some();
        let managers = match applied {
            Some(managers) => managers,
            None => managed::track_create(ctx, &mut *object, self.env.cluster_clock.now())?,
        };
        self.admit_to_namespace(ctx, overlay, resource, &*object)?;
        let passing = Passing {
            operation: Operation::Create,
            object,
            old: None,
            is_main: true,
        };
        let mut object = match self.pass(ctx, overlay, passing)? {
            ControlFlow::Continue(object) => object,
            ControlFlow::Break(plan) => return Ok(plan),
        };
        let object = &mut *object;
        managed::set(object, &managers);
        let has_generation = behaviour.has_generation(object);
        let source = meta::stamp_create(
            object,
            has_generation,
            self.env.cluster_clock.now(),
            &self.env.random,
        )?;
        behaviour.prepare_create(object);
        behaviour.name_caller(object, &ctx.peer);
        refuse_invalid(resource, object, behaviour.validate(object, None))?;
        self.complete_definition(object)?;
        self.admit_valid(Operation::Create, object, None)?;
        let target = Target::new(resource, object.namespace(), object.name());
        // A name that is taken meanwhile is drawn again, and a configuration is then applied to what is there.
        let was_generated = source == meta::NameSource::Generated || is_applied;
        if !was_generated && overlay.current(self, ctx, &target).is_ok() {
            return Err(ApiError::already_exists(resource, &target.name));
        }
        let reserved = self.reserve(ctx, object, None)?;
        let plan = self.plan_change(
            ctx,
            overlay,
            object,
            Change::Create { was_generated },
            warnings,
            view,
        );
        self.with_reserved(plan, reserved)
    }

    fn plan_update(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        subresource: &str,
        body: &Bytes,
    ) -> Result<Plan, ApiError> {
        if subresource == "scale" {
            let current = overlay.current(self, ctx, target)?;
            return self.plan_scale(ctx, overlay, target, &current, (body, true));
        }
        let part = part_of(target.resource, subresource)?;
        let mut body = decode(ctx, target.resource, body)?;
        meta::place(
            &mut *body.object,
            target.resource,
            &target.namespace,
            &target.name,
        )?;
        let current = match overlay.current(self, ctx, target) {
            Ok(current) => current,
            Err(error) if error.is_not_found() && strategy::of(target.resource).creates_on_update() => {
                body.object.metadata_mut().resource_version = None;
                let place = (target.namespace.as_str(), target.name.as_str());
                return self.plan_create(ctx, overlay, target.resource, place, body);
            }
            Err(error) => return Err(error),
        };
        let metadata = body.object.metadata();
        let preconditions = Preconditions {
            uid: metadata.uid.clone().filter(|uid| !uid.is_empty()),
            revision: meta::asked_revision(target.resource, metadata)?,
        };
        check_preconditions(target, &current, &preconditions)?;
        self.plan_replace(
            ctx,
            overlay,
            &current,
            part,
            body,
            preconditions.revision.is_some(),
        )
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of a patch request, each once"
    )]
    fn plan_patch(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        subresource: &str,
        patch_type: PatchType,
        patch: &Bytes,
        preconditions: &Preconditions,
    ) -> Result<Plan, ApiError> {
        let current = overlay.current(self, ctx, target)?;
        check_preconditions(target, &current, preconditions)?;
        let is_scale = subresource == "scale";
        let shown = self.shown(
            ctx,
            current.entry.clone(),
            if is_scale {
                View::Scale
            } else {
                View::of(target.resource)
            },
        )?;
        let before: serde_json::Value = serde_json::from_slice(&shown.json).map_err(ApiError::internal)?;
        if patch_type == PatchType::StrategicMerge && custom::is_custom(target.resource) && !is_scale {
            return Err(ApiError::unsupported_media_type(&[
                PatchType::Json.media_type(),
                PatchType::Merge.media_type(),
            ]));
        }
        let after = patch::apply(patch_type, target.resource, &before, patch)?;
        let patched = Bytes::from(serde_json::to_vec(&after).map_err(ApiError::internal)?);
        if is_scale {
            let names_revision = preconditions.revision.is_some() || patch_names_revision(patch);
            return self.plan_scale(ctx, overlay, target, &current, (&patched, names_revision));
        }
        let part = part_of(target.resource, subresource)?;
        let mut body = decode_patched(ctx, target.resource, &patched, patch)?;
        meta::place(
            &mut *body.object,
            target.resource,
            &target.namespace,
            &target.name,
        )?;
        let asked = meta::asked_revision(target.resource, body.object.metadata())?;
        // The patched object carries the present revision unless the patch itself names one.
        let named =
            asked.filter(|asked| Some(*asked) != coracle_api::encode::revision_of(&current.entry.json));
        check_preconditions(
            target,
            &current,
            &Preconditions {
                uid: None,
                revision: named,
            },
        )?;
        let was_asked = preconditions.revision.is_some() || patch_names_revision(patch);
        self.plan_replace(ctx, overlay, &current, part, body, was_asked)
    }

    /// Plans the change from `current` to the body, as far as `part` allows it.
    pub(super) fn plan_replace(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        current: &Current,
        part: Part,
        body: Body,
        was_asked: bool,
    ) -> Result<Plan, ApiError> {
        let Body {
            mut object,
            warnings,
            view,
            applied,
        } = body;
        let resource = object.resource();
        let behaviour = strategy::of(resource);
        let old = behaviour.parse(&current.entry.json)?;
        meta::stamp_update(&mut *object, &*old);
        behaviour.complete(&mut *object);
        let managers = match applied {
            Some(managers) => managers,
            None => {
                let at = (part.subresource(), self.env.cluster_clock.now());
                managed::track_update(ctx, &mut *object, &*old, &current.entry.json, at)?
            }
        };
        let passing = Passing {
            operation: Operation::Update,
            object,
            old: Some((current, &*old)),
            is_main: part == Part::Main,
        };
        let mut object = match self.pass(ctx, overlay, passing)? {
            ControlFlow::Continue(object) => object,
            ControlFlow::Break(plan) => return Ok(plan),
        };
        let new = &mut *object;
        managed::set(new, &managers);
        meta::stamp_update(new, &*old);
        match part {
            Part::Main => behaviour.prepare_update(new, &*old),
            Part::Status => behaviour.prepare_status_update(new, &*old),
            Part::Finalize => behaviour.prepare_finalize(new, &*old),
            Part::Approval => behaviour.prepare_approval(new, &*old, self.env.cluster_clock.now()),
            Part::Named(part) => behaviour.prepare_part(part, new, &*old),
        }
        if matches!(part, Part::Main | Part::Named(_)) && behaviour.is_spec_changed(new, &*old) == Some(true)
        {
            meta::raise_generation(new);
        }
        let mistakes = match part {
            Part::Named(part) => behaviour.validate_part(part, new, &*old),
            _ => behaviour.validate(new, Some(&*old)),
        };
        refuse_invalid(resource, new, mistakes)?;
        if part == Part::Main {
            self.complete_definition(new)?;
        }
        let is_wanted = matches!(part, Part::Main | Part::Named(_));
        if is_wanted {
            self.admit_valid(Operation::Update, new, Some(&*old))?;
        }
        let reserved = if is_wanted {
            self.reserve(ctx, new, Some(&*old))?
        } else {
            Reserved::default()
        };
        managed::keep_times(new, &*old, &current.entry.json);
        let change = if is_done(behaviour, new) {
            Change::Remove { current, was_asked }
        } else {
            Change::Replace { current, was_asked }
        };
        let plan = self.plan_change(ctx, overlay, new, change, warnings, view);
        self.with_reserved(plan, reserved)
    }

    fn plan_scale(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        current: &Current,
        (body, names_revision): (&Bytes, bool),
    ) -> Result<Plan, ApiError> {
        // Only who is asked about it needs the present state as a Scale.
        let shown = overlay
            .passage()
            .map(|_| self.shown(ctx, current.entry.clone(), View::Scale));
        let shown = shown.transpose()?;
        let asked = (Operation::Update, target);
        let body = match self.pass_body(ctx, overlay, asked, body, shown.as_ref()) {
            ControlFlow::Continue(body) => body,
            ControlFlow::Break(plan) => return Ok(plan),
        };
        let wanted = scale::read(&body)?;
        // A patched Scale carries the present revision, which its client did not ask for.
        let asked = meta::asked_revision(target.resource, &wanted.metadata)?.filter(|_| names_revision);
        check_preconditions(
            target,
            current,
            &Preconditions {
                uid: None,
                revision: asked,
            },
        )?;
        let behaviour = strategy::of(target.resource);
        let old = behaviour.parse(&current.entry.json)?;
        behaviour.scale(&*old).ok_or_else(ApiError::resource_not_found)?;
        let mut new = old.clone();
        behaviour.set_scale(&mut *new, wanted.replicas);
        let at = ("scale", self.env.cluster_clock.now());
        let managers = managed::track_update(ctx, &mut *new, &*old, &current.entry.json, at)?;
        managed::set(&mut *new, &managers);
        if behaviour.is_spec_changed(&*new, &*old) == Some(true) {
            meta::raise_generation(&mut *new);
        }
        let change = Change::Replace {
            current,
            was_asked: asked.is_some(),
        };
        self.plan_change(ctx, overlay, &mut *new, change, Vec::new(), View::Scale)
    }
}

/// The answer of a delete that changes nothing.
pub(super) fn unchanged(entry: super::Entry) -> Plan {
    Plan::Done(Written {
        entry,
        created: false,
        removed: false,
        warnings: Vec::new(),
    })
}

/// Whether an object under deletion can go now.
pub(super) fn is_done(behaviour: &dyn Behaviour, object: &dyn Object) -> bool {
    meta::may_go(object.metadata()) && behaviour.is_finalized(object)
}

pub(super) fn check_preconditions(
    target: &Target,
    current: &Current,
    preconditions: &Preconditions,
) -> Result<(), ApiError> {
    let Target { resource, name, .. } = target;
    let found = &*current.entry.attributes.uid;
    if let Some(uid) = preconditions.uid.as_deref().filter(|uid| *uid != found) {
        return Err(ApiError::uid_conflict(resource, name, uid, found));
    }
    let is_stale = |revision: i64| revision != current.entry.revision && !current.is_planned;
    if preconditions.revision.is_some_and(is_stale) {
        return Err(ApiError::conflict(resource, name));
    }
    Ok(())
}

pub(super) fn part_of(resource: &Resource, subresource: &str) -> Result<Part, ApiError> {
    match subresource {
        "" => Ok(Part::Main),
        "status" if resource.has_status() => Ok(Part::Status),
        "finalize" if resource.subresource("finalize").is_some() => Ok(Part::Finalize),
        "approval" if resource.subresource("approval").is_some() => Ok(Part::Approval),
        name => match resource.subresource(name) {
            Some(own) if own.kind == resource.kind && own.verbs.contains(&"update") => {
                Ok(Part::Named(own.name))
            }
            _ => Err(ApiError::resource_not_found()),
        },
    }
}

fn refuse_invalid(resource: &Resource, object: &dyn Object, errors: Vec<FieldError>) -> Result<(), ApiError> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ApiError::invalid(resource, object.name(), errors))
    }
}

/// Whether a merge patch names the revision that it rests on. (A JSON patch does so with a `test`, which fails by
/// itself.)
fn patch_names_revision(patch: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Patch {
        metadata: Option<Metadata>,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        resource_version: Option<String>,
    }
    serde_json::from_slice::<Patch>(patch)
        .ok()
        .and_then(|patch| patch.metadata?.resource_version)
        .is_some_and(|revision| !revision.is_empty())
}
