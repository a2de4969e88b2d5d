//! Compare-and-swap (row 7): many clients count one counter up, each by a conditional write. The count equals
//! the successes, and no client ever reads less than it has written.

use std::sync::Arc;

use crate::state::StoreConfig;
use crate::testing::{TempDir, at_revision, put, rounds, thread_hooks};
use crate::types::{Condition, Txn, TxnError};
use crate::{DurableStore, MemoryStore, RealFiles, RecordCodec, Store};

const CLIENTS: u64 = 64;

fn count(store: &dyn Store) -> u64 {
    let Some(stored) = store.get("/counter", None).unwrap() else {
        return 0;
    };
    let text = String::from_utf8(stored.json.to_vec()).unwrap();
    let start = text.find("\"name\":\"").unwrap() + 8;
    text[start..start + text[start..].find('"').unwrap()]
        .parse()
        .unwrap()
}

async fn client(store: Arc<dyn Store>, wins: u64) -> u64 {
    let mut won = 0;
    let mut least = 0;
    while won < wins {
        let revision = store.get("/counter", None).unwrap().map(|stored| stored.revision);
        let seen = count(store.as_ref());
        assert!(seen >= least, "a read after an acknowledged write is stale");
        let condition = match revision {
            Some(revision) => at_revision("/counter", revision),
            None => Condition::Absent {
                key: crate::testing::key("/counter"),
            },
        };
        let ops = vec![put("/counter", &(seen + 1).to_string())];
        match store
            .commit(Txn {
                conditions: vec![condition],
                ops,
            })
            .await
        {
            Ok(_) => {
                won += 1;
                least = seen + 1;
            }
            Err(TxnError::ConditionFailed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    won
}

fn swap(store: Arc<dyn Store>, wins: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(client(store.clone(), wins)))
            .collect();
        let mut successes = 0;
        for client in clients {
            successes += client.await.unwrap();
        }
        assert_eq!(count(store.as_ref()), successes);
        assert_eq!(store.revision() as u64, successes);
        store.shutdown().await;
    });
}

#[test]
fn the_memory_store_counts_every_success() {
    swap(Arc::new(MemoryStore::default()), rounds(20, 1_600));
}

#[test]
fn the_durable_store_counts_every_success() {
    let dir = TempDir::new("swap");
    let store = DurableStore::open(
        StoreConfig::new(dir.path()),
        Arc::new(RealFiles),
        thread_hooks(),
        RecordCodec::unsealed(),
    );
    swap(Arc::new(store.unwrap()), rounds(8, 1_600));
}
