//! What an operator asks of the apiserver's store, by gRPC.

use coracle_api::ApiError;
use coracle_proto::v1::{
    DropOldSealKeysRequest, RotateSealKeyRequest, maintenance_service_client::MaintenanceServiceClient,
};
use coracle_service::{Env, Identity, connect};
use tonic::transport::Channel;

use crate::error::from_status;

/// Asks one apiserver. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Maintenance {
    client: MaintenanceServiceClient<Channel>,
}

/// What replacing the key that seals has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The key that seals now.
    pub key_id: u32,
    /// How many Secrets were sealed anew.
    pub resealed: i64,
}

impl Maintenance {
    /// Connects to `HOST:PORT` when it is first asked.
    ///
    /// # Errors
    /// Where the authority cannot be read.
    pub fn new(authority: &str, env: &Env, identity: &Identity) -> Result<Self, String> {
        let channel = connect::channel(authority, env, identity)?;
        Ok(Self {
            client: MaintenanceServiceClient::new(channel),
        })
    }

    /// Has Secrets sealed with a new key.
    ///
    /// # Errors
    /// The server's, or that it cannot be reached.
    pub async fn rotate_seal_key(&self) -> Result<Rotated, ApiError> {
        let asked = self.client.clone().rotate_seal_key(RotateSealKeyRequest {}).await;
        let answer = asked.map_err(|status| from_status(&status))?.into_inner();
        Ok(Rotated {
            key_id: answer.key_id,
            resealed: answer.resealed,
        })
    }

    /// Has all keys forgotten that seal nothing any more; how many there were.
    ///
    /// # Errors
    /// The server's, such as that one is still needed, or that it cannot be reached.
    pub async fn drop_old_seal_keys(&self) -> Result<i64, ApiError> {
        let asked = self
            .client
            .clone()
            .drop_old_seal_keys(DropOldSealKeysRequest {})
            .await;
        let answer = asked.map_err(|status| from_status(&status))?;
        Ok(answer.into_inner().dropped)
    }
}
