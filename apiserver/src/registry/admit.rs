//! Where writes meet admission: what they are judged by, and the way of those that webhooks or policies want to see.
//!
//! A write that none of them wants takes the short way in [`super::write`] and pays one look at a revision. The others
//! are planned, asked about and planned again; see [`super::passage`].

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use coracle_admission::{
    Access, Backends, Dispatcher, Interest, Lookup, NoAccess, NoBackends, Objects, Operation, Snapshot,
    plugins,
};
use coracle_api::{ApiError, LabelSelector, Object, Resource, kinds};
use coracle_service::{BoxIo, Env};

use super::{
    Context, Registry, Target, Write, Written,
    passage::{Passage, Question, Seen},
    plan::{Overlay, Plan},
    write::{MAX_ATTEMPTS, too_contended, unasked},
};
use crate::watch::Filter;

/// What the registry judges writes by.
pub(super) struct Admission {
    current: ArcSwap<Current>,
    /// The last change of what a snapshot is made of.
    changed_at: AtomicI64,
    /// The kinds that a snapshot is made of.
    kinds: Vec<&'static Resource>,
    backends: Arc<LateBackends>,
    access: Arc<LateAccess>,
    /// Whether webhooks and policies are passed by; see [`Registry::unwatched`].
    is_unwatched: AtomicBool,
    pub dispatcher: Dispatcher,
}

struct Current {
    /// The last change that it is sure to show.
    revision: i64,
    snapshot: Arc<Snapshot>,
}

impl Admission {
    pub fn new(env: &Env) -> Self {
        let backends = Arc::new(LateBackends::default());
        let access = Arc::new(LateAccess::default());
        let kinds = Snapshot::KINDS
            .iter()
            .filter_map(|(api_version, kind)| kinds::of_object(api_version, kind));
        Self {
            // No change has this revision, so the first write makes a snapshot.
            current: ArcSwap::from_pointee(Current {
                revision: -1,
                snapshot: Arc::default(),
            }),
            changed_at: AtomicI64::new(0),
            kinds: kinds.collect(),
            dispatcher: Dispatcher::new(
                env,
                Arc::clone(&backends) as Arc<dyn Backends>,
                Arc::clone(&access) as Arc<dyn Access>,
            ),
            backends,
            access,
            is_unwatched: AtomicBool::new(false),
        }
    }

    /// Told of every change by the store's writer, before it is acknowledged.
    pub fn observe(&self, resource: &'static Resource, revision: i64) {
        if self.kinds.iter().any(|own| std::ptr::eq(*own, resource)) {
            self.changed_at.store(revision, Ordering::Release);
        }
    }

    /// What holds now: every configuration whose write was acknowledged.
    pub fn snapshot(&self, registry: &Registry) -> Arc<Snapshot> {
        let revision = self.changed_at.load(Ordering::Acquire);
        let current = self.current.load();
        if current.revision == revision {
            return Arc::clone(&current.snapshot);
        }
        let snapshot = Arc::new(Snapshot::read(registry));
        self.current.store(Arc::new(Current {
            revision,
            snapshot: Arc::clone(&snapshot),
        }));
        snapshot
    }
}

impl Registry {
    /// Objects are created only in namespaces that exist and are there to stay.
    pub(super) fn admit_to_namespace(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        resource: &'static Resource,
        object: &dyn Object,
    ) -> Result<(), ApiError> {
        if !resource.namespaced {
            return Ok(());
        }
        let name = object.namespace();
        let namespace = overlay.current(self, ctx, &Target::new(kinds::NAMESPACE, "", name))?;
        if !namespace.entry.attributes.deleting {
            return Ok(());
        }
        let why = format!("unable to create new content in namespace {name} because it is being terminated");
        let error = ApiError::forbidden(resource, object.name(), why);
        let mut details = error.details().cloned().unwrap_or_default();
        details.causes.push(coracle_api::Cause {
            reason: "NamespaceTerminating".to_owned(),
            message: format!("namespace {name} is being terminated"),
            field: "metadata.namespace".to_owned(),
        });
        Err(error.with_details(details))
    }

    /// Has the built-in plugins judge an object as it would be stored.
    pub(super) fn admit_valid(
        &self,
        operation: Operation,
        object: &dyn Object,
        old: Option<&dyn Object>,
    ) -> Result<(), ApiError> {
        plugins::validate(&self.admission.snapshot(self).cluster, operation, object, old)
    }

