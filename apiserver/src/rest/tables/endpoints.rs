//! Endpoints.

use serde::Deserialize;

use super::{AGE, Column, Metadata, NAME, Printer};

/// Endpoints that are shown; the others are counted.
const SHOWN: usize = 3;

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Endpoints", "Addresses and ports that are ready."),
        AGE,
    ],
    cells: |json, now| {
        let endpoints: View = serde_json::from_slice(json)?;
        Ok(vec![
            endpoints.metadata.name.as_str().into(),
            endpoints.shown().into(),
            endpoints.metadata.age(now).into(),
        ])
    },
};

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(default)]
    subsets: Vec<Subset>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Subset {
    addresses: Vec<Address>,
    ports: Vec<Port>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Address {
    ip: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Port {
    port: i64,
}

impl View {
    fn shown(&self) -> String {
        let mut all = Vec::new();
        for subset in &self.subsets {
            if subset.ports.is_empty() {
                all.extend(subset.addresses.iter().map(|address| address.ip.clone()));
            }
            for port in &subset.ports {
                let own = subset.addresses.iter();
                all.extend(own.map(|address| host_port(&address.ip, port.port)));
            }
        }
        if all.is_empty() {
            return "<none>".to_owned();
        }
        let more = all.len().saturating_sub(SHOWN);
        all.truncate(SHOWN);
        let text = all.join(",");
        if more > 0 {
            format!("{text} + {more} more...")
        } else {
            text
        }
    }
}

fn host_port(ip: &str, port: i64) -> String {
    if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    }
}
