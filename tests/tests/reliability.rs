//! What the API promises about consistency, against real processes and through both doors: linearizable keys, watches
//! that survive restarts, compaction that is told, swaps that exclude each other, reads that are never stale.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use coracle_api::kinds;
use coracle_client::{Event, EventKind, ListQuery, ObjectApi, WatchQuery};
use coracle_proto::v1::{
    CompactRequest, GetStoreStatusRequest, WatchRequest,
    maintenance_service_client::MaintenanceServiceClient, object_service_client::ObjectServiceClient,
};
use coracle_service::{Clock, Random};
use coracle_testing::{Cluster, Options, eventually};
use coracle_tests::{
    access::Access,
    linearizability::{self, Action, Operation, Verdict},
    register, rounds,
    seed::seeded,
    watchers::{self, Watchers},
    writers::{Writers, is_unknown},
};
use futures::{StreamExt, future::try_join_all};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(30);
/// Before an operation is tried again while the apiserver is down.
const RETRY: Duration = Duration::from_millis(20);

/// The control plane without nodes: what follows concerns the API alone.
async fn control_plane() -> anyhow::Result<(Cluster, Access)> {
    let cluster = Cluster::with(Options {
        nodes: 0,
        ..Options::default()
    })
    .await?;
    let access = Access::of(&cluster).await?;
    Ok((cluster, access))
}

/// Kills the apiserver and waits until it answers again.
async fn restart_apiserver(cluster: &Cluster, access: &Access) -> anyhow::Result<()> {
    let before = cluster.process("apiserver").await?;
    cluster.kill("apiserver").await?;
    eventually("the apiserver to be back", PATIENCE, || async {
        let now = cluster.process("apiserver").await?;
        ensure!(
            now.restarts > before.restarts && now.health == "ready",
            "apiserver is {}",
            now.health
        );
        access.client()?.get(kinds::NAMESPACE, "", "default").await?;
        Ok(())
    })
    .await
}

// Row 2: linearizable keys.

const CLIENTS: u64 = 8;
const KEYS: u64 = 10;
const OPERATIONS: u64 = 120;

/// One order of all beginnings and ends, and numbers that are written once.
#[derive(Default)]
struct Counters {
    time: AtomicU64,
    value: AtomicU64,
}

impl Counters {
    fn tick(&self) -> u64 {
        self.time.fetch_add(1, Ordering::SeqCst)
    }

    fn fresh(&self) -> u64 {
        1 + self.value.fetch_add(1, Ordering::SeqCst)
    }
}

