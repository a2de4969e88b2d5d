//! The dashboard's server as a browser meets it: signing in, the viewer's rights, what is kept out, and what is said
//! while the apiserver is away. What a person sees is driven by a real browser in `.ci/dashboard`.

use std::time::Duration;

use anyhow::{Context, ensure};
use coracle_testing::{Cluster, Options, eventually};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A browser of one page: it keeps its cookie and says where it comes from.
struct Browser {
    address: String,
    cookie: String,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("read {}", self.body))
    }
}

impl Browser {
    async fn ask(&self, method: &str, path: &str, origin: &str, body: &str) -> anyhow::Result<Answer> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{origin}cookie: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            self.cookie,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, rest) = text.split_once("\r\n\r\n").context("read the answer's head")?;
        let status = head.split(' ').nth(1).context("read the status")?.parse()?;
        // Chunks are taken apart only as far as these short answers need it.
        let body = if head.contains("transfer-encoding: chunked") {
            let parts = rest.split("\r\n").collect::<Vec<_>>();
            parts.iter().skip(1).step_by(2).copied().collect::<String>()
        } else {
            rest.to_owned()
        };
        Ok(Answer {
            status,
            head: head.to_owned(),
            body,
        })
    }

    async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask("GET", path, "", "").await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let origin = format!("origin: http://{}\r\n", self.address);
        self.ask("POST", path, &origin, &body.to_string()).await
    }

    /// Signs in and keeps the cookie.
    async fn sign_in(&mut self, proof: &Value) -> anyhow::Result<Answer> {
        let answer = self.post("/api/sign-in", proof).await?;
        if let Some(line) = answer.head.lines().find(|line| line.starts_with("set-cookie: ")) {
            ensure!(
                line.contains("HttpOnly") && line.contains("SameSite=Strict"),
                "the cookie can be read or sent from elsewhere: {line}"
            );
            let pair = line.trim_start_matches("set-cookie: ").split(';').next();
            self.cookie = pair.unwrap_or_default().to_owned();
        }
        Ok(answer)
    }
}

async fn cluster() -> anyhow::Result<Cluster> {
    Cluster::with(Options {
        nodes: 1,
        has_dashboard: true,
        ..Options::default()
    })
    .await
}

/// The address of a link and its code.
async fn link(cluster: &Cluster) -> anyhow::Result<(String, String)> {
    let link = cluster.run(&["dashboard", "--url"]).await?;
    let rest = link.trim().strip_prefix("http://").context("read the link")?;
    let (address, code) = rest.split_once("/#code=").context("find the code")?;
    Ok((address.to_owned(), code.to_owned()))
}

