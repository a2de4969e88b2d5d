//! The volume against a server that forgets what was not committed, loses answers and goes away.

mod fake;

use std::{collections::BTreeMap, future::Future, time::Duration};

use coracle_service::{Clock, Env, Random};
use fake::{Fake, Faults};

use super::{Error, MAX_READ_FILE_BYTES, NfsVolume};

/// Seeds that the randomized tests try.
const SEEDS: u64 = 40;

fn env(seed: u64) -> Env {
    Env {
        random: Random::seeded(seed),
        ..Env::host()
    }
}

async fn mounted(fake: &Fake, seed: u64) -> NfsVolume {
    NfsVolume::mount(fake.channel(), &env(seed), "/exports/data", true)
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn files_and_directories_by_path() {
    let fake = Fake::start(Faults::none());
    let volume = mounted(&fake, 1).await;
    volume.create_directories("a/b").await.unwrap();
    volume.create_directories("/a/b/").await.unwrap();
    volume.write_file("a/b/file", "one").await.unwrap();
    volume.write_file("a/b/file", "two").await.unwrap();
    volume.append("a/b/file", "+three").await.unwrap();
    volume.append("a/new", "four").await.unwrap();
    assert_eq!(volume.read_file("a/b/file").await.unwrap(), b"two+three");
    volume.rename("a/b/file", "a/moved").await.unwrap();
    let mut listed = volume.list("a").await.unwrap();
    listed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let sizes: Vec<_> = listed
        .iter()
        .map(|(name, found)| (name.as_str(), found.is_directory, found.size_bytes))
        .collect();
    assert_eq!(sizes, [("b", true, 0), ("moved", false, 9), ("new", false, 4)]);
    volume.remove_file("a/moved").await.unwrap();
    volume.remove_directory("a/b").await.unwrap();
    assert_eq!(volume.list("a").await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_apart() {
    let fake = Fake::start(Faults::none());
    let volume = mounted(&fake, 1).await;
    let not_found = |path: &str| Error::NotFound {
        path: path.to_owned(),
    };
    volume.create_directory("d").await.unwrap();
    volume.write_file("f", "text").await.unwrap();
    assert_eq!(
        volume.read_file("missing").await.unwrap_err(),
        not_found("missing")
    );
    assert_eq!(
        volume.write_file("missing/f", "text").await.unwrap_err(),
        not_found("missing/f")
    );
    assert_eq!(
        volume.create_directory("d").await.unwrap_err(),
        Error::Exists { path: "d".to_owned() }
    );
    assert_eq!(
        volume.create_directories("f/x").await.unwrap_err(),
        Error::NotDirectory {
            path: "f/x".to_owned()
        }
    );
    assert_eq!(
        volume.write_file("d", "text").await.unwrap_err(),
        Error::IsDirectory { path: "d".to_owned() }
    );
    assert_eq!(
        volume.list("").await.unwrap().len(),
        2,
        "a failed write leaves nothing behind"
    );
    volume.write_file("d/f", "text").await.unwrap();
    assert_eq!(
        volume.remove_directory("d").await.unwrap_err(),
        Error::NotEmpty { path: "d".to_owned() }
    );
    for path in ["..", "a/../b", "./a", &"x/".repeat(65)] {
        assert!(
            matches!(volume.read_file(path).await, Err(Error::InvalidPath { .. })),
            "{path}"
        );
    }
    assert!(matches!(
        volume.remove_directory("/").await,
        Err(Error::InvalidPath { .. })
    ));
    fake.grow("f", MAX_READ_FILE_BYTES + 1);
    let too_large = Error::TooLarge {
        path: "f".to_owned(),
        limit: MAX_READ_FILE_BYTES,
    };
    assert_eq!(volume.read_file("f").await.unwrap_err(), too_large);
}

#[tokio::test(start_paused = true)]
async fn an_open_file_is_followed_and_turns_stale() {
    let fake = Fake::start(Faults::none());
    let volume = mounted(&fake, 1).await;
    let mut file = volume.open("f", true).await.unwrap();
    volume.rename("f", "g").await.unwrap();
    file.write_at(2, "text").await.unwrap();
    file.set_size(5).await.unwrap();
    assert_eq!(volume.read_file("g").await.unwrap(), b"\0\0tex");
    volume.remove_file("g").await.unwrap();
    assert_eq!(
        file.write_at(0, "x").await.unwrap_err(),
        Error::Stale { path: "f".to_owned() }
    );
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_a_server_that_is_away() {
    let fake = Fake::start(Faults::none());
    let volume = mounted(&fake, 1).await;
    volume.write_file("f", "before").await.unwrap();
    fake.go_away();
    let waiting = tokio::spawn({
        let volume = volume.clone();
        async move { volume.write_file("f", "after").await }
    });
    let clock = Clock::system();
    clock.sleep(Duration::from_secs(3600)).await;
    assert!(!waiting.is_finished(), "an hour is no reason to give up");
    fake.come_back();
    waiting.await.unwrap().unwrap();
    assert_eq!(volume.read_file("f").await.unwrap(), b"after");
}

#[tokio::test(start_paused = true)]
async fn a_restart_between_write_and_commit_makes_it_write_again() {
    let fake = Fake::start(Faults::none());
    let volume = mounted(&fake, 1).await;
    let mut file = volume.open("f", true).await.unwrap();
    file.write_at(0, "lost").await.unwrap();
    fake.crash();
    file.write_at(2, "kept").await.unwrap();
    file.commit().await.unwrap();
    fake.crash();
    assert_eq!(fake.durable("f").unwrap(), b"lokept");
}

#[tokio::test(start_paused = true)]
async fn a_new_data_directory_means_a_new_mount() {
    let fake = Fake::start(Faults::none());
    let volume = mounted(&fake, 1).await;
    fake.lose_handles();
    volume.write_file("f", "text").await.unwrap();
    assert_eq!(volume.read_file("f").await.unwrap(), b"text");
}

/// Writes at random to one file of a server with faults; returns what was committed last and what is on its disk
/// after a final crash.
async fn torture_file(seed: u64, trusts_any_verifier: bool) -> (Vec<u8>, Vec<u8>) {
    let fake = Fake::start(Faults::all(seed));
    let volume = mounted(&fake, seed).await;
    let random = Random::seeded(!seed);
    let mut file = volume.open("f", true).await.unwrap();
    file.trusts_any_verifier = trusts_any_verifier;
    let mut model = Vec::new();
    for step in 0..60_u8 {
        let (offset, length) = (random.below(50) as usize, 1 + random.below(20) as usize);
        match random.below(10) {
            0 => {
                file.set_size(offset as u64).await.unwrap();
                model.resize(offset, 0);
            }
            1 => {
                let read = file.read_at(0, 1000).await.unwrap();
                assert!(
                    trusts_any_verifier || read == model,
                    "seed {seed}: a read misses what was written"
                );
            }
            2 => file.commit().await.unwrap(),
            _ => {
                file.write_at(offset as u64, vec![step; length]).await.unwrap();
                model.resize(model.len().max(offset + length), 0);
                model[offset..offset + length].fill(step);
            }
        }
    }
    file.commit().await.unwrap();
    fake.crash();
    (model, fake.durable("f").unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_was_committed_is_never_lost() {
    for seed in 0..SEEDS {
        let (model, durable) = torture_file(seed, false).await;
        assert_eq!(durable, model, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_checker_notices_a_client_that_ignores_the_verifier() {
    let mut noticed = 0;
    for seed in 0..SEEDS {
        let (model, durable) = torture_file(seed, true).await;
        noticed += usize::from(durable != model);
    }
    assert!(noticed > 0, "the planted bug went unnoticed in {SEEDS} seeds");
}

#[tokio::test(start_paused = true)]
async fn retries_do_nothing_twice() {
    for seed in 0..SEEDS {
        let fake = Fake::start(Faults::all(seed));
        let volume = mounted(&fake, seed).await;
        let random = Random::seeded(!seed);
        let mut model = BTreeMap::<&str, Vec<u8>>::new();
        let name = || ["a", "b", "c"][random.below(3) as usize];
        for step in 0..40_u8 {
            let (file, other) = (name(), name());
            match random.below(4) {
                0 => {
                    volume.write_file(file, vec![step; 10]).await.unwrap();
                    model.insert(file, vec![step; 10]);
                }
                1 => {
                    volume.append(file, vec![step; 3]).await.unwrap();
                    model.entry(file).or_default().extend([step; 3]);
                }
                2 if model.contains_key(file) => {
                    volume.rename(file, other).await.unwrap();
                    if let Some(data) = model.remove(file) {
                        model.insert(other, data);
                    }
                }
                _ if model.remove(file).is_some() => volume.remove_file(file).await.unwrap(),
                _ => {}
            }
            if random.below(5) == 0 {
                fake.crash();
            }
        }
        fake.crash();
        let found: BTreeMap<_, _> = ["a", "b", "c"]
            .into_iter()
            .filter_map(|f| Some((f, fake.durable(f)?)))
            .collect();
        assert_eq!(found, model, "seed {seed}");
        assert_eq!(
            fake.count(),
            model.len(),
            "seed {seed}: nothing half-made is left"
        );
    }
}

#[test]
fn calls_can_be_spawned() {
    fn check<T: Send>(_: impl Future<Output = T> + Send) {}
    fn all(volume: &NfsVolume) {
        check(volume.write_file("f", ""));
        check(volume.append("f", ""));
        check(volume.list(""));
        check(volume.rename("f", "g"));
        check(volume.create_directories("d"));
    }
    let _ = all;
}
