//! The served process over real sockets: the wire, restarts on the same directory, who is let in.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use coracle_proto::v1::{self as wire, storage_service_client::StorageServiceClient};
use coracle_service::{BoxIo, Env, Identity, Listener, Network, Shutdown, connect, network::HostNetwork};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};
use tonic::{Code, Status, transport::Channel};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt;

use crate::{Config, Limits, MAX_IO_BYTES, limits::MAX_MESSAGE_BYTES, run};

/// The host's network, which tells the test where the process listens.
struct Told(mpsc::UnboundedSender<SocketAddr>);

#[tonic::async_trait]
impl Network for Told {
    async fn listen(&self, address: SocketAddr) -> std::io::Result<Box<dyn Listener>> {
        let listener = HostNetwork.listen(address).await?;
        let _ = self.0.send(listener.local_addr()?);
        Ok(listener)
    }

    async fn dial(&self, from: Option<std::net::IpAddr>, to: SocketAddr) -> std::io::Result<BoxIo> {
        HostNetwork.dial(from, to).await
    }

    async fn resolve(&self, authority: &str) -> std::io::Result<Vec<SocketAddr>> {
        HostNetwork.resolve(authority).await
    }
}

struct Process {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Process {
    async fn start(directory: &TempDir) -> Self {
        let (sender, mut addresses) = mpsc::unbounded_channel();
        let env = Env {
            network: Arc::new(Told(sender)),
            ..Env::host()
        };
        let config = Config {
            data_dir: directory.path().to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            limits: Limits::default(),
        };
        let shutdown = Shutdown::new();
        let identity = Identity::simulated("system:storage", &[]);
        let task = tokio::spawn(run(config, env, identity, shutdown.clone()));
        let address = addresses.recv().await.unwrap();
        Self {
            address,
            shutdown,
            task,
        }
    }

    fn client_as(&self, user: &str) -> StorageServiceClient<Channel> {
        let identity = Identity::simulated(user, &[]);
        let channel = connect::channel(&self.address.to_string(), &Env::host(), &identity).unwrap();
        StorageServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    fn client(&self) -> StorageServiceClient<Channel> {
        self.client_as("system:node:node-1")
    }

    async fn stop(self) {
        self.shutdown.trigger();
        self.task.await.unwrap().unwrap();
    }
}

async fn mount(client: &mut StorageServiceClient<Channel>) -> Bytes {
    let request = wire::MountRequest {
        export: "/exports/data".to_owned(),
        create: true,
    };
    client.mount(request).await.unwrap().into_inner().root
}

async fn create(client: &mut StorageServiceClient<Channel>, directory: &Bytes, name: &str) -> Bytes {
    let request = wire::StorageServiceCreateRequest {
        directory: directory.clone(),
        name: name.to_owned(),
        ..wire::StorageServiceCreateRequest::default()
    };
    client.create(request).await.unwrap().into_inner().handle
}

fn write(handle: &Bytes, data: impl Into<Bytes>, stability: wire::Stability) -> wire::WriteRequest {
    wire::WriteRequest {
        handle: handle.clone(),
        offset: 0,
        data: data.into(),
        stability: stability.into(),
    }
}

#[track_caller]
fn check_refused<T: std::fmt::Debug>(outcome: Result<T, Status>, code: Code, reason: &str) {
    let status = outcome.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (status.code(), info.reason.as_str(), info.domain.as_str()),
        (code, reason, "coracle.dev")
    );
}

#[tokio::test]
async fn a_restart_keeps_handles_and_changes_the_verifier() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory).await;
    let mut client = process.client();
    let root = mount(&mut client).await;
    let kept = create(&mut client, &root, "kept").await;
    let gone = create(&mut client, &root, "gone").await;
    let written = client
        .write(write(&kept, "text", wire::Stability::Unstable))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (written.count, written.committed()),
        (4, wire::Stability::Unstable)
    );
    let remove = wire::RemoveRequest {
        directory: root.clone(),
        name: "gone".to_owned(),
        is_directory: false,
    };
    client.remove(remove).await.unwrap();
    process.stop().await;

    let process = Process::start(&directory).await;
    let mut client = process.client();
    let committed = client
        .commit(wire::CommitRequest { handle: kept.clone() })
        .await
        .unwrap()
        .into_inner();
    assert_ne!(committed.verifier, written.verifier);
    let again = client
        .write(write(&kept, "text", wire::Stability::Unstable))
        .await
        .unwrap()
        .into_inner();
    let committed = client
        .commit(wire::CommitRequest { handle: kept.clone() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(committed.verifier, again.verifier);
    let read = client
        .read(wire::ReadRequest {
            handle: kept,
            offset: 0,
            count: 10,
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (&*read.data, read.eof, read.attributes.unwrap().size_bytes),
        (&b"text"[..], true, 4)
    );
    let stale = client
        .get_attributes(wire::GetAttributesRequest { handle: gone })
        .await;
    check_refused(stale, Code::NotFound, "Stale");
    process.stop().await;
}

#[tokio::test]
async fn failures_carry_their_reason() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory).await;
    let mut client = process.client();
    let root = mount(&mut client).await;
    let file = create(&mut client, &root, "file").await;
    let lookup = |directory: &Bytes, name: &str| wire::LookupRequest {
        directory: directory.clone(),
        name: name.to_owned(),
    };
    check_refused(
        client.lookup(lookup(&root, "missing")).await,
        Code::NotFound,
        "NotFound",
    );
    check_refused(
        client.lookup(lookup(&file, "file")).await,
        Code::FailedPrecondition,
        "NotDirectory",
    );
    check_refused(
        client.lookup(lookup(&root, "../file")).await,
        Code::InvalidArgument,
        "InvalidName",
    );
    let mut forged = root.to_vec();
    forged[7] ^= 1;
    check_refused(
        client.lookup(lookup(&forged.into(), "file")).await,
        Code::InvalidArgument,
        "BadHandle",
    );
    let exclusive = wire::StorageServiceCreateRequest {
        directory: root.clone(),
        name: "file".to_owned(),
        mode: wire::CreateMode::Exclusive.into(),
        ..wire::StorageServiceCreateRequest::default()
    };
    check_refused(
        client.create(exclusive.clone()).await,
        Code::InvalidArgument,
        "InvalidArgument",
    );
    let exclusive = wire::StorageServiceCreateRequest {
        verifier: vec![1; 8].into(),
        ..exclusive
    };
    check_refused(client.create(exclusive).await, Code::AlreadyExists, "Exists");
    let other = wire::MountRequest {
        export: "/other".to_owned(),
        create: true,
    };
    let other = client.mount(other).await.unwrap().into_inner().root;
    let rename = wire::RenameRequest {
        from_directory: root,
        from_name: "file".to_owned(),
        to_directory: other,
        to_name: "file".to_owned(),
    };
    check_refused(client.rename(rename).await, Code::InvalidArgument, "CrossExport");
    let exports = client
        .list_exports(wire::ListExportsRequest {})
        .await
        .unwrap()
        .into_inner()
        .exports;
    assert_eq!(exports, ["/exports/data", "/exports/other"]);
    process.stop().await;
}

