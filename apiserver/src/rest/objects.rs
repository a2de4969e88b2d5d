//! The verbs: what an HTTP request on objects asks of the registry, and how its outcome is answered.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use coracle_api::{ApiError, Resource, kinds};
use coracle_service::Peer;
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::json;

use super::path::Target;
use super::query::{self, Match, Query, ReadOptions};
use super::render::Renderer;
use super::{Door, body, error, gzip, logs, negotiate, proxy, streams, watch};
use crate::registry::{
    self, Annotations, AtRevision, Context, Entry, ListRequest, ListResult, Preconditions, Propagation,
    Written,
};

pub(crate) mod apply;

/// What who deletes a Job is told who does not say what becomes of its pods.
const JOB_ORPHANS: &str = "child pods are preserved by default when jobs are deleted; set \
                           propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress \
                           this warning";

/// Subresources that are streams.
const STREAMS: [&str; 3] = ["attach", "exec", "portforward"];

/// What a request does with the objects that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Reads one object or a subresource of it.
    Get,
    /// Reads a collection.
    List,
    /// Follows a collection, or one object.
    Watch,
    /// Reads or follows a container's log.
    Log,
    /// Changes the connection into streams to a container.
    Stream,
    /// Passes the request on to a pod, a Service or a node.
    Proxy,
    /// Stores a new object, or acts through a subresource.
    Create,
    /// Replaces an object.
    Update,
    /// Changes part of an object.
    Patch,
    /// Deletes one object.
    Delete,
    /// Deletes a collection.
    DeleteCollection,
}

impl Verb {
    /// The verb of a request; `None` where the method has no meaning for what the path names.
    pub(crate) fn of(method: &Method, target: &Target, query: &Query) -> Option<Self> {
        let verb = match (method.as_str(), &target.name) {
            ("GET" | "HEAD", Some(_)) if target.subresource_name() == "log" => Self::Log,
            ("GET" | "POST", Some(_)) if STREAMS.contains(&target.subresource_name()) => Self::Stream,
            (_, Some(_)) if target.subresource_name() == "proxy" => Self::Proxy,
            ("GET" | "HEAD", _)
                if target.subresource.is_none()
                    && (target.is_watched || query.flag("watch") == Some(true)) =>
            {
                Self::Watch
            }
            _ if target.is_watched => return None,
            ("GET" | "HEAD", Some(_)) => Self::Get,
            ("GET" | "HEAD", None) => Self::List,
            ("POST", None) => Self::Create,
            ("POST", Some(_)) if target.subresource.is_some() => Self::Create,
            ("PUT", Some(_)) => Self::Update,
            ("PATCH", Some(_)) => Self::Patch,
            ("DELETE", Some(_)) if target.subresource.is_none() => Self::Delete,
            ("DELETE", None) => Self::DeleteCollection,
            _ => return None,
        };
        // Whatever is namespaced is written in a namespace.
        let everywhere = target.resource.namespaced && target.namespace.is_empty();
        (target.serves(verb.name()) && (verb.is_read() || !everywhere)).then_some(verb)
    }

    /// As discovery and RBAC call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get | Self::Log | Self::Stream | Self::Proxy => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    /// Whether nothing is changed.
    pub(crate) fn is_read(self) -> bool {
        matches!(
            self,
            Self::Get | Self::List | Self::Watch | Self::Log | Self::Stream | Self::Proxy
        )
    }

    /// Whether the answer goes on for as long as the client listens.
    pub(crate) fn is_long(self) -> bool {
        matches!(self, Self::Watch | Self::Log | Self::Stream | Self::Proxy)
    }
}

/// One request on objects.
pub(crate) struct Request<'a> {
    /// The server's side.
    pub(crate) door: &'a Arc<Door>,
    /// The caller.
    pub(crate) peer: Arc<Peer>,
    /// What the path names.
    pub(crate) target: Target,
    /// The head of the request.
    pub(crate) parts: &'a Parts,
    /// The decoded query.
    pub(crate) query: Query,
}

