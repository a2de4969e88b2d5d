//! What a StatefulSet needs. Source: "Deployment and Scaling Guarantees" and "Update strategies" on the StatefulSet page
//! of the Kubernetes documentation.
//!
//! An ordered set does one thing at a time: it starts from the lowest ordinal, stops from the highest, and goes on only
//! where everything before is available. A parallel one starts and stops all at once, but is updated in order too.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use coracle_api::kinds;
use coracle_client::{Propagation, Write};
use coracle_runtime::{Note, Plan, Step};
use jiff::Timestamp;

use super::{BURST, claims, identity, status};
use crate::{
    history::{History, Of, Present},
    view::{Claim, Phase, Pod, Revision, StatefulSet, Update},
    writes,
};

/// What is known about a StatefulSet.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) set: Arc<StatefulSet>,
    /// Its pods.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Pods to adopt, verified.
    pub(super) orphans: Vec<Arc<Pod>>,
    pub(super) history: History,
    /// Those of the claims of its pods, present and future, that there are.
    pub(super) claims: BTreeMap<Box<str>, Arc<Claim>>,
    /// That surplus pods are surplus is verified.
    pub(super) may_stop: bool,
}

/// The decisions, in order.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let set = &*snapshot.set;
    if set.meta.is_deleting() {
        // Its pods are the garbage collector's.
        let known = &set.status;
        status::update(
            snapshot,
            &known.current_revision,
            &known.update_revision,
            now,
            &mut plan,
        );
        return plan;
    }
    settle_ownership(snapshot, &mut plan);
    if !plan.steps.is_empty() {
        return plan;
    }
    let present = match snapshot.history.settle(&history_of(set), &mut plan) {
        Present::Is(present) => present,
        Present::Becomes => return plan,
        Present::Collides => {
            status::count_collision(set, &mut plan);
            return plan;
        }
    };
    let work = Work::new(snapshot, present, now);
    let may_go_on = work.start(&mut plan) && snapshot.may_stop;
    if may_go_on && work.hand_over_claims(&mut plan) && work.stop_surplus(&mut plan) {
        work.update(&mut plan);
    }
    status::update(
        snapshot,
        &work.current.meta.name,
        &present.meta.name,
        now,
        &mut plan,
    );
    let is_used = |revision: &Revision| {
        let name = &revision.meta.name;
        *name == work.current.meta.name
            || *name == present.meta.name
            || snapshot.pods.iter().any(|pod| identity::revision(pod) == &**name)
    };
    snapshot
        .history
        .truncate(set.revision_history_limit, is_used, &mut plan);
    plan
}

/// What the history needs to know of the set.
fn history_of(set: &StatefulSet) -> Of<'_> {
    Of {
        resource: kinds::STATEFUL_SET,
        meta: &set.meta,
        template: &set.template,
        annotations: &set.annotations,
        hash_label: "controller.kubernetes.io/hash",
    }
}

/// Releases pods that are none of its own, adopts those that could be, and takes over revisions.
fn settle_ownership(snapshot: &Snapshot, plan: &mut Plan) {
    let set = &snapshot.set;
    let is_member = |pod: &Pod| {
        set.selector.matches(&*pod.meta.labels) && identity::ordinal(set, &pod.meta.name).is_some()
    };
    for pod in snapshot.pods.iter().filter(|pod| !is_member(pod)) {
        plan.write(writes::release(kinds::POD, &pod.meta, [&*set.meta.uid]));
    }
    let owner = writes::owner_reference(kinds::STATEFUL_SET, &set.meta);
    for pod in &snapshot.orphans {
        plan.write(writes::adopt(kinds::POD, &pod.meta, &owner));
    }
    snapshot.history.adopt(&history_of(set), plan);
}

