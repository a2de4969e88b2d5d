//! The command line as typed. Commands turn it into what they mean; nothing is validated here beyond its form.

use std::{net::SocketAddr, path::PathBuf};

use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::{bench, process};

/// A whole Kubernetes cluster small enough to carry.
#[derive(Debug, Parser)]
#[command(name = "coracle", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a cluster, or what is down of it.
    Up(Up),
    /// Stop a cluster.
    Down(Down),
    /// Run a command against a throwaway cluster.
    Run(Run),
    /// List the processes of a cluster.
    Status(Status),
    /// Print a kubeconfig.
    Kubeconfig(Kubeconfig),
    /// Write the administrator's certificate and key, for gRPC clients.
    Credentials(Credentials),
    /// Process: one node, or a pool of nodes. With `add` or `remove`: nodes of a running cluster.
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Node(Node),
    /// Kill a process (SIGKILL); the supervisor starts it again.
    Kill(Signal),
    /// Freeze a process (SIGSTOP).
    Stop(Signal),
    /// Let a frozen process go on (SIGCONT).
    Cont(Signal),
    /// Replace the key that seals Secrets in the store.
    SealKey(SealKey),
    /// Open the web console: print, or open in a browser, a link that signs in once.
    Dashboard(Dashboard),
    /// Fetch a URL, as a small curl.
    Fetch(Fetch),
    /// Ask the cluster's DNS.
    Dns(Dns),
    /// Tell why a pod is not scheduled: every plugin's answer for every node, and what would help.
    Why(Why),
    /// Tell whether a process, or a whole cluster, is ready.
    Healthz(Healthz),
    /// Measure a cluster.
    Bench(bench::Args),
    /// Print a shell's completion script.
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Run the processes of a cluster and restart them (started by `up`).
    #[command(hide = true)]
    Supervise(Supervise),
    /// Process: object API and Kubernetes REST API, and the store.
    Apiserver(process::apiserver::Args),
    /// Process: binds pods to nodes.
    Scheduler(process::scheduler::Args),
    /// Process: all controllers.
    ControllerManager(process::controller_manager::Args),
    /// Process: the volume service.
    Storage(process::storage::Args),
    /// Process: load balancer, Ingress, NodePorts on this machine and the front door.
    Edge(process::edge::Args),
    /// Process: the web console's server.
    DashboardServer(process::dashboard::Args),
}

/// Which cluster.
#[derive(Clone, Debug, Args)]
pub struct Name {
    /// The cluster's name.
    #[arg(long, default_value = "default", global = false)]
    pub name: String,
    /// Where the cluster keeps its data; by default coracle/NAME in the platform's data home.
    #[arg(long, value_name = "DIR", env = "CORACLE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct Up {
    #[command(flatten)]
    pub cluster: Name,
    /// How many nodes; 3 for a new cluster, else as many as it had.
    #[arg(long)]
    pub nodes: Option<u32>,
    /// The apiserver's port; 0 for any free one.
    #[arg(long, default_value_t = 6443)]
    pub port: u16,
    /// Stay in the foreground until interrupted.
    #[arg(long)]
    pub foreground: bool,
    /// The address that the apiserver listens on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub listen: std::net::IpAddr,
    /// A further name or address that the apiserver's certificate is valid for; repeatable.
    #[arg(long, value_name = "NAME")]
    pub san: Vec<String>,
    /// A flag of a process, for example `controller-manager.node-monitor-grace-period=5s`; repeatable.
    #[arg(long, value_name = "COMPONENT.FLAG=VALUE")]
    pub set: Vec<String>,
    /// Start no dashboard.
    #[arg(long)]
    pub no_dashboard: bool,
    #[command(flatten)]
    pub kubeconfig: KubeconfigChoice,
}

