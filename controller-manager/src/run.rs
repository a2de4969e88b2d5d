//! From configuration to running controllers: health, leader election, watches, and one loop per controller.

use std::sync::Arc;

use anyhow::{Context, bail};
use coracle_client::{GrpcClient, ObjectApi};
use coracle_runtime::{Candidate, Controller, Executor, Fenced, Recorder, WorkQueue};
use coracle_service::{Env, Health, Identity, Shutdown, announce, health::Check};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};

use crate::{
    Config,
    controllers::{
        binder::VolumeBinder,
        cron_job::CronJobController,
        daemonset::DaemonSetController,
        deployment::DeploymentController,
        disruption::{DisruptionController, StaleDisruptions},
        endpointslice::{EndpointsController, Members, MirrorController, SliceController},
        ephemeral_volume::EphemeralVolumes,
        garbage::GarbageCollector,
        horizontal_pod_autoscaler::AutoscalerController,
        job::JobController,
        namespace::NamespaceController,
        node_ipam::{self, NodeIpam},
        node_lifecycle::NodeLifecycle,
        pod_gc::PodGarbage,
        protection::Protection,
        replicaset::{ReplicaSetController, Tallies},
        service_account::ServiceAccounts,
        statefulset::StatefulSetController,
        taint_eviction::TaintEviction,
        token_cleaner::TokenCleaner,
        ttl_after_finished::TtlAfterFinished,
    },
    view::{ReplicaSet, ReplicationController},
    world::World,
};

/// Namespace of the Lease.
pub(crate) const LEASE_NAMESPACE: &str = "kube-system";
/// Name of the Lease.
pub(crate) const LEASE_NAME: &str = "kube-controller-manager";

/// Runs until shutdown, or until leadership is lost.
///
/// # Errors
/// Where the configuration cannot be used, the health address cannot be listened on, or leadership was lost: the
/// process must end then, because others lead.
pub async fn run(config: Config, env: Env, identity: Identity, shutdown: Shutdown) -> anyhow::Result<()> {
    let health = Health::new();
    health.set("leader", Check::Waiting("not leading yet".to_owned()));
    health
        .serve(config.health, &env, &identity, &shutdown)
        .await
        .context("serve health")?;
    let api = GrpcClient::new(&config.server, &env, &identity).map_err(anyhow::Error::msg)?;
    run_with(config, Arc::new(api), env, health, shutdown).await
}

/// As [`run`], over any way to the apiserver and without serving health.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: Config,
    api: Arc<dyn ObjectApi>,
    env: Env,
    health: Health,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    if let Some(unknown) = config.unknown_controllers().first() {
        bail!(
            "run controllers: there is none called {unknown:?}, known are {}",
            crate::CONTROLLERS.join(", ")
        );
    }
    node_ipam::check(&config.cluster_cidrs, config.node_cidr_mask)
        .map_err(|why| anyhow::anyhow!("give nodes their pod ranges: {why}"))?;
    health.set("leader", Check::Waiting("another instance leads".to_owned()));
    let candidate = Candidate {
        namespace: LEASE_NAMESPACE.to_owned(),
        name: LEASE_NAME.to_owned(),
        holder: config.instance.clone(),
        timings: config.lease,
    };
    let Some(leadership) = shutdown.guard(candidate.acquire(Arc::clone(&api), &env)).await else {
        return Ok(());
    };
    health.set("leader", Check::Ok);
    health.set(
        "caches",
        Check::Waiting("watches have not told the present state yet".to_owned()),
    );
    let executor = Executor {
        recorder: Recorder::start(LEASE_NAME, Arc::clone(&api), &env, &shutdown),
        fence: Some(leadership.fence()),
        api: Arc::clone(&api),
        env: env.clone(),
    };
    // Watches begin only now, so that the caches show everything that a former leader wrote.
    let world = Arc::new(World::new(api, env));
    let loops = controllers(&config, &world, &executor, &shutdown);
    world.start(&shutdown);
    let ready = async {
        for kind in world.kinds() {
            kind.watched().wait_synced().await;
        }
        health.set("caches", Check::Ok);
        announce::ready();
        std::future::pending::<()>().await
    };
    let outcome = tokio::select! {
        biased;
        held = leadership.hold(&shutdown) => held.context("lead"),
        fenced = first_error(loops) => fenced.context("run controllers"),
        () = ready => Ok(()),
    };
    health.set("leader", Check::Failed("no longer leading".to_owned()));
    shutdown.trigger();
    outcome
}

type Loops = FuturesUnordered<BoxFuture<'static, Result<(), Fenced>>>;

/// Ends with the first loop that failed; those that ended in order are waited for.
async fn first_error(mut loops: Loops) -> Result<(), Fenced> {
    while let Some(ended) = loops.next().await {
        ended?;
    }
    std::future::pending().await
}

/// The loops of all controllers that the configuration wants.
fn controllers(config: &Config, world: &Arc<World>, executor: &Executor, shutdown: &Shutdown) -> Loops {
    let mut start = Start {
        config,
        executor,
        shutdown,
        loops: Loops::new(),
    };
    let tallies = Tallies::follow(&world.pods.cache);
    start.add("replicaset", || {
        ReplicaSetController::<ReplicaSet>::new(world, &tallies)
    });
    start.add("replicationcontroller", || {
        ReplicaSetController::<ReplicationController>::new(world, &tallies)
    });
    start.add("deployment", || DeploymentController::new(world, &tallies));
    start.add("statefulset", || StatefulSetController::new(world));
    let members = Members::follow(world);
    start.add("endpointslice", || SliceController::new(world, &members));
    start.add("endpoints", || EndpointsController::new(world, &members));
    start.add("endpointslice-mirroring", || MirrorController::new(world));
    start.add("daemonset", || DaemonSetController::new(world));
    start.add("node-ipam", || NodeIpam::new(world, config));
    start.add("node-lifecycle", || NodeLifecycle::new(world, config));
    start.add("node-lifecycle", || TaintEviction::new(world));
    start.add("garbage-collector", || GarbageCollector::new(world));
    start.add("namespace", || NamespaceController::new(world, config));
    start.add("pod-garbage-collector", || PodGarbage::new(world, config));
    start.add("volume-binder", || VolumeBinder::new(world));
    start.add("protection", || Protection::new(world));
    start.add("service-account", || ServiceAccounts::new(world, config));
    start.add("job", || JobController::new(world, config));
    start.add("cronjob", || CronJobController::new(world));
    start.add("token-cleaner", || TokenCleaner::new(world));
    start.add("ttl-after-finished", || TtlAfterFinished::new(world));
    start.add("horizontalpodautoscaler", || {
        AutoscalerController::new(world, config)
    });
    start.add("disruption", || DisruptionController::new(world));
    start.add("disruption", || StaleDisruptions::new(world));
    start.add("ephemeral-volume", || EphemeralVolumes::new(world));
    start.loops
}

struct Start<'a> {
    config: &'a Config,
    executor: &'a Executor,
    shutdown: &'a Shutdown,
    loops: Loops,
}

impl Start<'_> {
    fn add<C: Controller>(&mut self, name: &str, make: impl FnOnce() -> (Arc<C>, WorkQueue<C::Key>)) {
        if !self.config.runs(name) {
            return;
        }
        let (controller, queue) = make();
        let (executor, shutdown) = (self.executor.clone(), self.shutdown.clone());
        self.loops.push(Box::pin(async move {
            executor.run(controller, queue, &shutdown).await
        }));
    }
}
