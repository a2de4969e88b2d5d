//! What the store can do on this machine: durable puts per second by number of clients, with history and
//! compaction on, beside the disk's own rate of small synced appends.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::durable::DurableStore;
use crate::fs::{FileSystem, RealFiles};
use crate::hooks::{Hooks, Now};
use crate::index::HistoryLimits;
use crate::record::{RandomSource, RecordCodec, Seal};
use crate::state::StoreConfig;
use crate::store::Store;
use crate::types::{Key, Op, Txn};

/// Whatever went wrong.
pub type BenchError = Box<dyn std::error::Error + Send + Sync>;

/// Objects loaded in one go.
const LOAD_CHUNK: usize = 4_096;

/// What to measure.
#[derive(Clone)]
pub struct BenchConfig {
    /// Where the store is made; it is left for the caller to remove.
    pub dir: PathBuf,
    /// Objects loaded in bulk before the runs; opening is measured with them.
    pub objects: usize,
    /// One run for each number of clients.
    pub clients: Vec<usize>,
    /// How long each run takes.
    pub run_time: Duration,
    /// Size of an object's JSON.
    pub object_bytes: usize,
    /// Different keys each client writes, over and over.
    pub keys_per_client: usize,
    /// History kept; small enough that compaction works all the time.
    pub history: HistoryLimits,
    /// Time.
    pub now: Now,
    /// Randomness for ids, salts and the objects' content.
    pub random: RandomSource,
}

