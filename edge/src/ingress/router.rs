//! From a request's host and path to a backend. Source: the Ingress page of the Kubernetes documentation.
//!
//! The most specific host decides alone: an exact one before a wildcard, a wildcard before none. Of its paths an exact one
//! comes first, then the longest prefix, compared element by element. Where nothing fits, the default backend answers.

use std::{collections::HashMap, sync::Arc};

use super::view::{Backend, IngressView, PathView};

/// All rules of all Ingresses that are ours.
#[derive(Debug, Default)]
pub(crate) struct Router {
    hosts: HashMap<Box<str>, Paths>,
    /// By what follows the star, with its dot.
    wildcards: HashMap<Box<str>, Paths>,
    any: Paths,
    default: Option<Backend>,
}

#[derive(Debug, Default)]
struct Paths {
    /// Exact ones first, then the longest.
    paths: Vec<PathView>,
    default: Option<Backend>,
}

impl Router {
    /// Of Ingresses in the order in which they win where two say different things.
    pub(crate) fn new(ingresses: &[Arc<IngressView>]) -> Self {
        let mut router = Self::default();
        for ingress in ingresses {
            for (host, paths) in &ingress.rules {
                let own = router.paths_of(host);
                for path in paths {
                    let known = own
                        .paths
                        .iter()
                        .any(|known| known.path == path.path && known.exact == path.exact);
                    if !known {
                        own.paths.push(path.clone());
                    }
                }
                own.default = own.default.take().or_else(|| ingress.default_backend.clone());
            }
            if ingress.rules.is_empty() {
                router.default = router.default.take().or_else(|| ingress.default_backend.clone());
            }
        }
        let hosts = router.hosts.values_mut().chain(router.wildcards.values_mut());
        for paths in hosts.chain([&mut router.any]) {
            paths
                .paths
                .sort_by_key(|path| (!path.exact, std::cmp::Reverse(path.path.len())));
        }
        router
    }

    fn paths_of(&mut self, host: &str) -> &mut Paths {
        match host.strip_prefix('*') {
            _ if host.is_empty() => &mut self.any,
            Some(rest) => self.wildcards.entry(rest.into()).or_default(),
            None => self.hosts.entry(host.into()).or_default(),
        }
    }

    /// Where a request goes; `None` where nobody wants it.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<&Backend> {
        let host = host.to_ascii_lowercase();
        // A star stands for one label.
        let wildcard = host.find('.').and_then(|dot| self.wildcards.get(&host[dot..]));
        let own = self.hosts.get(&*host).or(wildcard).unwrap_or(&self.any);
        let found = own.paths.iter().find(|rule| matches(rule, path));
        found
            .map(|rule| &rule.backend)
            .or(own.default.as_ref())
            .or(self.default.as_ref())
    }
}

fn matches(rule: &PathView, path: &str) -> bool {
    if rule.exact {
        return *rule.path == *path;
    }
    let prefix = rule.path.trim_end_matches('/');
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
