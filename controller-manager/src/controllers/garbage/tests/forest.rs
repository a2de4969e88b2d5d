//! Random trees and graphs of owners, some of which are deleted in every way there is, while the collector is killed after
//! random writes and now and then begins in the past. What is left is compared with a reference that knows nothing but
//! the rules: nothing leaks, and nothing goes that has an owner left.
//!
//! A thousand of them each time, ten thousand with `CORACLE_LONG=1`.

use std::{collections::BTreeSet, time::Duration};

use coracle_api::{Resource, kinds};
use coracle_client::{DeleteOptions, ObjectApi, Propagation, Write, WriteOptions};
use coracle_runtime::fake::FakeApi;
use coracle_service::Random;
use serde_json::{Value, json};

use crate::{
    Config,
    testing::{Harness, config},
};

/// Graphs in one cluster.
const GROVE: u64 = 50;
const GROVES: u64 = 20;
const GROVES_LONG: u64 = 200;
/// Objects of one graph, at most.
const OBJECTS_MAX: u64 = 12;
/// Writes after which the collector is killed, at most.
const WRITES_MAX: u64 = 60;
const KINDS: [&Resource; 3] = [kinds::CONFIG_MAP, kinds::SECRET, kinds::SERVICE_ACCOUNT];

#[derive(Debug)]
struct Object {
    resource: &'static Resource,
    /// Those of the same graph, by their places.
    owners: BTreeSet<usize>,
    /// A reference to nobody, or to somebody in another namespace.
    strange: Option<Value>,
    blocks: bool,
}

/// Some objects of one namespace, and what is deleted of them.
#[derive(Debug)]
struct Graph {
    namespace: String,
    objects: Vec<Object>,
    deletions: Vec<(usize, Propagation)>,
}

impl Graph {
    /// A tree, of which anything may be deleted in any way, or a graph with circles, of which nothing is orphaned: whether
    /// what has several owners stays would depend on who is looked at first.
    fn grow(random: &Random, number: u64) -> Self {
        let is_tree = random.below(2) == 0;
        let size = 2 + random.below(OBJECTS_MAX - 1);
        let place = |below: u64| usize::try_from(random.below(below)).unwrap_or(0);
        let objects = (0..size).map(|own| {
            let owners = if is_tree {
                (own > 0).then(|| place(own)).into_iter().collect()
            } else {
                (0..random.below(4)).map(|_| place(size)).collect()
            };
            Object {
                resource: KINDS[place(KINDS.len() as u64)],
                owners,
                strange: (random.below(10) == 0 && (own == 0 || !is_tree)).then(|| strange(random, number)),
                blocks: is_tree || random.below(3) > 0,
            }
        });
        let objects = objects.collect();
        let ways = [
            Propagation::Background,
            Propagation::Foreground,
            Propagation::Orphan,
        ];
        let ways = &ways[..if is_tree { 3 } else { 2 }];
        let chosen: BTreeSet<usize> = (0..=random.below(3)).map(|_| place(size)).collect();
        let deletions = chosen.into_iter().map(|at| (at, ways[place(ways.len() as u64)]));
        Self {
            namespace: namespace(number),
            deletions: deletions.collect(),
            objects,
        }
    }

    fn is_deleted(&self, at: usize, way: Propagation) -> bool {
        self.deletions.contains(&(at, way))
    }

    /// The reference: what is deleted goes; what had owners and has none left goes, unless they have set it free.
    fn survivors(&self) -> BTreeSet<usize> {
        let mut left: BTreeSet<usize> = (0..self.objects.len()).collect();
        left.retain(|at| self.deletions.iter().all(|(deleted, _)| deleted != at));
        loop {
            let stays = |at: &usize| {
                let object = &self.objects[*at];
                let is_free = |owner: &usize| self.is_deleted(*owner, Propagation::Orphan);
                let was_owned = object.strange.is_some() || !object.owners.is_empty();
                !was_owned
                    || object.owners.iter().any(|owner| left.contains(owner))
                    || (object.strange.is_none() && object.owners.iter().all(is_free))
            };
            let stay: BTreeSet<usize> = left.iter().copied().filter(stays).collect();
            if stay.len() == left.len() {
                return left;
            }
            left = stay;
        }
    }

    fn plant(&self, api: &FakeApi) {
        for (at, object) in self.objects.iter().enumerate() {
            let owners = object.owners.iter().map(|owner| {
                let resource = self.objects[*owner].resource;
                let (name, uid) = (name(*owner), uid(&self.namespace, *owner));
                json!({
                    "apiVersion": resource.api_version(), "kind": resource.kind, "name": name, "uid": uid,
                    "blockOwnerDeletion": object.blocks,
                })
            });
            let owners: Vec<Value> = owners.chain(object.strange.clone()).collect();
            api.seed(
                object.resource,
                json!({"metadata": {
                    "namespace": self.namespace, "name": name(at), "uid": uid(&self.namespace, at),
                    "ownerReferences": owners,
                }}),
            );
        }
    }

    async fn cut(&self, api: &FakeApi) {
        for (at, propagation) in &self.deletions {
            let options = DeleteOptions {
                propagation: *propagation,
                ..DeleteOptions::default()
            };
            let write = Write::Delete {
                resource: self.objects[*at].resource,
                namespace: self.namespace.clone(),
                name: name(*at),
                options,
            };
            // It may have gone with its owners.
            let _ = api.write(write, &WriteOptions::default()).await;
        }
    }