/// One client's operations, by key.
async fn client(
    api: impl ObjectApi,
    prefix: String,
    random: Random,
    counters: Arc<Counters>,
    clock: Clock,
) -> anyhow::Result<Vec<(u64, Operation)>> {
    let mut history = Vec::new();
    // What was read or written last, by key: a swap's condition.
    let mut known: BTreeMap<u64, (u64, i64)> = BTreeMap::new();
    for _ in 0..OPERATIONS {
        let key = random.below(KEYS);
        let name = format!("{prefix}-{key}");
        let (kind, new) = (random.below(3), counters.fresh());
        let begin = counters.tick();
        let (outcome, action) = match (kind, known.get(&key).copied()) {
            (1, _) => (register::update(&api, &name, new, None).await, Action::Write(new)),
            (2, Some((expected, revision))) => {
                let outcome = register::update(&api, &name, new, Some(revision)).await;
                (
                    outcome,
                    Action::Swap {
                        expected,
                        new,
                        done: Some(true),
                    },
                )
            }
            _ => (register::get(&api, &name).await, Action::Read(0)),
        };
        let end = Some(counters.tick());
        match outcome {
            Ok(object) => {
                let value = register::value(&object)?;
                known.insert(key, (value, object.revision));
                let action = if matches!(action, Action::Read(_)) {
                    Action::Read(value)
                } else {
                    action
                };
                history.push((key, Operation { action, begin, end }));
            }
            Err(error) => {
                let operation = match action {
                    Action::Swap { expected, new, .. } if error.is_conflict() => {
                        known.remove(&key);
                        Operation {
                            action: Action::Swap {
                                expected,
                                new,
                                done: Some(false),
                            },
                            begin,
                            end,
                        }
                    }
                    // A read that gave nothing says nothing.
                    Action::Read(_) if is_unknown(&error) => {
                        clock.sleep(RETRY).await;
                        continue;
                    }
                    Action::Swap { expected, new, .. } if is_unknown(&error) => Operation {
                        action: Action::Swap {
                            expected,
                            new,
                            done: None,
                        },
                        begin,
                        end: None,
                    },
                    Action::Write(_) if is_unknown(&error) => Operation {
                        action,
                        begin,
                        end: None,
                    },
                    _ => return Err(error).with_context(|| format!("{action:?} of {name}")),
                };
                let is_open = operation.end.is_none();
                history.push((key, operation));
                // Tried again at once, every client would leave dozens of open outcomes behind at each kill.
                while is_open
                    && register::get(&api, &name)
                        .await
                        .is_err_and(|error| is_unknown(&error))
                {
                    clock.sleep(RETRY).await;
                }
            }
        }
    }
    Ok(history)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_history_is_linearizable() -> anyhow::Result<()> {
    let random = seeded("every_history_is_linearizable");
    let (cluster, access) = control_plane().await?;
    let mut operations = 0;
    for round in 0..rounds(3, 100) {
        let prefix = format!("history-{round}");
        let api = access.client()?;
        for key in 0..KEYS {
            register::create(&api, &format!("{prefix}-{key}"), 0).await?;
        }
        let counters = Arc::new(Counters::default());
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let random = Random::seeded(random.next_u64());
            let clock = access.env.transport_clock.clone();
            clients.spawn(client(
                access.client()?,
                prefix.clone(),
                random,
                Arc::clone(&counters),
                clock,
            ));
        }
        restart_apiserver(&cluster, &access).await?;
        let mut histories: BTreeMap<u64, Vec<Operation>> = BTreeMap::new();
        while let Some(history) = clients.join_next().await {
            for (key, operation) in history?? {
                histories.entry(key).or_default().push(operation);
            }
        }
        for (key, history) in &histories {
            let verdict = linearizability::check(0, history);
            ensure!(
                verdict == Verdict::Linearizable,
                "key {key} of round {round}: {verdict:?}: {history:?}"
            );
            operations += history.len();
        }
    }
    eprintln!("every_history_is_linearizable: {operations} operations judged");
    cluster.stop().await
}

// Row 5: watches that survive restarts.

#[tokio::test(flavor = "multi_thread")]
async fn watches_survive_restarts_of_the_apiserver() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let watchers = Watchers::start(&access, rounds(20, 100)).await?;
    let writers = Writers::start(&access, 8)?;
    for _ in 0..rounds(4, 50) {
        writers.get_on(200).await?;
        restart_apiserver(&cluster, &access).await?;
    }
    let ledger = writers.stop().await?;
    let logs = watchers.stop().await?;
    watchers::check(&logs, &ledger).map_err(anyhow::Error::msg)?;
    let events: usize = logs.iter().map(|log| log.events.len()).sum();
    let resumed: usize = logs.iter().map(|log| log.resumed).sum();
    // A kill that comes before a watcher is back makes one resumption of two.
    ensure!(resumed >= logs.len(), "watches were resumed only {resumed} times");
    eprintln!("watches_survive_restarts_of_the_apiserver: {events} events seen, {resumed} times resumed");
    cluster.stop().await
}

// Row 6: compaction is told.

