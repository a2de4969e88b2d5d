//! Giving a pod its address and volumes, and starting its containers.

use std::{io, sync::Arc};

use super::{Activity, Manager, Process};
use crate::{
    pods::{
        container::Reason,
        effect::{Effect, Note},
        environment::{self, Objects},
        inbox::{Instance, Message},
        timers::Timer,
    },
    probes::ProbeKind,
    runtime::{
        self, Pull,
        catalog::Image,
        program::{Invocation, PodIdentity, Program, Run, Step, Usage},
        serving,
    },
};

/// The code of a program that does not understand its arguments.
const EXIT_USAGE: i32 = 2;
/// Too many open files: in the whole system, and in this process. The numbers are the same on Linux and macOS.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
/// The code of a program that cannot listen.
const EXIT_FAILURE: i32 = 1;

impl Manager {
    /// Finds a pod's address and volumes.
    pub(super) fn prepare(&mut self, uid: &Arc<str>) {
        let Some(entry) = self.pods.get(uid) else { return };
        let pod = Arc::clone(&entry.worker.pod);
        if pod.spec.volumes.is_empty() {
            return self.give_address(uid);
        }
        let (preparer, sender, uid) = (self.parts.preparer.clone(), self.sender.clone(), Arc::clone(uid));
        self.parts.env.spawn.task("prepare volumes", async move {
            let outcome = preparer.prepare(&pod).await;
            // The manager is gone only when the process ends.
            let _ = sender.send(Message::Volumes(uid, outcome)).await;
        });
    }

    /// Gives a pod that has its volumes an address.
    pub(super) fn give_address(&mut self, uid: &Arc<str>) {
        let Some(entry) = self.pods.get_mut(uid) else {
            return;
        };
        let pod = &entry.worker.pod;
        let Some(home) = self.homes.get_mut(&pod.spec.node_name) else {
            return;
        };
        // A recorded address was claimed when the range was taken up, unless the node has another range now.
        let recorded = self.parts.journal.get(uid).map(|record| record.ip);
        let ip = if pod.spec.host_network {
            Some(home.ip)
        } else if let Some((_, ipam)) = &mut home.range {
            let reported = pod.status.pod_ip.filter(|_| recorded.is_none());
            let kept = recorded
                .filter(|&ip| ipam.holds(ip))
                .or_else(|| reported.filter(|&ip| ipam.claim(ip)));
            kept.or_else(|| ipam.allocate())
        } else {
            home.waiting.push(Arc::clone(uid));
            return;
        };
        if let Some(ip) = ip {
            let (meta, node) = (&pod.metadata, Arc::clone(&home.name));
            let (name, namespace) = (meta.name.clone(), meta.namespace.clone());
            let spec = &pod.spec;
            let hostname = if spec.hostname.is_empty() {
                meta.hostname()
            } else {
                &spec.hostname
            };
            entry.identity = Some(Arc::new(PodIdentity {
                name,
                namespace,
                uid: Arc::clone(uid),
                hostname: if spec.host_network {
                    node.as_ref().into()
                } else {
                    hostname.into()
                },
                subdomain: spec.subdomain.clone(),
                host_aliases: spec.host_aliases.clone(),
                name_server: self.parts.network.name_server(),
                node,
                ip,
            }));
        }
        self.drive_pod(uid, |worker, now, out| match ip {
            Some(ip) => worker.prepared(ip, now, out),
            None => {
                let message =
                    "Failed to create pod sandbox: the node's pod range has no free address".to_owned();
                worker.not_prepared("FailedCreatePodSandBox", message, now, out);
            }
        });
    }

    /// A pod's volumes are there, or not.
    pub(super) fn volumes_came(
        &mut self,
        uid: &Arc<str>,
        outcome: Result<crate::volumes::Volumes, crate::volumes::prepare::Error>,
    ) {
        let Some(entry) = self.pods.get_mut(uid) else {
            return;
        };
        match outcome {
            Ok(volumes) => {
                entry.volumes = volumes;
                self.give_address(uid);
            }
            Err(error) => self.drive_pod(uid, |worker, now, out| {
                worker.not_prepared("FailedMount", error.to_string(), now, out);
            }),
        }
    }

    /// Starts a container: its environment first.
    pub(super) fn start(&mut self, uid: &Arc<str>, container: usize) {
        let Some(entry) = self.pods.get(uid) else { return };
        let instance = entry.worker.containers[container].instance;
        let spec = entry.worker.spec(container);
        if !environment::needs_objects(spec) {
            return self.launch(uid, container, &Objects::default());
        }
        let (pod, api, sender) = (
            Arc::clone(&entry.worker.pod),
            Arc::clone(&self.parts.api),
            self.sender.clone(),
        );
        let of = Instance {
            uid: Arc::clone(uid),
            container,
            instance,
        };
        self.parts.env.spawn.task("environment", async move {
            let init = &pod.spec.init_containers;
            let spec = init
                .get(container)
                .or_else(|| pod.spec.containers.get(container - init.len()));
            let Some(spec) = spec else { return };
            let objects = environment::fetch(&*api, &pod.metadata.namespace, spec).await;
            let _ = sender.send(Message::Environment(of, objects)).await;
        });
    }

