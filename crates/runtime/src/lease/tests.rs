//! Tests of `lease`.

use std::{sync::Arc, time::Duration};

use coracle_api::kinds;
use coracle_client::{BatchOptions, ObjectApi, Write, WriteOptions};
use coracle_service::{Env, Shutdown};
use serde_json::json;

use super::{Candidate, LeaseTimings};
use crate::fake::FakeApi;

fn candidate(holder: &str) -> Candidate {
    let timings = LeaseTimings {
        duration: Duration::from_millis(50),
        renew_deadline: Duration::from_millis(40),
        retry: Duration::from_millis(5),
    };
    Candidate {
        namespace: "kube-system".to_owned(),
        name: "test".to_owned(),
        holder: holder.to_owned(),
        timings,
    }
}

fn shared(api: &FakeApi) -> Arc<dyn ObjectApi> {
    Arc::new(api.clone())
}

fn lease(api: &FakeApi) -> (String, i64) {
    let lease = api.find(kinds::LEASE, "kube-system", "test").unwrap();
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap().to_owned();
    (holder, lease["spec"]["leaseTransitions"].as_i64().unwrap())
}

#[tokio::test]
async fn the_same_holder_takes_over_at_once_and_fences_its_former_life() {
    let (api, env) = (FakeApi::default(), Env::host());
    let first = candidate("one").acquire(shared(&api), &env).await;
    assert_eq!(lease(&api), ("one".to_owned(), 0));
    let second = candidate("one").acquire(shared(&api), &env).await;
    assert_eq!(lease(&api), ("one".to_owned(), 1));
    let create = || Write::Create {
        resource: kinds::CONFIG_MAP,
        namespace: "ns".to_owned(),
        name: "x".to_owned(),
        subresource: "",
        json: json!({"metadata": {}}).to_string().into(),
    };
    let stale = WriteOptions {
        fence: Some(first.fence()),
        ..WriteOptions::default()
    };
    assert!(api.write(create(), &stale).await.unwrap_err().is_fenced());
    let fresh = BatchOptions {
        fence: Some(second.fence()),
        ..BatchOptions::default()
    };
    assert!(api.batch(vec![create()], &fresh).await.unwrap()[0].is_ok());
    let lost = first.hold(&Shutdown::new()).await.unwrap_err();
    assert_eq!(lost.lease, "kube-system/test");
}

#[tokio::test]
async fn another_waits_until_the_lease_was_not_renewed() {
    let (api, env) = (FakeApi::default(), Env::host());
    let leading = candidate("one").acquire(shared(&api), &env).await;
    // `leading` is alive but frozen: it does not renew.
    let took = candidate("two").acquire(shared(&api), &env).await;
    assert_eq!(lease(&api).0, "two");
    assert_ne!(leading.fence(), took.fence());
    assert!(leading.hold(&Shutdown::new()).await.is_err());
}

#[tokio::test]
async fn a_leader_that_ends_in_order_gives_the_lease_up() {
    let (api, env, shutdown) = (FakeApi::default(), Env::host(), Shutdown::new());
    let leading = candidate("one").acquire(shared(&api), &env).await;
    shutdown.trigger();
    leading.hold(&shutdown).await.unwrap();
    assert_eq!(lease(&api).0, "");
}

#[tokio::test]
async fn a_leader_that_cannot_renew_gives_up() {
    let (api, env) = (FakeApi::default(), Env::host());
    let leading = candidate("one").acquire(shared(&api), &env).await;
    api.fail_after(Some(0));
    assert!(leading.hold(&Shutdown::new()).await.is_err());
}

#[tokio::test]
async fn a_lease_that_is_given_up_is_taken_at_once() {
    let (api, env, shutdown) = (FakeApi::default(), Env::host(), Shutdown::new());
    let slow = |holder: &str| Candidate {
        timings: LeaseTimings {
            duration: Duration::from_secs(3_600),
            renew_deadline: Duration::from_secs(1_800),
            retry: Duration::from_secs(600),
        },
        ..candidate(holder)
    };
    let leading = slow("one").acquire(shared(&api), &env).await;
    let (waiting, of_waiting) = (slow("two"), (shared(&api), env.clone()));
    let next = env.spawn.task("next", async move {
        waiting.acquire(of_waiting.0, &of_waiting.1).await;
    });
    // It has looked once, and would look again in ten minutes.
    while api.watches() == 0 {
        tokio::task::yield_now().await;
    }
    shutdown.trigger();
    leading.hold(&shutdown).await.unwrap();
    env.transport_clock
        .timeout(Duration::from_secs(20), next)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(lease(&api).0, "two");
}