    /// Says how Services are reached, for webhooks that are named by Service. Only the first call counts.
    pub fn reach_services_through(&self, backends: Arc<dyn Backends>) {
        let _ = self.admission.backends.0.set(backends);
    }

    /// Says whom expressions ask who may do what. Only the first call counts.
    pub fn ask_rights_of(&self, access: Arc<dyn Access>) {
        let _ = self.admission.access.0.set(access);
    }

    /// Passes webhooks and policies by for as long as the answer lives: for what the server needs before its doors
    /// open. A webhook that runs in the cluster could not answer yet, and would keep the cluster from starting.
    #[must_use]
    pub(crate) fn unwatched(&self) -> Unwatched<'_> {
        self.admission.is_unwatched.store(true, Ordering::Release);
        Unwatched(&self.admission)
    }

    /// The passage of a write that somebody wants to see; `None` for most.
    pub(super) fn passage(&self, write: &Write) -> Option<Passage> {
        if self.admission.is_unwatched.load(Ordering::Acquire) {
            return None;
        }
        let snapshot = self.admission.snapshot(self);
        let interest = |operation, resource: &'static Resource, subresource: &str| {
            let interest = snapshot.interest(operation, resource, subresource, self);
            (interest, resource, subresource.to_owned())
        };
        let (interest, resource, subresource) = match write {
            Write::Create { resource, .. } => interest(Operation::Create, resource, ""),
            Write::CreateSubresource {
                target, subresource, ..
            } => interest(Operation::Create, target.resource, subresource),
            Write::Update {
                target, subresource, ..
            }
            | Write::Patch {
                target, subresource, ..
            }
            | Write::Apply {
                target, subresource, ..
            } => {
                let update = interest(Operation::Update, target.resource, subresource);
                // Some updates and patches create what is not there.
                let create = match subresource.as_str() {
                    "" => interest(Operation::Create, target.resource, "").0,
                    _ => Interest::default(),
                };
                let either = Interest {
                    mutating: update.0.mutating || create.mutating,
                    validating: update.0.validating || create.validating,
                };
                (either, update.1, update.2)
            }
            Write::Delete { target, .. } => interest(Operation::Delete, target.resource, ""),
        };
        (!interest.is_none())
            .then(|| Passage::new(Arc::clone(&snapshot), resource, &subresource, interest.mutating))
    }

    /// A write that webhooks or policies want to see.
    pub(super) async fn write_seen(
        &self,
        ctx: &Context,
        write: &Write,
        mut passage: Passage,
    ) -> Result<Written, ApiError> {
        for _ in 0..MAX_ATTEMPTS {
            let mut overlay = Overlay::of(passage);
            let plan = self.plan(ctx, write, &overlay);
            let Some(taken) = overlay.take_passage() else {
                return Err(unasked());
            };
            passage = taken;
            let plan = match plan {
                Err(_) if self.convert_wanted(&ctx.converted).await => continue,
                plan => plan?,
            };
            match plan {
                Plan::Ask(question) => self.ask(ctx, &mut passage, *question).await?,
                Plan::Done(mut written) => {
                    written
                        .warnings
                        .extend(self.judge(ctx, write, &mut passage).await?);
                    return Ok(written);
                }
                Plan::Commit(mut pending) => {
                    let warnings = match self.judge(ctx, write, &mut passage).await {
                        Ok(warnings) => warnings,
                        Err(error) => {
                            self.release(&pending);
                            return Err(error);
                        }
                    };
                    let outcome = self.store.commit(std::mem::take(&mut pending.txn)).await;
                    if let Some(answer) = self.conclude(*pending, outcome) {
                        return answer.map(|mut written| {
                            written.warnings.extend(warnings);
                            written
                        });
                    }
                }
            }
        }
        Err(too_contended())
    }

    /// Has a question answered by the mutating webhooks.
    pub(super) async fn ask(
        &self,
        ctx: &Context,
        passage: &mut Passage,
        question: Question,
    ) -> Result<(), ApiError> {
        let dispatcher = &self.admission.dispatcher;
        let objects = question.objects.clone();
        let mutated = dispatcher
            .mutate(&passage.snapshot, &question.attributes, objects, self)
            .await?;
        ctx.annotations.add(mutated.annotations);
        passage.answer = Some(question.answered(mutated.object, mutated.warnings));
        Ok(())
    }

    /// Has what was planned judged by policies and validating webhooks; returns the warnings of all webhooks.
    pub(super) async fn judge(
        &self,
        ctx: &Context,
        write: &Write,
        passage: &mut Passage,
    ) -> Result<Vec<String>, ApiError> {
        let mut warnings = passage
            .answer
            .as_ref()
            .map(|answer| answer.warnings.clone())
            .unwrap_or_default();
        // A plan that shows nothing is of a delete that was under way already.
        let Some(seen) = passage.take_seen() else {
            return Ok(warnings);
        };
        let Seen {
            target,
            operation,
            objects,
        } = seen_by(write, seen);
        let attributes = passage.attributes(ctx, &target, operation);
        let dispatcher = &self.admission.dispatcher;
        let snapshot = &passage.snapshot;
        if operation == Operation::Delete && passage.is_mutated {
            // There is nothing to change, but they may refuse.
            let mutated = dispatcher
                .mutate(snapshot, &attributes, objects.clone(), self)
                .await?;
            ctx.annotations.add(mutated.annotations);
            warnings.extend(mutated.warnings);
        }
        let verdict = dispatcher.validate(snapshot, &attributes, &objects, self).await?;
        ctx.annotations.add(verdict.annotations);
        warnings.extend(verdict.warnings);
        Ok(warnings)
    }
}

