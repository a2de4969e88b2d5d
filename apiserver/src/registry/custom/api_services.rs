//! Each version of a custom group is registered as an APIService while it is served, as upstream's aggregator does.

use std::collections::BTreeSet;

use coracle_api::{ApiError, LabelSelector, kinds};
use serde_json::json;

use crate::registry::{Context, DeleteOptions, ListRequest, Registry, Target, Write};

/// The label of what is registered here, and its value.
const MANAGED: (&str, &str) = ("kube-aggregator.kubernetes.io/automanaged", "true");
/// Where custom groups stand in discovery: behind the built-in ones.
const GROUP_PRIORITY: i32 = 1_000;
const VERSION_PRIORITY: i32 = 100;

impl Registry {
    /// Registers what is served and not registered, and unregisters what is no longer served.
    ///
    /// # Errors
    /// [`ApiError`] of the first write that failed for good.
    pub async fn tend_api_services(&self) -> Result<(), ApiError> {
        let served = self.catalog.now();
        let wanted: BTreeSet<String> = served
            .custom()
            .iter()
            .map(|row| format!("{}.{}", row.version, row.group))
            .collect();
        let (label, value) = MANAGED;
        let labels = LabelSelector::parse(&format!("{label}={value}"))?;
        let list = ListRequest {
            labels,
            ..ListRequest::all(kinds::API_SERVICE)
        };
        let present = self.list(&list).await?.entries;
        let present: BTreeSet<String> = present
            .iter()
            .map(|entry| entry.attributes.name.to_string())
            .collect();
        let missing = wanted.difference(&present).map(|name| create(name));
        let gone = present.difference(&wanted).map(|name| Write::Delete {
            target: Target::new(kinds::API_SERVICE, "", name.as_str()),
            options: DeleteOptions::default(),
        });
        let writes: Vec<Write> = missing.chain(gone).collect();
        if writes.is_empty() {
            return Ok(());
        }
        let results = self.batch(&Context::internal(), writes, false).await?;
        let mut failed = results.into_iter().filter_map(Result::err);
        match failed.find(|error| !error.is_already_exists() && !error.is_not_found()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Registers the version whose service is called `name`: `v1.example.com`.
fn create(name: &str) -> Write {
    let (version, group) = name.split_once('.').unwrap_or((name, ""));
    let (label, value) = MANAGED;
    let service = json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name, "labels": {label: value}},
        "spec": {
            "group": group, "version": version,
            "groupPriorityMinimum": GROUP_PRIORITY, "versionPriority": VERSION_PRIORITY,
        },
    });
    Write::Create {
        resource: kinds::API_SERVICE,
        namespace: String::new(),
        name: String::new(),
        body: service.to_string().into(),
    }
}