/// The registers' events after `revision`, up to and with `last`; the API's refusal where history is gone.
async fn replay(api: &impl ObjectApi, revision: i64, last: i64) -> Result<Vec<i64>, coracle_api::ApiError> {
    let query = WatchQuery {
        namespace: register::NAMESPACE.to_owned(),
        from_revision: revision,
        ..WatchQuery::all(kinds::CONFIG_MAP)
    };
    let mut stream = api.watch(&query).await?;
    let mut seen = Vec::new();
    while let Some(events) = stream.next().await {
        for Event { kind, revision } in events? {
            if !matches!(kind, EventKind::Bookmark | EventKind::Synced) {
                seen.push(revision);
            }
            if revision >= last {
                return Ok(seen);
            }
        }
    }
    Ok(seen)
}

fn channel(access: &Access) -> anyhow::Result<tonic::transport::Channel> {
    coracle_service::connect::channel(&access.server, &access.env, &access.identity())
        .map_err(anyhow::Error::msg)
}

/// Drops history up to a revision and waits until it is dropped.
async fn compact(access: &Access, revision: i64) -> anyhow::Result<()> {
    let maintenance = MaintenanceServiceClient::new(channel(access)?);
    maintenance.clone().compact(CompactRequest { revision }).await?;
    eventually("compaction", PATIENCE, || {
        let mut maintenance = maintenance.clone();
        async move {
            let status = maintenance
                .get_store_status(GetStoreStatusRequest {})
                .await?
                .into_inner();
            let compacted = status.compacted_revision;
            ensure!(compacted >= revision, "compacted up to {compacted}");
            Ok(())
        }
    })
    .await
}

