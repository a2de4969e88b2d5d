//! Tests of `storage`.

use super::*;
use crate::testing::requirements;

fn volume(name: &str, bytes: i64) -> Arc<Volume> {
    Arc::new(Volume {
        name: name.into(),
        class: "local".into(),
        is_available: true,
        access_modes: Box::new(["ReadWriteOnce".into()]),
        bytes,
        ..Volume::default()
    })
}

fn claim(bytes: i64) -> Claim {
    Claim {
        class: "local".into(),
        access_modes: Box::new(["ReadWriteOnce".into()]),
        bytes,
        ..Claim::default()
    }
}

fn names(storage: &Storage, key: &Key, claim: &Claim) -> Vec<String> {
    let fitting = storage.fitting(key, claim).into_iter();
    fitting.map(|volume| volume.name.to_string()).collect()
}

#[test]
fn the_smallest_volume_that_fits_comes_first_and_one_that_is_kept_before_all() {
    let mut storage = Storage::default();
    for (name, bytes) in [("large", 100), ("small", 10), ("tiny", 1)] {
        storage.set_volume(name, Some(volume(name, bytes)));
    }
    let (mine, other) = (Key::new("default", "mine"), Key::new("default", "other"));
    assert_eq!(names(&storage, &mine, &claim(5)), ["small", "large"]);
    let mut kept = (*volume("kept", 500)).clone();
    kept.claim = Some(mine.clone());
    storage.set_volume("kept", Some(Arc::new(kept)));
    assert_eq!(names(&storage, &mine, &claim(5)), ["kept", "small", "large"]);
    assert_eq!(names(&storage, &other, &claim(5)), ["small", "large"]);
    let exclusive = Claim {
        access_modes: Box::new(["ReadWriteMany".into()]),
        ..claim(5)
    };
    assert_eq!(names(&storage, &mine, &exclusive), [""; 0]);
}

#[test]
fn an_assumed_volume_is_nobody_elses_until_it_is_released() {
    let mut storage = Storage::default();
    storage.set_volume("v", Some(volume("v", 10)));
    let (mine, other) = (Key::new("default", "mine"), Key::new("default", "other"));
    storage.assume("v", &mine);
    assert_eq!(names(&storage, &mine, &claim(5)), ["v"]);
    assert_eq!(names(&storage, &other, &claim(5)), [""; 0]);
    storage.release(&mine);
    assert_eq!(names(&storage, &other, &claim(5)), ["v"]);
}

#[test]
fn users_are_counted_by_node() {
    let mut load = requirements(1, 1).load;
    load.claims = Box::new(["data".into()]);
    let mut storage = Storage::default();
    let (here, there) = (NodeIndex::at(0), NodeIndex::at(1));
    let key = Key::new("", "data");
    storage.add(here, &load);
    storage.add(here, &load);
    storage.add(there, &load);
    storage.remove(here, &load);
    assert!(storage.is_used(&key) && storage.used_on(here).eq([&key]));
    storage.remove(here, &load);
    assert_eq!(storage.used_on(here).count(), 0);
    storage.remove(there, &load);
    assert!(!storage.is_used(&key));
}