impl BenchConfig {
    /// 100,000 objects loaded, then 1 KiB objects with 1 and 64 clients, 5 seconds each, the last 20,000 revisions kept.
    pub fn new(dir: impl Into<PathBuf>, now: Now, random: RandomSource) -> BenchConfig {
        BenchConfig {
            dir: dir.into(),
            objects: 100_000,
            clients: vec![1, 64],
            run_time: Duration::from_secs(5),
            object_bytes: 1_024,
            keys_per_client: 100,
            history: HistoryLimits {
                revisions: 20_000,
                ..HistoryLimits::default()
            },
            now,
            random,
        }
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchRun {
    /// Clients writing at the same time, each one put after the other.
    pub clients: usize,
    /// Acknowledged puts per second.
    pub puts_per_second: f64,
    /// Half of the puts took at most this long, in microseconds.
    pub p50_us: u64,
    /// 99 of 100 puts took at most this long, in microseconds.
    pub p99_us: u64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchReport {
    /// The disk's own rate: 1 KiB appended and synced, one after the other, per second.
    pub syncs_per_second: f64,
    /// Objects per second loaded in bulk, many to a group.
    pub loads_per_second: f64,
    /// The runs, in the order asked for.
    pub runs: Vec<BenchRun>,
    /// Revisions dropped by compaction during the runs.
    pub compacted_revisions: i64,
    /// Time to open the store again after the runs, in milliseconds.
    pub open_ms: u64,
    /// Keys in the store when it was opened again.
    pub keys: usize,
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "raw synced appends of 1 KiB   {:>9.0} /s",
            self.syncs_per_second
        )?;
        writeln!(
            f,
            "bulk load                     {:>9.0} /s",
            self.loads_per_second
        )?;
        for run in &self.runs {
            let BenchRun {
                clients,
                puts_per_second,
                p50_us,
                p99_us,
            } = run;
            writeln!(
                f,
                "puts, {clients:>4} clients          {puts_per_second:>9.0} /s   p50 {p50_us} us   p99 {p99_us} us"
            )?;
        }
        writeln!(f, "revisions compacted meanwhile {:>9}", self.compacted_revisions)?;
        write!(f, "reopened with {} keys in {} ms", self.keys, self.open_ms)
    }
}

/// Measures. Needs a tokio runtime with several threads.
pub async fn store_bench(config: BenchConfig) -> Result<BenchReport, BenchError> {
    let syncs_per_second = sync_rate(&config)?;
    let store = Arc::new(open(&config)?);
    let loads_per_second = load(&config, &store).await?;
    let mut runs = Vec::new();
    for clients in &config.clients {
        runs.push(run(&config, &store, *clients).await?);
    }
    store.shutdown().await;
    let compacted_revisions = store.compacted_revision();
    drop(store);
    let began = (config.now)();
    let store = open(&config)?;
    let open_ms = elapsed(&config, began).as_millis() as u64;
    let keys = store.status().keys;
    store.shutdown().await;
    Ok(BenchReport {
        syncs_per_second,
        loads_per_second,
        runs,
        compacted_revisions,
        open_ms,
        keys,
    })
}

fn open(config: &BenchConfig) -> Result<DurableStore, crate::OpenError> {
    let mut store = StoreConfig::new(config.dir.join("store"));
    store.history = config.history;
    let hooks = Hooks::with_threads(config.now.clone(), config.random.clone());
    DurableStore::open(store, Arc::new(RealFiles), hooks, RecordCodec::unsealed())
}

fn elapsed(config: &BenchConfig, since: Duration) -> Duration {
    (config.now)().saturating_sub(since)
}

/// How often a second this disk syncs an append.
fn sync_rate(config: &BenchConfig) -> io::Result<f64> {
    RealFiles.create_dirs(&config.dir)?;
    let path = config.dir.join("sync-rate");
    let mut file = RealFiles.create(&path)?;
    let mut block = vec![0; 1_024];
    (config.random)(&mut block);
    let began = (config.now)();
    let time = config.run_time.min(Duration::from_secs(2));
    let mut count = 0u32;
    while elapsed(config, began) < time {
        file.append(&block)?;
        file.sync()?;
        count += 1;
    }
    let rate = f64::from(count) / elapsed(config, began).as_secs_f64();
    RealFiles.remove(&path)?;
    Ok(rate)
}

/// Loads objects in bulk, a few groups in flight. Returns the rate.
async fn load(config: &BenchConfig, store: &Arc<DurableStore>) -> Result<f64, BenchError> {
    let (json, splice_at) = object(config);
    let codec = RecordCodec::unsealed();
    let began = (config.now)();
    for start in (0..config.objects).step_by(LOAD_CHUNK) {
        let mut txns = Vec::with_capacity(LOAD_CHUNK);
        for object in start..config.objects.min(start + LOAD_CHUNK) {
            let value = codec.encode(json.clone(), splice_at, Seal::None)?;
            let key = format!("/configmaps/loaded/object-{object}").into();
            let op = Op::Put {
                key,
                value,
                fence: None,
                attachment: Arc::new(()),
            };
            txns.push(Txn {
                conditions: vec![],
                ops: vec![op],
            });
        }
        for outcome in store.commit_many(txns).await {
            outcome?;
        }
    }
    Ok(config.objects as f64 / elapsed(config, began).as_secs_f64())
}

async fn run(
    config: &BenchConfig,
    store: &Arc<DurableStore>,
    clients: usize,
) -> Result<BenchRun, BenchError> {
    let began = (config.now)();
    let client = |number| tokio::spawn(client(config.clone(), store.clone(), number));
    let tasks: Vec<_> = (0..clients).map(client).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let seconds = elapsed(config, began).as_secs_f64();
    times.sort_unstable();
    let quantile = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(0);
    Ok(BenchRun {
        clients,
        puts_per_second: times.len() as f64 / seconds,
        p50_us: quantile(50),
        p99_us: quantile(99),
    })
}

/// One client: encodes and puts one object after another, as a registry would. Returns each put's time in
/// microseconds.
async fn client(
    config: BenchConfig,
    store: Arc<DurableStore>,
    number: usize,
) -> Result<Vec<u64>, BenchError> {
    let keys: Vec<Key> = (0..config.keys_per_client)
        .map(|key| format!("/configmaps/bench-{number}/object-{key}").into())
        .collect();
    let (json, splice_at) = object(&config);
    let codec = RecordCodec::unsealed();
    let began = (config.now)();
    let mut times = Vec::new();
    for key in keys.iter().cycle() {
        let start = (config.now)();
        if start.saturating_sub(began) >= config.run_time {
            break;
        }
        let value = codec.encode(json.clone(), splice_at, Seal::None)?;
        let op = Op::Put {
            key: key.clone(),
            value,
            fence: None,
            attachment: Arc::new(()),
        };
        store
            .commit(Txn {
                conditions: vec![],
                ops: vec![op],
            })
            .await?;
        times.push(elapsed(&config, start).as_micros() as u64);
    }
    Ok(times)
}

/// An object of the asked size whose content does not compress.
fn object(config: &BenchConfig) -> (Bytes, u32) {
    const HEAD: &str = r#"{"kind":"ConfigMap","metadata":{"#;
    let mut json = format!(r#"{HEAD}"name":"bench"}},"data":{{"value":""#);
    let mut noise = vec![0; config.object_bytes.saturating_sub(json.len() + 3)];
    (config.random)(&mut noise);
    json.extend(
        noise
            .iter()
            .map(|byte| char::from(b'0' + byte % 75))
            .map(|c| if c == '\\' { '_' } else { c }),
    );
    json.push_str("\"}}");
    (Bytes::from(json), HEAD.len() as u32)
}
