//! Bad input through the API: each gets a Kubernetes Status that says what is wrong, and changes nothing. And who may
//! not come in: a wrong token, a certificate of another authority, nobody at all.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use coracle_api::Reason;
use coracle_client::ObjectApi;
use coracle_service::{
    Identity,
    pki::{Authority, Credentials, Subject},
};
use coracle_testing::{Cluster, Options};
use coracle_tests::{
    access::{Access, Answer},
    lone::coracle,
    register, skip_without_kubectl,
};
use serde_json::{Value, json};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn control_plane() -> anyhow::Result<(Cluster, Access)> {
    let cluster = Cluster::with(Options {
        nodes: 0,
        ..Options::default()
    })
    .await?;
    let access = Access::of(&cluster).await?;
    Ok((cluster, access))
}

/// Checks that an answer is a Status of this code and reason whose message holds `part`.
fn check(answer: &Answer, code: u16, reason: &str, part: &str) -> anyhow::Result<()> {
    let status = answer.json();
    ensure!(
        answer.code == code,
        "answered {} instead of {code}: {}",
        answer.code,
        answer.body
    );
    ensure!(
        status["kind"] == "Status" && status["status"] == "Failure",
        "no Status: {}",
        answer.body
    );
    ensure!(
        status["code"] == code && status["reason"] == reason,
        "not {reason}: {}",
        answer.body
    );
    let message = status["message"].as_str().unwrap_or_default();
    ensure!(message.contains(part), "does not say {part:?}: {message}");
    Ok(())
}

async fn post(access: &Access, content_type: &str, body: &[u8]) -> anyhow::Result<Answer> {
    access.rest("POST", CONFIG_MAPS, Some((content_type, body))).await
}

fn config_map(name: &str, text: &str) -> Vec<u8> {
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": text}});
    map.to_string().into_bytes()
}

