//! The whole server over a real loopback port with real certificates: joining, the calls, errors, watches, the end.

mod batches;
mod calls;
mod joining;
mod sealing;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use coracle_proto::v1::object_service_client::ObjectServiceClient;
use coracle_service::{BoxIo, Env, Identity, Listener, Network, Shutdown, connect, network::HostNetwork};
use tokio::sync::watch;
use tonic::{async_trait, transport::Channel};

use crate::{BootstrapToken, Config, certificates, run};

/// The host's network, which tells where the server came to listen.
struct Recording {
    address: watch::Sender<Option<SocketAddr>>,
}

#[async_trait]
impl Network for Recording {
    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let listener = HostNetwork.listen(address).await?;
        self.address.send_replace(Some(listener.local_addr()?));
        Ok(listener)
    }

    async fn dial(&self, from: Option<IpAddr>, to: SocketAddr) -> io::Result<BoxIo> {
        HostNetwork.dial(from, to).await
    }

    async fn resolve(&self, authority: &str) -> io::Result<Vec<SocketAddr>> {
        HostNetwork.resolve(authority).await
    }
}

/// A running server in a directory of its own, both gone at the end.
struct Server {
    dir: PathBuf,
    authority: String,
    admin: Identity,
    env: Env,
    shutdown: Shutdown,
    task: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

const TOKEN: &str = "abcdef.0123456789abcdef";

impl Server {
    /// With everything in memory.
    async fn in_memory() -> Self {
        Self::start(Self::new_dir(), false).await
    }

    fn new_dir() -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        std::env::temp_dir().join(format!("coracle-apiserver-{}-{count}", std::process::id()))
    }

    async fn start(dir: PathBuf, on_disk: bool) -> Self {
        let (address, mut listening) = watch::channel(None);
        let env = Env {
            network: Arc::new(Recording { address }),
            ..Env::host()
        };
        let certificates = certificates::prepare(&dir, &[], env.cluster_clock.now()).unwrap();
        let (id, secret) = TOKEN.split_once('.').unwrap();
        let config = Config {
            data_dir: on_disk.then(|| dir.clone()),
            authority: Some(certificates.authority),
            bootstrap_tokens: vec![BootstrapToken {
                id: id.to_owned(),
                secret: secret.to_owned(),
            }],
            ..Config::in_memory()
        };
        let shutdown = Shutdown::new();
        let task = tokio::spawn(run(config, env.clone(), certificates.identity, shutdown.clone()));
        let address = listening.wait_for(Option::is_some).await.unwrap().unwrap();
        let admin = Identity::from_credentials(&certificates.admin).unwrap();
        Self {
            dir,
            authority: address.to_string(),
            admin,
            env,
            shutdown,
            task: Some(task),
        }
    }

    fn channel(&self, identity: &Identity) -> Channel {
        connect::channel(&self.authority, &self.env, identity).unwrap()
    }

    /// The object service as the administrator.
    fn objects(&self) -> ObjectServiceClient<Channel> {
        ObjectServiceClient::new(self.channel(&self.admin))
    }

    /// Ends the server and says where its directory is.
    async fn stop(mut self) -> PathBuf {
        self.shutdown.trigger();
        if let Some(task) = self.task.take() {
            task.await.unwrap().unwrap();
        }
        std::mem::take(&mut self.dir)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.trigger();
        if !self.dir.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}
