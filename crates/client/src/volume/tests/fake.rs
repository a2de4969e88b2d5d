//! A storage service in memory that keeps its contract and nothing beyond: what is not committed is gone at a crash.

mod door;

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use coracle_proto::v1::{self as pb, storage_service_server::StorageServiceServer};
use coracle_service::Random;
use hyper_util::rt::TokioIo;
use tokio::{io::DuplexStream, sync::mpsc};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint, Server},
};
use tonic_types::{ErrorDetails, StatusExt};

const ROOT: u64 = 1;
const PIPE_BYTES: usize = 64 << 10;

/// How often things go wrong, in thousandths of calls.
pub struct Faults {
    random: Random,
    refuse: u64,
    lose_answer: u64,
    crash: u64,
}

impl Faults {
    pub fn none() -> Self {
        Self {
            random: Random::seeded(0),
            refuse: 0,
            lose_answer: 0,
            crash: 0,
        }
    }

    pub fn all(seed: u64) -> Self {
        Self {
            random: Random::seeded(seed),
            refuse: 50,
            lose_answer: 100,
            crash: 50,
        }
    }

    fn strikes(&self, thousandths: u64) -> bool {
        self.random.below(1000) < thousandths
    }
}

enum Node {
    File {
        seen: Vec<u8>,
        durable: Vec<u8>,
        made_by: Bytes,
    },
    Directory(BTreeMap<String, u64>),
}

struct State {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    verifier: u64,
    /// Part of every handle; handles with another are stale.
    key: u64,
}

struct Shared {
    state: parking_lot::Mutex<State>,
    faults: Faults,
    away: AtomicBool,
    connections: mpsc::UnboundedSender<io::Result<DuplexStream>>,
}

#[derive(Clone)]
pub struct Fake(Arc<Shared>);

impl Fake {
    pub fn start(faults: Faults) -> Self {
        let (connections, incoming) = mpsc::unbounded_channel();
        let nodes = BTreeMap::from([(ROOT, Node::Directory(BTreeMap::new()))]);
        let state = parking_lot::Mutex::new(State {
            nodes,
            next: ROOT + 1,
            verifier: 1,
            key: 1,
        });
        let fake = Self(Arc::new(Shared {
            state,
            faults,
            away: AtomicBool::new(false),
            connections,
        }));
        let server = Server::builder().add_service(StorageServiceServer::new(fake.clone()));
        tokio::spawn(server.serve_with_incoming(UnboundedReceiverStream::new(incoming)));
        fake
    }

    pub fn channel(&self) -> Channel {
        let shared = Arc::clone(&self.0);
        Endpoint::from_static("http://storage").connect_with_connector_lazy(tower::service_fn(
            move |_: http::Uri| {
                let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
                let away = shared.away.load(Ordering::SeqCst) || shared.connections.send(Ok(theirs)).is_err();
                async move {
                    if away {
                        Err(io::Error::from(io::ErrorKind::ConnectionRefused))
                    } else {
                        Ok(TokioIo::new(ours))
                    }
                }
            },
        ))
    }

    pub fn crash(&self) {
        self.0.state.lock().crash();
    }

    pub fn go_away(&self) {
        self.0.away.store(true, Ordering::SeqCst);
    }

    pub fn come_back(&self) {
        self.0.away.store(false, Ordering::SeqCst);
    }

    pub fn lose_handles(&self) {
        self.0.state.lock().key += 1;
    }

    /// What is on disk of a file in the root.
    pub fn durable(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.0.state.lock();
        match &state.nodes[state.directory(ROOT).ok()?.get(name)?] {
            Node::File { durable, .. } => Some(durable.clone()),
            Node::Directory(_) => None,
        }
    }

    pub fn grow(&self, name: &str, size: u64) {
        let mut state = self.0.state.lock();
        let node = state.directory(ROOT).unwrap()[name];
        state.file(node).unwrap().resize(size as usize, 0);
    }

    /// Entries of the root.
    pub fn count(&self) -> usize {
        self.0.state.lock().directory(ROOT).unwrap().len()
    }

    fn answer<T>(&self, act: impl FnOnce(&mut State) -> Result<T, Status>) -> Result<Response<T>, Status> {
        let Shared { faults, away, .. } = &*self.0;
        if away.load(Ordering::SeqCst) || faults.strikes(faults.refuse) {
            return Err(Status::unavailable("refused by the test"));
        }
        let mut state = self.0.state.lock();
        let outcome = act(&mut state);
        if faults.strikes(faults.crash) {
            state.crash();
        }
        if faults.strikes(faults.lose_answer) {
            return Err(Status::unknown("answer lost by the test"));
        }
        outcome.map(Response::new)
    }
}

