//! Questions that are asked of containers, by probes and hooks: over the network, or by a command that runs in them; and
//! what containers leave when they end.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use coracle_service::Env;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::Manager;
use crate::{
    logs::reader::{Reader, Selection},
    pods::{
        effect::{Effect, Note},
        hooks::{Hook, MessagePolicy},
        inbox::{Instance, LogQuery, Message},
        worker::Worker,
    },
    probes::Question,
    runtime::programs::sh::{
        self,
        stream::{Sink, Source, Streams},
    },
    volumes::relative,
};

/// The most of a command's output that an event shows.
const MAX_SHOWN_BYTES: usize = 10 << 10;
/// What a container gets to end after a hook that took all of its time.
const LEAST_GRACE: Duration = Duration::from_secs(2);
/// How long a hook after the start may take.
const START_HOOK_TIMEOUT: Duration = Duration::from_secs(120);
/// Where a container leaves its last words, where it does not say.
const USUAL_PATH: &str = "/dev/termination-log";
/// The most of them that is kept: in all, and from the log.
const MAX_WORDS_BYTES: u64 = 4 << 10;
const MAX_LOG_BYTES: u64 = 2 << 10;
/// The last lines of the log that are looked at.
const MAX_LOG_LINES: usize = 80;

/// Asks one container.
pub(super) struct Asking {
    pub(super) env: Env,
    pub(super) sender: mpsc::Sender<Message>,
    pub(super) from: Ipv4Addr,
    pub(super) to: Ipv4Addr,
    pub(super) container: LogQuery,
    pub(super) timeout: Duration,
}

impl LogQuery {
    /// Names a container of a pod.
    pub(super) fn of(worker: &Worker, container: usize) -> Self {
        let meta = &worker.pod.metadata;
        Self {
            namespace: meta.namespace.to_string(),
            pod: meta.name.to_string(),
            uid: meta.uid.to_string(),
            container: worker.spec(container).name.to_string(),
            previous: false,
        }
    }
}

impl Asking {
    /// Asks; the error is the text that the event shows.
    pub(super) async fn ask(&self, question: &Question) -> Result<(), String> {
        let Question::Command(words) = question else {
            return question.ask(&self.env, self.from, self.to, self.timeout).await;
        };
        let running = self.run(words);
        let clock = &self.env.cluster_clock;
        clock.timeout(self.timeout, running).await.unwrap_or_else(|_| {
            Err(format!(
                "command {:?} timed out after {} s",
                words.join(" "),
                self.timeout.as_secs()
            ))
        })
    }

    /// Does what a hook says.
    async fn hook(&self, question: Option<&Question>, pause: Option<Duration>) -> Result<(), String> {
        if let Some(pause) = pause {
            self.env.cluster_clock.sleep(pause.min(self.timeout)).await;
        }
        match question {
            Some(question) => self.ask(question).await,
            None => Ok(()),
        }
    }

    async fn run(&self, words: &[String]) -> Result<(), String> {
        let gone = || "the node is shutting down".to_owned();
        let (reply, answer) = oneshot::channel();
        let asked = self
            .sender
            .send(Message::Enter(self.container.clone(), reply))
            .await;
        asked.map_err(|_| gone())?;
        let entered = answer
            .await
            .map_err(|_| gone())?
            .map_err(|error| error.to_string())?;
        let invocation = entered.invocation;
        let word = words.first().map_or("", String::as_str);
        if !sh::exists(&invocation, word).await {
            return Err(format!("exec: {word:?}: executable file not found in $PATH"));
        }
        let life = Arc::clone(&invocation.life);
        let process = life.processes.start(&words.join(" "), &life.ended);
        let printed = Arc::new(Mutex::new(Vec::new()));
        let sink = Sink::Capture(Arc::clone(&printed));
        let streams = Streams {
            input: Source::empty(),
            output: sink.clone(),
            errors: sink,
        };
        let running = sh::run(invocation, None, words, streams, process.pid());
        let code = process.end_signal().guard(running).await.unwrap_or(sh::KILLED);
        if code == 0 {
            return Ok(());
        }
        let printed = printed.lock();
        let shown = String::from_utf8_lossy(&printed[..printed.len().min(MAX_SHOWN_BYTES)]);
        Err(match shown.trim_end() {
            "" => format!("command {:?} ended with code {code}", words.join(" ")),
            shown => shown.to_owned(),
        })
    }
}

impl Manager {
    fn asking(&self, of: &Instance, timeout: Duration) -> Option<Asking> {
        let entry = self.pods.get(&of.uid)?;
        let home = self.homes.get(&entry.worker.pod.spec.node_name)?;
        Some(Asking {
            env: self.parts.env.clone(),
            sender: self.sender.clone(),
            from: home.ip,
            to: entry.identity.as_ref()?.ip,
            container: LogQuery::of(&entry.worker, of.container),
            timeout,
        })
    }

    fn hook_of(
        &self,
        of: &Instance,
        which: impl Fn(&crate::pods::hooks::Lifecycle) -> Option<&Hook>,
    ) -> Option<(Option<Question>, Option<Duration>)> {
        let spec = self.pods.get(&of.uid)?.worker.spec(of.container);
        let hook = which(spec.lifecycle.as_deref()?)?;
        let pause = hook
            .sleep
            .map(|sleep| Duration::from_secs(u64::from(sleep.seconds)));
        Some((hook.question(spec), pause))
    }

