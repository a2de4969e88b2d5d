//! Pods and address ranges that come, change and go.

use std::sync::Arc;

use coracle_runtime::{Key, Note, ObjectRef};

use super::{Activity, Entry, Manager};
use crate::{
    network::ipam::Ipam,
    pods::{effect, view::PodView, worker::Worker},
    volumes::Volumes,
};

impl Manager {
    /// Takes up the ranges that nodes have got, and the pods that waited for them.
    pub(super) fn observe_ranges(&mut self) {
        let mut ready = Vec::new();
        for (name, home) in &mut self.homes {
            let Some(node) = self.parts.nodes.get("", name) else {
                continue;
            };
            let range = &node.spec.pod_cidr;
            if range.is_empty() || home.range.as_ref().is_some_and(|(known, _)| known == range) {
                continue;
            }
            let mut ipam = match Ipam::new(range) {
                Ok(ipam) => ipam,
                Err(error) => {
                    tracing::error!(node = &**name, %error, "use pod range of node");
                    continue;
                }
            };
            // Addresses that pods had before this process started are theirs, before any new pod gets one.
            for uid in self.parts.journal.uids() {
                if let Some(record) = self.parts.journal.get(uid).filter(|record| record.node == *name) {
                    ipam.claim(record.ip);
                }
            }
            home.range = Some((range.clone(), ipam));
            ready.append(&mut home.waiting);
        }
        for uid in ready {
            self.prepare(&uid);
            self.settle(&uid);
        }
    }

    /// Makes what is driven agree with what the cache shows of one pod.
    pub(super) fn observe_pod(&mut self, key: &Key) {
        let shown = self
            .parts
            .pods
            .get_key(key)
            .filter(|pod| self.homes.contains_key(&pod.spec.node_name));
        let driven = self.names.get(key).cloned();
        if let Some(uid) = driven
            && shown.as_ref().is_none_or(|pod| pod.metadata.uid != uid)
        {
            self.forget(&uid);
        }
        let Some(pod) = shown else { return };
        let uid = Arc::clone(&pod.metadata.uid);
        if self.pods.contains_key(&uid) {
            self.drive_pod(&uid, |worker, now, out| {
                worker.update(pod);
                worker.advance(now, out);
            });
        } else {
            self.admit(key, pod);
            self.drive_pod(&uid, Worker::advance);
        }
    }

    fn admit(&mut self, key: &Key, pod: Arc<PodView>) {
        let (now, waits) = (self.now(), self.waits());
        let uid = Arc::clone(&pod.metadata.uid);
        let record = self.parts.journal.get(&uid);
        let known = record.is_some() || pod.status.start_time.is_some();
        let worker = match known {
            true => Worker::restored(pod, record, waits, now),
            false => Worker::new(pod, waits, now),
        };
        let entry = Entry {
            key: key.clone(),
            processes: worker.containers.iter().map(|_| None).collect(),
            has_folder: known || !worker.pod.spec.volumes.is_empty(),
            worker,
            volumes: Volumes::new(),
            identity: None,
            wake_at: None,
        };
        self.names.insert(key.clone(), Arc::clone(&uid));
        self.pods.insert(uid, entry);
    }

    /// A pod's object is gone: nothing of it stays.
    fn forget(&mut self, uid: &Arc<str>) {
        let Some(entry) = self.pods.remove(uid) else {
            return;
        };
        self.names.remove(&entry.key);
        for process in entry.processes.iter().flatten() {
            if let Activity::Serving(serving) = &process.activity {
                serving.kill();
            }
            process.end();
        }
        let spec = &entry.worker.pod.spec;
        // One that has just come out of a reboot may have its address in the record alone.
        let recorded = self.parts.journal.get(uid).map(|record| record.ip);
        if let (Some(ip), false) = (entry.worker.ip.or(recorded), spec.host_network)
            && let Some((_, ipam)) = self
                .homes
                .get_mut(&spec.node_name)
                .and_then(|home| home.range.as_mut())
        {
            ipam.release(ip);
        }
        self.parts.journal.remove(uid);
        self.parts.outbox.forget(uid);
        if entry.has_folder {
            self.doomed.push(Arc::clone(uid));
        }
    }

    /// Cleans up after pods that vanished while the process was down. Called once all present pods are known.
    pub(super) fn sweep(&mut self) {
        let gone: Vec<Arc<str>> = self
            .parts
            .journal
            .uids()
            .filter(|&uid| !self.pods.contains_key(uid))
            .cloned()
            .collect();
        for uid in &gone {
            let Some(record) = self.parts.journal.get(uid) else {
                continue;
            };
            let (ip, node) = (record.ip, record.node.clone());
            if let Some((_, ipam)) = self.homes.get_mut(&node).and_then(|home| home.range.as_mut()) {
                ipam.release(ip);
            }
            self.parts.journal.remove(uid);
        }
        // Folders are looked for on disk: a pod whose record was lost may have left one as well.
        let present = self
            .pods
            .keys()
            .cloned()
            .collect::<std::collections::HashSet<_>>();
        let (folder, spawn) = (self.parts.preparer.pod_folder(""), self.parts.env.spawn);
        self.parts.env.spawn.task("sweep", async move {
            let swept = spawn.blocking(move || {
                for found in std::fs::read_dir(folder)?.flatten() {
                    if !found
                        .file_name()
                        .to_str()
                        .is_some_and(|uid| present.contains(uid))
                    {
                        std::fs::remove_dir_all(found.path())?;
                    }
                }
                Ok::<_, std::io::Error>(())
            });
            match swept.await {
                Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(%error, "remove folders of pods that are gone");
                }
                _ => {}
            }
        });
    }

    /// Removes the folders of the pods that went in this round.
    pub(super) fn remove_folders(&mut self) {
        let uids = std::mem::take(&mut self.doomed);
        if uids.is_empty() {
            return;
        }
        let folders: Vec<_> = uids
            .iter()
            .map(|uid| self.parts.preparer.pod_folder(uid))
            .collect();
        let spawn = self.parts.env.spawn;
        self.parts.env.spawn.task("remove folders", async move {
            let removed = spawn.blocking(move || {
                for folder in folders {
                    match std::fs::remove_dir_all(&folder) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            tracing::warn!(%error, folder = %folder.display(), "remove folder of pod");
                        }
                        _ => {}
                    }
                }
            });
            // It panics only where the runtime shuts down; the next start sweeps.
            let _ = removed.await;
        });
    }

    /// Records an event about a pod.
    pub(super) fn tell(&self, uid: &Arc<str>, note: effect::Note) {
        let Some(entry) = self.pods.get(uid) else { return };
        let regarding = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: entry.key.namespace().to_owned(),
            name: entry.key.name().to_owned(),
            uid: uid.to_string(),
            revision: 0,
        };
        let told = match note.warning {
            true => Note::warning(regarding, note.reason, note.message),
            false => Note::normal(regarding, note.reason, note.message),
        };
        self.parts.recorder.record(told);
    }
}