impl Request<'_> {
    /// Does what the request asks.
    ///
    /// # Errors
    /// Whatever the door or the registry refuses.
    pub(crate) async fn serve(self, verb: Verb, body: Body) -> Result<Response, ApiError> {
        let deprecation = deprecation(self.target.resource);
        let mut response = self.carry_out(verb, body).await?;
        error::warn(&mut response, deprecation.as_slice());
        Ok(response)
    }

    async fn carry_out(self, verb: Verb, body: Body) -> Result<Response, ApiError> {
        match verb {
            Verb::Get => self.get().await,
            Verb::List => self.list().await,
            Verb::Watch => self.watch(),
            Verb::Log => logs::respond(self.door, &self.object()?, &self.query).await,
            Verb::Stream => {
                let part = self.target.subresource_name();
                streams::respond(self.door, &self.object()?, part, self.parts, &self.query).await
            }
            Verb::Proxy => proxy::respond(self.door, &self.object()?, self.parts, body).await,
            Verb::Create => self.create(body).await,
            Verb::Update => self.update(body).await,
            Verb::Patch => self.patch(body).await,
            Verb::Delete => self.delete(body).await,
            Verb::DeleteCollection => self.delete_collection(body).await,
        }
    }

    async fn get(self) -> Result<Response, ApiError> {
        let renderer = self.renderer()?;
        let current = self.door.registry.revision();
        if let Some(revision) = query::revision(&self.query)?.filter(|revision| *revision > current) {
            return Err(ApiError::too_large_resource_version(revision, current));
        }
        let part = self.target.subresource_name();
        let entry = self.door.registry.get(&self.object()?, part, None).await?;
        Ok(answer(StatusCode::OK, &renderer, &entry))
    }

    async fn list(self) -> Result<Response, ApiError> {
        let renderer = self.renderer()?;
        let request = self.list_request(ReadOptions::from_query(&self.query)?);
        let list = self.door.registry.list(&request).await?;
        let content_type = renderer.content_type();
        let size: usize = list.entries.iter().map(|entry| entry.json.len()).sum();
        let response = error::respond(StatusCode::OK, content_type, renderer.list(list));
        if size > gzip::MIN_BYTES && gzip::is_accepted(&self.parts.headers) {
            return Ok(gzip::compress(response));
        }
        Ok(response)
    }

    fn watch(self) -> Result<Response, ApiError> {
        let mut renderer = self.renderer()?;
        renderer.set_stream();
        let mut options = ReadOptions::from_query(&self.query)?;
        if let Some(name) = &self.target.name {
            options.fields = coracle_api::FieldSelector::parse(&format!("metadata.name={name}"))
                .map_err(|failure| ApiError::bad_request(failure.to_string()))?;
        }
        watch::respond(self.door, &self.target, options, renderer)
    }

    async fn create(self, body: Body) -> Result<Response, ApiError> {
        let renderer = self.renderer()?;
        let context = self.context("CreateOptions")?;
        let body = body::object(&self.parts.headers, body).await?;
        let registry = &self.door.registry;
        if let Some(subresource) = self.target.subresource {
            let object = self.object()?;
            let written = registry
                .create_subresource(&context, object, subresource.name, body)
                .await?;
            if subresource.name == "token" {
                return Ok(written_answer(StatusCode::CREATED, &renderer, &written));
            }
            return Ok(acted(&written));
        }
        let Target {
            resource, namespace, ..
        } = &self.target;
        let written = registry.create(&context, resource, namespace, "", body).await?;
        if *resource == kinds::BINDING {
            return Ok(acted(&written));
        }
        Ok(written_answer(StatusCode::CREATED, &renderer, &written))
    }

    async fn update(self, body: Body) -> Result<Response, ApiError> {
        let renderer = self.renderer()?;
        let context = self.context("UpdateOptions")?;
        let body = body::object(&self.parts.headers, body).await?;
        let part = self.target.subresource_name();
        let written = self
            .door
            .registry
            .update(&context, self.object()?, part, body)
            .await?;
        Ok(written_answer(StatusCode::OK, &renderer, &written))
    }

    async fn patch(self, body: Body) -> Result<Response, ApiError> {
        if apply::is_apply(&self.parts.headers) {
            return self.apply(body).await;
        }
        self.refuse_force()?;
        let renderer = self.renderer()?;
        let context = self.context("PatchOptions")?;
        let patch_type = body::patch_type(&self.parts.headers)?;
        let patch = body::read(&self.parts.headers, body).await?;
        let part = self.target.subresource_name();
        let preconditions = Preconditions::default();
        let registry = &self.door.registry;
        let written = registry
            .patch(&context, self.object()?, part, patch_type, patch, preconditions)
            .await?;
        Ok(written_answer(StatusCode::OK, &renderer, &written))
    }

    async fn delete(self, body: Body) -> Result<Response, ApiError> {
        let renderer = self.renderer()?;
        let (options, dry_run) = body::delete_options(&self.parts.headers, body, &self.query).await?;
        let mut context = self.caller();
        context.options.dry_run = dry_run;
        let tells_orphans =
            *self.target.resource == *kinds::JOB && options.propagation == Propagation::OfKind;
        let mut deleted = self
            .door
            .registry
            .delete(&context, self.object()?, options)
            .await?;
        if tells_orphans {
            deleted.warnings.push(JOB_ORPHANS.to_owned());
        }
        if !deleted.removed {
            let mut response = answer(StatusCode::OK, &renderer, &deleted.entry);
            error::warn(&mut response, &deleted.warnings);
            return Ok(response);
        }
        let resource = self.target.resource;
        let mut details = json!({
            "name": deleted.entry.attributes.name,
            "kind": resource.plural,
            "uid": deleted.entry.attributes.uid,
        });
        if !resource.group.is_empty() {
            details["group"] = json!(resource.group);
        }
        let success = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
        });
        let mut response = error::json(StatusCode::OK, success.to_string());
        error::warn(&mut response, &deleted.warnings);
        Ok(response)
    }

    async fn delete_collection(self, body: Body) -> Result<Response, ApiError> {
        let renderer = self.renderer()?;
        let (options, dry_run) = body::delete_options(&self.parts.headers, body, &self.query).await?;
        let mut context = self.caller();
        context.options.dry_run = dry_run;
        let request = self.list_request(ReadOptions::from_query(&self.query)?);
        let deleted = self
            .door
            .registry
            .delete_collection(&context, &request, &options)
            .await?;
        let list = ListResult {
            entries: deleted.entries,
            revision: deleted.revision,
            continue_token: None,
            remaining: None,
        };
        let content_type = renderer.content_type();
        Ok(error::respond(StatusCode::OK, content_type, renderer.list(list)))
    }

    fn renderer(&self) -> Result<Renderer, ApiError> {
        let representation = negotiate::objects(&self.parts.headers)?;
        Renderer::new(
            &self.target,
            representation,
            &self.query,
            self.door.env.cluster_clock.now(),
        )
    }

    fn context(&self, kind: &str) -> Result<Context, ApiError> {
        let mut options = query::write_options(&self.query, kind)?;
        if options.field_manager.is_empty() {
            options.field_manager = apply::manager_of(&self.parts.headers);
        }
        Ok(self.caller().with_options(options))
    }

    /// The caller, and where what is said of the request is kept.
    fn caller(&self) -> Context {
        let mut context = Context::new(Arc::clone(&self.peer));
        if let Some(annotations) = self.parts.extensions.get::<Arc<Annotations>>() {
            context.annotations = Arc::clone(annotations);
        }
        context
    }

    /// The one object that the path names.
    fn object(&self) -> Result<registry::Target, ApiError> {
        let Target {
            resource,
            namespace,
            name,
            ..
        } = &self.target;
        let name = name.as_ref().ok_or_else(ApiError::method_not_allowed)?;
        Ok(registry::Target::new(resource, namespace, name))
    }

    fn list_request(&self, options: ReadOptions) -> ListRequest {
        let limit = usize::try_from(options.limit).unwrap_or(0);
        let revision = match (
            options.revision.filter(|revision| *revision > 0),
            options.revision_match,
        ) {
            _ if options.continue_token.is_some() => AtRevision::Any,
            (None, _) => AtRevision::Any,
            (Some(revision), Some(Match::Exact)) => AtRevision::Exact(revision),
            // A page at a revision has always meant that very revision.
            (Some(revision), None) if limit > 0 => AtRevision::Exact(revision),
            (Some(revision), _) => AtRevision::AtLeast(revision),
        };
        ListRequest {
            resource: self.target.resource,
            namespace: self.target.namespace.clone(),
            labels: options.labels,
            fields: options.fields,
            limit,
            continue_token: options.continue_token,
            revision,
        }
    }
}

fn answer(code: StatusCode, renderer: &Renderer, entry: &Entry) -> Response {
    error::respond(
        code,
        renderer.content_type(),
        Body::from(renderer.object(&entry.json)),
    )
}

/// What who uses an API that is on its way out is told.
fn deprecation(resource: &Resource) -> Option<String> {
    let text = match resource {
        own if *own == *kinds::ENDPOINTS => {
            "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
        }
        own if *own == *kinds::COMPONENT_STATUS => "v1 ComponentStatus is deprecated in v1.19+",
        _ => return None,
    };
    Some(text.to_owned())
}

/// The answer to something that was done to an object and is none itself: a binding, an eviction.
fn acted(written: &Written) -> Response {
    let success = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
    });
    let mut response = error::json(StatusCode::CREATED, success.to_string());
    error::warn(&mut response, &written.warnings);
    response
}

fn written_answer(code: StatusCode, renderer: &Renderer, written: &Written) -> Response {
    let code = if written.created {
        StatusCode::CREATED
    } else {
        code
    };
    let mut response = answer(code, renderer, &written.entry);
    error::warn(&mut response, &written.warnings);
    response
}