    /// Starts a container whose environment can be made.
    pub(super) fn launch(&mut self, uid: &Arc<str>, container: usize, objects: &Objects) {
        let Some(entry) = self.pods.get(uid) else { return };
        let spec = entry.worker.spec(container);
        let pulled = runtime::pull(&spec.image, self.parts.config.public_images);
        let (reference, image) = match pulled {
            Pull::Catalog(reference, image) => (reference, Some(image)),
            Pull::Stranger(reference) => (reference, None),
            Pull::Failed(message) => {
                return self.cannot_start(uid, container, Reason::ErrImagePull, &message);
            }
            Pull::Invalid(message) => {
                return self.cannot_start(uid, container, Reason::InvalidImageName, &message);
            }
        };
        let prepared = match self.prepared(uid, container, objects) {
            Ok(prepared) => prepared,
            Err(message) => {
                return self.cannot_start(uid, container, Reason::CreateContainerConfigError, &message);
            }
        };
        let Some(entry) = self.pods.get(uid) else { return };
        let spec = entry.worker.spec(container);
        let expand = |words: &[String]| {
            let words = words.iter();
            words
                .map(|word| environment::expand(word, &prepared.env))
                .collect::<Vec<_>>()
        };
        let command = runtime::command(image, &expand(&spec.command), &expand(&spec.args));
        let arguments = command.as_ref().map(|(_, arguments)| arguments.clone());
        let log = Arc::clone(&prepared.log);
        let invocation = Invocation {
            image: (reference.repository, reference.tag),
            arguments: arguments.unwrap_or_default(),
            ports: image.map_or(&[], |image| image.ports),
            ..prepared
        };
        self.introduce(uid, container, image, command.is_some());
        let program = command.map(|(program, _)| program);
        self.execute(uid, container, program, invocation, log);
    }

    fn cannot_start(&mut self, uid: &Arc<str>, container: usize, reason: Reason, message: &str) {
        self.drive_pod(uid, |worker, now, out| {
            worker.cannot_start(container, reason, message, now, out)
        });
    }

    /// The events of a container that is about to start.
    fn introduce(&self, uid: &Arc<str>, container: usize, image: Option<&Image>, has_program: bool) {
        let Some(entry) = self.pods.get(uid) else { return };
        let (spec, state) = (entry.worker.spec(container), &entry.worker.containers[container]);
        let normal = |reason, message| Note {
            warning: false,
            reason,
            message,
        };
        self.tell(
            uid,
            normal(
                "Pulled",
                format!("Container image {:?} already present on machine", spec.image),
            ),
        );
        self.tell(
            uid,
            normal("Created", format!("Created container: {}", spec.name)),
        );
        if state.instance > 0 {
            return;
        }
        if !has_program {
            let what = if image.is_none() {
                format!("image {:?}", spec.image)
            } else {
                format!("command {:?}", spec.command)
            };
            let message = format!(
                "Nothing here simulates {what}: container {} runs as an idle program",
                spec.name
            );
            self.tell(uid, normal("SimulatedIdle", message));
        }
    }

