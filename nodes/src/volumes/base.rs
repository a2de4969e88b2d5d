//! What every container finds in its own folder: the files that a kubelet and an image would put there.
//!
//! They are written when something first looks at the container's own files, so that a container which nobody looks
//! into costs no files.

use std::io;

use super::{Store, local::LocalStore};
use crate::runtime::program::PodIdentity;

/// Folders that are there.
const FOLDERS: [&str; 14] = [
    "bin", "dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "srv", "tmp", "usr", "usr/bin", "var",
];

/// Writes them, unless they were before.
pub(super) async fn write(own: &LocalStore, pod: &PodIdentity) -> io::Result<()> {
    let mark = own.beside(".base");
    if mark
        .stat("")
        .await
        .is_ok_and(|found| found != super::Stat::FOLDER)
    {
        return Ok(());
    }
    for folder in FOLDERS {
        match own.create_directories(folder).await {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    for (path, contents) in contents(pod) {
        own.truncate(path).await?;
        own.append(path, contents.into_bytes()).await?;
    }
    mark.create_directories("").await
}

fn contents(pod: &PodIdentity) -> [(&'static str, String); 7] {
    let mut hosts =
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
            .to_owned();
    let full = match &*pod.subdomain {
        "" => String::new(),
        subdomain => format!(
            "{}.{subdomain}.{}.svc.cluster.local\t",
            pod.hostname, pod.namespace
        ),
    };
    hosts.push_str(&format!("{}\t{full}{}\n", pod.ip, pod.hostname));
    if !pod.host_aliases.is_empty() {
        hosts.push_str("\n# Entries added by HostAliases.\n");
        for alias in &pod.host_aliases {
            hosts.push_str(&format!("{}\t{}\n", alias.ip, alias.hostnames.join("\t")));
        }
    }
    let mut resolve = format!(
        "search {0}.svc.cluster.local svc.cluster.local cluster.local\n",
        pod.namespace
    );
    if let Some(server) = pod.name_server {
        resolve.push_str(&format!("nameserver {server}\n"));
    }
    resolve.push_str("options ndots:5\n");
    [
        ("etc/hostname", format!("{}\n", pod.hostname)),
        ("etc/hosts", hosts),
        ("etc/resolv.conf", resolve),
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n".to_owned(),
        ),
        ("etc/group", "root:x:0:\nnobody:x:65534:\n".to_owned()),
        (
            "etc/os-release",
            "NAME=\"Coracle\"\nID=coracle\nPRETTY_NAME=\"Coracle simulated container\"\n".to_owned(),
        ),
        ("etc/shells", "/bin/sh\n/bin/ash\n".to_owned()),
    ]
}
