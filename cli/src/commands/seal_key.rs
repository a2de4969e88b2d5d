//! `coracle seal-key`: replaces the key that seals Secrets in the store, and forgets old ones.

use anyhow::Context;
use coracle_client::maintenance::Maintenance;
use coracle_service::{Env, Identity};

use crate::{
    args::{SealKey, SealKeyAction},
    cluster::Cluster,
    output,
};

pub async fn run(args: &SealKey) -> anyhow::Result<()> {
    let env = Env::host();
    let cluster = Cluster::new(&args.cluster)?;
    let server = match &args.server {
        Some(server) => server.clone(),
        None => cluster.memory()?.server,
    };
    let identity = Identity::from_credentials(&cluster.admin()?)?;
    let maintenance = Maintenance::new(&server, &env, &identity).map_err(anyhow::Error::msg)?;
    match args.action {
        SealKeyAction::Rotate => {
            let rotated = maintenance.rotate_seal_key().await.context("replace the key")?;
            output::data(&format!(
                "Key {} seals Secrets now; {} were sealed anew. Older keys still open what history holds; to forget \
                 them: coracle seal-key drop\n",
                rotated.key_id, rotated.resealed
            ));
        }
        SealKeyAction::Drop => {
            let dropped = maintenance
                .drop_old_seal_keys()
                .await
                .context("forget old keys")?;
            output::data(&match dropped {
                0 => "There is but one key.\n".to_owned(),
                1 => "Forgot 1 older key, and the history that it opened.\n".to_owned(),
                several => format!("Forgot {several} older keys, and the history that they opened.\n"),
            });
        }
    }
    Ok(())
}
