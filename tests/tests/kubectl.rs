//! What the real kubectl types and what it is answered: every transcript of `tests/kubectl`, each on a fresh cluster.

use coracle_tests::{checkout, skip_without_kubectl, transcript};

async fn play(name: &str) -> anyhow::Result<()> {
    if skip_without_kubectl(name) {
        return Ok(());
    }
    transcript::play(&checkout().join("tests/kubectl").join(name)).await
}

macro_rules! transcripts {
    ($($test:ident: $file:literal,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() -> anyhow::Result<()> {
                play($file).await
            }
        )*

        #[test]
        fn every_transcript_is_played() {
            let played = [$($file),*];
            for entry in std::fs::read_dir(checkout().join("tests/kubectl")).unwrap().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                assert!(played.contains(&name.as_str()), "no test plays {name}");
            }
        }
    };
}

transcripts! {
    apply: "apply.txt",
    change: "change.txt",
    delete: "delete.txt",
    discover: "discover.txt",
    generators: "generators.txt",
    get: "get.txt",
    nodes: "nodes.txt",
    rollout: "rollout.txt",
    rollouts: "rollouts.txt",
    stateful_sets: "stateful-sets.txt",
    daemon_sets: "daemon-sets.txt",
    replicas: "replicas.txt",
    custom_resources: "custom-resources.txt",
    access: "access.txt",
    jobs: "jobs.txt",
    budgets: "budgets.txt",
    lifecycle: "lifecycle.txt",
    streams: "streams.txt",
    quotas: "quotas.txt",
}
