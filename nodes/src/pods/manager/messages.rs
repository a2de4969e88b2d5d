//! What tasks tell, probes, the search for logs, and what is used.

use std::{collections::BTreeMap, sync::Arc};

use coracle_runtime::Key;

use super::{Entry, Manager, hooks::Asking};
use crate::{
    logs::Log,
    pods::{
        container::{Reason, State},
        inbox::{Instance, LogQuery, Message, QueryError},
        timers::Timer,
        usage::{NodeUsage, PodUsage},
    },
    probes::ProbeKind,
};

impl Manager {
    pub(super) fn receive(&mut self, message: Message) {
        match message {
            Message::Volumes(uid, outcome) => self.volumes_came(&uid, outcome),
            Message::Environment(of, Ok(objects)) => {
                if self.is_starting(&of) {
                    self.launch(&of.uid, of.container, &objects);
                }
            }
            Message::Environment(of, Err(message)) => self.drive_pod(&of.uid, |worker, now, out| {
                worker.cannot_start(
                    of.container,
                    Reason::CreateContainerConfigError,
                    &message,
                    now,
                    out,
                );
            }),
            Message::Listening(of, service, bound) => self.listening(&of, &service, bound),
            Message::Ended(of, code) => self.has_ended(&of, code),
            Message::Probed(of, kind, answer) => self.drive_pod(&of.uid, |worker, now, out| {
                worker.probed(of.container, of.instance, kind, answer, now, out);
            }),
            Message::Started(of, outcome) => self.started_with(&of, outcome),
            Message::BeforeStop(of, outcome, left) => self.stopped_with(&of, outcome, left),
            Message::FindLog(query, reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.find_log(&query));
            }
            Message::Enter(query, reply) => self.enter(&query, reply),
            Message::EnterWith(of, objects, reply) => self.enter_with(&of, objects, reply),
            Message::Measure(reply) => {
                let _ = reply.send(self.measure());
            }
        }
    }

    fn is_starting(&self, of: &Instance) -> bool {
        self.pods.get(&of.uid).is_some_and(|entry| {
            let container = &entry.worker.containers[of.container];
            container.instance == of.instance && container.state == State::Starting
        })
    }

    /// Asks a container's instance, and plans the next time.
    pub(super) fn ask(&mut self, uid: &Arc<str>, container: usize, instance: u32, kind: ProbeKind) {
        let now = self.now();
        let Some(entry) = self.pods.get(uid) else { return };
        let Some(wanted) = entry.worker.wants_probe(container, instance, kind) else {
            return;
        };
        let spec = entry.worker.spec(container);
        let Some((probe, question)) = kind
            .of(spec)
            .and_then(|probe| Some((probe, probe.question(spec)?)))
        else {
            return;
        };
        self.timers.add(
            now.elapsed + probe.period(),
            Timer::Probe(Arc::clone(uid), container, instance, kind),
        );
        let (true, Some(identity)) = (wanted, &entry.identity) else {
            return;
        };
        let Some(home) = self.homes.get(&entry.worker.pod.spec.node_name) else {
            return;
        };
        let asking = Asking {
            env: self.parts.env.clone(),
            sender: self.sender.clone(),
            from: home.ip,
            to: identity.ip,
            container: LogQuery::of(&entry.worker, container),
            timeout: probe.timeout(),
        };
        let of = Instance {
            uid: Arc::clone(uid),
            container,
            instance,
        };
        self.parts.env.spawn.task("probe", async move {
            let answer = asking.ask(&question).await;
            let _ = asking.sender.send(Message::Probed(of, kind, answer)).await;
        });
    }

    /// What every node of the process uses, by name.
    fn measure(&self) -> Vec<NodeUsage> {
        let mut nodes: BTreeMap<&str, Vec<PodUsage>> = BTreeMap::new();
        for home in self.homes.values() {
            nodes.entry(&home.name).or_default();
        }
        for entry in self.pods.values() {
            let pods = nodes.get_mut(&*entry.worker.pod.spec.node_name);
            let busy = |at: usize| {
                let process = entry.processes.get(at).and_then(Option::as_ref);
                let service = process.and_then(|process| process.service.as_ref());
                service.map_or(0, |service| service.nanocores())
            };
            if let (Some(pods), Some(used)) = (pods, PodUsage::of(&entry.worker, busy)) {
                pods.push(used);
            }
        }
        let nodes = nodes.into_iter();
        nodes.map(|(name, pods)| NodeUsage::new(name, pods)).collect()
    }

    pub(super) fn find_pod(&self, query: &LogQuery) -> Result<(&Arc<str>, &Entry), QueryError> {
        let key = Key::new(&query.namespace, &query.pod);
        let found = self.names.get(&key).and_then(|uid| self.pods.get_key_value(uid));
        let found = found.filter(|(uid, _)| query.uid.is_empty() || ***uid == *query.uid);
        found.ok_or_else(|| QueryError::NoPod(query.pod.clone()))
    }

    fn find_log(&self, query: &LogQuery) -> Result<Arc<Log>, QueryError> {
        let (uid, entry) = self.find_pod(query)?;
        let at = find_container(entry, query)?;
        let (name, container) = (&entry.worker.spec(at).name, &entry.worker.containers[at]);
        let missing = |text: String| QueryError::NoInstance(text);
        let (pod, waiting) = (&query.pod, matches!(container.state, State::Waiting(_)));
        let instance = match (query.previous, &container.last) {
            (true, None) => {
                return Err(missing(format!(
                    "previous terminated container {name:?} in pod {pod:?} not found"
                )));
            }
            // While it waits to be started again, the instance that ended is the present and the previous one.
            (true, Some(_)) if !waiting => container.instance.saturating_sub(1),
            (false, None) if waiting => {
                let State::Waiting(waiting) = &container.state else {
                    unreachable!("matched above")
                };
                let reason = waiting.reason;
                let why = match reason {
                    Reason::ErrImagePull | Reason::ImagePullBackOff => {
                        "trying and failing to pull image".to_owned()
                    }
                    reason => reason.as_str().to_owned(),
                };
                return Err(missing(format!(
                    "container {name:?} in pod {pod:?} is waiting to start: {why}"
                )));
            }
            _ => container.instance,
        };
        let running = entry.processes[at]
            .as_ref()
            .filter(|_| !query.previous && container.is_live());
        Ok(running.map_or_else(
            || {
                let log = self.parts.logs.log(uid, name, instance);
                log.end();
                log
            },
            |process| Arc::clone(&process.log),
        ))
    }
}

pub(super) fn find_container(entry: &Entry, query: &LogQuery) -> Result<usize, QueryError> {
    let worker = &entry.worker;
    let (init_count, count) = (worker.init_count(), worker.containers.len());
    let (pod, container) = (&query.pod, &query.container);
    if container.is_empty() {
        if count - init_count == 1 {
            return Ok(init_count);
        }
        let names: Vec<&str> = (init_count..count).map(|at| &*worker.spec(at).name).collect();
        let text = format!(
            "a container name must be specified for pod {pod}, choose one of: [{}]",
            names.join(" ")
        );
        return Err(QueryError::NoContainer(text));
    }
    let found = (0..count).find(|&at| *worker.spec(at).name == **container);
    found.ok_or_else(|| QueryError::NoContainer(format!("container {container} is not valid for pod {pod}")))
}