/// Which kubeconfig to change.
#[derive(Clone, Debug, Args)]
pub struct KubeconfigChoice {
    /// The kubeconfig to merge the cluster into.
    #[arg(long = "kubeconfig", value_name = "FILE")]
    pub path: Option<PathBuf>,
    /// Leave kubeconfig files alone.
    #[arg(long = "no-kubeconfig", conflicts_with = "path")]
    pub none: bool,
    #[arg(long, hide = true, env = "KUBECONFIG")]
    pub kubeconfig_env: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct Down {
    #[command(flatten)]
    pub cluster: Name,
    /// Delete the cluster's data, too.
    #[arg(long)]
    pub delete: bool,
    #[command(flatten)]
    pub kubeconfig: KubeconfigChoice,
}

#[derive(Clone, Debug, Args)]
pub struct Run {
    /// How many nodes; 0 for an API server with controllers alone.
    #[arg(long, default_value_t = 3)]
    pub nodes: u32,
    /// A flag of a process; repeatable.
    #[arg(long, value_name = "COMPONENT.FLAG=VALUE")]
    pub set: Vec<String>,
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Debug, Args)]
pub struct Why {
    #[command(flatten)]
    pub cluster: Name,
    /// The pod.
    pub pod: String,
    /// Its namespace.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// The scheduler's configuration file, where it has one.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

#[derive(Clone, Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub cluster: Name,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

#[derive(Clone, Debug, Args)]
pub struct Kubeconfig {
    #[command(flatten)]
    pub cluster: Name,
    /// The address to put into it, HOST:PORT; by default the one the cluster listens on.
    #[arg(long, env = "CORACLE_KUBECONFIG_SERVER")]
    pub server: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct Credentials {
    #[command(flatten)]
    pub cluster: Name,
    /// Where to write ca.crt, client.crt and client.key.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct Node {
    // Before the action, which takes the subcommand out of the matches.
    #[command(flatten)]
    pub agent: Agent,
    #[command(subcommand)]
    pub action: Option<NodeAction>,
}

/// The node process's own flags, where no action is named. Written out because clap derives `None` for optional
/// arguments that flatten others in turn.
#[derive(Debug)]
pub struct Agent(pub Option<process::node::Args>);

impl FromArgMatches for Agent {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if matches.subcommand_name().is_some() {
            return Ok(Self(None));
        }
        process::node::Args::from_arg_matches(matches).map(|agent| Self(Some(agent)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Agent {
    fn augment_args(command: clap::Command) -> clap::Command {
        process::node::Args::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        process::node::Args::augment_args_for_update(command)
    }
}

#[derive(Clone, Debug, Subcommand)]
pub enum NodeAction {
    /// Start further nodes.
    Add {
        #[command(flatten)]
        cluster: Name,
        /// How many.
        #[arg(long, default_value_t = 1)]
        count: u32,
    },
    /// Stop a node and delete it from the cluster.
    Remove {
        #[command(flatten)]
        cluster: Name,
        /// Its name.
        node: String,
    },
}

#[derive(Clone, Debug, Args)]
pub struct Signal {
    #[command(flatten)]
    pub cluster: Name,
    /// The process, as `coracle status` names it.
    #[arg(required_unless_present = "self_")]
    pub process: Option<String>,
    /// In a container: the container's own process.
    #[arg(long = "self", id = "self_", conflicts_with = "process")]
    pub own: bool,
}

#[derive(Clone, Debug, Args)]
pub struct SealKey {
    #[command(flatten)]
    pub cluster: Name,
    /// The apiserver's address, HOST:PORT; by default the one the cluster listens on.
    #[arg(long, value_name = "ADDR")]
    pub server: Option<String>,
    #[command(subcommand)]
    pub action: SealKeyAction,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum SealKeyAction {
    /// Seal Secrets with a new key from now on, and those that exist anew. Older keys are kept.
    Rotate,
    /// Forget all keys but the newest, with the history that only they open.
    Drop,
}

#[derive(Clone, Debug, Args)]
pub struct Dashboard {
    #[command(flatten)]
    pub cluster: Name,
    /// Print the link and open no browser.
    #[arg(long)]
    pub url: bool,
    /// The dashboard's address, HOST:PORT; by default the one that the cluster's supervisor names.
    #[arg(long, value_name = "HOST:PORT", env = "CORACLE_DASHBOARD")]
    pub server: Option<String>,
    /// The address to put into the link where browsers reach it by another, HOST:PORT.
    #[arg(long, value_name = "HOST:PORT", env = "CORACLE_DASHBOARD_PUBLISHED")]
    pub published: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct Fetch {
    /// http or https.
    pub url: String,
    /// The method; GET, or POST with a body.
    #[arg(short = 'X', long)]
    pub request: Option<String>,
    /// The body.
    #[arg(short, long)]
    pub data: Option<String>,
    /// Print the answer's head, too.
    #[arg(short, long)]
    pub include: bool,
    /// How long to wait, in seconds.
    #[arg(short, long, default_value_t = 10)]
    pub max_time: u64,
    /// Do not check the certificate of an https server.
    #[arg(short = 'k', long)]
    pub insecure: bool,
    /// Trust this authority (PEM) for https.
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum DnsKind {
    #[default]
    A,
    Srv,
    Ptr,
    Cname,
}

#[derive(Clone, Debug, Args)]
pub struct Dns {
    #[command(flatten)]
    pub cluster: Name,
    /// A name as a pod would say it, or with `-t PTR` an address.
    #[arg(id = "dns_name", value_name = "NAME")]
    pub dns_name: String,
    /// What to ask for.
    #[arg(short = 't', long = "type", value_enum, ignore_case = true, default_value_t)]
    pub kind: DnsKind,
    /// The namespace in which short names are looked for.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
}

#[derive(Clone, Debug, Args)]
pub struct Healthz {
    #[command(flatten)]
    pub cluster: Name,
    /// Ask the one process that listens here, instead of the cluster's supervisor.
    #[arg(long, value_name = "HOST:PORT", env = "CORACLE_HEALTH")]
    pub address: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct Supervise {
    #[command(flatten)]
    pub cluster: Name,
    #[arg(long)]
    pub listen: SocketAddr,
    /// The listening port may be replaced by a free one.
    #[arg(long)]
    pub any_port: bool,
    #[arg(long)]
    pub nodes: Option<u32>,
    #[arg(long)]
    pub san: Vec<String>,
    #[arg(long)]
    pub set: Vec<String>,
    #[arg(long)]
    pub no_dashboard: bool,
}
