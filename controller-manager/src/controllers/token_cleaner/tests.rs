//! Tests of `token_cleaner`.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use coracle_api::kinds;
use serde_json::{Value, json};

use super::plan::{Snapshot, plan};
use crate::{
    testing::{Harness, NOW, ago, at, lines, now, view},
    view::Bare,
};

#[test]
fn a_token_goes_when_its_time_is_over() {
    let planned = |second: i64| {
        plan(
            &Snapshot {
                meta: view::<Bare>(json!({"metadata": {"namespace": "kube-system", "name": "t"}}))
                    .meta
                    .clone(),
                expires: at(second),
            },
            now(),
        )
    };
    assert_eq!(lines(&planned(NOW)), ["delete secrets t"]);
    let early = planned(NOW + 5);
    assert_eq!(
        (lines(&early), early.requeue_after),
        (vec![], Some(Duration::from_secs(5)))
    );
}

#[tokio::test(start_paused = true)]
async fn only_bootstrap_tokens_with_an_end_go() {
    let secret = |name: &str, kind: &str, expiration: &str| {
        let metadata = json!({"namespace": "kube-system", "name": name});
        let data: Value = json!({"expiration": STANDARD.encode(expiration)});
        json!({"metadata": metadata, "type": kind, "data": data})
    };
    let token = "bootstrap.kubernetes.io/token";
    let harness = Harness::start();
    for (name, kind, expiration) in [
        ("bootstrap-token-old000", token, ago(5)),
        ("bootstrap-token-soon00", token, ago(-60)),
        ("bootstrap-token-later0", token, ago(-100_000)),
        ("bootstrap-token-wrong0", token, "tomorrow".to_owned()),
        ("bootstrap-token-other0", "Opaque", ago(5)),
        ("elsewhere", token, ago(5)),
    ] {
        harness.api.seed(kinds::SECRET, secret(name, kind, &expiration));
    }
    let left = |api: &coracle_runtime::fake::FakeApi| -> Vec<String> {
        let all = api.all(kinds::SECRET).into_iter();
        all.map(|own| own["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let stay = [
        "bootstrap-token-later0",
        "bootstrap-token-other0",
        "bootstrap-token-wrong0",
        "elsewhere",
    ];
    harness
        .until("the two whose time is over have gone", |api| left(api).len() == 4)
        .await;
    harness.until_quiet().await;
    assert_eq!(left(&harness.api), stay);
}