/// A browser that signed in, by a link where nothing else is given.
async fn signed_in(cluster: &Cluster, proof: Option<Value>) -> anyhow::Result<Browser> {
    let (address, code) = link(cluster).await?;
    let mut browser = Browser {
        address,
        cookie: String::new(),
    };
    let proof = proof.unwrap_or_else(|| json!({"code": code}));
    let answer = browser.sign_in(&proof).await?;
    ensure!(answer.status == 200, "sign in: {} {}", answer.status, answer.body);
    Ok(browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_in_once_and_others_are_kept_out() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    let (address, code) = link(&cluster).await?;
    let mut browser = Browser {
        address,
        cookie: String::new(),
    };
    let page = browser.get("/").await?;
    ensure!(page.status == 200 && page.head.contains("content-security-policy: default-src 'none'"));
    for path in ["/api/me", "/k8s/api/v1/pods", "/api/live/names?rows=0"] {
        let status = browser.get(path).await?.status;
        ensure!(status == 401, "{path} answered {status} to nobody");
    }
    let evil = "origin: http://evil.example\r\n";
    let stolen = browser
        .ask("POST", "/api/sign-in", evil, &json!({"code": code}).to_string())
        .await?;
    ensure!(
        stolen.status == 403,
        "another origin was answered {}",
        stolen.status
    );
    let first = browser.sign_in(&json!({"code": code})).await?;
    ensure!(first.status == 200, "{}", first.body);
    let second = browser.sign_in(&json!({"code": code})).await?;
    ensure!(second.status == 401, "a code was good twice");

    let browser = signed_in(&cluster, None).await?;
    let nodes = browser.get("/k8s/api/v1/nodes").await?;
    ensure!(
        nodes.json()?["items"].as_array().map(Vec::len) == Some(1),
        "{}",
        nodes.body
    );
    ensure!(
        nodes.head.contains("sandbox"),
        "an answer of the API may run scripts"
    );
    let refused = browser
        .get("/k8s/api/v1/namespaces/default/pods/x/proxy/")
        .await?;
    ensure!(refused.status == 400, "a pod's page has this origin");
    // A link is made for a certificate, never for a session.
    let more = browser.post("/api/links", &json!({})).await?;
    ensure!(more.status == 401, "a session made a link");
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_has_the_rights_that_rbac_gives() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    let token = account_token(&cluster).await?;
    let wrong = signed_in(&cluster, Some(json!({"token": "not.a.token"}))).await;
    ensure!(wrong.is_err(), "any token signs in");
    let browser = signed_in(&cluster, Some(json!({"token": token}))).await?;
    let me = browser.get("/api/me").await?.json()?;
    ensure!(me["user"] == "system:serviceaccount:default:looker", "{me}");
    ensure!(browser.get("/k8s/api/v1/namespaces/default/pods").await?.status == 200);
    for path in [
        "/k8s/api/v1/namespaces/default/secrets",
        "/k8s/api/v1/nodes",
        "/api/live/names?rows=0",
    ] {
        let answer = browser.get(path).await?;
        ensure!(
            answer.status == 403,
            "{path} answered {}: {}",
            answer.status,
            answer.body
        );
    }
    let made = browser
        .post("/k8s/api/v1/namespaces", &json!({"metadata": {"name": "mine"}}))
        .await?;
    ensure!(made.status == 403, "{}", made.body);
    cluster.stop().await
}

/// A service account that may view its namespace, and a token of it.
async fn account_token(cluster: &Cluster) -> anyhow::Result<String> {
    let admin = signed_in(cluster, None).await?;
    let account = json!({"metadata": {"name": "looker"}});
    let binding = json!({
        "metadata": {"name": "looker"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "looker", "namespace": "default"}],
    });
    let base = "/k8s/api/v1/namespaces/default/serviceaccounts";
    for (path, object) in [
        (base, &account),
        (
            "/k8s/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
            &binding,
        ),
    ] {
        let answer = admin.post(path, object).await?;
        ensure!(answer.status == 201, "{}", answer.body);
    }
    let asked = admin
        .post(&format!("{base}/looker/token"), &json!({"spec": {}}))
        .await?;
    let token = asked.json()?["status"]["token"].as_str().map(str::to_owned);
    token.with_context(|| format!("read the token in {}", asked.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stays_while_the_apiserver_and_itself_are_killed() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    let browser = signed_in(&cluster, None).await?;
    cluster.run(&["stop", "apiserver"]).await?;
    // Its own pages and what it knows stay.
    ensure!(browser.get("/").await?.status == 200);
    ensure!(browser.get("/api/me").await?.status == 200);
    cluster.run(&["cont", "apiserver"]).await?;
    cluster.kill("apiserver").await?;
    eventually("the apiserver to answer again", PATIENCE, async || {
        let answer = browser.get("/k8s/api/v1/nodes").await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
        Ok(())
    })
    .await?;
    // Killed itself, it comes back where it was; sessions are not kept.
    cluster.kill("dashboard").await?;
    eventually("the dashboard to come back", PATIENCE, async || {
        let status = browser.get("/api/me").await?.status;
        ensure!(status == 401, "answered {status}");
        Ok(())
    })
    .await?;
    let again = signed_in(&cluster, None).await?;
    ensure!(again.address == browser.address, "it came back elsewhere");
    cluster.stop().await
}