#[tokio::test]
async fn the_largest_write_passes_and_a_larger_one_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory).await;
    let mut client = process.client();
    let root = mount(&mut client).await;
    let file = create(&mut client, &root, "file").await;
    let data = vec![7; MAX_IO_BYTES];
    client
        .write(write(&file, data.clone(), wire::Stability::FileSync))
        .await
        .unwrap();
    let request = wire::ReadRequest {
        handle: file.clone(),
        offset: 0,
        count: u32::MAX,
    };
    let read = client.read(request).await.unwrap().into_inner();
    assert!(read.data == data && read.eof);
    let over = client
        .write(write(&file, vec![7; MAX_IO_BYTES + 1], wire::Stability::FileSync))
        .await;
    check_refused(over, Code::InvalidArgument, "InvalidArgument");
    let far_over = client
        .write(write(&file, vec![7; 2 * MAX_IO_BYTES], wire::Stability::FileSync))
        .await;
    assert_eq!(
        far_over.unwrap_err().code(),
        Code::OutOfRange,
        "refused before it is read"
    );
    process.stop().await;
}

#[tokio::test]
async fn the_contract_is_there_to_read() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory).await;
    let channel = connect::channel(
        &process.address.to_string(),
        &Env::host(),
        &Identity::simulated("anyone", &[]),
    )
    .unwrap();
    let mut client = ServerReflectionClient::new(channel);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(
            "coracle.v1.StorageService".to_owned(),
        )),
    };
    let mut answers = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    assert!(
        matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))),
        "{answer:?}"
    );
    process.stop().await;
}

#[tokio::test]
async fn callers_without_a_certificate_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory).await;
    let outcome = process
        .client_as("system:anonymous")
        .list_exports(wire::ListExportsRequest {})
        .await;
    assert_eq!(outcome.unwrap_err().code(), Code::Unauthenticated);
    process.stop().await;
}

#[tokio::test]
async fn a_directory_in_use_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory).await;
    let config = Config {
        data_dir: directory.path().to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        limits: Limits::default(),
    };
    let identity = Identity::simulated("system:storage", &[]);
    let error = run(config, Env::host(), identity, Shutdown::new())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("another storage process uses it"),
        "{error}"
    );
    process.stop().await;
}
