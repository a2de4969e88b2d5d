//! `coracle dns NAME`: what the cluster's DNS answers, from what the API says, so that it works where no edge runs.

use std::{process::ExitCode, sync::Arc};

use coracle_client::ObjectApi;
use coracle_proxy::{
    Resolver, Table,
    names::{Data, Kind, Outcome, Record, search},
};
use coracle_service::{Env, Shutdown};

use crate::{
    args::{Dns, DnsKind},
    cluster::Cluster,
    output,
};

/// What `host` and `nslookup` exit with for a name that is not there.
const NO_NAME: u8 = 1;

pub async fn run(args: Dns) -> anyhow::Result<ExitCode> {
    let env = Env::host();
    let cluster = Cluster::new(&args.cluster)?;
    let api: Arc<dyn ObjectApi> = Arc::new(cluster.client(&cluster.memory()?.server, &env)?);
    let shutdown = Shutdown::new();
    let table = Table::start(&api, &env, &shutdown);
    let limit = std::time::Duration::from_secs(10);
    env.transport_clock
        .timeout(limit, table.wait_synced())
        .await
        .map_err(|_| anyhow::anyhow!("read services: no answer from the apiserver in 10 s"))?;
    let resolver = Resolver::new(table, env);
    let kind = match args.kind {
        DnsKind::A => Kind::A,
        DnsKind::Srv => Kind::Srv,
        DnsKind::Ptr => Kind::Ptr,
        DnsKind::Cname => Kind::Cname,
    };
    let names = match kind {
        Kind::Ptr => vec![reverse(&args.dns_name)],
        _ => search(&args.dns_name, &args.namespace),
    };
    let found = names.iter().find_map(|name| match resolver.look_up(name, kind) {
        Outcome::Found(records, further) => Some((records, further)),
        _ => None,
    });
    shutdown.trigger();
    let Some((records, further)) = found else {
        let text = format!("no such name in the cluster: {}", args.dns_name);
        output::Progress::new().line(&text);
        return Ok(ExitCode::from(NO_NAME));
    };
    for record in records.iter().chain(&further) {
        output::data(&line(record));
    }
    Ok(ExitCode::SUCCESS)
}

fn line(Record { name, data }: &Record) -> String {
    match data {
        Data::A(ip) => format!("{name} A {ip}\n"),
        Data::Cname(alias) => format!("{name} CNAME {alias}\n"),
        Data::Srv(port, host) => format!("{name} SRV {port} {host}\n"),
        Data::Ptr(host) => format!("{name} PTR {host}\n"),
    }
}

/// The name by which an address is asked for.
fn reverse(address: &str) -> String {
    match address.parse::<std::net::Ipv4Addr>() {
        Ok(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Err(_) => address.to_owned(),
    }
}
