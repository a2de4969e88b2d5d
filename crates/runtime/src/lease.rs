//! Leader election by a Lease, with every write of the leader fenced by it.
//!
//! At most one candidate believes that it leads, up to clock drift; and where two do all the same (a process was
//! frozen past its lease), the writes of the former leader are refused by the store, because each carries holder and
//! transitions as a condition of its transaction. So a candidate that finds its own name in the Lease takes it over
//! at once, counting a transition: whatever its former life left under way is fenced off, and a killed leader is
//! back without waiting for its own lease to expire.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_api::{ApiError, kinds, time};
use coracle_client::{EventKind, Fence, Object, ObjectApi, WatchQuery, Write, WriteOptions};
use coracle_service::{Env, Shutdown};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Intervals of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimings {
    /// A Lease that was not renewed for so long may be taken by another.
    pub duration: Duration,
    /// A leader that could not renew for so long gives up. Below `duration`.
    pub renew_deadline: Duration,
    /// Between attempts, and between renewals.
    pub retry: Duration,
}

impl Default for LeaseTimings {
    /// 15, 10 and 2 seconds, as Kubernetes.
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// Somebody who wants to lead.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub name: String,
    /// Who wants to; unique among candidates, and the same after a restart of the same one.
    pub holder: String,
    /// How often and how long.
    pub timings: LeaseTimings,
}

/// Leadership was lost: everything done in its name must stop, so the process exits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hold lease {lease}: {why}")]
pub struct Lost {
    /// `namespace/name` of the Lease.
    pub lease: String,
    /// What happened.
    pub why: String,
}

/// A Lease that is held.
pub struct Leadership {
    candidate: Candidate,
    transitions: i64,
    revision: i64,
    acquired: jiff::Timestamp,
    renewed: Instant,
    api: Arc<dyn ObjectApi>,
    env: Env,
}

#[derive(Debug, Default, Deserialize)]
struct LeaseView {
    #[serde(default)]
    spec: LeaseSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LeaseSpec {
    holder_identity: Option<String>,
    lease_duration_seconds: Option<u64>,
    lease_transitions: Option<i64>,
}

impl Candidate {
    /// Waits until the candidate leads. Failures of the apiserver are waited out too.
    pub async fn acquire(self, api: Arc<dyn ObjectApi>, env: &Env) -> Leadership {
        let mut seen: Option<(i64, Instant)> = None;
        loop {
            match self.attempt(&api, env, &mut seen).await {
                Ok(Some(leadership)) => {
                    tracing::info!(lease = self.name, transitions = leadership.transitions, "leading");
                    return leadership;
                }
                Ok(None) => tracing::debug!(lease = self.name, "somebody else leads"),
                Err(error) => tracing::debug!(lease = self.name, %error, "acquire lease"),
            }
            // While nobody is known to lead, there is no reason to wait long.
            let wait = if seen.is_some() {
                self.timings.retry
            } else {
                self.timings.retry / 20
            };
            let revision = seen.map_or(0, |(revision, _)| revision);
            tokio::select! {
                biased;
                () = self.released(&api, revision) => {}
                () = env.cluster_clock.sleep(env.random.jitter(wait)) => {}
            }
        }
    }

    /// Waits until the Lease that was seen at `revision` is given up, so that a leader that stops in order is followed at
    /// once. Where that cannot be watched, it waits for ever: attempts are made in between anyway.
    async fn released(&self, api: &Arc<dyn ObjectApi>, revision: i64) {
        let query = WatchQuery {
            namespace: self.namespace.clone(),
            field_selector: format!("metadata.name={}", self.name),
            from_revision: revision,
            ..WatchQuery::all(kinds::LEASE)
        };
        if revision > 0
            && let Ok(mut stream) = api.watch(&query).await
        {
            while let Some(Ok(events)) = stream.next().await {
                if events.iter().any(|event| self.is_release(&event.kind)) {
                    return;
                }
            }
        }
        std::future::pending().await
    }

    fn is_release(&self, event: &EventKind) -> bool {
        let (EventKind::Modified(lease) | EventKind::Deleted(lease)) = event else {
            return false;
        };
        let is_free = matches!(event, EventKind::Deleted(_))
            || lease
                .read::<LeaseView>()
                .is_ok_and(|view| view.spec.holder_identity.unwrap_or_default().is_empty());
        lease.name == self.name && is_free
    }

