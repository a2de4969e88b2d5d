//! The images that every node can pull: a fixed table of repositories, each with fixed tags and a program.
//!
//! A repository of the table is found under every usual host and owner. A tag that the table does not list cannot be
//! pulled, as it could not be from a real registry. Images outside the table are [`Lookup::Unknown`].

use super::reference::Reference;

/// What an image holds, as its configuration would say.
#[derive(Debug, PartialEq, Eq)]
pub struct Image {
    /// The last part of the repository's path.
    pub repository: &'static str,
    /// The program that runs where the container gives no command of its own.
    pub program: &'static str,
    /// Arguments of that program where the container gives none.
    pub arguments: &'static [&'static str],
    /// Ports that the program listens on where nothing else is said.
    pub ports: &'static [u16],
    /// What can be pulled.
    pub tags: &'static [&'static str],
}

/// What looking an image up gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The catalog has it.
    Found(&'static Image),
    /// The catalog has the repository, and not this tag.
    NoSuchTag,
    /// The catalog knows nothing of the repository.
    Unknown,
}

/// Registries whose copies of the catalog are equal.
const HOSTS: &[&str] = &[
    "docker.io",
    "gcr.io",
    "ghcr.io",
    "k8s.gcr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "quay.io",
    "registry.k8s.io",
];
/// What may stand before a repository's name.
const OWNERS: &[&str] = &[
    "",
    "coracle",
    "docker/library",
    "e2e-test-images",
    "google-containers",
    "google-samples",
    "google_containers",
    "hashicorp",
    "jocatalin",
    "library",
    "nginxinc",
];

const fn image(
    repository: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    ports: &'static [u16],
    tags: &'static [&'static str],
) -> Image {
    Image {
        repository,
        program,
        arguments,
        ports,
        tags,
    }
}

/// The tags of the images that exist only here.
const OWN_TAGS: &[&str] = &["latest", "v1", "v2", "v3", "1", "2", "3", "1.0", "2.0"];

/// The table.
pub static CATALOG: &[Image] = &[
    image(
        "busybox",
        "sh",
        &[],
        &[],
        &[
            "latest", "stable", "1", "1.28", "1.31", "1.35", "1.36", "1.36.1", "1.37",
        ],
    ),
    image(
        "alpine",
        "sh",
        &[],
        &[],
        &["latest", "3", "3.18", "3.19", "3.20", "3.21", "edge"],
    ),
    image("counter", "counter", &[], &[8080], OWN_TAGS),
    image("echo", "echo", &[], &[7], OWN_TAGS),
    image(
        "echoserver",
        "http",
        &["--request"],
        &[8080],
        &["latest", "1.0", "1.4", "1.8", "1.9", "1.10"],
    ),
    image("exit", "exit", &[], &[], OWN_TAGS),
    image("http", "http", &[], &[80], OWN_TAGS),
    image(
        "http-echo",
        "http",
        &[],
        &[5678],
        &["latest", "0.2.1", "0.2.3", "1.0", "1.0.0"],
    ),
    image(
        "httpd",
        "http",
        &[],
        &[80],
        &[
            "latest",
            "alpine",
            "2",
            "2.4",
            "2.4.38",
            "2.4.46",
            "2.4.54",
            "2.4.57",
            "2.4.62",
            "2.4-alpine",
        ],
    ),
    image("hpa-example", "load", &[], &[80], &["latest", "v1"]),
    image("load", "load", &[], &[80], OWN_TAGS),
    image(
        "kubernetes-bootcamp",
        "http",
        &["--bootcamp"],
        &[8080],
        &["latest", "v1", "v2"],
    ),
    image(
        "nginx",
        "http",
        &[],
        &[80],
        &[
            "latest",
            "alpine",
            "stable",
            "stable-alpine",
            "mainline",
            "mainline-alpine",
            "1",
            "1.7.9",
            "1.9.1",
            "1.14",
            "1.14.0",
            "1.14.1",
            "1.14.2",
            "1.14-alpine",
            "1.15",
            "1.15.12",
            "1.16",
            "1.16.0",
            "1.16.1",
            "1.16-alpine",
            "1.17",
            "1.18",
            "1.19",
            "1.19.10",
            "1.20",
            "1.21",
            "1.21.6",
            "1.22",
            "1.23",
            "1.23.4",
            "1.24",
            "1.25",
            "1.25.5",
            "1.25-alpine",
            "1.26",
            "1.26.2",
            "1.27",
            "1.27.3",
            "1.27-alpine",
            "1.28",
            "1.29",
        ],
    ),
    image(
        "pause",
        "pause",
        &[],
        &[],
        &[
            "latest", "3.0", "3.1", "3.2", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10",
        ],
    ),
    image(
        "redis",
        "redis-server",
        &[],
        &[],
        &[
            "latest", "alpine", "5", "6", "6.2", "7", "7.0", "7.2", "7.4", "7-alpine", "6-alpine",
        ],
    ),
    image("sleep", "sleep", &["infinity"], &[], OWN_TAGS),
];

/// Looks an image up.
#[must_use]
pub fn look_up(reference: &Reference) -> Lookup {
    let usual = HOSTS.contains(&&*reference.host) && OWNERS.contains(&&*reference.owner);
    let Some(image) = CATALOG
        .iter()
        .find(|image| usual && *image.repository == *reference.repository)
    else {
        return Lookup::Unknown;
    };
    if reference.tag.is_empty() || image.tags.contains(&&*reference.tag) {
        Lookup::Found(image)
    } else {
        Lookup::NoSuchTag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_found_under_every_usual_name() {
        let program = |text: &str| match look_up(&Reference::parse(text).expect(text)) {
            Lookup::Found(image) => image.program,
            Lookup::NoSuchTag => "no such tag",
            Lookup::Unknown => "unknown",
        };
        let table = [
            ("nginx", "http"),
            ("docker.io/library/nginx:1.16.1", "http"),
            ("nginx:9.9", "no such tag"),
            ("nginx@sha256:01", "http"),
            ("gcr.io/google-samples/kubernetes-bootcamp:v1", "http"),
            ("jocatalin/kubernetes-bootcamp:v2", "http"),
            ("jocatalin/kubernetes-bootcamp:v3", "no such tag"),
            ("registry.k8s.io/pause:3.10", "pause"),
            ("busybox:1.28", "sh"),
            ("registry.example.com/nginx:1.14.2", "unknown"),
            ("someone/nginx:1.14.2", "unknown"),
            ("postgres:16", "unknown"),
        ];
        for (text, expected) in table {
            assert_eq!(program(text), expected, "{text}");
        }
    }

    #[test]
    fn every_program_of_the_table_exists() {
        for image in CATALOG {
            assert!(
                super::super::programs::find(image.program).is_some(),
                "{}",
                image.repository
            );
        }
    }
}
