//! The storage process killed with SIGKILL, again and again, while clients write.
//!
//! Promise tested (RFC 1813, section 4.8): what was committed, created, renamed or removed and acknowledged is there
//! after each kill; a file never shows bytes that nobody wrote; and each start has another write verifier, so that
//! clients send again what they had not committed.
//!
//! Short form by default; `CORACLE_LONG=1` runs 200 kills. The seed is printed; `CORACLE_SEED` repeats one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test; clippy knows only functions marked as such"
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use coracle_proto::v1::{self as wire, storage_service_client::StorageServiceClient};
use coracle_service::{Clock, Env, Identity, Random, Shutdown, connect};
use coracle_storage::{Config, Limits, run};
use tokio::task::JoinSet;
use tonic::{Code, Status, transport::Channel};

const SHORT_ROUNDS: u64 = 8;
const LONG_ROUNDS: u64 = 200;
const WRITERS: u64 = 4;
/// A block is the unit of writing; every one of a file is filled with the number of the write that made it.
const BLOCK_BYTES: usize = 4096;
const BLOCKS: u64 = 8;
/// Tells this binary, started again by itself, to be the server.
const DATA_DIR: &str = "CORACLE_KILL_TEST_DATA_DIR";

#[allow(
    clippy::disallowed_methods,
    reason = "how a test is told what to do, and the one place that reads it"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Not a test: the server that the test kills.
#[tokio::test(flavor = "multi_thread")]
async fn server() {
    let Some(data_dir) = variable(DATA_DIR) else {
        return;
    };
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config {
        data_dir: data_dir.into(),
        listen,
        limits: Limits::default(),
    };
    let identity = Identity::simulated("system:storage", &[]);
    run(config, Env::host(), identity, Shutdown::new()).await.unwrap();
}