/// Checks that nobody is served from a compacted revision, at either door.
async fn refused_below(access: &Access, compacted: i64, from: &str) -> anyhow::Result<()> {
    let refused = replay(&access.client()?, compacted, i64::MAX).await;
    let refused = refused
        .err()
        .with_context(|| format!("a watch was served from {from}"))?;
    ensure!(
        refused.is_expired() && refused.code() == 410,
        "{from}: {refused:?}"
    );
    let below = WatchRequest {
        api_version: "v1".to_owned(),
        kind: "configmaps".to_owned(),
        from_revision: compacted,
        ..WatchRequest::default()
    };
    let status = ObjectServiceClient::new(channel(access)?).watch(below).await;
    let code = status.err().map(|status| status.code());
    ensure!(
        code == Some(tonic::Code::OutOfRange),
        "{from}: the gRPC door answers {code:?}"
    );
    let maps = "/api/v1/namespaces/default/configmaps";
    let watch = format!("{maps}?watch=1&timeoutSeconds=5&resourceVersion={compacted}");
    let answer = access.rest("GET", &watch, None).await?;
    let event = answer.json();
    ensure!(
        event["type"] == "ERROR" && event["object"]["code"] == 410,
        "{from}: REST answers {answer:?}"
    );
    let list = format!("{maps}?resourceVersionMatch=Exact&resourceVersion={compacted}&limit=1");
    let answer = access.rest("GET", &list, None).await?;
    ensure!(
        answer.code == 410,
        "{from}: a list in the compacted past answers {answer:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_from_below_compaction_is_refused_at_both_doors() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let api = access.client()?;
    let mut revisions = vec![register::create(&api, "history", 0).await?.revision];
    for value in 1..50 {
        revisions.push(register::update(&api, "history", value, None).await?.revision);
    }
    let (first, middle, last) = (revisions[0], revisions[25], revisions[49]);
    ensure!(
        replay(&api, first - 1, last).await? == revisions,
        "history has gaps before compaction"
    );
    compact(&access, middle).await?;
    refused_below(&access, first, "what is in memory").await?;
    let retained = replay(&api, middle, last).await?;
    ensure!(retained == revisions[26..], "what is retained has gaps");

    // How far was compacted is kept on disk with the next change that is applied there: a kill may bring history
    // back, whole, and never with a gap.
    restart_apiserver(&cluster, &access).await?;
    match replay(&api, first - 1, last).await {
        Ok(seen) => ensure!(seen == revisions, "history came back with gaps: {seen:?}"),
        Err(error) => ensure!(error.is_expired(), "{error:?}"),
    }
    compact(&access, middle).await?;
    refused_below(&access, first, "what is on disk").await?;
    let retained = replay(&api, middle, last).await?;
    ensure!(retained == revisions[26..], "what is retained on disk has gaps");
    cluster.stop().await
}

// Row 7: compare and swap.

#[tokio::test(flavor = "multi_thread")]
async fn as_many_swaps_succeed_as_the_counter_counts() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let api = access.client()?;
    register::create(&api, "counter", 0).await?;
    let attempts = AtomicU64::new(rounds(4_000, 100_000) as u64);
    let successes = AtomicU64::new(0);
    let swap = async || -> anyhow::Result<()> {
        let api = access.client()?;
        while attempts.fetch_sub(1, Ordering::SeqCst) > 64 {
            let before = register::get(&api, "counter").await?;
            match register::update(
                &api,
                "counter",
                register::value(&before)? + 1,
                Some(before.revision),
            )
            .await
            {
                Ok(_) => successes.fetch_add(1, Ordering::SeqCst),
                Err(error) if error.is_conflict() => continue,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(())
    };
    try_join_all((0..64).map(|_| swap())).await?;
    let counted = register::value(&register::get(&api, "counter").await?)?;
    let successes = successes.into_inner();
    eprintln!("as_many_swaps_succeed_as_the_counter_counts: {successes} successes");
    ensure!(
        counted == successes && successes > 64,
        "{successes} swaps succeeded and the counter says {counted}"
    );
    cluster.stop().await
}

// Row 8: reads after acknowledged writes.

/// Writes through one door, by turns, and reads through every door.
async fn read_own_writes(access: &Access, number: u64, count: u64) -> anyhow::Result<()> {
    let (writer, reader) = (access.client()?, access.client()?);
    let name = format!("own-{number}");
    let path = format!("/api/v1/namespaces/default/configmaps/{name}");
    register::create(&writer, &name, 0).await?;
    for value in 1..=count {
        if value % 2 == 0 {
            register::update(&writer, &name, value, None).await?;
        } else {
            let json = register::json(&name, value, None);
            let answer = access
                .rest("PUT", &path, Some(("application/json", &json)))
                .await?;
            ensure!(answer.code == 200, "PUT {path}: {answer:?}");
        }
        let by_grpc = register::value(&register::get(&reader, &name).await?)?;
        ensure!(
            by_grpc == value,
            "a get through gRPC says {by_grpc} after {value} was acknowledged"
        );
        let query = ListQuery {
            namespace: register::NAMESPACE.to_owned(),
            field_selector: format!("metadata.name={name}"),
            ..ListQuery::all(kinds::CONFIG_MAP)
        };
        let (listed, _) = reader.list_all(&query).await?;
        let by_list = listed.first().map(register::value).transpose()?;
        ensure!(
            by_list == Some(value),
            "a list through gRPC says {by_list:?} after {value} was acknowledged"
        );
        let wanted = value.to_string();
        let by_rest = access.rest("GET", &path, None).await?.json();
        ensure!(
            by_rest["data"]["value"] == wanted.as_str(),
            "REST says {by_rest} after {value} was acknowledged"
        );
        let path = format!("/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3D{name}");
        let by_list = access.rest("GET", &path, None).await?.json();
        let found = &by_list["items"][0]["data"]["value"];
        ensure!(
            *found == wanted.as_str(),
            "a list through REST says {found} after {value} was acknowledged"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_after_an_acknowledged_write_is_never_stale() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let count = rounds(40, 2_000) as u64;
    try_join_all((0..8).map(|number| read_own_writes(&access, number, count))).await?;
    cluster.stop().await
}