/// Everything that a refused write could have left.
async fn everything(access: &Access) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for path in [
        CONFIG_MAPS,
        "/api/v1/namespaces/default/pods",
        "/apis/apps/v1/namespaces/default/deployments",
    ] {
        let answer = access.rest("GET", path, None).await?;
        ensure!(answer.code == 200, "GET {path}: {answer:?}");
        all.extend(answer.json()["items"].as_array().into_iter().flatten().cloned());
    }
    // The controllers make this one whenever they come to it.
    all.retain(|object| object["metadata"]["name"] != "kube-root-ca.crt");
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_object_gets_a_status_and_changes_nothing() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let kept = post(&access, "application/json", &config_map("kept", "as it was")).await?;
    ensure!(kept.code == 201, "{kept:?}");
    let before = everything(&access).await?;

    let no_json = post(&access, "application/json", b"{\"kind\": ").await?;
    check(&no_json, 400, "BadRequest", "")?;
    let no_yaml = post(&access, "application/yaml", b"kind: [ConfigMap\nmetadata: {").await?;
    check(&no_yaml, 400, "BadRequest", "")?;
    let other_kind = post(
        &access,
        "application/json",
        b"{\"apiVersion\": \"v1\", \"kind\": \"Pod\"}",
    )
    .await?;
    check(&other_kind, 400, "BadRequest", "Pod")?;
    let bad_name = post(&access, "application/json", &config_map("Not_A_Name", "")).await?;
    check(&bad_name, 422, "Invalid", "metadata.name")?;
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let deployment =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {}});
    let deployment = deployment.to_string();
    let missing = access
        .rest("POST", path, Some(("application/json", deployment.as_bytes())))
        .await?;
    check(&missing, 422, "Invalid", "spec.selector")?;
    let unknown = access.rest("GET", "/apis/example.com/v1/wonders", None).await?;
    ensure!(unknown.code == 404, "{unknown:?}");
    let huge = post(
        &access,
        "application/json",
        &config_map("huge", &"x".repeat(4 << 20)),
    )
    .await?;
    check(&huge, 413, "RequestEntityTooLarge", "limit is")?;
    let large = post(
        &access,
        "application/json",
        &config_map("large", &"x".repeat(2 << 20)),
    )
    .await?;
    ensure!(
        large.code == 422 || large.code == 413,
        "a ConfigMap above 1 MiB: {} {}",
        large.code,
        large.body
    );
    let format = post(&access, "text/plain", b"kept").await?;
    check(&format, 415, "UnsupportedMediaType", "")?;

    ensure!(
        everything(&access).await? == before,
        "a refused request changed something"
    );
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_revision_is_a_conflict_at_both_doors() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let api = access.client()?;
    let first = register::create(&api, "contested", 1).await?;
    register::update(&api, "contested", 2, Some(first.revision)).await?;
    let stale = register::update(&api, "contested", 3, Some(first.revision))
        .await
        .err()
        .context("was taken")?;
    ensure!(stale.is_conflict() && stale.code() == 409, "{stale:?}");
    let json = register::json("contested", 3, Some(first.revision));
    let path = format!("{CONFIG_MAPS}/contested");
    let answer = access
        .rest("PUT", &path, Some(("application/json", &json)))
        .await?;
    check(&answer, 409, "Conflict", "the object has been modified")?;
    let again = register::create(&api, "contested", 4)
        .await
        .err()
        .context("was made twice")?;
    ensure!(again.is_already_exists(), "{again:?}");
    ensure!(
        register::value(&register::get(&api, "contested").await?)? == 2,
        "a refused write was kept"
    );
    let large = register::create(&api, &"x".repeat(300), 0)
        .await
        .err()
        .context("took a long name")?;
    ensure!(large.reason() == Reason::Invalid, "{large:?}");
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_certificates_of_this_cluster_come_in() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let own = cluster.credentials()?;
    let now = access.env.cluster_clock.now();
    let masters = Subject {
        user: "kubernetes-admin".to_owned(),
        groups: vec!["system:masters".to_owned()],
        server_names: Vec::new(),
    };
    // Another authority of the same name: the server tells by the key, not by the name.
    let stranger = Authority::create("coracle", now)?.issue(&masters, now)?;
    let stranger = Credentials {
        ca_pem: own.ca_pem.clone(),
        ..stranger
    };
    let strange = access.with(Identity::from_credentials(&stranger)?);
    let by_rest = strange.rest("GET", CONFIG_MAPS, None).await;
    ensure!(by_rest.is_err(), "the server spoke with a stranger: {by_rest:?}");
    let by_grpc = register::get(&strange.client()?, "any").await;
    ensure!(
        matches!(&by_grpc, Err(error) if error.is_transient()),
        "the server spoke with a stranger: {by_grpc:?}"
    );

    let nobody = access.with(Identity::anonymous(&own.ca_pem)?);
    check(
        &nobody.rest("GET", CONFIG_MAPS, None).await?,
        401,
        "Unauthorized",
        "",
    )?;
    check(
        &nobody
            .rest("POST", CONFIG_MAPS, Some(("application/json", b"{}")))
            .await?,
        401,
        "Unauthorized",
        "",
    )?;
    let by_grpc = register::create(&nobody.client()?, "any", 0)
        .await
        .err()
        .context("nobody was let in")?;
    ensure!(by_grpc.reason() == Reason::Unauthorized, "{by_grpc:?}");
    let public = nobody.rest("GET", "/readyz", None).await?;
    ensure!(public.code == 200, "health is for everybody: {public:?}");

    let found = access
        .client()?
        .get(coracle_api::kinds::CONFIG_MAP, register::NAMESPACE, "any")
        .await;
    ensure!(
        matches!(&found, Err(error) if error.is_not_found()),
        "a stranger's write was kept: {found:?}"
    );
    // What a client trusts is its own affair: one that trusts another authority does not speak with this server.
    let elsewhere = access.with(Identity::anonymous(
        Authority::create("coracle", now)?.certificate_pem(),
    )?);
    ensure!(
        elsewhere.rest("GET", "/readyz", None).await.is_err(),
        "the client took a strange server"
    );
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_joins_nothing() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let token = std::fs::read_to_string(cluster.dir().join("token"))?;
    let (id, _) = token.trim().split_once('.').context("read the join token")?;
    let wrong_secret = format!("{id}.{}", "a".repeat(32));
    let wrong_id = format!("zzzzzz.{}", "a".repeat(32));
    for (token, part) in [
        (wrong_secret.as_str(), "not signed with this join token"),
        (wrong_id.as_str(), ""),
        ("no-token", "it must be ID.SECRET"),
    ] {
        let dir = cluster.dir().join("stranger");
        std::fs::create_dir_all(&dir)?;
        let file: PathBuf = dir.join("token");
        std::fs::write(&file, token)?;
        let data_dir = format!("--data-dir={}", dir.join("data").display());
        let token_file = format!("--token-file={}", file.display());
        let server = format!("--server={}", access.server);
        let arguments = [
            "scheduler",
            "--health-listen=127.0.0.1:0",
            &server,
            &token_file,
            &data_dir,
        ];
        let output = coracle(&access.env, &arguments)
            .await
            .with_context(|| format!("join with {token}"))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        let errors: Vec<&str> = stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        ensure!(
            output.status.code() == Some(1),
            "joined with {token}: {:?}",
            output.status
        );
        ensure!(errors.len() == 1 && errors[0].contains(part), "{token}: {stderr}");
        ensure!(
            !dir.join("data").join("pki").join("scheduler.crt").exists(),
            "{token} was certified"
        );
    }
    cluster.stop().await
}