    fn execute(
        &mut self,
        uid: &Arc<str>,
        container: usize,
        program: Option<&'static dyn Program>,
        invocation: Invocation,
        log: Arc<crate::logs::Log>,
    ) {
        let Some(entry) = self.pods.get_mut(uid) else {
            return;
        };
        let of = Instance {
            uid: Arc::clone(uid),
            container,
            instance: entry.worker.containers[container].instance,
        };
        let must_end = container < entry.worker.init_count() && !entry.worker.is_sidecar(container);
        let (ip, life) = (invocation.pod.ip, Arc::clone(&invocation.life));
        let run = match program {
            // Nobody knows what it would have done; the pod must not wait for it.
            None if must_end => Ok(Run::Script(Vec::new())),
            None => Ok(Run::Idle),
            Some(program) => program.start(Arc::new(invocation)),
        };
        let activity = match run {
            Ok(Run::Idle) => Activity::Idle,
            Ok(Run::Script(mut steps)) => {
                steps.reverse();
                Activity::Script(steps)
            }
            Ok(Run::Task(program)) => {
                let (sender, life, of) = (self.sender.clone(), Arc::clone(&life), of.clone());
                self.parts.env.spawn.task("program", async move {
                    // Where the container ends first, whoever ended it knows the code.
                    if let Some(code) = life.ended.guard(program).await {
                        let _ = sender.send(Message::Ended(of, code)).await;
                    }
                });
                Activity::Task
            }
            Ok(Run::Serve { ports, service }) => {
                entry.processes[container] = Some(Process {
                    log,
                    activity: Activity::Idle,
                    service: Some(Arc::clone(&service)),
                    life: Some(life),
                    is_ending: false,
                });
                entry.has_folder = true;
                let (env, sender) = (self.parts.env.clone(), self.sender.clone());
                self.parts.env.spawn.task("listen", async move {
                    let bound = serving::bind(&env, ip, &ports).await;
                    let _ = sender.send(Message::Listening(of, service, bound)).await;
                });
                return;
            }
            Err(Usage(message)) => Activity::Script(vec![Step::Exit(EXIT_USAGE as u8), Step::Print(message)]),
        };
        entry.has_folder |= matches!(activity, Activity::Task);
        let life = matches!(activity, Activity::Task).then_some(life);
        entry.processes[container] = Some(Process {
            log,
            activity,
            life,
            service: None,
            is_ending: false,
        });
        self.runs(uid, container, of.instance);
        self.go_on(uid, container, of.instance);
    }

    /// A container's listeners are there, or not.
    pub(super) fn listening(
        &mut self,
        of: &Instance,
        service: &Arc<dyn serving::Service>,
        bound: Result<serving::Bound, serving::ListenError>,
    ) {
        let Some(entry) = self.pods.get_mut(&of.uid) else {
            return;
        };
        let state = &entry.worker.containers[of.container];
        // It may have been told to end while it was about to listen.
        if state.instance != of.instance || !matches!(state.state, crate::pods::container::State::Starting) {
            return;
        }
        let Some(process) = &mut entry.processes[of.container] else {
            return;
        };
        match bound {
            Ok(bound) => {
                let moved = bound.moved;
                process.activity = Activity::Serving(serving::Serving::start(
                    bound,
                    service,
                    &self.parts.env,
                    &self.parts.shutdown,
                ));
                self.runs(&of.uid, of.container, of.instance);
                self.tell_moved(&of.uid, moved);
            }
            Err(error) => {
                let message = listen_failure(&error);
                process.activity =
                    Activity::Script(vec![Step::Exit(EXIT_FAILURE as u8), Step::Print(message)]);
                self.runs(&of.uid, of.container, of.instance);
                self.go_on(&of.uid, of.container, of.instance);
                let message = listen_failure(&error);
                self.tell(
                    &of.uid,
                    Note {
                        warning: true,
                        reason: "FailedListen",
                        message,
                    },
                );
            }
        }
    }

    /// Says once that ports below 1024 are moved up.
    fn tell_moved(&mut self, uid: &Arc<str>, moved: bool) {
        if !moved || std::mem::replace(&mut self.said_moved, true) {
            return;
        }
        let message = format!(
            "This process may not listen on ports below 1024: from the host, add {} (80 is at 10080). `sysctl \
             net.ipv4.ip_unprivileged_port_start=0` lifts that",
            serving::UNPRIVILEGED_OFFSET
        );
        tracing::warn!("{message}");
        self.tell(
            uid,
            Note {
                warning: true,
                reason: "PrivilegedPort",
                message,
            },
        );
    }

    /// A container runs: its worker is told, and its probes begin.
    fn runs(&mut self, uid: &Arc<str>, container: usize, instance: u32) {
        let now = self.now();
        if let Some(entry) = self.pods.get(uid) {
            let spec = entry.worker.spec(container);
            for kind in ProbeKind::ALL {
                if let Some(probe) = kind.of(spec).filter(|probe| probe.question(spec).is_some()) {
                    let timer = Timer::Probe(Arc::clone(uid), container, instance, kind);
                    self.timers.add(now.elapsed + probe.initial_delay(), timer);
                }
            }
        }
        self.drive_pod(uid, |worker, now, out: &mut Vec<Effect>| {
            worker.started(container, instance, now, out)
        });
        self.after_start(uid, container, instance);
    }
}

/// The text that a program's log and an event get for a port that cannot be had.
fn listen_failure(error: &serving::ListenError) -> String {
    let hint = if error.source.kind() == io::ErrorKind::AddrInUse {
        ": another container of the pod, or another process, listens there"
    } else if matches!(error.source.raw_os_error(), Some(EMFILE | ENFILE)) {
        ": this process has as many files open as it may (`ulimit -n`), and each port takes one"
    } else {
        ""
    };
    format!("[emerg] {error} ({}){hint}", error.source)
}