fn failure(code: Code, reason: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, "coracle.dev", [] as [(String, String); 0]);
    Status::with_error_details(code, reason, details)
}

fn not_found() -> Status {
    failure(Code::NotFound, "NotFound")
}

impl State {
    fn crash(&mut self) {
        self.verifier += 1;
        for node in self.nodes.values_mut() {
            if let Node::File { seen, durable, .. } = node {
                seen.clone_from(durable);
            }
        }
    }

    fn seal(&self, node: u64) -> Bytes {
        [self.key.to_be_bytes(), node.to_be_bytes()].concat().into()
    }

    fn open(&self, handle: &Bytes) -> Result<u64, Status> {
        let word = |at: usize| {
            handle
                .get(at..at + 8)
                .and_then(|word| word.try_into().ok())
                .map_or(0, u64::from_be_bytes)
        };
        if word(0) == self.key && self.nodes.contains_key(&word(8)) {
            Ok(word(8))
        } else {
            Err(failure(Code::NotFound, "Stale"))
        }
    }

    fn verifier(&self) -> Bytes {
        Bytes::copy_from_slice(&self.verifier.to_be_bytes())
    }

    fn directory(&self, node: u64) -> Result<&BTreeMap<String, u64>, Status> {
        match &self.nodes[&node] {
            Node::Directory(entries) => Ok(entries),
            Node::File { .. } => Err(failure(Code::FailedPrecondition, "NotDirectory")),
        }
    }

    fn entries(&mut self, node: u64) -> &mut BTreeMap<String, u64> {
        match self.nodes.get_mut(&node) {
            Some(Node::Directory(entries)) => entries,
            _ => panic!("checked to be a directory"),
        }
    }

    fn file(&mut self, node: u64) -> Result<&mut Vec<u8>, Status> {
        match self.nodes.get_mut(&node) {
            Some(Node::File { seen, .. }) => Ok(seen),
            _ => Err(failure(Code::FailedPrecondition, "IsDirectory")),
        }
    }

    fn sync(&mut self, node: u64) {
        if let Some(Node::File { seen, durable, .. }) = self.nodes.get_mut(&node) {
            durable.clone_from(seen);
        }
    }

    fn attributes(&self, node: u64) -> Option<pb::Attributes> {
        let (kind, size_bytes) = match &self.nodes[&node] {
            Node::File { seen, .. } => (pb::FileType::Regular, seen.len() as u64),
            Node::Directory(_) => (pb::FileType::Directory, 0),
        };
        Some(pb::Attributes {
            r#type: kind.into(),
            size_bytes,
            ..pb::Attributes::default()
        })
    }

    fn add(&mut self, directory: u64, name: String, node: Node) -> u64 {
        let made = self.next;
        self.next += 1;
        self.nodes.insert(made, node);
        self.entries(directory).insert(name, made);
        made
    }

    fn rename(&mut self, request: pb::RenameRequest) -> Result<pb::RenameResponse, Status> {
        let (from, to) = (
            self.open(&request.from_directory)?,
            self.open(&request.to_directory)?,
        );
        let moved = *self
            .directory(from)?
            .get(&request.from_name)
            .ok_or_else(not_found)?;
        let replaced = self.directory(to)?.get(&request.to_name).copied();
        if replaced == Some(moved) {
            return Ok(pb::RenameResponse {});
        }
        if let Some(replaced) = replaced {
            if matches!(self.nodes[&replaced], Node::Directory(_)) {
                return Err(failure(Code::FailedPrecondition, "IsDirectory"));
            }
            self.nodes.remove(&replaced);
        }
        self.entries(from).remove(&request.from_name);
        self.entries(to).insert(request.to_name, moved);
        Ok(pb::RenameResponse {})
    }

    fn remove(&mut self, request: &pb::RemoveRequest) -> Result<pb::RemoveResponse, Status> {
        let directory = self.open(&request.directory)?;
        let found = *self
            .directory(directory)?
            .get(&request.name)
            .ok_or_else(not_found)?;
        if let Node::Directory(entries) = &self.nodes[&found]
            && !entries.is_empty()
        {
            return Err(failure(Code::FailedPrecondition, "NotEmpty"));
        }
        self.nodes.remove(&found);
        self.entries(directory).remove(&request.name);
        Ok(pb::RemoveResponse {})
    }
}
