//! The hosts of a simulation and what runs on them: the real components, through the seams that they have.
//!
//! A host that is started again is a process that was started again: it has a new runtime, a new source of randomness,
//! and of what it knew only what it kept, which is the store for the apiserver and the data directory for a node. The
//! storage service is left out: it lives in real files, whose durability its own kill test covers.

use std::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use coracle_runtime::LeaseTimings;
use coracle_service::{Clock, Env, Identity, Random, Shutdown, Spawn};
use coracle_store::{MemoryConfig, MemoryStore, RecordCodec, SealKey};
use jiff::Timestamp;
use turmoil::Sim;

use crate::network::{AddressBook, SimulatedNetwork};

/// When every simulation begins, since 1970.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);
/// The apiserver's port.
const PORT: u16 = 6443;
/// What a node claims to have, besides memory.
pub const NODE_PODS: u32 = 6;
/// Cores of a node.
pub const NODE_CPUS: u32 = 4;
/// How many nodes there are.
pub const NODES: u8 = 3;
/// How far wall clocks are from the mean.
const SKEW_MAX_MS: u64 = 500;
/// The longest that the simulated disk takes for a sync.
const SYNC_MAX_MS: u64 = 4;

/// A host of the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// Registry and store.
    Apiserver,
    /// Binds pods.
    Scheduler,
    /// All controllers.
    ControllerManager,
    /// A node, numbered from 1.
    Node(u8),
    /// The user.
    Client,
}

impl Member {
    /// The processes of the cluster.
    pub fn processes() -> Vec<Self> {
        let control_plane = [Self::Apiserver, Self::Scheduler, Self::ControllerManager];
        control_plane
            .into_iter()
            .chain((1..=NODES).map(Self::Node))
            .collect()
    }

    fn octet(self) -> u8 {
        match self {
            Self::Apiserver => 1,
            Self::Scheduler => 2,
            Self::ControllerManager => 3,
            Self::Client => 4,
            Self::Node(number) => 10 + number,
        }
    }

    fn ipv4(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, self.octet())
    }

    /// Its address.
    pub fn ip(self) -> IpAddr {
        self.ipv4().into()
    }

    fn identity(self) -> Identity {
        let (user, group) = match self {
            Self::Apiserver => ("system:apiserver".to_owned(), "system:masters"),
            Self::Scheduler => ("system:kube-scheduler".to_owned(), "system:components"),
            Self::ControllerManager => ("system:kube-controller-manager".to_owned(), "system:components"),
            Self::Node(number) => (format!("system:node:node-{number}"), "system:nodes"),
            Self::Client => ("kubernetes-admin".to_owned(), "system:masters"),
        };
        Identity::simulated(&user, &[group, "system:authenticated"])
    }
}

/// What the hosts of one simulation share.
#[derive(Clone)]
pub struct Cluster {
    seed: u64,
    book: AddressBook,
    /// The apiserver's disk; readable from outside, which is how the checks see every revision.
    pub store: MemoryStore,
    codec: RecordCodec,
    data_dir: PathBuf,
}

impl Cluster {
    /// A cluster whose every choice follows from `seed`. With `skip_sync` the store acknowledges what it has not
    /// synced, a bug for the checks to find.
    pub fn new(seed: u64, data_dir: PathBuf, skip_sync: bool) -> Self {
        let random = Random::seeded(mix(seed, 0));
        let disk = random.clone();
        let sync = move || {
            let wait = Duration::from_millis(1 + disk.below(SYNC_MAX_MS));
            Box::pin(async move { Clock::system().sleep(wait).await })
                as coracle_store::BoxFuture<'static, ()>
        };
        let store = MemoryStore::new(MemoryConfig {
            cluster_id: random.uuid(),
            sync: Some(Arc::new(sync)),
            skip_sync,
            ..MemoryConfig::default()
        });
        let codec = RecordCodec::new(
            &[SealKey {
                id: 1,
                bytes: [7; 32],
            }],
            Arc::new(move |bytes| random.fill(bytes)),
        );
        Self {
            seed,
            book: AddressBook::default(),
            store,
            codec,
            data_dir,
        }
    }

