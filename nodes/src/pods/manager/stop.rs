//! Scripts that go on, containers that end, and pods that go.

use std::{sync::Arc, time::Duration};

use super::{Activity, Manager, Process};
use crate::{
    pods::{
        inbox::{Instance, Message},
        timers::Timer,
        view::{PodView, RestartPolicy},
    },
    runtime::{program::Step, serving::Drain},
    status,
};

/// The code of a program that the end signal ended: 128 and the signal's number.
const EXIT_TERMINATED: i32 = 143;

impl Manager {
    /// Takes the steps of a container's script up to the next wait.
    pub(super) fn go_on(&mut self, uid: &Arc<str>, container: usize, instance: u32) {
        let now = self.now();
        let Some(entry) = self.pods.get_mut(uid) else {
            return;
        };
        if entry.worker.containers[container].instance != instance {
            return;
        }
        let Some(process) = &mut entry.processes[container] else {
            return;
        };
        let Activity::Script(steps) = &mut process.activity else {
            return;
        };
        let code = loop {
            match steps.pop() {
                Some(Step::Print(line)) => process.log.write(now.wall, &line),
                Some(Step::Wait(duration)) => {
                    let timer = Timer::Script(Arc::clone(uid), container, instance);
                    entry.has_folder = true;
                    return self.timers.add(now.elapsed + duration, timer);
                }
                Some(Step::Forever) => {
                    process.activity = Activity::Idle;
                    return;
                }
                Some(Step::Exit(code)) => break i32::from(code),
                None => break 0,
            }
        };
        entry.has_folder = true;
        self.has_ended(
            &Instance {
                uid: Arc::clone(uid),
                container,
                instance,
            },
            code,
        );
    }

    /// Asks a container to end within `grace`, after what is to be done before.
    pub(super) fn stop(&mut self, uid: &Arc<str>, container: usize, grace: Duration) {
        if !self.before_stop(uid, container, grace) {
            self.stop_now(uid, container, grace);
        }
    }

    /// Asks a container to end within `grace`.
    pub(super) fn stop_now(&mut self, uid: &Arc<str>, container: usize, grace: Duration) {
        let Some(entry) = self.pods.get(uid) else { return };
        let instance = entry.worker.containers[container].instance;
        let of = Instance {
            uid: Arc::clone(uid),
            container,
            instance,
        };
        let serving = match entry.processes[container]
            .as_ref()
            .map(|process| &process.activity)
        {
            Some(Activity::Serving(serving)) => Arc::clone(serving),
            Some(Activity::Script(_) | Activity::Task) => return self.has_ended(&of, EXIT_TERMINATED),
            Some(Activity::Idle) | None => return self.has_ended(&of, 0),
        };
        let pod = &entry.worker.pod;
        if pod.metadata.deletion_timestamp.is_none() || grace.is_zero() || !self.is_endpoint(pod) {
            serving.kill();
            return self.has_ended(&of, 0);
        }
        let timings = &self.parts.config.timings;
        let drain = Drain {
            quiet: timings.drain_quiet,
            min: timings.drain_min,
        };
        let deadline = self.parts.env.cluster_clock.monotonic() + grace;
        let (env, sender) = (self.parts.env.clone(), self.sender.clone());
        self.parts.env.spawn.task("drain", async move {
            serving.drain(drain, deadline, &env).await;
            let _ = sender.send(Message::Ended(of, 0)).await;
        });
    }

    /// Whether a Service selects the pod.
    fn is_endpoint(&self, pod: &PodView) -> bool {
        let services = self.parts.services.in_namespace(&pod.metadata.namespace);
        services
            .iter()
            .any(|service| service.selects(&pod.metadata.labels))
    }

    /// A container has ended.
    pub(super) fn has_ended(&mut self, of: &Instance, code: i32) {
        let current = self
            .pods
            .get(&of.uid)
            .map(|entry| entry.worker.containers[of.container].instance);
        if current != Some(of.instance) {
            return;
        }
        let words = self.last_words(of, code);
        let Some(entry) = self.pods.get_mut(&of.uid) else {
            return;
        };
        entry.worker.containers[of.container].last_words = words;
        if let Some(process) = entry.processes[of.container].take() {
            if let Activity::Serving(serving) = &process.activity {
                serving.kill();
                entry.has_folder = true;
            }
            process.end();
        }
        self.drive_pod(&of.uid, |worker, now, out| {
            worker.ended(of.container, of.instance, code, now, out)
        });
    }

    /// Nothing is left of a pod but its object.
    pub(super) fn remove(&mut self, uid: &Arc<str>) {
        let Some(entry) = self.pods.get(uid) else { return };
        let pod = &entry.worker.pod;
        // The last status is read by whoever owns a pod that may complete, and by finalizers; nobody else will see it.
        let read = pod.spec.restart_policy != RestartPolicy::Always || !pod.metadata.finalizers.is_empty();
        let home = self.homes.get(&pod.spec.node_name);
        let last = home
            .filter(|_| read)
            .map(|home| status::patch(&entry.worker, home.ip));
        self.parts.outbox.remove(uid, &entry.key, last);
    }
}

impl Process {
    /// Ends what runs beside the main command, and those who follow its output.
    pub(super) fn end(&self) {
        if let Some(life) = &self.life {
            if let Some(console) = life.console() {
                console.flush();
            }
            life.ended.trigger();
        }
        self.log.end();
    }
}
