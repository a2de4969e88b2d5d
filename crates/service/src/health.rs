//! Health of a process: named checks behind `/livez`, `/readyz` and `/healthz`, and the small server that most
//! components show them on.

use std::{collections::BTreeMap, fmt::Write, net::SocketAddr, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use parking_lot::RwLock;

use crate::{Env, Identity, Shutdown, announce, serve};

/// The state of one named check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// All is well.
    Ok,
    /// Still starting or waiting for another process: alive, not ready.
    Waiting(String),
    /// Cannot do its work until somebody acts.
    Failed(String),
}

/// The checks of a process; cheap to clone.
#[derive(Clone, Default)]
pub struct Health {
    checks: Arc<RwLock<BTreeMap<&'static str, Check>>>,
}

impl Health {
    /// No checks: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the state of a check.
    pub fn set(&self, name: &'static str, check: Check) {
        self.checks.write().insert(name, check);
    }

    /// Whether every check is [`Check::Ok`].
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.checks.read().values().all(|check| *check == Check::Ok)
    }

    /// Whether no check is [`Check::Failed`].
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self
            .checks
            .read()
            .values()
            .any(|check| matches!(check, Check::Failed(_)))
    }

    /// A line per check, as `/readyz?verbose` shows them.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = String::new();
        for (name, check) in &*self.checks.read() {
            let _ = match check {
                Check::Ok => writeln!(text, "[+]{name} ok"),
                Check::Waiting(why) => writeln!(text, "[-]{name} waiting: {why}"),
                Check::Failed(why) => writeln!(text, "[-]{name} failed: {why}"),
            };
        }
        text
    }

    /// `/livez`, `/readyz` and `/healthz`.
    pub fn router(&self) -> Router {
        Router::new()
            .route(
                "/livez",
                get(|State(health): State<Self>| async move { health.answer(health.is_live()) }),
            )
            .route(
                "/readyz",
                get(|State(health): State<Self>| async move { health.answer(health.is_ready()) }),
            )
            .route(
                "/healthz",
                get(|State(health): State<Self>| async move { health.answer(health.is_ready()) }),
            )
            .with_state(self.clone())
    }

    fn answer(&self, good: bool) -> (StatusCode, String) {
        if good {
            (StatusCode::OK, "ok".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, self.report())
        }
    }

    /// Serves the checks on `address` until shutdown, and announces the address.
    ///
    /// # Errors
    /// The network's, where it cannot listen there.
    pub async fn serve(
        &self,
        address: SocketAddr,
        env: &Env,
        identity: &Identity,
        shutdown: &Shutdown,
    ) -> std::io::Result<()> {
        let listener = env.network.listen(address).await?;
        announce::listening("health", listener.local_addr()?);
        let (env, identity, shutdown, router) =
            (env.clone(), identity.clone(), shutdown.clone(), self.router());
        env.spawn.task("health", {
            let env = env.clone();
            async move {
                serve::serve(
                    listener,
                    &identity,
                    router,
                    serve::Limits::default(),
                    &env,
                    &shutdown,
                )
                .await
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_live_but_not_ready() {
        let health = Health::new();
        assert!(health.is_ready() && health.is_live());
        health.set("caches", Check::Waiting("pods".to_owned()));
        assert!(!health.is_ready() && health.is_live());
        assert_eq!(health.report(), "[-]caches waiting: pods\n");
        health.set("caches", Check::Failed("no disk".to_owned()));
        assert!(!health.is_live());
    }
}