    fn find(&self, api: &FakeApi, at: usize) -> Option<Value> {
        api.find(self.objects[at].resource, &self.namespace, &name(at))
    }

    fn check(&self, api: &FakeApi, log: &[String], seed: u64) {
        let survivors = self.survivors();
        for at in 0..self.objects.len() {
            let found = self.find(api, at);
            let what = format!(
                "{}/{at} of seed {seed}: {found:#?} among {self:?}",
                self.namespace
            );
            assert_eq!(found.is_some(), survivors.contains(&at), "{what}");
            let owners = found
                .iter()
                .filter_map(|found| found["metadata"]["ownerReferences"].as_array());
            let owners = owners
                .flatten()
                .map(|owner| owner["uid"].as_str().unwrap_or_default().to_owned());
            let living: BTreeSet<String> = survivors
                .iter()
                .map(|owner| uid(&self.namespace, *owner))
                .collect();
            assert!(
                owners.into_iter().all(|owner| living.contains(&owner)),
                "{what} has a dangling owner"
            );
        }
        self.check_order(log, seed);
    }

    /// In a tree, what was deleted in the foreground went after its dependents.
    fn check_order(&self, log: &[String], seed: u64) {
        let removal = |at: usize| {
            let end = format!(
                " {} {}/{}",
                self.objects[at].resource.plural,
                self.namespace,
                name(at)
            );
            log.iter().rposition(|line| line.ends_with(&end))
        };
        let is_tree = |object: &Object| object.owners.len() < 2 && object.strange.is_none();
        if !self.objects.iter().all(|object| is_tree(object) && object.blocks) || self.has_circle() {
            return;
        }
        for (at, object) in self.objects.iter().enumerate() {
            for owner in object
                .owners
                .iter()
                .filter(|owner| self.is_deleted(**owner, Propagation::Foreground))
            {
                assert!(
                    removal(at) < removal(*owner),
                    "{}: {owner} went before its dependent {at}, seed {seed}",
                    self.namespace
                );
            }
        }
    }

    fn has_circle(&self) -> bool {
        let later = |(at, object): (usize, &Object)| object.owners.iter().any(|owner| *owner >= at);
        self.objects.iter().enumerate().any(later)
    }
}

fn namespace(number: u64) -> String {
    format!("n{number}")
}

fn name(at: usize) -> String {
    format!("o{at}")
}

fn uid(namespace: &str, at: usize) -> String {
    format!("uid-{namespace}-{at}")
}

/// An owner that never was, or the first object of another namespace, which does not count.
fn strange(random: &Random, number: u64) -> Value {
    let uid = if number > 0 && random.below(2) == 0 {
        uid(&namespace(number - 1), 0)
    } else {
        format!("nobody-{number}")
    };
    json!({"apiVersion": "v1", "kind": "Secret", "name": "elsewhere", "uid": uid, "blockOwnerDeletion": true})
}

async fn survive(seed: u64) {
    let random = Random::seeded(seed);
    let harness = Harness::without_manager();
    let graphs: Vec<Graph> = (0..GROVE).map(|number| Graph::grow(&random, number)).collect();
    // What is orphaned is so before anybody looks; of the rest every other is cut when the collector is at work.
    let is_early = |graph: &Graph| {
        let orphans = |(_, way): &(usize, Propagation)| *way == Propagation::Orphan;
        graph.deletions.iter().any(orphans) || graph.objects.len().is_multiple_of(2)
    };
    for graph in &graphs {
        graph.plant(&harness.api);
    }
    for graph in graphs.iter().filter(|graph| is_early(graph)) {
        graph.cut(&harness.api).await;
    }
    let collector = || Config {
        controllers: vec!["garbage-collector".to_owned()],
        ..config()
    };
    let (mut late, mut deaths) = (true, 0);
    loop {
        let past = (random.below(3) == 0).then(|| harness.api.position() * 9 / 10);
        let (client, manager) = harness.run_manager_with(collector(), |client| {
            client.fail_after(usize::try_from(1 + random.below(WRITES_MAX)).ok());
            client.see_until(past);
        });
        if past.is_some() {
            harness.env.cluster_clock.sleep(Duration::from_millis(20)).await;
            client.see_until(None);
        }
        if std::mem::take(&mut late) {
            for graph in graphs.iter().filter(|graph| !is_early(graph)) {
                graph.cut(&harness.api).await;
            }
        }
        harness.until_quiet().await;
        if !client.is_cut_off() {
            break;
        }
        manager.trigger();
        deaths += 1;
    }
    assert!(deaths > 1, "the collector died {deaths} times");
    let log = harness.api.log();
    for graph in &graphs {
        graph.check(&harness.api, &log, seed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_trees_and_graphs_of_owners_end_as_the_rules_say() {
    #[allow(clippy::disallowed_methods, reason = "a test's own switch")]
    let groves = if std::env::var_os("CORACLE_LONG").is_some() {
        GROVES_LONG
    } else {
        GROVES
    };
    for seed in 0..groves {
        survive(seed).await;
    }
}
