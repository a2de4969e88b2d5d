//! What must hold at every revision, checked on the store's own history.
//!
//! The checks know nothing of how the cluster works: they read each change once, in order, and judge it by what was
//! before. What clients saw ([`crate::client`]) is compared with this history when the simulation ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use coracle_store::{Change, ChangeKind};
use serde_json::Value;

use crate::{
    cluster::{NODE_CPUS, NODE_PODS},
    trace::{Coverage, Step},
};

#[cfg(test)]
mod tests;

/// What is known of a pod.
#[derive(Clone, Debug, Default)]
struct Pod {
    uid: String,
    node: String,
    ip: String,
    owner: String,
    cpus: u32,
    is_active: bool,
    is_terminal: bool,
    is_ready: bool,
    restarts: u64,
}

/// Judges changes one by one.
#[derive(Default)]
pub struct Checks {
    /// Every change so far.
    pub trace: Vec<Step>,
    values: BTreeMap<i64, (String, u64)>,
    /// Changes of pods, to be compared with what watchers were told.
    pub pods_changed: Vec<(i64, String)>,
    pods: BTreeMap<String, Pod>,
    ranges: BTreeMap<String, String>,
    lost: BTreeSet<String>,
    transitions: BTreeMap<String, i64>,
    /// What happened at all, so that a simulation in which nothing did is noticed.
    pub coverage: Coverage,
    /// The most that each ReplicaSet ever asked for.
    wanted: BTreeMap<String, usize>,
    /// The most that the Deployment ever asked for, its surge included.
    wanted_of_all: usize,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn count(value: &Value) -> usize {
    value
        .as_u64()
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or_default()
}

impl Checks {
    /// The last revision that was judged.
    pub fn revision(&self) -> i64 {
        self.trace.last().map_or(0, |step| step.revision)
    }

    /// Judges the next change.
    ///
    /// # Errors
    /// What does not hold.
    pub fn observe(&mut self, at: Duration, change: &Change) -> Result<(), String> {
        let Change {
            revision,
            key,
            kind,
            json,
            ..
        } = change;
        let expected = self.revision() + 1;
        if *revision != expected {
            return Err(format!("revision {revision} follows on {}", expected - 1));
        }
        let is_gone = *kind == ChangeKind::Delete;
        self.trace.push(Step {
            at,
            revision: *revision,
            key: key.to_string(),
            json: json.clone(),
            is_gone,
        });
        let object: Value = serde_json::from_slice(json).map_err(|error| format!("{key}: {error}"))?;
        if text(&object["metadata"]["resourceVersion"]) != revision.to_string() {
            return Err(format!(
                "{key} at {revision} says it is at {}",
                object["metadata"]["resourceVersion"]
            ));
        }
        let judged = match text(&object["kind"]) {
            "Pod" => self.pod(*revision, key, &object, is_gone),
            "Node" => self.node(&object),
            "Lease" => self.lease(key, &object, is_gone),
            "ReplicaSet" => self.replica_set(&object),
            "Deployment" => self.deployment(&object),
            "ConfigMap" => self.config_map(*revision, &object),
            _ => Ok(()),
        };
        judged.map_err(|why| format!("at revision {revision}, {at:?}: {why}"))
    }

    /// Holds what writers were told against the history: name and value, by revision.
    ///
    /// # Errors
    /// The first acknowledged write that is not there.
    pub fn has_acknowledged(&self, acknowledged: &BTreeMap<i64, (String, u64)>) -> Result<(), String> {
        for (revision, written) in acknowledged {
            let kept = self.values.get(revision);
            if kept != Some(written) {
                return Err(format!(
                    "{written:?} was acknowledged at {revision}, where the history has {kept:?}"
                ));
            }
        }
        Ok(())
    }

    /// Holds what a watch of pods from revision `from` told against the history.
    ///
    /// # Errors
    /// The first change that was left out, told twice, or told in another order.
    pub fn was_told(&self, from: i64, watched: &[(i64, String)]) -> Result<(), String> {
        let expected: Vec<_> = self
            .pods_changed
            .iter()
            .filter(|(revision, _)| *revision > from)
            .collect();
        for at in 0..expected.len().max(watched.len()) {
            let (expected, told) = (expected.get(at).copied(), watched.get(at));
            if expected != told {
                return Err(format!(
                    "the watch told {told:?} where the history has {expected:?}"
                ));
            }
        }
        Ok(())
    }

