//! Tests of `cache`.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::kinds;
use parking_lot::Mutex;

use super::*;

#[derive(Debug, PartialEq, Eq)]
struct Color(String);

impl Project for Color {
    fn project(object: &Object) -> Result<Self, ApiError> {
        Ok(Self(object.read::<&str>()?.to_owned()))
    }
}

fn object(name: &str, uid: &str, revision: i64, color: &str) -> Object {
    let json = Bytes::from(format!("{color:?}"));
    Object {
        namespace: "ns".to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        revision,
        json,
    }
}

fn present(name: &str, uid: &str, revision: i64, color: &str) -> Observation {
    Observation::Present(object(name, uid, revision, color))
}

fn recording() -> (Cache<Color>, Index<Color>, Arc<Mutex<Vec<String>>>) {
    let cache = Cache::<Color>::new(kinds::CONFIG_MAP);
    let by_color = cache.index(|color, keys| keys.push(color.0.clone()));
    let told = Arc::new(Mutex::new(Vec::new()));
    cache.subscribe({
        let told = Arc::clone(&told);
        move |change| {
            let text =
                |side: &Option<Arc<Color>>| side.as_ref().map_or("-".to_owned(), |color| color.0.clone());
            told.lock().push(format!(
                "{}: {} {}",
                change.key.name(),
                text(&change.old),
                text(&change.new)
            ));
        }
    });
    (cache, by_color, told)
}

fn names(keys: Vec<Key>) -> Vec<String> {
    keys.iter().map(|key| key.name().to_owned()).collect()
}

#[test]
fn changes_are_told_and_indexed() {
    let (cache, by_color, told) = recording();
    cache.apply(vec![present("a", "1", 1, "red"), present("b", "2", 2, "red")], 2);
    assert_eq!(names(cache.keys_by_index(by_color, "red")), ["a", "b"]);
    cache.apply(
        vec![
            present("a", "1", 3, "blue"),
            Observation::Gone(object("b", "2", 4, "red")),
        ],
        4,
    );
    assert_eq!(cache.count(by_color, "red"), 0);
    assert_eq!(names(cache.keys_by_index(by_color, "blue")), ["a"]);
    assert_eq!(cache.revision(), 4);
    assert_eq!(*told.lock(), ["a: - red", "b: - red", "a: red blue", "b: red -"]);
}

#[test]
fn a_list_tells_only_the_differences() {
    let (cache, _, told) = recording();
    cache.apply(
        vec![
            present("a", "1", 1, "red"),
            present("b", "2", 2, "red"),
            present("c", "3", 3, "red"),
        ],
        3,
    );
    told.lock().clear();
    // While the watch was away: a stayed, b went, c was made anew, d came.
    cache.apply(
        vec![
            present("a", "1", 1, "red"),
            present("c", "4", 7, "red"),
            present("d", "5", 8, "red"),
        ],
        0,
    );
    assert!(!cache.is_synced());
    let listed = ["a", "c", "d"]
        .map(|name| Key::new("ns", name))
        .into_iter()
        .collect();
    cache.finish_list(&listed, 9);
    assert!(cache.is_synced());
    assert_eq!(cache.revision(), 9);
    assert_eq!(*told.lock(), ["c: red -", "c: - red", "d: - red", "b: red -"]);
}

#[test]
fn an_object_that_cannot_be_read_is_left_as_it_was() {
    let (cache, _, told) = recording();
    cache.apply(vec![present("a", "1", 1, "red")], 1);
    let mut broken = object("a", "1", 2, "red");
    broken.json = Bytes::from_static(b"{");
    cache.apply(vec![Observation::Present(broken)], 2);
    assert_eq!(cache.get("ns", "a").as_deref(), Some(&Color("red".to_owned())));
    assert_eq!(told.lock().len(), 1);
}

#[test]
fn a_late_subscriber_is_told_of_what_there_is() {
    let (cache, ..) = recording();
    cache.apply(vec![present("a", "1", 1, "red")], 1);
    let told = Arc::new(Mutex::new(0));
    cache.subscribe({
        let told = Arc::clone(&told);
        move |change| {
            assert!(change.old.is_none());
            *told.lock() += 1;
        }
    });
    assert_eq!(*told.lock(), 1);
}

#[tokio::test]
async fn waiting_for_a_revision_ends_when_everything_is_listed_anew() {
    let (cache, ..) = recording();
    cache.apply(Vec::new(), 100);
    cache.wait_revision(100).await;
    let waiting = cache.wait_revision(200);
    tokio::pin!(waiting);
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    // The apiserver came back with older data: 200 may never come.
    cache.finish_list(&BTreeSet::new(), 50);
    waiting.await;
    assert_eq!(cache.revision(), 50);
}

#[test]
fn namespaces_are_read_by_themselves() {
    let cache = Cache::<Color>::new(kinds::CONFIG_MAP);
    for (revision, namespace) in [(1, "a"), (2, "a-b"), (3, "b")] {
        let object = Object {
            namespace: namespace.to_owned(),
            ..object("x", "1", revision, namespace)
        };
        cache.apply(vec![Observation::Present(object)], revision);
    }
    assert_eq!(cache.in_namespace("a"), [Arc::new(Color("a".to_owned()))]);
    assert_eq!(cache.len(), 3);
}
