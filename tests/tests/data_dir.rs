//! Bad data directories, with the real binary: one that cannot be written, one of a newer version, and files of the
//! store that were cut short or had bits flipped. Each is either repaired without losing anything acknowledged, or
//! refused in one line that names what to look at; never opened with something missing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use coracle_service::{Env, Random};
use coracle_tests::{
    lone::{Apiserver, Folder, copy, coracle},
    register, rounds,
    seed::seeded,
};

/// Registers that are acknowledged before anything is damaged.
const REGISTERS: u64 = 40;

/// An apiserver's data directory with acknowledged registers in it, after the apiserver was asked to end or killed.
async fn filled(env: &Env, dir: &Path, killed: bool) -> anyhow::Result<()> {
    let apiserver = Apiserver::start(env, dir).await?;
    let api = apiserver.access(env)?.client()?;
    for number in 0..REGISTERS {
        register::create(&api, &format!("kept-{number}"), number).await?;
        register::update(&api, &format!("kept-{number}"), number + 1_000, None).await?;
    }
    if killed {
        apiserver.kill().await
    } else {
        apiserver.end().await
    }
}

/// What became of a start on a damaged directory.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything acknowledged is there.
    Whole,
    /// The one line that says why not.
    Refused(String),
}

async fn open(env: &Env, dir: &Path) -> anyhow::Result<Outcome> {
    let apiserver = match Apiserver::start(env, dir).await {
        Ok(apiserver) => apiserver,
        Err(error) => {
            let said = error.to_string();
            let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
            ensure!(
                errors.len() == 1 && !said.contains("panicked"),
                "it did not refuse in one line: {said}"
            );
            return Ok(Outcome::Refused(errors[0].to_owned()));
        }
    };
    let api = apiserver.access(env)?.client()?;
    for number in 0..REGISTERS {
        let name = format!("kept-{number}");
        let found = register::get(&api, &name)
            .await
            .with_context(|| format!("{name} is lost"))?;
        let value = register::value(&found)?;
        ensure!(value == number + 1_000, "{name} went back to {value}");
    }
    register::create(&api, "after-damage", 0)
        .await
        .context("write after the repair")?;
    apiserver.end().await?;
    Ok(Outcome::Whole)
}

/// The store's files of one kind.
fn files(dir: &Path, kind: &str) -> anyhow::Result<Vec<PathBuf>> {
    let folder = dir.join("store").join(kind);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_file() && fs::metadata(&path)?.len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "{} holds no files", folder.display());
    Ok(found)
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    CutShort,
    FlippedBit,
    ZeroedPage,
    Removed,
}

const DAMAGES: [Damage; 4] = [
    Damage::CutShort,
    Damage::FlippedBit,
    Damage::ZeroedPage,
    Damage::Removed,
];

/// Damages a file somewhere; says where.
fn damage(random: &Random, path: &Path, how: Damage) -> anyhow::Result<String> {
    let mut bytes = fs::read(path)?;
    let at = usize::try_from(random.below(bytes.len() as u64))?;
    match how {
        Damage::CutShort => bytes.truncate(at),
        Damage::FlippedBit => bytes[at] ^= 1 << random.below(8),
        Damage::ZeroedPage => {
            let end = bytes.len().min(at + 512);
            bytes[at..end].fill(0);
        }
        Damage::Removed => {
            fs::remove_file(path)?;
            return Ok(format!("{how:?} {}", path.display()));
        }
    }
    fs::write(path, bytes)?;
    Ok(format!("{how:?} at byte {at} of {}", path.display()))
}

