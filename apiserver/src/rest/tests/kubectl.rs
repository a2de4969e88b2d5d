//! The real kubectl against the door: the commands that send protobuf or read OpenAPI first. Skipped where there is
//! no kubectl.

use std::process::Stdio;

use axum::middleware::{Next, from_fn};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::*;

/// A server on a port, as whoever may do anything.
struct Server {
    address: String,
    cache: std::path::PathBuf,
}

impl Server {
    async fn start() -> Self {
        let client = Client::new().await;
        let router = client
            .router
            .layer(from_fn(|mut request: Request<Body>, next: Next| async {
                let peer = Peer::new("kubernetes-admin", &["system:masters"]);
                request.extensions_mut().insert(Arc::new(peer));
                next.run(request).await
            }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let cache = std::env::temp_dir().join(format!("coracle-kubectl-{}", std::process::id()));
        Self { address, cache }
    }

    /// What kubectl prints, errors included; `None` where there is no kubectl.
    async fn kubectl(&self, command: &str, stdin: &str) -> Option<String> {
        let spawned = Command::new("kubectl")
            .args(["--server", &self.address, "--cache-dir"])
            .arg(&self.cache)
            .args(command.split(' '))
            .env("KUBECONFIG", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.ok()?;
        let mut input = child.stdin.take().unwrap();
        input.write_all(stdin.as_bytes()).await.unwrap();
        drop(input);
        let output = child.wait_with_output().await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        Some(String::from_utf8(text).unwrap().trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.cache);
    }
}

const LIST: &str = r#"{"kind": "List", "apiVersion": "v1", "items": [
    {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "one"}, "data": {"a": "1"}},
    {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "two"}}
]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn generators_explain_and_lists() {
    let server = Server::start().await;
    let checks = [
        ("create namespace team", "namespace/team created"),
        (
            "create deployment web --image=nginx --replicas=0",
            "deployment.apps/web created",
        ),
        (
            "get deployment web -o jsonpath={.spec.replicas}{.spec.strategy.type}",
            "0RollingUpdate",
        ),
        ("create configmap cm --from-literal=a=b", "configmap/cm created"),
        ("get configmap cm -o jsonpath={.data}", r#"{"a":"b"}"#),
        ("create secret generic s --from-literal=p=q", "secret/s created"),
        ("get secret s -o jsonpath={.data.p}", "cQ=="),
        ("create serviceaccount robot", "serviceaccount/robot created"),
        (
            "create service clusterip web --tcp=80:http",
            "service/web created",
        ),
        ("get service web -o jsonpath={.spec.ports[0].targetPort}", "http"),
        (
            "create role r --verb=get --resource=pods",
            "role.rbac.authorization.k8s.io/r created",
        ),
        (
            "create rolebinding r --role=r --user=jane",
            "rolebinding.rbac.authorization.k8s.io/r created",
        ),
        (
            "create priorityclass high --value=10",
            "priorityclass.scheduling.k8s.io/high created",
        ),
        (
            "create ingress i --rule=example.com/*=web:80",
            "ingress.networking.k8s.io/i created",
        ),
        (
            "get ingress i -o jsonpath={.spec.rules[0].http.paths[0].backend.service.port.number}",
            "80",
        ),
        ("create job j --image=busybox", "job.batch/j created"),
        (
            "create cronjob c --image=busybox --schedule=@hourly",
            "cronjob.batch/c created",
        ),
        (
            "create poddisruptionbudget p --selector=app=web --min-available=0",
            "poddisruptionbudget.policy/p created",
        ),
        ("get pdb p -o jsonpath={.spec.minAvailable}", "0"),
        ("create quota q --hard=pods=3", "resourcequota/q created"),
        (
            "autoscale deployment web --max=3",
            "horizontalpodautoscaler.autoscaling/web autoscaled",
        ),
        (
            "create clusterrole reader --verb=get --resource=nodes",
            "clusterrole.rbac.authorization.k8s.io/reader created",
        ),
        (
            "create clusterrolebinding reader --clusterrole=reader --group=readers",
            "clusterrolebinding.rbac.authorization.k8s.io/reader created",
        ),
        ("apply -f -", "configmap/one created\nconfigmap/two created"),
        ("apply -f -", "configmap/one unchanged\nconfigmap/two unchanged"),
        (
            "apply --server-side -f -",
            "configmap/one serverside-applied\nconfigmap/two serverside-applied",
        ),
        (
            "delete configmap one --grace-period=0",
            "configmap \"one\" deleted",
        ),
    ];
    let mut wrong = Vec::new();
    for (command, expected) in checks {
        let stdin = if command.starts_with("apply") { LIST } else { "" };
        let Some(printed) = server.kubectl(command, stdin).await else {
            eprintln!("skipped: there is no kubectl");
            return;
        };
        if printed != expected {
            wrong.push(format!("{command}: {printed}"));
        }
    }
    for (command, expected) in [
        ("explain deployment.spec.strategy", "<RollingUpdateDeployment>"),
        (
            "explain pod.spec.containers --recursive",
            "containerPort\t<integer> -required-",
        ),
        (
            "explain services.spec.ports.targetPort",
            "FIELD: targetPort <IntOrString>",
        ),
    ] {
        let printed = server.kubectl(command, "").await.unwrap();
        if !printed.contains(expected) {
            wrong.push(format!("{command}: {printed}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn web(image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: \
         {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers:\n      - name: c\n        \
         image: {image}\n        ports: [{{containerPort: 80}}]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn server_side_apply() {
    const APPLY: &str = "apply --server-side -f -";
    const MANAGERS: &str = "get deployment web -o jsonpath={.metadata.managedFields[*].manager}";
    const IMAGE: &str = "get deployment web -o jsonpath={.spec.template.spec.containers[0].image}";
    let server = Server::start().await;
    let applied = "deployment.apps/web serverside-applied";
    let checks = [
        (APPLY, "nginx:1", applied),
        (APPLY, "nginx:1", applied),
        ("get deployment web -o jsonpath={.metadata.generation}", "", "1"),
        (
            "scale deployment web --replicas=5",
            "",
            "deployment.apps/web scaled",
        ),
        (
            APPLY,
            "nginx:1",
            "error: Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: \
             .spec.replicas",
        ),
        ("apply --server-side --force-conflicts -f -", "nginx:1", applied),
        (MANAGERS, "", "kubectl"),
        (
            "set image deployment/web c=nginx:2",
            "",
            "deployment.apps/web image updated",
        ),
        (
            "apply --server-side --field-manager=other -f -",
            "nginx:1",
            "error: Apply failed with 1 conflict: conflict with \"kubectl-set\" using apps/v1: \
             .spec.template.spec.containers[name=\"c\"].image",
        ),
        ("delete deployment web", "", "deployment.apps \"web\" deleted"),
        // From client-side apply to server-side apply: kubectl rewrites the managers itself.
        ("apply -f -", "nginx:1", "deployment.apps/web created"),
        (APPLY, "nginx:2", applied),
        (MANAGERS, "", "kubectl kubectl-last-applied"),
        (IMAGE, "", "nginx:2"),
        ("diff --server-side -f -", "nginx:2", ""),
        // And back.
        ("apply -f -", "nginx:3", "deployment.apps/web configured"),
        (IMAGE, "", "nginx:3"),
        (
            APPLY,
            "nginx:3\n        bogus: 1",
            "Error from server: failed to create typed patch object (default/web; apps/v1, Kind=Deployment): \
             .spec.template.spec.containers[name=\"c\"].bogus: field not declared in schema",
        ),
    ];
    let mut wrong = Vec::new();
    for (command, image, expected) in checks {
        let stdin = if image.is_empty() {
            String::new()
        } else {
            web(image)
        };
        let Some(printed) = server.kubectl(command, &stdin).await else {
            eprintln!("skipped: there is no kubectl");
            return;
        };
        // What kubectl says beside a conflict is its own.
        if printed.lines().next().unwrap_or_default() != expected {
            wrong.push(format!("{command}: {printed}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