    /// Does what is to be done after a container's start.
    pub(super) fn after_start(&mut self, uid: &Arc<str>, container: usize, instance: u32) {
        let of = Instance {
            uid: Arc::clone(uid),
            container,
            instance,
        };
        let Some((question, pause)) = self.hook_of(&of, |lifecycle| lifecycle.post_start.as_ref()) else {
            return;
        };
        let Some(asking) = self.asking(&of, START_HOOK_TIMEOUT) else {
            return;
        };
        self.parts.env.spawn.task("hook", async move {
            let outcome = asking.hook(question.as_ref(), pause).await;
            let _ = asking.sender.send(Message::Started(of, outcome)).await;
        });
    }

    /// A container whose hook after the start failed is ended.
    pub(super) fn started_with(&mut self, of: &Instance, outcome: Result<(), String>) {
        let Err(message) = outcome else { return };
        self.drive_pod(&of.uid, |worker, now, out| {
            let container = &worker.containers[of.container];
            if container.instance != of.instance || !container.is_running() {
                return;
            }
            let name = &worker.spec(of.container).name;
            out.push(Effect::warning(
                "FailedPostStartHook",
                format!("PostStartHook failed: {message}"),
            ));
            out.push(Effect::normal(
                "Killing",
                format!("Stopping container {name}: FailedPostStartHook"),
            ));
            worker.stop_with_own_grace(of.container, now, out);
        });
    }

    /// Begins what is to be done before a container's end; false where there is nothing, or no time for it.
    pub(super) fn before_stop(&mut self, uid: &Arc<str>, container: usize, grace: Duration) -> bool {
        let Some(entry) = self.pods.get_mut(uid) else {
            return false;
        };
        let instance = entry.worker.containers[container].instance;
        let Some(process) = &mut entry.processes[container] else {
            return false;
        };
        if grace.is_zero() || std::mem::replace(&mut process.is_ending, true) {
            return false;
        }
        let of = Instance {
            uid: Arc::clone(uid),
            container,
            instance,
        };
        let Some((question, pause)) = self.hook_of(&of, |lifecycle| lifecycle.pre_stop.as_ref()) else {
            return false;
        };
        let Some(asking) = self.asking(&of, grace) else {
            return false;
        };
        let clock = self.parts.env.cluster_clock.clone();
        self.parts.env.spawn.task("hook", async move {
            let start = clock.monotonic();
            let outcome = asking.hook(question.as_ref(), pause).await;
            let left = grace.saturating_sub(clock.monotonic() - start).max(LEAST_GRACE);
            let _ = asking.sender.send(Message::BeforeStop(of, outcome, left)).await;
        });
        true
    }

    /// What was to be done before a container's end is done: now it ends.
    pub(super) fn stopped_with(&mut self, of: &Instance, outcome: Result<(), String>, left: Duration) {
        let Some(entry) = self.pods.get(&of.uid) else {
            return;
        };
        // It may have been ended at once meanwhile.
        if entry.worker.containers[of.container].instance != of.instance
            || entry.processes[of.container].is_none()
        {
            return;
        }
        if let Err(message) = outcome {
            let message = format!("PreStopHook failed: {message}");
            self.tell(
                &of.uid,
                Note {
                    warning: true,
                    reason: "FailedPreStopHook",
                    message,
                },
            );
        }
        self.stop_now(&of.uid, of.container, left);
    }

    /// What a container that has ended left to be told.
    pub(super) fn last_words(&self, of: &Instance, code: i32) -> Box<str> {
        let words = || {
            let entry = self.pods.get(&of.uid)?;
            let process = entry.processes[of.container].as_ref()?;
            let spec = entry.worker.spec(of.container);
            let path = match &*spec.termination_message_path {
                "" => USUAL_PATH,
                path => path,
            };
            // Without a life nothing has written a file.
            let text = process.life.as_ref().and_then(|_| {
                let folder = self.parts.preparer.pod_folder(&of.uid).join("rootfs");
                let folder = folder.join(format!("{}-{}", spec.name, of.instance));
                read_start(&folder.join(relative("", path).ok()?))
            });
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                return Some(text);
            }
            if code == 0 || spec.termination_message_policy != MessagePolicy::FallbackToLogsOnError {
                return None;
            }
            let selection = Selection {
                tail: Some(MAX_LOG_LINES),
                limit_bytes: Some(MAX_LOG_BYTES),
                ..Selection::default()
            };
            let mut reader = Reader::open(Arc::clone(&process.log), selection).ok()?;
            let data: Vec<u8> = reader.next_chunk().ok()??;
            Some(String::from_utf8_lossy(&data).into_owned())
        };
        words().unwrap_or_default().into()
    }
}

/// The beginning of a file; a container leaves few words, so they are read at once.
fn read_start(path: &std::path::Path) -> Option<String> {
    use std::io::Read;
    let mut text = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(MAX_WORDS_BYTES).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
