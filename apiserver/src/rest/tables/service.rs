//! Services.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AGE, Column, NAME, Printer, format, or_else};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Type", "How the service is reached."),
        Column::text("Cluster-IP", "Its address within the cluster."),
        Column::text("External-IP", "Its addresses from outside."),
        Column::text("Port(s)", "Its ports, node ports and protocols."),
        AGE,
        Column::text("Selector", "Which pods answer.").wide(),
    ],
    cells: |json, now| {
        let View {
            metadata,
            spec,
            status,
        } = serde_json::from_slice(json)?;
        let cluster_ip = spec.cluster_ips.first().unwrap_or(&spec.cluster_ip);
        let ports: Vec<String> = spec.ports.iter().map(Port::text).collect();
        Ok(vec![
            metadata.name.as_str().into(),
            spec.kind.as_str().into(),
            or_else(cluster_ip, "<none>"),
            external(&spec, &status).into(),
            format::list(&ports).into(),
            metadata.age(now).into(),
            format::labels(&spec.selector).into(),
        ])
    },
};

/// The addresses from outside, by the service's type.
fn external(spec: &Spec, status: &Status) -> String {
    match spec.kind.as_str() {
        "ClusterIP" | "NodePort" => format::list(&spec.external_ips),
        "ExternalName" => spec.external_name.clone(),
        "LoadBalancer" => {
            let balancers = status
                .load_balancer
                .ingress
                .iter()
                .map(|ingress| match ingress.ip.as_str() {
                    "" => ingress.hostname.clone(),
                    ip => ip.to_owned(),
                });
            let addresses: Vec<String> = balancers.chain(spec.external_ips.iter().cloned()).collect();
            if addresses.is_empty() {
                "<pending>".to_owned()
            } else {
                addresses.join(",")
            }
        }
        _ => "<unknown>".to_owned(),
    }
}

type View = super::View<Spec, Status>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    #[serde(rename = "clusterIPs")]
    cluster_ips: Vec<String>,
    #[serde(rename = "externalIPs")]
    external_ips: Vec<String>,
    external_name: String,
    ports: Vec<Port>,
    selector: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Port {
    port: i64,
    node_port: i64,
    protocol: String,
}

impl Port {
    fn text(&self) -> String {
        match self.node_port {
            0 => format!("{}/{}", self.port, self.protocol),
            node_port => format!("{}:{node_port}/{}", self.port, self.protocol),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    load_balancer: LoadBalancer,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LoadBalancer {
    ingress: Vec<Ingress>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Ingress {
    ip: String,
    hostname: String,
}
