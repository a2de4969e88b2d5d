//! What agents write of their nodes, against a fake apiserver and a clock that the test drives.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use coracle_api::kinds;
use coracle_client::{ObjectApi, WatchQuery};
use coracle_runtime::{Cache, fake::FakeApi, informer};
use coracle_service::{Clock, Env, Shutdown};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Agent, lease::Renewal, node::Node};
use crate::config::Config;

fn env() -> Env {
    Env {
        cluster_clock: Clock::simulated(Timestamp::UNIX_EPOCH),
        ..Env::host()
    }
}

fn agent(api: &FakeApi, env: &Env, count: u32) -> Agent {
    let mut config = Config::new("unused:1", "node", PathBuf::new(), Ipv4Addr::new(127, 16, 0, 1));
    config.count = count;
    let nodes = config
        .nodes()
        .into_iter()
        .map(|(name, ip)| Node {
            name,
            ip,
            port: 10250,
        })
        .collect();
    Agent {
        config: Arc::new(config),
        env: env.clone(),
        api: Arc::new(api.clone()),
        nodes,
        boot: "boot".to_owned(),
    }
}

fn ready(api: &FakeApi, name: &str) -> Option<Value> {
    let node = api.find(kinds::NODE, "", name)?;
    let conditions = node["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == "Ready")
        .map(|condition| condition["status"].clone())
}

/// Lets everything happen that is due within a second, in simulated time.
async fn settle(env: &Env) {
    env.cluster_clock.sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_registers_and_says_how_its_nodes_are() {
    let (api, env, shutdown) = (FakeApi::new(Timestamp::UNIX_EPOCH), env(), Shutdown::new());
    let (nodes, pods) = (Cache::new(kinds::NODE), Cache::new(kinds::POD));
    let through: Arc<dyn ObjectApi> = Arc::new(api.clone());
    informer::start(
        &nodes,
        WatchQuery::all(kinds::NODE),
        Arc::clone(&through),
        &env,
        &shutdown,
    );
    informer::start(&pods, WatchQuery::all(kinds::POD), through, &env, &shutdown);
    let agent = agent(&api, &env, 3);
    assert_eq!(agent.register().await.expect("registered").len(), 3);
    let (readied, told) = tokio::sync::oneshot::channel();
    tokio::spawn(agent.report(nodes, pods, shutdown.clone(), move || {
        let _ = readied.send(());
    }));
    settle(&env).await;
    assert_eq!(
        ready(&api, "node-2"),
        Some("False".into()),
        "it has no pod range yet"
    );

    let give = |name: &str, key: &str, value: Value| {
        let mut node = api.find(kinds::NODE, "", name).expect("node");
        node["spec"][key] = value;
        api.seed(kinds::NODE, node);
    };
    for at in 1..=3 {
        give(
            &format!("node-{at}"),
            "podCIDR",
            format!("127.64.{at}.0/24").into(),
        );
    }
    told.await.expect("all ready");
    assert_eq!(ready(&api, "node-2"), Some("True".into()));

    // Somebody took it for dead.
    let mut node = api.find(kinds::NODE, "", "node-2").expect("node");
    node["status"]["conditions"] = json!([{"type": "Ready", "status": "Unknown"}]);
    api.seed(kinds::NODE, node);
    settle(&env).await;
    assert_eq!(
        ready(&api, "node-2"),
        Some("True".into()),
        "it says that it is back"
    );
    shutdown.trigger();
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_address_changed_says_where_it_is() {
    let (api, env) = (FakeApi::new(Timestamp::UNIX_EPOCH), env());
    agent(&api, &env, 1).register().await.expect("registered");
    let mut moved = agent(&api, &env, 1);
    moved.nodes = Arc::new([Node {
        name: "node".to_owned(),
        ip: Ipv4Addr::new(127, 16, 0, 9),
        port: 4711,
    }]);
    let before = api.find(kinds::NODE, "", "node").expect("node");
    moved.register().await.expect("registered again");
    let (nodes, pods, shutdown) = (Cache::new(kinds::NODE), Cache::new(kinds::POD), Shutdown::new());
    informer::start(
        &nodes,
        WatchQuery::all(kinds::NODE),
        Arc::new(api.clone()),
        &env,
        &shutdown,
    );
    tokio::spawn(moved.report(nodes, pods, shutdown.clone(), || ()));
    settle(&env).await;
    let after = api.find(kinds::NODE, "", "node").expect("node");
    assert_eq!(after["status"]["addresses"][0]["address"], "127.16.0.9");
    assert_eq!(
        after["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"],
        4711
    );
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    shutdown.trigger();
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_in_turn_and_made_anew() {
    let (api, env, shutdown) = (FakeApi::new(Timestamp::UNIX_EPOCH), env(), Shutdown::new());
    let agent = agent(&api, &env, 20);
    let uids = agent.register().await.expect("registered");
    let (nodes, timings) = (Arc::clone(&agent.nodes), agent.config.timings.clone());
    let renewal = Renewal {
        api: Arc::new(api.clone()),
        env: env.clone(),
        nodes,
        uids,
        timings,
    };
    tokio::spawn(renewal.run(shutdown.clone()));
    settle(&env).await;
    let lease = |name: &str| api.find(kinds::LEASE, "kube-node-lease", name);
    let renewed = |name: &str| lease(name).map(|lease| lease["spec"]["renewTime"].clone());
    assert_eq!(
        lease("node-7").expect("lease")["metadata"]["ownerReferences"][0]["kind"],
        "Node"
    );
    let first = renewed("node-7");
    env.cluster_clock.sleep(Duration::from_secs(21)).await;
    assert_ne!(renewed("node-7"), first);
    let times: std::collections::BTreeSet<String> = (1..=20)
        .filter_map(|at| renewed(&format!("node-{at}")))
        .map(|time| time.to_string())
        .collect();
    assert!(
        times.len() > 5,
        "renewals are spread over the interval: {times:?}"
    );
    shutdown.trigger();
}
