//! Image references, `[HOST/]PATH[:TAG][@DIGEST]`, as container runtimes read them.

use std::fmt;

/// The host that a reference without one means.
const DEFAULT_HOST: &str = "docker.io";
/// The longest reference, in bytes.
const MAX_BYTES: usize = 1024;

/// A parsed image reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The registry, `docker.io` where none is written.
    pub host: Box<str>,
    /// What stands before the last part of the path: `library`, `google-samples`, or nothing.
    pub owner: Box<str>,
    /// The last part of the path.
    pub repository: Box<str>,
    /// `latest` where neither tag nor digest is written; empty with a digest alone.
    pub tag: Box<str>,
    /// `sha256:...`, or empty.
    pub digest: Box<str>,
}

/// A text that is not an image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid reference format")]
pub struct InvalidReference;

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// [`InvalidReference`] where it is none.
    pub fn parse(text: &str) -> Result<Self, InvalidReference> {
        if text.len() > MAX_BYTES {
            return Err(InvalidReference);
        }
        let (name, digest) = text.split_once('@').unwrap_or((text, ""));
        // A colon after the last slash starts a tag; one before it belongs to the host's port.
        let path_start = name.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match name[path_start..].find(':') {
            Some(colon) => (&name[..path_start + colon], &name[path_start + colon + 1..]),
            None => (name, if digest.is_empty() { "latest" } else { "" }),
        };
        let has_tag = !tag.is_empty() || !digest.is_empty();
        if !has_tag
            || !tag
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            || tag.len() > 128
        {
            return Err(InvalidReference);
        }
        let (host, path) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
            _ => (DEFAULT_HOST, name),
        };
        let component = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        };
        if !path.split('/').all(component) {
            return Err(InvalidReference);
        }
        let host = if matches!(host, "index.docker.io" | "registry-1.docker.io") {
            DEFAULT_HOST
        } else {
            host
        };
        let (owner, repository) = match path.rsplit_once('/') {
            Some(parts) => parts,
            None if host == DEFAULT_HOST => ("library", path),
            None => ("", path),
        };
        Ok(Self {
            host: host.into(),
            owner: owner.into(),
            repository: repository.into(),
            tag: tag.into(),
            digest: digest.into(),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            owner,
            repository,
            tag,
            digest,
        } = self;
        let slash = if owner.is_empty() { "" } else { "/" };
        write!(f, "{host}/{owner}{slash}{repository}")?;
        if !tag.is_empty() {
            write!(f, ":{tag}")?;
        }
        if !digest.is_empty() {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_completed_as_runtimes_do() {
        let check = |text: &str, expected: &str| {
            assert_eq!(
                Reference::parse(text).expect(text).to_string(),
                expected,
                "{text}"
            );
        };
        check("nginx", "docker.io/library/nginx:latest");
        check("nginx:1.14.2", "docker.io/library/nginx:1.14.2");
        check(
            "jocatalin/kubernetes-bootcamp:v2",
            "docker.io/jocatalin/kubernetes-bootcamp:v2",
        );
        check(
            "gcr.io/google-samples/kubernetes-bootcamp:v1",
            "gcr.io/google-samples/kubernetes-bootcamp:v1",
        );
        check("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9");
        check("localhost:5000/team/app", "localhost:5000/team/app:latest");
        check("localhost/app:v1", "localhost/app:v1");
        check("index.docker.io/library/redis:7", "docker.io/library/redis:7");
        check("nginx@sha256:0123", "docker.io/library/nginx@sha256:0123");
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "Nginx",
            "nginx:",
            "nginx:a b",
            "a//b",
            ":v1",
            "nginx:tag:tag",
            "registry.k8s.io/",
        ] {
            assert_eq!(Reference::parse(text), Err(InvalidReference), "{text:?}");
        }
        assert!(Reference::parse(&"a".repeat(MAX_BYTES + 1)).is_err());
    }
}