/// Runs kubectl where it has to fail, and returns what it said.
async fn refused(cluster: &Cluster, manifest: &str) -> anyhow::Result<String> {
    let path = cluster.dir().join("bad.yaml");
    std::fs::write(&path, manifest)?;
    match cluster
        .kubectl(&["apply", "-f", &path.display().to_string()])
        .await
    {
        Ok(said) => anyhow::bail!("kubectl took {manifest}: {said}"),
        Err(error) => Ok(format!("{error:#}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_shows_what_is_wrong() -> anyhow::Result<()> {
    if skip_without_kubectl("kubectl_shows_what_is_wrong") {
        return Ok(());
    }
    let (cluster, access) = control_plane().await?;
    let before = everything(&access).await?;
    let container = "containers: [{name: c, image: nginx}]";
    let cases = [
        ("kind: [unclosed", "error converting YAML"),
        (
            "apiVersion: v1\nkind: Wonder\nmetadata: {name: w}",
            "no matches for kind \"Wonder\"",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}",
            "Invalid value: \"Not_A_Name\"",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {}",
            "spec.containers: Required value",
        ),
        (
            &format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{restartPolicy: Perhaps, {container}}}"
            ),
            "restartPolicy",
        ),
        (
            &format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{nonsense: 1, {container}}}"),
            "unknown field \"spec.nonsense\"",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: nowhere}",
            "namespaces \"nowhere\" not found",
        ),
    ];
    for (manifest, part) in cases {
        let said = refused(&cluster, manifest).await?;
        ensure!(said.contains(part), "{manifest}: does not say {part:?}: {said}");
    }
    let map = |revision: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: kept{revision}}}\ndata: {{a: b}}")
    };
    let path = cluster.dir().join("map.yaml");
    let file = path.display().to_string();
    std::fs::write(&path, map(""))?;
    cluster.kubectl(&["create", "-f", &file]).await?;
    std::fs::write(&path, map(", resourceVersion: \"1\""))?;
    let conflict = cluster.kubectl(&["replace", "-f", &file]).await;
    let said = conflict
        .err()
        .context("a stale resourceVersion was taken")?
        .to_string();
    ensure!(said.contains("the object has been modified"), "{said}");
    cluster.kubectl(&["delete", "configmap", "kept"]).await?;
    ensure!(
        everything(&access).await? == before,
        "a refused manifest changed something"
    );
    cluster.stop().await
}