/// The pods of a set by what is to become of them.
struct Work<'a> {
    set: &'a StatefulSet,
    snapshot: &'a Snapshot,
    /// The revision that the set comes from, until an update is complete.
    current: &'a Revision,
    /// The revision of the present template.
    present: &'a Revision,
    /// The pod of each wanted ordinal.
    replicas: Vec<(i32, Option<&'a Pod>)>,
    /// Pods beyond, the highest ordinal first.
    surplus: Vec<(i32, &'a Pod)>,
    now: Timestamp,
}

impl<'a> Work<'a> {
    fn new(snapshot: &'a Snapshot, present: &'a Revision, now: Timestamp) -> Self {
        let set = &*snapshot.set;
        let revisions = &snapshot.history.revisions;
        let current = revisions
            .iter()
            .find(|revision| revision.meta.name == set.status.current_revision);
        let by_ordinal: BTreeMap<i32, &Pod> = snapshot
            .pods
            .iter()
            .filter_map(|pod| Some((identity::ordinal(set, &pod.meta.name)?, &**pod)))
            .collect();
        let wanted = identity::range(set);
        let replicas = wanted
            .clone()
            .map(|ordinal| (ordinal, by_ordinal.get(&ordinal).copied()));
        let replicas = replicas.collect();
        let mut surplus: Vec<_> = by_ordinal
            .into_iter()
            .filter(|(ordinal, _)| !wanted.contains(ordinal))
            .collect();
        surplus.sort_by_key(|(ordinal, _)| Reverse(*ordinal));
        Self {
            set,
            snapshot,
            current: current.map_or(present, |current| current),
            present,
            replicas,
            surplus,
            now,
        }
    }

    /// Starts what is missing; whether surplus pods and the update may be turned to.
    fn start(&self, plan: &mut Plan) -> bool {
        let mut goes_on = true;
        for (ordinal, pod) in &self.replicas {
            let is_settled = match pod {
                None => self.create(*ordinal, plan),
                Some(pod) => self.settle(*ordinal, pod, plan),
            };
            goes_on &= is_settled;
            if plan.steps.len() >= BURST || !(is_settled || self.set.is_parallel) {
                return false;
            }
        }
        goes_on
    }

    /// Makes the pod of an ordinal, after its claims; whether others need not wait for it.
    fn create(&self, ordinal: i32, plan: &mut Plan) -> bool {
        let pod = identity::name(self.set, ordinal);
        for name in claims::names(self.set, ordinal) {
            let Some(claim) = self.snapshot.claims.get(&*name) else {
                continue;
            };
            // What is stored there goes with an earlier pod of the name.
            if claim.meta.is_deleting() || claims::is_stale(claim, &pod) {
                return false;
            }
        }
        // The pod follows once the caches show its claims.
        if !self.create_claims(ordinal, plan) {
            let revision = self.revision_of(ordinal);
            let set = &self.set.meta.name;
            let about = self.set.meta.reference(kinds::STATEFUL_SET);
            let told = format!("create Pod {pod} in StatefulSet {set} successful");
            let why = format!("create Pod {pod} in StatefulSet {set} failed error: {{error}}");
            plan.steps.push(Step {
                write: writes::create(
                    kinds::POD,
                    &self.set.meta.namespace,
                    identity::pod(self.set, revision, ordinal),
                ),
                then: Some(Note::normal(about.clone(), "SuccessfulCreate", told)),
                otherwise: Some(Note::warning(about, "FailedCreate", why)),
            });
        }
        self.set.is_parallel
    }

    /// The revision that a new pod of this ordinal is made of: below the partition everything stays as it was.
    fn revision_of(&self, ordinal: i32) -> &'a Revision {
        match self.set.update {
            Update::RollingUpdate { partition, .. } if ordinal < self.set.start.saturating_add(partition) => {
                self.current
            }
            _ => self.present,
        }
    }

    /// Makes the claims of an ordinal that are missing; whether there were any.
    fn create_claims(&self, ordinal: i32, plan: &mut Plan) -> bool {
        let is_there = |name: &str| self.snapshot.claims.contains_key(name);
        let (set, pod) = (&self.set.meta.name, identity::name(self.set, ordinal));
        let about = self.set.meta.reference(kinds::STATEFUL_SET);
        let mut is_missing = false;
        for (name, json) in claims::missing(self.set, ordinal, is_there) {
            is_missing = true;
            let told = format!("create Claim {name} Pod {pod} in StatefulSet {set} success");
            let why =
                format!("create Claim {name} for Pod {pod} in StatefulSet {set} failed error: {{error}}");
            plan.steps.push(Step {
                write: writes::create(kinds::PERSISTENT_VOLUME_CLAIM, &self.set.meta.namespace, json),
                then: Some(Note::normal(about.clone(), "SuccessfulCreate", told)),
                otherwise: Some(Note::warning(about.clone(), "FailedCreate", why)),
            });
        }
        is_missing
    }

    /// Looks after a pod that is there; whether it is as it should be.
    fn settle(&self, ordinal: i32, pod: &Pod, plan: &mut Plan) -> bool {
        if pod.is_finished() {
            // However it ended: its successor comes when it is gone.
            if !pod.meta.is_deleting() {
                self.recreate(pod, plan);
            }
            return false;
        }
        if pod.phase == Phase::Pending {
            self.create_claims(ordinal, plan);
        }
        let must_wait = pod.meta.is_deleting() || !status::is_available(self.set, pod, self.now);
        if must_wait && !self.set.is_parallel {
            return false;
        }
        if !pod.meta.is_deleting() {
            if !identity::is_labeled(&pod.meta, ordinal) {
                let body = identity::label_patch(&pod.meta, ordinal);
                plan.write(writes::patch(kinds::POD, &pod.meta, &body));
            }
            self.keep_claims(ordinal, pod, true)
                .for_each(|write| plan.write(write));
        }
        true
    }

    fn recreate(&self, pod: &Pod, plan: &mut Plan) {
        let about = self.set.meta.reference(kinds::STATEFUL_SET);
        let (namespace, set, name) = (&self.set.meta.namespace, &self.set.meta.name, &pod.meta.name);
        plan.notes.push(if pod.phase == Phase::Failed {
            let why = format!("StatefulSet {namespace}/{set} is recreating failed Pod {name}");
            Note::warning(about, "RecreatingFailedPod", why)
        } else {
            let why = format!("StatefulSet {namespace}/{set} is recreating terminated Pod {name}");
            Note::normal(about, "RecreatingTerminatedPod", why)
        });
        self.delete(pod, plan);
    }

    fn keep_claims(&self, ordinal: i32, pod: &'a Pod, is_wanted: bool) -> impl Iterator<Item = Write> {
        let names = claims::names(self.set, ordinal);
        let present = names.filter_map(|name| self.snapshot.claims.get(&*name));
        present.filter_map(move |claim| claims::keep(self.set, pod, is_wanted, claim))
    }

    /// Says on the claims of surplus pods who takes them along, before these go; whether that is so already.
    fn hand_over_claims(&self, plan: &mut Plan) -> bool {
        let before = plan.steps.len();
        for (ordinal, pod) in &self.surplus {
            self.keep_claims(*ordinal, pod, false)
                .for_each(|write| plan.write(write));
        }
        plan.steps.len() == before
    }

    /// Stops surplus pods; whether there are none.
    fn stop_surplus(&self, plan: &mut Plan) -> bool {
        let is_well = |pod: &Pod| !pod.meta.is_deleting() && status::is_ready(pod);
        // The one that may go although it is unwell: nothing below it waits.
        let wanted = self.replicas.iter().filter_map(|(_, pod)| *pod);
        let unwell = wanted
            .chain(self.surplus.iter().rev().map(|(_, pod)| *pod))
            .find(|pod| !is_well(pod));
        for (_, pod) in &self.surplus {
            if !self.set.is_parallel {
                let is_first = unwell.is_some_and(|unwell| unwell.meta.uid == pod.meta.uid);
                let is_blocked = !status::is_available(self.set, pod, self.now) && !is_first;
                if !pod.meta.is_deleting() && !is_blocked {
                    self.delete(pod, plan);
                }
                return false;
            }
            if !pod.meta.is_deleting() && plan.steps.len() < BURST {
                self.delete(pod, plan);
            }
        }
        // Pods that are going do not keep a parallel set from its update.
        self.surplus.is_empty() || self.set.is_parallel
    }

    /// Deletes pods of other revisions, the highest ordinal first, for [`Self::start`] to make them anew.
    fn update(&self, plan: &mut Plan) {
        let Update::RollingUpdate {
            partition,
            max_unavailable,
        } = &self.set.update
        else {
            return;
        };
        let is_old =
            |pod: &Pod| !pod.meta.is_deleting() && identity::revision(pod) != &*self.present.meta.name;
        let is_missed = |pod: Option<&Pod>| {
            pod.is_none_or(|pod| pod.meta.is_deleting() || !status::is_available(self.set, pod, self.now))
        };
        let from = usize::try_from(*partition).unwrap_or(0);
        let targets = self.replicas.iter().skip(from).rev().map(|(_, pod)| *pod);
        let Some(max_unavailable) = max_unavailable else {
            for target in targets {
                if let Some(pod) = target.filter(|pod| is_old(pod)) {
                    return self.delete(pod, plan);
                }
                if is_missed(target) {
                    return;
                }
            }
            return;
        };
        let allowed = usize::try_from(max_unavailable.resolve(self.set.replicas, true)).unwrap_or(0);
        let missed = self.replicas.iter().filter(|(_, pod)| is_missed(*pod)).count();
        let old = targets.flatten().filter(|pod| is_old(pod));
        for pod in old.take(allowed.max(1).saturating_sub(missed)) {
            self.delete(pod, plan);
        }
    }

    fn delete(&self, pod: &Pod, plan: &mut Plan) {
        let (set, name) = (&self.set.meta.name, &pod.meta.name);
        let about = self.set.meta.reference(kinds::STATEFUL_SET);
        let told = format!("delete Pod {name} in StatefulSet {set} successful");
        let why = format!("delete Pod {name} in StatefulSet {set} failed error: {{error}}");
        plan.steps.push(Step {
            write: writes::delete(kinds::POD, &pod.meta, Propagation::Background),
            then: Some(Note::normal(about.clone(), "SuccessfulDelete", told)),
            otherwise: Some(Note::warning(about, "FailedDelete", why)),
        });
    }
}
