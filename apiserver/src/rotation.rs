//! Replacing the key that seals Secrets, while the server runs.
//!
//! First the new key is on disk beside the old ones, then it seals, then everything is sealed anew. Killed in between,
//! the next start finds several keys and goes on. Old keys go by a command of their own, which looks first whether
//! anything needs them.

use std::path::PathBuf;

use coracle_api::ApiError;
use coracle_service::Env;
use tokio::sync::Mutex;

use crate::{registry::Registry, sealing};

/// Replaces keys, one caller at a time.
pub(crate) struct Rotation {
    /// Where the keys are; nowhere, where nothing is on disk.
    dir: Option<PathBuf>,
    env: Env,
    turn: Mutex<()>,
}

/// What replacing the key has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// The key that seals now.
    pub key_id: u32,
    /// How many Secrets were sealed anew.
    pub resealed: usize,
}

impl Rotation {
    pub fn new(dir: Option<PathBuf>, env: &Env) -> Self {
        Self {
            dir,
            env: env.clone(),
            turn: Mutex::default(),
        }
    }

    /// Makes a key, and seals everything with it.
    ///
    /// # Errors
    /// Where the key cannot be kept, or the store fails. What was done stays done.
    pub async fn rotate(&self, registry: &Registry) -> Result<Rotated, ApiError> {
        let dir = self.dir()?;
        let _turn = self.turn.lock().await;
        let random = self.env.random.clone();
        let add = move || sealing::add_key(&dir, &random);
        let added = self.env.spawn.blocking(add).await.map_err(ApiError::internal)?;
        let keys = added.map_err(ApiError::internal)?;
        registry.seal_with(&keys).await;
        let resealed = registry.reseal().await?;
        let key_id = keys.first().map(|key| key.id).unwrap_or_default();
        tracing::info!(key_id, resealed, "sealed Secrets with a new key");
        Ok(Rotated { key_id, resealed })
    }

    /// Forgets all keys but the newest, and with them the history that they open; answers how many keys went.
    ///
    /// # Errors
    /// Where something is still sealed with one of them, or the store fails.
    pub async fn drop_old(&self, registry: &Registry) -> Result<usize, ApiError> {
        let dir = self.dir()?;
        let _turn = self.turn.lock().await;
        let present = registry.seal_keys();
        let needed = registry.sealed_otherwise().await?.len();
        if needed > 0 {
            let why = format!("{needed} Secrets are still sealed with an older key");
            return Err(ApiError::bad_request(why));
        }
        registry.forget_history().await?;
        let random = self.env.random.clone();
        let drop = move || sealing::drop_old_keys(&dir, &random);
        let dropped = self.env.spawn.blocking(drop).await.map_err(ApiError::internal)?;
        let keys = dropped.map_err(ApiError::internal)?;
        registry.seal_with(&keys).await;
        Ok(present.saturating_sub(keys.len()))
    }

    fn dir(&self) -> Result<PathBuf, ApiError> {
        let why = "this server keeps nothing on disk: its key goes with it";
        self.dir.clone().ok_or_else(|| ApiError::bad_request(why))
    }
}
