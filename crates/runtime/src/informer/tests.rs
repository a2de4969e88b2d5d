//! Tests of `informer`.

use std::sync::Arc;

use coracle_api::{ApiError, kinds};
use coracle_client::{Object, ObjectApi, WatchQuery};
use coracle_service::{Env, Shutdown};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{Cache, Project, fake::FakeApi, informer};

#[derive(Debug)]
struct Data(String);

impl Project for Data {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let value: Value = object.read()?;
        Ok(Self(value["data"]["x"].as_str().unwrap_or_default().to_owned()))
    }
}

fn config_map(name: &str, data: &str) -> Value {
    json!({"metadata": {"namespace": "ns", "name": name}, "data": {"x": data}})
}

struct Fixture {
    api: FakeApi,
    cache: Cache<Data>,
    told: Arc<Mutex<Vec<String>>>,
    shutdown: Shutdown,
}

impl Fixture {
    fn start() -> Self {
        let api = FakeApi::default();
        let cache = Cache::<Data>::new(kinds::CONFIG_MAP);
        let told = Arc::new(Mutex::new(Vec::new()));
        cache.subscribe({
            let told = Arc::clone(&told);
            move |change| {
                let text =
                    |side: &Option<Arc<Data>>| side.as_ref().map_or("-".to_owned(), |data| data.0.clone());
                told.lock().push(format!(
                    "{} {} {}",
                    change.key.name(),
                    text(&change.old),
                    text(&change.new)
                ));
            }
        });
        let shutdown = Shutdown::new();
        let shared: Arc<dyn ObjectApi> = Arc::new(api.clone());
        informer::start(
            &cache,
            WatchQuery::all(kinds::CONFIG_MAP),
            shared,
            &Env::host(),
            &shutdown,
        );
        Self {
            api,
            cache,
            told,
            shutdown,
        }
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

#[tokio::test]
async fn it_tells_the_present_and_then_every_change() {
    let fixture = Fixture::start();
    fixture.api.seed(kinds::CONFIG_MAP, config_map("a", "1"));
    fixture.cache.wait_synced().await;
    let last = fixture.api.seed(kinds::CONFIG_MAP, config_map("a", "2"));
    fixture.cache.wait_revision(last).await;
    let told = fixture.told();
    assert_eq!(fixture.cache.get("ns", "a").unwrap().0, "2");
    assert!(told == ["a - 1", "a 1 2"] || told == ["a - 2"], "{told:?}");
}

#[tokio::test]
async fn a_broken_watch_resumes_without_gap_or_repeat() {
    let fixture = Fixture::start();
    fixture.cache.wait_synced().await;
    let mut expected = Vec::new();
    for round in 0..20 {
        let last = fixture
            .api
            .seed(kinds::CONFIG_MAP, config_map(&format!("m{round}"), "1"));
        expected.push(format!("m{round} - 1"));
        fixture.api.break_watches();
        fixture.cache.wait_revision(last).await;
    }
    assert_eq!(fixture.told(), expected);
}

#[tokio::test]
async fn an_expired_watch_lists_anew_and_tells_the_differences() {
    let fixture = Fixture::start();
    fixture.api.seed(kinds::CONFIG_MAP, config_map("kept", "1"));
    let last = fixture.api.seed(kinds::CONFIG_MAP, config_map("changed", "1"));
    fixture.cache.wait_synced().await;
    fixture.cache.wait_revision(last).await;
    fixture.told();
    fixture.api.freeze_watches(true);
    fixture.api.seed(kinds::CONFIG_MAP, config_map("changed", "2"));
    let last = fixture.api.seed(kinds::CONFIG_MAP, config_map("new", "1"));
    fixture.api.expire_watches();
    fixture.api.freeze_watches(false);
    fixture.cache.wait_revision(last).await;
    assert_eq!(fixture.told(), ["changed 1 2", "new - 1"].map(str::to_owned));
}
