//! Reads: from the cache where it shows the revision that is asked for, else from the store's history.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use coracle_api::{ApiError, FieldSelector, Resource};
use coracle_store::{Key, ReadError, Stored};
use serde::{Deserialize, Serialize};

use super::{
    AtRevision, Context, Entry, ListRequest, ListResult, Registry, Start, Target, Watch, WatchRequest,
    measured::is_measured, plan::View, strategy,
};
use crate::watch::Filter;

/// Objects read from history at a time.
const HISTORY_PAGE: usize = 1_000;

/// Where the next page of a list begins, in the form that upstream gives to clients.
#[derive(Serialize, Deserialize)]
struct Continue {
    v: String,
    rv: i64,
    /// `namespace/name` of the last object told, after the scope of the list; upstream appends a zero byte.
    start: String,
}

const CONTINUE_VERSION: &str = "meta.k8s.io/v1";

impl Registry {
    /// One object, now or at a retained revision. `subresource` is empty, `status` or `scale`.
    ///
    /// # Errors
    /// [`ApiError`]: not found, or a revision that is gone or has not happened.
    pub async fn get(&self, target: &Target, subresource: &str, at: Option<i64>) -> Result<Entry, ApiError> {
        let view = match subresource {
            "" => View::of(target.resource),
            "status" if target.resource.has_status() => View::of(target.resource),
            "scale" if target.resource.subresource("scale").is_some() => View::Scale,
            // Other readable subresources of the object's own kind show the object.
            name => match target.resource.subresource(name) {
                Some(own) if own.kind == target.resource.kind && own.verbs.contains(&"get") => {
                    View::of(target.resource)
                }
                _ => return Err(ApiError::resource_not_found()),
            },
        };
        if is_measured(target.resource) {
            return self.get_measured(target).await;
        }
        let key = target.key();
        let cached = self.cache.get(target.resource, &key);
        let entry = match at.filter(|at| *at > 0) {
            None => cached,
            Some(at)
                if cached.as_ref().is_some_and(|entry| entry.revision <= at) && at <= self.revision() =>
            {
                cached
            }
            Some(at) => {
                let (store, key) = (Arc::clone(&self.store), Arc::clone(&key));
                let stored = self.env.spawn.blocking(move || store.get(&key, Some(at))).await;
                stored
                    .map_err(ApiError::internal)?
                    .map_err(read_error)?
                    .map(|stored| entry_of(target.resource, stored))
                    .transpose()?
            }
        };
        let entry = entry.ok_or_else(|| ApiError::not_found(target.resource, &target.name))?;
        let wanted = match view {
            View::Scale => target.resource.storage(),
            View::Whole | View::Version(_) => target.resource,
        };
        let entry = self.converter().entry(entry, wanted).await?;
        self.shown(&Context::internal(), entry, view)
    }

    /// One page of a list. All pages show the revision of the first.
    ///
    /// # Errors
    /// [`ApiError`]: a bad token or selector, or a revision that is gone or has not happened.
    pub async fn list(&self, request: &ListRequest) -> Result<ListResult, ApiError> {
        let filter = Filter {
            namespace: request.namespace.clone(),
            labels: request.labels.clone(),
            fields: stored_fields(request.resource, &request.fields)?,
            node_names: Vec::new(),
        };
        let (at, start_after, is_continued) = match &request.continue_token {
            Some(token) => {
                let (revision, key) = read_token(request, token)?;
                (Some(revision), Some(key), true)
            }
            None => (self.asked_revision(request.revision)?, None, false),
        };
        if is_measured(request.resource) {
            return self.list_measured(request, &filter, start_after.as_deref()).await;
        }
        if let Some(page) = self.cache.list(
            request.resource,
            &filter,
            start_after.as_deref(),
            request.limit,
            at,
        ) {
            let is_filtered = !(request.labels.is_everything() && request.fields.is_everything());
            let remaining = i64::try_from(page.remaining).unwrap_or(i64::MAX);
            return Ok(ListResult {
                continue_token: (remaining > 0)
                    .then(|| continue_after(request, page.revision, &page.entries)),
                // As upstream: counting what a selector leaves out is promised to nobody.
                remaining: (remaining > 0 && !is_filtered).then_some(remaining),
                revision: page.revision,
                entries: self.served(request.resource, page.entries).await?,
            });
        }
        let at = at.unwrap_or_else(|| self.revision());
        self.list_history(request, filter, start_after, at)
            .await
            .map_err(|error| {
                if is_continued && error.is_expired() {
                    ApiError::continue_expired()
                } else {
                    error
                }
            })
    }

    fn asked_revision(&self, revision: AtRevision) -> Result<Option<i64>, ApiError> {
        let current = self.revision();
        match revision {
            AtRevision::AtLeast(asked) | AtRevision::Exact(asked) if asked > current => {
                Err(ApiError::too_large_resource_version(asked, current))
            }
            AtRevision::Exact(exact) => Ok(Some(exact)),
            AtRevision::Any | AtRevision::AtLeast(_) => Ok(None),
        }
    }