/// While this lives, nobody is asked about writes.
pub(crate) struct Unwatched<'a>(&'a Admission);

impl Drop for Unwatched<'_> {
    fn drop(&mut self) {
        self.0.is_unwatched.store(false, Ordering::Release);
    }
}

/// What of a plan those who judge it are shown: a delete shows the object that goes, and an acting subresource what
/// was sent to it.
fn seen_by(write: &Write, seen: Seen) -> Seen {
    match write {
        Write::Delete { .. } => Seen {
            operation: Operation::Delete,
            objects: Objects {
                object: None,
                old: seen.objects.old,
            },
            ..seen
        },
        Write::CreateSubresource {
            subresource, body, ..
        } if !subresource.is_empty() => Seen {
            operation: Operation::Create,
            objects: Objects {
                object: Some(body.clone()),
                old: None,
            },
            ..seen
        },
        _ => seen,
    }
}

impl Registry {
    /// The objects of a namespace whose labels match.
    pub(crate) fn matching(
        &self,
        resource: &'static Resource,
        namespace: &str,
        labels: LabelSelector,
    ) -> Vec<Bytes> {
        let filter = Filter {
            namespace: namespace.to_owned(),
            labels,
            ..Filter::default()
        };
        let page = self.cache.list(resource, &filter, None, 0, None);
        page.into_iter()
            .flat_map(|page| page.entries)
            .map(|entry| entry.json)
            .collect()
    }
}

#[async_trait]
impl Lookup for Registry {
    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Option<Bytes> {
        let key = Target::new(resource, namespace, name).key();
        self.cache.get(resource, &key).map(|entry| entry.json)
    }

    fn list(&self, resource: &'static Resource, namespace: &str) -> Vec<Bytes> {
        self.matching(resource, namespace, LabelSelector::everything())
    }

    fn find(&self, api_version: &str, kind: &str) -> Option<&'static Resource> {
        self.catalog.now().of_object(api_version, kind)
    }

    fn versions(&self, resource: &'static Resource) -> Vec<&'static Resource> {
        self.catalog.now().versions(resource)
    }

    async fn convert(&self, json: &Bytes, wanted: &'static Resource) -> Result<Bytes, ApiError> {
        self.converter().json(json, wanted).await
    }
}

/// The authorizer, which is made after the registry.
#[derive(Default)]
struct LateAccess(OnceLock<Arc<dyn Access>>);

impl Access for LateAccess {
    fn decide(&self, asked: &coracle_auth::Attributes<'_>) -> coracle_auth::Decision {
        match self.0.get() {
            Some(access) => access.decide(asked),
            None => NoAccess.decide(asked),
        }
    }
}

/// The way to Services, which is known only after the registry is there.
#[derive(Default)]
struct LateBackends(OnceLock<Arc<dyn Backends>>);

#[async_trait]
impl Backends for LateBackends {
    async fn dial(&self, namespace: &str, name: &str, port: i32) -> io::Result<BoxIo> {
        match self.0.get() {
            Some(backends) => backends.dial(namespace, name, port).await,
            None => NoBackends.dial(namespace, name, port).await,
        }
    }
}
