//! What a container's commands are given: its environment, files, network and life; and the way in for commands that
//! come later, by `kubectl exec` and by probes.

use std::{net::Ipv4Addr, sync::Arc};

use tokio::sync::oneshot;

use super::{Manager, messages::find_container};
use crate::{
    pods::{
        container::State,
        environment::{self, Objects},
        inbox::{Entered, Instance, LogQuery, Message, QueryError},
    },
    runtime::{life::Life, program::Invocation},
    volumes::{Files, local::LocalStore},
};

impl Manager {
    /// What a command of a container is given; the error is the text of an event.
    pub(super) fn prepared(
        &self,
        uid: &Arc<str>,
        container: usize,
        objects: &Objects,
    ) -> Result<Invocation, String> {
        let gone = || "the pod is gone".to_owned();
        let entry = self.pods.get(uid).ok_or_else(gone)?;
        let spec = entry.worker.spec(container);
        let pod = entry.identity.clone().ok_or_else(gone)?;
        let home = self.homes.get(&entry.worker.pod.spec.node_name);
        let host_ip = home.map_or(Ipv4Addr::UNSPECIFIED, |home| home.ip);
        let env = environment::resolve(
            &entry.worker.pod,
            spec,
            pod.ip,
            host_ip,
            objects,
            &self.parts.config.capacity,
        )?;
        let instance = entry.worker.containers[container].instance;
        let folder = self.parts.preparer.pod_folder(uid).join("rootfs");
        let own = LocalStore::new(
            folder.join(format!("{}-{instance}", spec.name)),
            self.parts.env.spawn,
        );
        let process = entry.processes[container].as_ref();
        let log = process.map_or_else(
            || self.parts.logs.log(uid, &spec.name, instance),
            |process| Arc::clone(&process.log),
        );
        let life = process.and_then(|process| process.life.clone());
        Ok(Invocation {
            files: Arc::new(Files::new(own, spec, &entry.volumes, Arc::clone(&pod))),
            pod,
            image: Default::default(),
            arguments: Vec::new(),
            env,
            ports: &[],
            log,
            clock: self.parts.env.cluster_clock.clone(),
            surroundings: self.parts.env.clone(),
            network: Arc::clone(&self.parts.network),
            life: life.unwrap_or_else(|| self.life(uid, container, instance)),
            stdin: spec.stdin,
            stdin_once: spec.stdin_once,
            tty: spec.tty,
        })
    }

    /// The life of an instance that has none yet.
    fn life(&self, uid: &Arc<str>, container: usize, instance: u32) -> Arc<Life> {
        let spec = self.pods.get(uid).map(|entry| entry.worker.spec(container));
        let main = spec.map_or_else(String::new, |spec| {
            let words = [&*spec.command, &*spec.args].concat();
            if words.is_empty() {
                spec.image.to_string()
            } else {
                words.join(" ")
            }
        });
        let of = Instance {
            uid: Arc::clone(uid),
            container,
            instance,
        };
        let sender = self.sender.clone();
        let kill = move |code| {
            // A manager that has no room for this is not going to miss it: whoever kills tries again.
            let _ = sender.try_send(Message::Ended(of.clone(), code));
        };
        Life::new(&main, self.parts.shutdown.child(), Box::new(kill))
    }

    /// Somebody wants to run a command in a container, or to join the one that runs.
    pub(super) fn enter(&mut self, query: &LogQuery, reply: oneshot::Sender<Result<Entered, QueryError>>) {
        let found = self.entrance(query);
        let (of, objects_needed) = match found {
            Ok(found) => found,
            Err(error) => {
                // Whoever asked may have gone.
                let _ = reply.send(Err(error));
                return;
            }
        };
        if !objects_needed {
            return self.enter_with(&of, Ok(Objects::default()), reply);
        }
        let Some(entry) = self.pods.get(&of.uid) else {
            return;
        };
        let (pod, api) = (Arc::clone(&entry.worker.pod), Arc::clone(&self.parts.api));
        let sender = self.sender.clone();
        self.parts.env.spawn.task("environment", async move {
            let Some(spec) = pod.container(of.container) else {
                return;
            };
            let objects = environment::fetch(&*api, &pod.metadata.namespace, spec).await;
            let _ = sender.send(Message::EnterWith(of, objects, reply)).await;
        });
    }

    fn entrance(&self, query: &LogQuery) -> Result<(Instance, bool), QueryError> {
        let (uid, entry) = self.find_pod(query)?;
        let at = find_container(entry, query)?;
        let (spec, container) = (entry.worker.spec(at), &entry.worker.containers[at]);
        if !matches!(container.state, State::Running(_) | State::Stopping(_)) {
            let text = format!("container not found ({:?})", spec.name);
            return Err(QueryError::NoInstance(text));
        }
        let of = Instance {
            uid: Arc::clone(uid),
            container: at,
            instance: container.instance,
        };
        Ok((of, environment::needs_objects(spec)))
    }

    /// As [`Manager::enter`], with what the environment refers to.
    pub(super) fn enter_with(
        &mut self,
        of: &Instance,
        objects: Result<Objects, String>,
        reply: oneshot::Sender<Result<Entered, QueryError>>,
    ) {
        let entered = objects
            .and_then(|objects| self.prepared(&of.uid, of.container, &objects))
            .map_err(QueryError::NoInstance);
        if let (Ok(invocation), Some(entry)) = (&entered, self.pods.get_mut(&of.uid))
            && let Some(process) = &mut entry.processes[of.container]
        {
            process.life = Some(Arc::clone(&invocation.life));
            entry.has_folder = true;
        }
        let _ = reply.send(entered.map(|invocation| Entered {
            invocation: Arc::new(invocation),
        }));
    }
}
