//! Whether the apiserver answers, and since when: what a page says while it is frozen.

use std::{sync::Arc, time::Duration};

use coracle_service::{Env, Shutdown};
use http::Request;
use serde::Serialize;
use tokio::sync::{Notify, watch};

use crate::upstream::Upstream;

/// How often the apiserver is asked while it answers, and while it does not.
const WELL: Duration = Duration::from_secs(1);
const DOWN: Duration = Duration::from_millis(200);
/// An answer later than this is none.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the apiserver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// It does.
    pub connected: bool,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
}

/// Asks the apiserver again and again; cheap to clone.
#[derive(Clone)]
pub struct Probe {
    state: watch::Receiver<State>,
    suspect: Arc<Notify>,
}

impl Probe {
    /// Begins to ask, until shutdown.
    #[must_use]
    pub fn start(upstream: Upstream, env: &Env, shutdown: &Shutdown) -> Self {
        let now_ms = env.cluster_clock.now().as_millisecond();
        let (sender, state) = watch::channel(State {
            connected: true,
            since_ms: now_ms,
        });
        let suspect = Arc::new(Notify::new());
        let (env, shutdown, wake) = (env.clone(), shutdown.clone(), Arc::clone(&suspect));
        let spawn = env.spawn;
        spawn.task("probe", async move {
            shutdown.guard(ask(upstream, env, sender, wake)).await;
        });
        Self { state, suspect }
    }

    /// The state, and each change of it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// A call failed: ask now.
    pub fn suspect(&self) {
        self.suspect.notify_one();
    }
}

async fn ask(upstream: Upstream, env: Env, sender: watch::Sender<State>, wake: Arc<Notify>) {
    let clock = &env.transport_clock;
    loop {
        let mut request = Request::new(tonic::body::Body::empty());
        *request.uri_mut() = http::Uri::from_static("/livez");
        let answer = clock.timeout(TIMEOUT, upstream.send(None, request)).await;
        let connected = matches!(answer, Ok(Ok(answer)) if answer.status().is_success());
        sender.send_if_modified(|state| {
            let is_changed = state.connected != connected;
            if is_changed {
                *state = State {
                    connected,
                    since_ms: env.cluster_clock.now().as_millisecond(),
                };
                tracing::info!(connected, "apiserver");
            }
            is_changed
        });
        let pause = clock.sleep(if connected { WELL } else { DOWN });
        tokio::select! {
            biased;
            () = wake.notified(), if connected => {}
            () = pause => {}
        }
    }
}