    fn pod(&mut self, revision: i64, key: &str, object: &Value, is_gone: bool) -> Result<(), String> {
        let (meta, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
        let name = text(&meta["name"]).to_owned();
        self.pods_changed.push((revision, name));
        let is_terminal = matches!(text(&status["phase"]), "Succeeded" | "Failed");
        let is_active = !is_terminal && meta["deletionTimestamp"].is_null();
        let conditions = status["conditions"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let pod = Pod {
            uid: text(&meta["uid"]).to_owned(),
            node: text(&spec["nodeName"]).to_owned(),
            ip: text(&status["podIP"]).to_owned(),
            owner: text(&meta["ownerReferences"][0]["uid"]).to_owned(),
            cpus: text(&spec["containers"][0]["resources"]["requests"]["cpu"])
                .parse()
                .unwrap_or_default(),
            is_active,
            is_terminal,
            is_ready: is_active
                && conditions
                    .iter()
                    .any(|one| one["type"] == "Ready" && one["status"] == "True"),
            restarts: status["containerStatuses"][0]["restartCount"]
                .as_u64()
                .unwrap_or_default(),
        };
        let before = if is_gone {
            self.pods.remove(key)
        } else {
            self.pods.insert(key.to_owned(), pod.clone())
        };
        match before {
            Some(before) => self.same_pod(key, &before, &pod)?,
            None => self.coverage.pods += 1,
        }
        self.node_has_room(&pod.node)?;
        self.address_is_free(&pod)?;
        self.nobody_has_too_many(&pod.owner)
    }

    /// What a pod keeps for life, reboots of its node included.
    fn same_pod(&mut self, key: &str, before: &Pod, pod: &Pod) -> Result<(), String> {
        if before.uid != pod.uid {
            return Err(format!("{key} became another pod while it was there"));
        }
        if !before.node.is_empty() && before.node != pod.node {
            return Err(format!("{key} moved from {} to {:?}", before.node, pod.node));
        }
        if !before.ip.is_empty() && !pod.ip.is_empty() && before.ip != pod.ip {
            return Err(format!(
                "{key} changed its address from {} to {}",
                before.ip, pod.ip
            ));
        }
        if pod.restarts < before.restarts {
            return Err(format!(
                "{key} went from {} restarts to {}",
                before.restarts, pod.restarts
            ));
        }
        self.coverage.restarts += usize::from(pod.restarts > before.restarts);
        Ok(())
    }

    fn node_has_room(&self, node: &str) -> Result<(), String> {
        let on_node = || {
            self.pods
                .values()
                .filter(|pod| !node.is_empty() && pod.node == node && !pod.is_terminal)
        };
        let (pods, cpus) = (on_node().count(), on_node().map(|pod| pod.cpus).sum::<u32>());
        if pods > NODE_PODS as usize || cpus > NODE_CPUS {
            return Err(format!("{node} has {pods} pods that want {cpus} CPUs"));
        }
        Ok(())
    }

    fn address_is_free(&self, pod: &Pod) -> Result<(), String> {
        let Ok(ip) = pod.ip.parse::<Ipv4Addr>() else {
            return Ok(());
        };
        let holders: Vec<&str> = self
            .pods
            .values()
            .filter(|other| other.ip == pod.ip && !other.is_terminal)
            .map(|other| &*other.uid)
            .collect();
        if holders.len() > 1 {
            return Err(format!("pods {holders:?} share the address {ip}"));
        }
        let range = self.ranges.get(&pod.node).map_or("", String::as_str);
        let [a, b, c, _] = ip.octets();
        if range != format!("{a}.{b}.{c}.0/24") {
            return Err(format!("{ip} is not of {}'s range {range}", pod.node));
        }
        Ok(())
    }

    fn nobody_has_too_many(&self, owner: &str) -> Result<(), String> {
        let active = self
            .pods
            .values()
            .filter(|pod| pod.is_active && pod.owner == owner)
            .count();
        let wanted = self.wanted.get(owner).copied().unwrap_or_default();
        if active > wanted {
            return Err(format!(
                "a ReplicaSet has {active} pods and never asked for more than {wanted}"
            ));
        }
        let ready = self.pods.values().filter(|pod| pod.is_ready).count();
        if ready > self.wanted_of_all {
            return Err(format!(
                "{ready} pods are ready, and never were more than {} wanted",
                self.wanted_of_all
            ));
        }
        Ok(())
    }

    fn node(&mut self, object: &Value) -> Result<(), String> {
        let (name, range) = (
            text(&object["metadata"]["name"]),
            text(&object["spec"]["podCIDR"]),
        );
        let is_unknown = |one: &Value| one["type"] == "Ready" && one["status"] == "Unknown";
        let is_lost = object["status"]["conditions"]
            .as_array()
            .is_some_and(|all| all.iter().any(is_unknown));
        if !is_lost {
            self.lost.remove(name);
        } else if self.lost.insert(name.to_owned()) {
            self.coverage.lost_nodes += 1;
        }
        if range.is_empty() {
            return self
                .ranges
                .get(name)
                .map_or(Ok(()), |before| Err(format!("{name} lost its range {before}")));
        }
        let before = self.ranges.insert(name.to_owned(), range.to_owned());
        if before.is_some_and(|before| before != range) {
            return Err(format!("{name} got another range, {range}"));
        }
        let distinct: BTreeSet<&String> = self.ranges.values().collect();
        if distinct.len() < self.ranges.len() {
            return Err(format!("nodes share a range: {:?}", self.ranges));
        }
        Ok(())
    }

    fn lease(&mut self, key: &str, object: &Value, is_gone: bool) -> Result<(), String> {
        let transitions = object["spec"]["leaseTransitions"].as_i64().unwrap_or_default();
        let before = self
            .transitions
            .insert(key.to_owned(), transitions)
            .unwrap_or_default();
        if is_gone {
            self.transitions.remove(key);
        }
        self.coverage.takeovers += usize::from(transitions > before);
        if transitions < before {
            Err(format!("{key} went from {before} transitions to {transitions}"))
        } else {
            Ok(())
        }
    }

    fn replica_set(&mut self, object: &Value) -> Result<(), String> {
        let wanted = self
            .wanted
            .entry(text(&object["metadata"]["uid"]).to_owned())
            .or_default();
        *wanted = (*wanted).max(count(&object["spec"]["replicas"]));
        Ok(())
    }

    fn deployment(&mut self, object: &Value) -> Result<(), String> {
        // maxSurge is the default, a quarter, rounded up.
        let replicas = count(&object["spec"]["replicas"]);
        self.wanted_of_all = self.wanted_of_all.max(replicas + replicas.div_ceil(4));
        Ok(())
    }

    fn config_map(&mut self, revision: i64, object: &Value) -> Result<(), String> {
        if let Ok(value) = text(&object["data"]["value"]).parse() {
            self.values
                .insert(revision, (text(&object["metadata"]["name"]).to_owned(), value));
        }
        Ok(())
    }
}
