//! `coracle kubeconfig` and `coracle credentials`: the administrator's identity, for kubectl and for gRPC clients.

use anyhow::{Context, ensure};
use coracle_service::pki::write_private;

use crate::{
    args::{Credentials, Kubeconfig},
    cluster::Cluster,
    kubeconfig as file, output,
};

/// Prints a kubeconfig on standard output.
pub async fn kubeconfig(args: &Kubeconfig) -> anyhow::Result<()> {
    let cluster = Cluster::new(&args.cluster)?;
    let admin = cluster.admin()?;
    let server = match &args.server {
        Some(server) => server.clone(),
        None => server_of(&cluster)?,
    };
    output::data(&file::to_yaml(&file::document(
        &cluster.context(),
        &server,
        &admin,
    ))?);
    Ok(())
}

/// Writes `ca.crt`, `client.crt` and `client.key`, and prints a call that uses them.
pub fn run(args: &Credentials) -> anyhow::Result<()> {
    let cluster = Cluster::new(&args.cluster)?;
    let admin = cluster.admin()?;
    let server = server_of(&cluster)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("make {}", args.out.display()))?;
    for (name, pem) in [
        ("ca.crt", &admin.ca_pem),
        ("client.crt", &admin.certificate_pem),
        ("client.key", &admin.key_pem),
    ] {
        write_private(&args.out.join(name), pem.as_bytes())?;
    }
    let out = args.out.display();
    output::data(&format!(
        "grpcurl -cacert {out}/ca.crt -cert {out}/client.crt -key {out}/client.key \
         -d '{{\"kind\":\"pods\"}}' {server} coracle.v1.ObjectService/List\n"
    ));
    Ok(())
}

fn server_of(cluster: &Cluster) -> anyhow::Result<String> {
    let server = cluster.memory()?.server;
    ensure!(
        !server.is_empty(),
        "find the address of cluster {:?}: start it with `coracle up`, or name it with --server",
        cluster.name
    );
    Ok(server)
}