    async fn list_history(
        &self,
        request: &ListRequest,
        filter: Filter,
        start_after: Option<Key>,
        at: i64,
    ) -> Result<ListResult, ApiError> {
        let (store, resource) = (Arc::clone(&self.store), request.resource);
        let limit = if request.limit == 0 {
            usize::MAX
        } else {
            request.limit
        };
        let namespace = if filter.namespace.is_empty() {
            String::new()
        } else {
            format!("{}/", filter.namespace)
        };
        let prefix = format!("{}{namespace}", resource.store_prefix());
        let read = move || -> Result<(Vec<Entry>, bool), ApiError> {
            let (mut entries, mut start_after) = (Vec::new(), start_after);
            loop {
                let page = store
                    .range(&prefix, start_after.as_deref(), HISTORY_PAGE, at)
                    .map_err(read_error)?;
                let Some(last) = page.last() else {
                    return Ok((entries, false));
                };
                start_after = Some(Arc::clone(&last.key));
                for stored in page {
                    let entry = entry_of(resource, stored)?;
                    if !filter.matches(&entry.attributes) {
                        continue;
                    }
                    if entries.len() == limit {
                        return Ok((entries, true));
                    }
                    entries.push(entry);
                }
            }
        };
        let (entries, has_more) = self
            .env
            .spawn
            .blocking(read)
            .await
            .map_err(ApiError::internal)??;
        let continue_token = has_more.then(|| continue_after(request, at, &entries));
        Ok(ListResult {
            entries: self.served(request.resource, entries).await?,
            revision: at,
            continue_token,
            remaining: None,
        })
    }

    /// The entries as `resource` shows them.
    async fn served(&self, resource: &'static Resource, entries: Vec<Entry>) -> Result<Vec<Entry>, ApiError> {
        let entries = self.converter().entries(entries, resource).await?;
        if resource.is_storage() {
            return Ok(entries);
        }
        entries.into_iter().map(|entry| entry.served(resource)).collect()
    }

    /// Begins a watch. Nothing waits here but [`Watch::next`].
    ///
    /// # Errors
    /// [`ApiError`]: a bad selector, or (expired) a revision whose history is gone.
    pub fn watch(&self, request: WatchRequest) -> Result<Watch, ApiError> {
        let WatchRequest {
            resource,
            namespace,
            labels,
            fields,
            node_names,
            from,
            bookmarks,
        } = request;
        if !resource.has_verb("watch") {
            return Err(ApiError::method_not_allowed());
        }
        let fields = stored_fields(resource, &fields)?;
        let from = match from {
            Start::After(revision) if revision <= 0 => Start::Now { initial: true },
            from => from,
        };
        let filter = Filter {
            namespace,
            labels,
            fields,
            node_names,
        };
        let watch = self.cache.watch(resource, filter, from, bookmarks)?;
        Ok(watch.converted_by(self.converter()))
    }
}

/// The selector with the names that the stored version has for its fields, which must be selectable.
fn stored_fields(resource: &Resource, fields: &FieldSelector) -> Result<FieldSelector, ApiError> {
    match fields
        .terms()
        .iter()
        .find(|term| !resource.selectable_fields.contains(&&*term.field))
    {
        None => Ok(match resource.stored_as {
            Some(stored) => fields.renamed(stored.fields),
            None => fields.clone(),
        }),
        Some(term) => Err(ApiError::bad_request(format!(
            "field label not supported: {}",
            term.field
        ))),
    }
}

fn entry_of(resource: &'static Resource, stored: Stored) -> Result<Entry, ApiError> {
    let attributes = strategy::describe(resource, &stored.json).ok_or_else(|| {
        ApiError::internal(format!(
            "read {} from the store: it is not a {}",
            stored.key, resource.kind
        ))
    })?;
    let Stored { key, revision, json } = stored;
    Ok(Entry {
        key,
        revision,
        json: super::custom::stored_form(resource, json),
        attributes: Arc::new(attributes),
    })
}

pub(super) fn read_error(error: ReadError) -> ApiError {
    match error {
        ReadError::Compacted { requested, oldest } => ApiError::expired(requested, oldest),
        ReadError::Future { requested, latest } => ApiError::too_large_resource_version(requested, latest),
        ReadError::Damaged { .. } => ApiError::internal(error),
    }
}

/// The part of a key that a token tells: what follows the prefix of the list.
fn scope(request: &ListRequest) -> String {
    let prefix = request.resource.store_prefix();
    if request.namespace.is_empty() {
        prefix.to_owned()
    } else {
        format!("{prefix}{}/", request.namespace)
    }
}

/// The token of the page after `entries`, which are (part of) a page of `request` at `revision`.
pub fn continue_after(request: &ListRequest, revision: i64, entries: &[Entry]) -> String {
    let scope = scope(request);
    let last = entries
        .last()
        .and_then(|entry| entry.key.strip_prefix(&scope))
        .unwrap_or_default();
    let token = Continue {
        v: CONTINUE_VERSION.to_owned(),
        rv: revision,
        start: format!("{last}\u{0}"),
    };
    STANDARD_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
}

fn read_token(request: &ListRequest, token: &str) -> Result<(i64, Key), ApiError> {
    let refuse = |why: &str| {
        ApiError::bad_request(format!(
            "invalid continue token: continue key is not valid: {why}"
        ))
    };
    let bytes = STANDARD_NO_PAD
        .decode(token.trim_end_matches('='))
        .map_err(|error| refuse(&error.to_string()))?;
    let token: Continue = serde_json::from_slice(&bytes).map_err(|error| refuse(&error.to_string()))?;
    if token.v != CONTINUE_VERSION || token.rv <= 0 {
        return Err(refuse("server does not recognize this encoded version"));
    }
    let start = token.start.trim_end_matches('\u{0}');
    Ok((token.rv, format!("{}{start}", scope(request)).into()))
}
