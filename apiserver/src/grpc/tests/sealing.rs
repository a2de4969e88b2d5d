//! Replacing the key that seals Secrets by a call.

use std::path::Path;

use coracle_proto::v1 as pb;
use coracle_proto::v1::maintenance_service_client::MaintenanceServiceClient;
use serde_json::json;
use tonic::Code;

use super::Server;
use super::calls::{create, get};

const SECRETS: usize = 12;

async fn make(server: &Server, name: &str) {
    let secret = json!({"metadata": {"name": name}, "stringData": {"password": name}});
    server.objects().create(create("Secret", &secret)).await.unwrap();
}

async fn check_all(server: &Server) {
    for index in 0..SECRETS {
        let name = format!("s-{index}");
        let read = server.objects().get(get("secrets", &name)).await.unwrap();
        assert_eq!(read.into_inner().object.unwrap().name, name);
    }
}

/// The ids of the keys on disk, the one that seals first.
fn ids(dir: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(dir.join("secrets.key")).unwrap();
    let ids = text
        .lines()
        .map(|line| line.split(' ').next().unwrap().parse().unwrap());
    ids.collect()
}

fn maintenance(server: &Server) -> MaintenanceServiceClient<tonic::transport::Channel> {
    MaintenanceServiceClient::new(server.channel(&server.admin))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_replaced_and_the_old_one_forgotten() {
    let server = Server::start(Server::new_dir(), true).await;
    for index in 0..SECRETS {
        make(&server, &format!("s-{index}")).await;
    }
    let rotated = maintenance(&server)
        .rotate_seal_key(pb::RotateSealKeyRequest {})
        .await;
    let rotated = rotated.unwrap().into_inner();
    assert_eq!(rotated.key_id, 2);
    assert!(
        usize::try_from(rotated.resealed).unwrap() >= SECRETS,
        "{rotated:?}"
    );
    check_all(&server).await;
    let dropped = maintenance(&server)
        .drop_old_seal_keys(pb::DropOldSealKeysRequest {})
        .await;
    assert_eq!(dropped.unwrap().into_inner().dropped, 1);
    let again = maintenance(&server)
        .drop_old_seal_keys(pb::DropOldSealKeysRequest {})
        .await;
    assert_eq!(again.unwrap().into_inner().dropped, 0);
    make(&server, "late").await;
    let dir = server.stop().await;
    assert_eq!(ids(&dir), [2]);
    // What is left is what the new key opens.
    let server = Server::start(dir, true).await;
    check_all(&server).await;
    server.objects().get(get("secrets", "late")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_that_was_broken_off_goes_on_after_the_start() {
    let server = Server::start(Server::new_dir(), true).await;
    for index in 0..SECRETS {
        make(&server, &format!("s-{index}")).await;
    }
    let dir = server.stop().await;
    // As a kill right behind the first step leaves it: the key is there, and seals nothing yet.
    crate::sealing::add_key(&dir, &coracle_service::Random::seeded(3)).unwrap();
    let server = Server::start(dir, true).await;
    let mut maintenance = maintenance(&server);
    let dropped = loop {
        match maintenance
            .drop_old_seal_keys(pb::DropOldSealKeysRequest {})
            .await
        {
            Ok(answer) => break answer.into_inner().dropped,
            // Until the last one is sealed anew, the old key stays.
            Err(status) => {
                assert_eq!(status.code(), Code::InvalidArgument, "{status}");
                assert!(
                    status.message().contains("still sealed with an older key"),
                    "{status}"
                );
                tokio::task::yield_now().await;
            }
        }
    };
    assert_eq!(dropped, 1);
    check_all(&server).await;
    let dir = server.stop().await;
    assert_eq!(ids(&dir), [2]);
    check_all(&Server::start(dir, true).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_disk_there_is_no_key_to_replace() {
    let server = Server::in_memory().await;
    let refused = maintenance(&server)
        .rotate_seal_key(pb::RotateSealKeyRequest {})
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}