    /// One attempt; `seen` is the Lease's last revision and when it was first seen, on our own clock.
    async fn attempt(
        &self,
        api: &Arc<dyn ObjectApi>,
        env: &Env,
        seen: &mut Option<(i64, Instant)>,
    ) -> Result<Option<Leadership>, ApiError> {
        let before = env.cluster_clock.monotonic();
        let found = match api.get(kinds::LEASE, &self.namespace, &self.name).await {
            Ok(object) => Some(object),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        let Some(object) = found else {
            return self.take(api, env, before, 0, None).await.map(Some);
        };
        let LeaseSpec {
            holder_identity,
            lease_duration_seconds,
            lease_transitions,
        } = object.read::<LeaseView>()?.spec;
        let holder = holder_identity.unwrap_or_default();
        if !holder.is_empty() && holder != self.holder {
            let first_seen = match *seen {
                Some((revision, at)) if revision == object.revision => at,
                _ => before,
            };
            *seen = Some((object.revision, first_seen));
            // Other clocks are not trusted: a Lease has expired when it did not change while we looked on.
            let duration = lease_duration_seconds.map_or(self.timings.duration, Duration::from_secs);
            if before.duration_since(first_seen) < duration {
                return Ok(None);
            }
        }
        let transitions = lease_transitions.unwrap_or_default() + 1;
        self.take(api, env, before, transitions, Some(object))
            .await
            .map(Some)
    }

    async fn take(
        &self,
        api: &Arc<dyn ObjectApi>,
        env: &Env,
        before: Instant,
        transitions: i64,
        old: Option<Object>,
    ) -> Result<Leadership, ApiError> {
        let acquired = env.cluster_clock.now();
        let mut leadership = Leadership {
            candidate: self.clone(),
            transitions,
            revision: old.as_ref().map_or(0, |old| old.revision),
            acquired,
            renewed: before,
            api: Arc::clone(api),
            env: env.clone(),
        };
        leadership.write(&self.holder, self.timings.duration).await?;
        Ok(leadership)
    }
}

impl Leadership {
    /// What every write of the leader carries.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence {
            namespace: self.candidate.namespace.clone(),
            name: self.candidate.name.clone(),
            holder: self.candidate.holder.clone(),
            transitions: self.transitions,
        }
    }

    /// Renews the Lease until shutdown, then gives it up so that another need not wait.
    ///
    /// # Errors
    /// [`Lost`] where another has it, or where it could not be renewed within the renew deadline.
    pub async fn hold(mut self, shutdown: &Shutdown) -> Result<(), Lost> {
        loop {
            let clock = self.env.cluster_clock.clone();
            if shutdown
                .guard(clock.sleep(self.candidate.timings.retry))
                .await
                .is_none()
            {
                let released = clock.timeout(
                    self.candidate.timings.retry,
                    self.write("", Duration::from_secs(1)),
                );
                if let Ok(Err(error)) = released.await {
                    tracing::debug!(%error, "release lease");
                }
                return Ok(());
            }
            let deadline = self.renewed + self.candidate.timings.renew_deadline;
            let before = clock.monotonic();
            let holder = self.candidate.holder.clone();
            let renewed = tokio::select! {
                biased;
                renewed = self.renew(&holder) => renewed,
                () = clock.sleep_until(deadline) => Err(ApiError::timeout("the renew deadline passed")),
            };
            match renewed {
                Ok(true) => self.renewed = before,
                Ok(false) => return Err(self.lost("another holds it".to_owned())),
                Err(error) if clock.monotonic() >= deadline => return Err(self.lost(error.to_string())),
                Err(error) => tracing::debug!(%error, "renew lease"),
            }
        }
    }

    /// Whether the Lease is still ours, renewed.
    async fn renew(&mut self, holder: &str) -> Result<bool, ApiError> {
        match self.write(holder, self.candidate.timings.duration).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_conflict() || error.is_not_found() => self.look_again().await,
            Err(error) => Err(error),
        }
    }

    /// After a conflict: perhaps only our own last renewal, whose answer was lost, or a person's label.
    async fn look_again(&mut self) -> Result<bool, ApiError> {
        let object = match self
            .api
            .get(kinds::LEASE, &self.candidate.namespace, &self.candidate.name)
            .await
        {
            Ok(object) => object,
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error),
        };
        let spec = object.read::<LeaseView>()?.spec;
        let ours = spec.holder_identity.as_deref() == Some(&*self.candidate.holder)
            && spec.lease_transitions.unwrap_or_default() == self.transitions;
        self.revision = object.revision;
        Ok(ours)
    }

    async fn write(&mut self, holder: &str, duration: Duration) -> Result<(), ApiError> {
        let Candidate { namespace, name, .. } = &self.candidate;
        let mut metadata = json!({"name": name, "namespace": namespace});
        if self.revision != 0 {
            metadata["resourceVersion"] = json!(self.revision.to_string());
        }
        let json = json!({
            "apiVersion": kinds::LEASE.api_version(),
            "kind": kinds::LEASE.kind,
            "metadata": metadata,
            "spec": {
                "holderIdentity": holder,
                // A shorter lease than a second must not become one of none.
                "leaseDurationSeconds": duration.as_secs().max(1),
                "acquireTime": time::format_micro(self.acquired),
                "renewTime": time::format_micro(self.env.cluster_clock.now()),
                "leaseTransitions": self.transitions,
            },
        });
        let json = Bytes::from(json.to_string());
        let (namespace, name) = (namespace.clone(), name.clone());
        let write = match self.revision {
            0 => Write::Create {
                resource: kinds::LEASE,
                namespace,
                name,
                subresource: "",
                json,
            },
            _ => Write::Update {
                resource: kinds::LEASE,
                namespace,
                name,
                subresource: "",
                json,
            },
        };
        let options = WriteOptions {
            without_body: true,
            ..WriteOptions::default()
        };
        self.revision = self.api.write(write, &options).await?.revision;
        Ok(())
    }

    fn lost(&self, why: String) -> Lost {
        Lost {
            lease: format!("{}/{}", self.candidate.namespace, self.candidate.name),
            why,
        }
    }
}