    /// The apiserver, as configurations name it.
    pub fn server() -> String {
        SocketAddr::new(Member::Apiserver.ip(), PORT).to_string()
    }

    /// The surroundings of a member in its `life`; called on its host.
    pub fn env(&self, member: Member, life: u64) -> Env {
        let since_start = turmoil::sim_elapsed().unwrap_or_default();
        let epoch = Timestamp::UNIX_EPOCH + EPOCH + since_start;
        // Wall clocks disagree, and stay so over restarts.
        let skew = Random::seeded(mix(self.seed, u64::from(member.octet()))).below(2 * SKEW_MAX_MS);
        let wall = epoch + Duration::from_millis(skew);
        let clock = Clock::simulated(wall);
        Env {
            network: Arc::new(SimulatedNetwork {
                own: member.ipv4(),
                book: self.book.clone(),
            }),
            transport_clock: clock.clone(),
            cluster_clock: clock,
            random: Random::seeded(mix(self.seed, u64::from(member.octet()) << 32 | life)),
            spawn: Spawn::inline(),
        }
    }

    /// The user's surroundings and identity; called on the user's host.
    pub fn user(&self) -> (Env, Identity) {
        (self.env(Member::Client, 1), Member::Client.identity())
    }

    /// Adds the host of a process.
    pub fn add(&self, sim: &mut Sim<'_>, member: Member) {
        let (cluster, life) = (self.clone(), Cell::new(0));
        sim.host(member.ip(), move || {
            life.set(life.get() + 1);
            let (cluster, life) = (cluster.clone(), life.get());
            if member == Member::Apiserver {
                cluster.store.crash();
            }
            async move {
                let env = cluster.env(member, life);
                // A process that ends, whatever the reason, is started again by who drives the simulation.
                if let Err(error) = cluster.process(member, env).await {
                    tracing::info!(?member, "process ended: {error:#}");
                }
                Ok(())
            }
        });
    }

    async fn process(&self, member: Member, env: Env) -> anyhow::Result<()> {
        let (identity, shutdown) = (member.identity(), Shutdown::new());
        let lease = LeaseTimings::default();
        match member {
            Member::Apiserver => {
                let config = coracle_apiserver::Config {
                    listen: SocketAddr::new(member.ip(), PORT),
                    ..coracle_apiserver::Config::in_memory()
                };
                let store = Arc::new(self.store.clone());
                coracle_apiserver::run_over(store, self.codec.clone(), config, env, identity, shutdown).await
            }
            Member::Scheduler => {
                let config = coracle_scheduler::Config {
                    lease,
                    ..coracle_scheduler::Config::new(Self::server(), "one")
                };
                coracle_scheduler::run(config, env, identity, shutdown).await
            }
            Member::ControllerManager => {
                let mut config = coracle_controller_manager::Config::new(Self::server(), "one".to_owned());
                config.timings.node_grace = Duration::from_secs(8);
                config.evictions.primary = 1.0;
                coracle_controller_manager::run(config, env, identity, shutdown).await
            }
            Member::Node(number) => {
                let name = format!("node-{number}");
                let data_dir = self.data_dir.join(&name);
                let mut config = coracle_nodes::Config::new(&Self::server(), &name, data_dir, member.ipv4());
                config.capacity.cpu = NODE_CPUS.to_string();
                config.capacity.pods = NODE_PODS;
                config.timings.lease_duration = Duration::from_secs(8);
                config.timings.lease_renew = Duration::from_secs(2);
                coracle_nodes::run(config, env, identity, shutdown).await
            }
            Member::Client => unreachable!("the user is no process of the cluster"),
        }
    }
}

/// A seed of its own for each purpose.
pub fn mix(seed: u64, purpose: u64) -> u64 {
    Random::seeded(seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15)).next_u64()
}
