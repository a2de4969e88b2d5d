//! `coracle.v1.MaintenanceService`: what an operator asks of the store.

use coracle_api::ApiError;
use coracle_proto::v1::{self as pb, maintenance_service_server::MaintenanceService};
use tonic::{Request, Response, Status};

use super::Door;

#[tonic::async_trait]
impl MaintenanceService for Door {
    async fn get_store_status(
        &self,
        _request: Request<pb::GetStoreStatusRequest>,
    ) -> Result<Response<pb::GetStoreStatusResponse>, Status> {
        let status = self.registry.store().status();
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Ok(Response::new(pb::GetStoreStatusResponse {
            cluster_id: status.cluster_id,
            engine: self.config.engine.to_owned(),
            revision: status.revision,
            compacted_revision: status.compacted_revision,
            objects: i64::try_from(status.keys).unwrap_or(i64::MAX),
            history_bytes: number(status.history_bytes),
            journal_bytes: number(status.journal_bytes),
            disk_bytes: 0,
            problem: status.problem.unwrap_or_default(),
        }))
    }

    async fn compact(
        &self,
        request: Request<pb::CompactRequest>,
    ) -> Result<Response<pb::CompactResponse>, Status> {
        let store = self.registry.store();
        let asked = request.into_inner().revision;
        store.compact(if asked > 0 { asked } else { store.revision() });
        Ok(Response::new(pb::CompactResponse {
            compacted_revision: store.compacted_revision(),
        }))
    }

    async fn checkpoint(
        &self,
        _request: Request<pb::CheckpointRequest>,
    ) -> Result<Response<pb::CheckpointResponse>, Status> {
        self.call(async {
            let done = self.registry.store().checkpoint().await;
            let revision = done.map_err(|error| ApiError::unavailable(error.to_string()))?;
            Ok(pb::CheckpointResponse { revision })
        })
        .await
    }

    async fn rotate_seal_key(
        &self,
        _request: Request<pb::RotateSealKeyRequest>,
    ) -> Result<Response<pb::RotateSealKeyResponse>, Status> {
        self.call(async {
            let rotated = self.config.rotation.rotate(&self.registry).await?;
            Ok(pb::RotateSealKeyResponse {
                key_id: rotated.key_id,
                resealed: i64::try_from(rotated.resealed).unwrap_or(i64::MAX),
            })
        })
        .await
    }

    async fn drop_old_seal_keys(
        &self,
        _request: Request<pb::DropOldSealKeysRequest>,
    ) -> Result<Response<pb::DropOldSealKeysResponse>, Status> {
        self.call(async {
            let dropped = self.config.rotation.drop_old(&self.registry).await?;
            let dropped = i64::try_from(dropped).unwrap_or(i64::MAX);
            Ok(pb::DropOldSealKeysResponse { dropped })
        })
        .await
    }
}