/// The server as a child process, killed when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(data_dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "server", "--nocapture"])
            .env(DATA_DIR, data_dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let address = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                // The test harness may have begun the line with words of its own.
                let (_, after) = line.split_once(r#""address":""#)?;
                Some(after.split_once('"')?.0.to_owned())
            })
            .expect("the server announces its address");
        Self { child, address }
    }

    fn client(&self) -> StorageServiceClient<Channel> {
        let identity = Identity::simulated("system:node:node-1", &[]);
        StorageServiceClient::new(connect::channel(&self.address, &Env::host(), &identity).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one writer knows of its directory.
struct Writer {
    directory: Bytes,
    random: Random,
    /// Files by name: acknowledged to exist.
    files: BTreeMap<String, File>,
    /// The name whose fate the kill left open.
    open_question: Option<String>,
    next: u64,
}

#[derive(Default)]
struct File {
    handle: Bytes,
    /// What each block may hold: the committed number first, then those written since.
    blocks: BTreeMap<u64, Vec<u64>>,
    /// Verifiers of the writes since the last commit.
    verifiers: Vec<Bytes>,
}

type Client = StorageServiceClient<Channel>;

impl Writer {
    async fn new(client: &mut Client, index: u64, seed: u64) -> Self {
        let mount = wire::MountRequest {
            export: format!("/exports/data/{index}"),
            create: true,
        };
        let directory = client.mount(mount).await.unwrap().into_inner().root;
        let random = Random::seeded(seed ^ index);
        Self {
            directory,
            random,
            files: BTreeMap::new(),
            open_question: None,
            next: 1,
        }
    }

    /// Works until the server is gone.
    async fn work(&mut self, mut client: Client) {
        while self.step(&mut client).await.is_ok() {}
    }

    async fn step(&mut self, client: &mut Client) -> Result<(), Status> {
        let name = format!("file-{}", self.random.below(4));
        let choice = self.random.below(20);
        self.open_question = Some(name.clone());
        match self.files.contains_key(&name) {
            false => self.create(client, &name).await?,
            true if choice == 0 => self.remove(client, &name).await?,
            true if choice < 5 => self.commit(client, &name).await?,
            true => self.write(client, &name).await?,
        }
        self.open_question = None;
        Ok(())
    }

    async fn create(&mut self, client: &mut Client, name: &str) -> Result<(), Status> {
        let request = wire::StorageServiceCreateRequest {
            directory: self.directory.clone(),
            name: name.to_owned(),
            ..wire::StorageServiceCreateRequest::default()
        };
        let handle = client.create(request).await?.into_inner().handle;
        self.files.insert(
            name.to_owned(),
            File {
                handle,
                ..File::default()
            },
        );
        Ok(())
    }

    async fn remove(&mut self, client: &mut Client, name: &str) -> Result<(), Status> {
        let request = wire::RemoveRequest {
            directory: self.directory.clone(),
            name: name.to_owned(),
            is_directory: false,
        };
        client.remove(request).await?;
        self.files.remove(name);
        Ok(())
    }

    async fn write(&mut self, client: &mut Client, name: &str) -> Result<(), Status> {
        let (block, number) = (self.random.below(BLOCKS), self.next);
        self.next += 1;
        let file = self.files.get_mut(name).unwrap();
        // Noted before it is sent: the kill may fall after the write and before its answer.
        file.blocks.entry(block).or_insert_with(|| vec![0]).push(number);
        let request = wire::WriteRequest {
            handle: file.handle.clone(),
            offset: block * BLOCK_BYTES as u64,
            data: number.to_le_bytes().repeat(BLOCK_BYTES / 8).into(),
            stability: wire::Stability::Unstable.into(),
        };
        file.verifiers
            .push(client.write(request).await?.into_inner().verifier);
        Ok(())
    }

    async fn commit(&mut self, client: &mut Client, name: &str) -> Result<(), Status> {
        let file = self.files.get_mut(name).unwrap();
        let request = wire::CommitRequest {
            handle: file.handle.clone(),
        };
        let verifier = client.commit(request).await?.into_inner().verifier;
        assert!(
            file.verifiers.iter().all(|written| *written == verifier),
            "the verifier changed within a start"
        );
        file.verifiers.clear();
        for possible in file.blocks.values_mut() {
            possible.drain(..possible.len() - 1);
        }
        Ok(())
    }

    /// Compares with what the server has after a kill, and takes that as what is known from now on.
    async fn check(&mut self, client: &mut Client) {
        if let Some(name) = self.open_question.take() {
            self.settle(client, &name).await;
        }
        for (name, file) in &mut self.files {
            let committed = client
                .commit(wire::CommitRequest {
                    handle: file.handle.clone(),
                })
                .await
                .unwrap()
                .into_inner();
            assert!(
                !file.verifiers.contains(&committed.verifier),
                "{name}: the verifier survived the kill"
            );
            file.verifiers.clear();
            let count = u32::try_from(BLOCKS as usize * BLOCK_BYTES).unwrap();
            let request = wire::ReadRequest {
                handle: file.handle.clone(),
                offset: 0,
                count,
            };
            let data = client.read(request).await.unwrap().into_inner().data;
            for (&block, possible) in &mut file.blocks {
                let start = data.len().min(block as usize * BLOCK_BYTES);
                let held = &data[start..data.len().min(start + BLOCK_BYTES)];
                // A block beyond the end was written and lost; one of zeros was never written.
                let number = held.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
                assert!(
                    possible.contains(&number),
                    "{name} block {block}: holds {number}, not one of {possible:?}"
                );
                assert!(
                    held.chunks(8).all(|word| word == number.to_le_bytes()),
                    "{name} block {block}: is torn"
                );
                *possible = vec![number];
            }
        }
        let request = wire::ReadDirectoryRequest {
            directory: self.directory.clone(),
            ..Default::default()
        };
        let entries = client.read_directory(request).await.unwrap().into_inner().entries;
        let mut listed: Vec<_> = entries.iter().map(|entry| &entry.name).collect();
        listed.sort();
        assert_eq!(listed, self.files.keys().collect::<Vec<_>>());
    }

    /// Finds out whether a create or remove that was not acknowledged took place.
    async fn settle(&mut self, client: &mut Client, name: &str) {
        let request = wire::LookupRequest {
            directory: self.directory.clone(),
            name: name.to_owned(),
        };
        match client.lookup(request).await {
            Ok(found) => {
                let handle = found.into_inner().handle;
                let file = self.files.entry(name.to_owned()).or_default();
                assert!(
                    file.handle.is_empty() || file.handle == handle,
                    "{name} is another file"
                );
                file.handle = handle;
            }
            Err(status) => {
                assert_eq!(status.code(), Code::NotFound);
                self.files.remove(name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_data_survives_kills() {
    let clock = Clock::system();
    let rounds = if variable("CORACLE_LONG").is_some() {
        LONG_ROUNDS
    } else {
        SHORT_ROUNDS
    };
    let seed = variable("CORACLE_SEED").map_or_else(
        || Random::system().next_u64(),
        |seed| seed.parse().expect("CORACLE_SEED is a number"),
    );
    eprintln!("seed {seed}, {rounds} kills");
    let directory = tempfile::tempdir().unwrap();
    let random = Random::seeded(seed);
    let mut server = Server::start(directory.path());
    let mut writers = Vec::new();
    for index in 0..WRITERS {
        writers.push(Writer::new(&mut server.client(), index, seed).await);
    }
    let mut written = 0;
    for _ in 0..rounds {
        let mut working = JoinSet::new();
        for mut writer in writers.drain(..) {
            let client = server.client();
            working.spawn(async move {
                writer.work(client).await;
                writer
            });
        }
        // How long they write is part of the experiment; nothing waits for it to have been long enough.
        clock.sleep(Duration::from_millis(random.below(150))).await;
        drop(server);
        writers = working.join_all().await;
        server = Server::start(directory.path());
        for writer in &mut writers {
            writer.check(&mut server.client()).await;
        }
        written = writers.iter().map(|writer| writer.next).sum();
    }
    eprintln!("{written} writes over {rounds} kills");
    assert!(
        written > rounds,
        "the writers hardly wrote, so the kills proved nothing"
    );
}