/// Damages copies of a directory, one after the other, and opens each.
async fn survive(env: &Env, random: &Random, good: &Path, kind: &str) -> anyhow::Result<(usize, usize)> {
    let (mut whole, mut refused) = (0, 0);
    for round in 0..rounds(6, 80) {
        let copied = Folder::new(env)?;
        copy(good, copied.path())?;
        let damageable = files(copied.path(), kind)?;
        let victim = &damageable[usize::try_from(random.below(damageable.len() as u64))?];
        let what = damage(random, victim, DAMAGES[round % DAMAGES.len()])?;
        match open(env, copied.path()).await.with_context(|| what.clone())? {
            Outcome::Whole => whole += 1,
            Outcome::Refused(line) => {
                let store = copied.path().join("store").display().to_string();
                ensure!(line.contains(&store), "{what}: the refusal names no file: {line}");
                // A refusal touches nothing: the same start says the same again.
                let again = open(env, copied.path()).await.with_context(|| what.clone())?;
                ensure!(
                    again == Outcome::Refused(line.clone()),
                    "{what}: {line}, and then {again:?}"
                );
                refused += 1;
            }
        }
    }
    Ok((whole, refused))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_loses_nothing_quietly() -> anyhow::Result<()> {
    let random = seeded("a_damaged_journal_loses_nothing_quietly");
    let (env, good) = (Env::host(), Folder::new(&Env::host())?);
    // Ended in good order, so that what a cut takes away cannot be taken for a write that was never finished.
    filled(&env, good.path(), false).await?;
    let (whole, refused) = survive(&env, &random, good.path(), "journal").await?;
    eprintln!("a_damaged_journal_loses_nothing_quietly: {whole} repaired, {refused} refused");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_engine_is_rebuilt_from_the_journal() -> anyhow::Result<()> {
    let random = seeded("a_damaged_engine_is_rebuilt_from_the_journal");
    let (env, good) = (Env::host(), Folder::new(&Env::host())?);
    filled(&env, good.path(), true).await?;
    let (whole, refused) = survive(&env, &random, good.path(), "sled").await?;
    eprintln!("a_damaged_engine_is_rebuilt_from_the_journal: {whole} repaired, {refused} refused");
    ensure!(
        refused == 0,
        "the journal holds everything, and yet {refused} starts were refused"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_never_finished_is_dropped() -> anyhow::Result<()> {
    let random = seeded("a_write_that_was_never_finished_is_dropped");
    let (env, dir) = (Env::host(), Folder::new(&Env::host())?);
    filled(&env, dir.path(), true).await?;
    for _ in 0..2 {
        let journal = files(dir.path(), "journal")?
            .pop()
            .context("find the last segment")?;
        let mut bytes = fs::read(&journal)?;
        let mut torn = vec![0; 300];
        random.fill(&mut torn);
        bytes.extend_from_slice(&torn);
        fs::write(&journal, bytes)?;
        let dir_again = Folder::new(&env)?;
        copy(dir.path(), dir_again.path())?;
        ensure!(
            open(&env, dir_again.path()).await? == Outcome::Whole,
            "an unfinished write keeps the store closed"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_format_and_a_place_that_cannot_be_written_are_refused() -> anyhow::Result<()> {
    let (env, dir) = (Env::host(), Folder::new(&Env::host())?);
    filled(&env, dir.path(), false).await?;
    let meta = dir.path().join("store").join("meta");
    let text = fs::read_to_string(&meta)?;
    fs::write(&meta, text.replace("format 1", "format 99"))?;
    let Outcome::Refused(line) = open(&env, dir.path()).await? else {
        anyhow::bail!("a newer format was opened")
    };
    ensure!(
        line.contains(&meta.display().to_string()) && line.contains("99"),
        "{line}"
    );
    ensure!(
        line.contains("use the version that wrote it"),
        "no next step: {line}"
    );
    fs::write(&meta, text)?;
    ensure!(
        open(&env, dir.path()).await? == Outcome::Whole,
        "the refusal changed something"
    );

    // Below a file nobody can make a folder, not even root.
    let nowhere = meta.join("data");
    let shown = nowhere.display().to_string();
    let Outcome::Refused(line) = open(&env, &nowhere).await? else {
        anyhow::bail!("a file was taken for a folder")
    };
    ensure!(line.contains(&format!("make data directory {shown}")), "{line}");
    let data_dir = format!("--data-dir={shown}");
    let up = coracle(
        &env,
        &["up", "--no-kubeconfig", "--port=0", "--name=nowhere", &data_dir],
    )
    .await?;
    let stderr = String::from_utf8_lossy(&up.stderr);
    ensure!(
        up.status.code() == Some(1) && stderr.contains(&shown),
        "up said: {stderr}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_apiservers_do_not_share_a_directory() -> anyhow::Result<()> {
    let (env, dir) = (Env::host(), Folder::new(&Env::host())?);
    let first = Apiserver::start(&env, dir.path()).await?;
    let Outcome::Refused(line) = open(&env, dir.path()).await? else {
        anyhow::bail!("two opened it")
    };
    ensure!(
        line.contains("another process uses this data directory"),
        "{line}"
    );
    let api = first.access(&env)?.client()?;
    register::create(&api, "still-here", 1)
        .await
        .context("the first goes on")?;
    first.end().await
}
