//! The objects of the fake apiserver and what writes do to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use bytes::Bytes;
use coracle_api::{ApiError, Resource, kinds, patch, time};
use coracle_client::{
    DeleteOptions, Event, EventKind, Fence, Object, PatchType, Propagation, WatchQuery, Write,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::value::{check, has_finalizers, is_deleting, line, object, parse, replace, selects, text};

pub(super) type Place = (&'static Resource, String, String);

pub(super) struct Model {
    pub(super) now: Timestamp,
    pub(super) revision: i64,
    pub(super) history: Vec<(&'static Resource, Change)>,
    objects: BTreeMap<Place, Value>,
    /// Namespaces that are gone.
    gone: BTreeSet<String>,
    uids: u64,
}

/// An object before and after a write.
pub(super) struct Change {
    revision: i64,
    old: Option<Value>,
    new: Option<Value>,
}

impl Model {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            revision: 1,
            history: Vec::new(),
            objects: BTreeMap::new(),
            gone: BTreeSet::new(),
            uids: 0,
        }
    }

    pub(super) fn seed(&mut self, resource: &'static Resource, object: Value) -> i64 {
        let namespace = text(&object, "/metadata/namespace");
        let name = text(&object, "/metadata/name");
        assert!(!name.is_empty(), "a seeded object has a name");
        let known = self.find(resource, &namespace, &name);
        let mut object = self.stamped(object, &name);
        if let Some(known) = known {
            object["metadata"]["uid"] = known["metadata"]["uid"].clone();
        }
        self.store((resource, namespace, name), Some(object)).revision
    }

    pub(super) fn find(&self, resource: &'static Resource, namespace: &str, name: &str) -> Option<Value> {
        self.objects
            .get(&(resource, namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    pub(super) fn all(&self, resource: &'static Resource) -> Vec<Value> {
        self.objects
            .iter()
            .filter(|((of, ..), _)| *of == resource)
            .map(|(_, object)| object.clone())
            .collect()
    }

    pub(super) fn get(&self, resource: &'static Resource, ns: &str, name: &str) -> Result<Object, ApiError> {
        let found = self
            .find(resource, ns, name)
            .ok_or_else(|| ApiError::not_found(resource, name))?;
        Ok(object(&found))
    }

    pub(super) fn objects_of(&self, resource: &'static Resource, namespace: &str) -> Vec<Object> {
        let all = self.all(resource).into_iter();
        let of = |found: &Value| namespace.is_empty() || text(found, "/metadata/namespace") == namespace;
        all.filter(of).map(|found| object(&found)).collect()
    }

    pub(super) fn check_fence(&self, fence: &Fence) -> Result<(), ApiError> {
        let lease = self
            .find(kinds::LEASE, &fence.namespace, &fence.name)
            .unwrap_or_default();
        let held = text(&lease, "/spec/holderIdentity") == fence.holder
            && lease.pointer("/spec/leaseTransitions").and_then(Value::as_i64) == Some(fence.transitions);
        if held {
            Ok(())
        } else {
            Err(ApiError::fenced(&fence.name, &fence.holder))
        }
    }

    /// The state as watchers saw it after `seen` events.
    pub(super) fn initial(&self, query: &WatchQuery, seen: usize) -> Vec<Event> {
        let mut present = BTreeMap::new();
        for (resource, change) in &self.history[..seen] {
            if *resource != query.resource {
                continue;
            }
            let Some(any) = change.new.as_ref().or(change.old.as_ref()) else {
                continue;
            };
            let place = (text(any, "/metadata/namespace"), text(any, "/metadata/name"));
            match change.new.as_ref().filter(|object| selects(query, object)) {
                Some(new) => present.insert(place, new),
                None => present.remove(&place),
            };
        }
        let added = present.into_values().map(|value| {
            let object = object(value);
            Event {
                revision: object.revision,
                kind: EventKind::Added(object),
            }
        });
        let synced = Event {
            kind: EventKind::Synced,
            revision: self.revision_at(seen),
        };
        added.chain([synced]).collect()
    }

    pub(super) fn position_after(&self, revision: i64) -> usize {
        self.history
            .partition_point(|(_, change)| change.revision <= revision)
    }

    pub(super) fn revision_at(&self, seen: usize) -> i64 {
        seen.checked_sub(1)
            .and_then(|last| self.history.get(last))
            .map_or(1, |(_, change)| change.revision)
    }

    /// The revision of the last change of a kind.
    pub(super) fn revision_of(&self, resource: &Resource) -> i64 {
        let mut changes = self.history.iter().rev();
        changes
            .find(|(of, _)| *of == resource)
            .map_or(1, |(_, change)| change.revision)
    }

    /// Whether any of these changes is of this kind.
    pub(super) fn has_news(&self, resource: &Resource, range: Range<usize>) -> bool {
        let mut changes = self.history.get(range).into_iter().flatten();
        changes.any(|(of, _)| *of == resource)
    }

    pub(super) fn events(&self, query: &WatchQuery, range: Range<usize>) -> Vec<Event> {
        let of_kind = self.history[range]
            .iter()
            .filter(|(resource, _)| *resource == query.resource);
        let events = of_kind.filter_map(|(_, change)| {
            let old = change.old.as_ref().filter(|object| selects(query, object));
            let new = change.new.as_ref().filter(|object| selects(query, object));
            let kind = match (old, new) {
                (None, None) => return None,
                (None, Some(new)) => EventKind::Added(object(new)),
                (Some(_), Some(new)) => EventKind::Modified(object(new)),
                (Some(old), None) => EventKind::Deleted(Object {
                    revision: change.revision,
                    ..object(old)
                }),
            };
            Some(Event {
                kind,
                revision: change.revision,
            })
        });
        events.collect()
    }

    /// Applies a write; answers what it was, for the log, and the object.
    pub(super) fn apply(&mut self, write: Write) -> Result<(String, Object), ApiError> {
        match write {
            Write::Create {
                resource,
                namespace,
                name,
                subresource: "",
                json,
            } => self.create(resource, namespace, name, &json),
            Write::Create {
                resource,
                namespace,
                name,
                subresource,
                json,
            } => {
                let body: Value = parse(&json)?;
                match subresource {
                    "binding" => self.change("bind", resource, &namespace, &name, |pod| {
                        if !text(pod, "/spec/nodeName").is_empty() {
                            return Err(ApiError::conflict(resource, &name));
                        }
                        pod["spec"]["nodeName"] = body["target"]["name"].clone();
                        Ok(())
                    }),
                    "eviction" => self.delete(resource, namespace, name, &DeleteOptions::default()),
                    other => Err(ApiError::bad_request(format!(
                        "the fake has no subresource {other}"
                    ))),
                }
            }
            Write::Update {
                resource,
                namespace,
                name,
                subresource,
                json,
            } => {
                let body: Value = parse(&json)?;
                let wanted = text(&body, "/metadata/resourceVersion");
                self.change("update", resource, &namespace, &name, |object| {
                    if !wanted.is_empty() && text(object, "/metadata/resourceVersion") != wanted {
                        return Err(ApiError::conflict(resource, &name));
                    }
                    replace(resource, subresource, object, body.clone());
                    Ok(())
                })
            }
            Write::Patch {
                resource,
                namespace,
                name,
                subresource,
                patch_type,
                patch,
                uid,
                revision,
            } => {
                let patch_type = match patch_type {
                    PatchType::Json => patch::PatchType::Json,
                    PatchType::Merge => patch::PatchType::Merge,
                    PatchType::StrategicMerge => patch::PatchType::StrategicMerge,
                };
                self.change("patch", resource, &namespace, &name, |object| {
                    check(resource, &name, object, &uid, revision)?;
                    let body = patch::apply(patch_type, resource, object, &patch)?;
                    replace(resource, subresource, object, body);
                    Ok(())
                })
            }
            Write::Delete {
                resource,
                namespace,
                name,
                options,
            } => self.delete(resource, namespace, name, &options),
        }
    }

    fn create(
        &mut self,
        resource: &'static Resource,
        namespace: String,
        name: String,
        json: &Bytes,
    ) -> Result<(String, Object), ApiError> {
        let mut body: Value = parse(json)?;
        let name = match (name.is_empty(), text(&body, "/metadata/name")) {
            (false, _) => name,
            (true, named) if !named.is_empty() => named,
            _ => format!("{}{:05}", text(&body, "/metadata/generateName"), self.uids),
        };
        let place = (resource, namespace.clone(), name.clone());
        if self.objects.contains_key(&place) {
            return Err(ApiError::already_exists(resource, &name));
        }
        self.check_namespace(resource, &namespace, &name)?;
        if resource.has_status()
            && let Some(body) = body.as_object_mut()
        {
            body.remove("status");
        }
        if !namespace.is_empty() {
            body["metadata"]["namespace"] = json!(namespace);
        }
        body["metadata"]["generation"] = json!(1);
        let stamped = self.stamped(body, &name);
        Ok((line("create", &place), self.store(place, Some(stamped))))
    }

    /// Nothing is made in a namespace that goes or has gone. One that never was is not missed, so that tests need
    /// not make theirs.
    fn check_namespace(
        &self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
    ) -> Result<(), ApiError> {
        match self.find(kinds::NAMESPACE, "", namespace) {
            Some(found) if is_deleting(&found) => {
                let why = format!(
                    "unable to create new content in namespace {namespace} because it is being terminated"
                );
                Err(ApiError::forbidden(resource, name, why))
            }
            None if self.gone.contains(namespace) => Err(ApiError::not_found(kinds::NAMESPACE, namespace)),
            _ => Ok(()),
        }
    }

    fn change(
        &mut self,
        verb: &str,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        edit: impl FnOnce(&mut Value) -> Result<(), ApiError>,
    ) -> Result<(String, Object), ApiError> {
        let place = (resource, namespace.to_owned(), name.to_owned());
        let old = self
            .objects
            .get(&place)
            .cloned()
            .ok_or_else(|| ApiError::not_found(resource, name))?;
        let mut new = old.clone();
        edit(&mut new)?;
        if new == old {
            return Ok((line("keep", &place), object(&old)));
        }
        if resource.has_status() && new["spec"] != old["spec"] {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or_default();
            new["metadata"]["generation"] = json!(generation + 1);
        }
        let done =
            is_deleting(&new) && !has_finalizers(&new) && new["metadata"]["deletionGracePeriodSeconds"] == 0;
        let line = line(if done { "remove" } else { verb }, &place);
        Ok((line, self.store(place, (!done).then_some(new))))
    }

    fn delete(
        &mut self,
        resource: &'static Resource,
        namespace: String,
        name: String,
        options: &DeleteOptions,
    ) -> Result<(String, Object), ApiError> {
        let now = time::format(self.now);
        let place = (resource, namespace.clone(), name.clone());
        let old = self
            .find(resource, &namespace, &name)
            .ok_or_else(|| ApiError::not_found(resource, &name))?;
        check(resource, &name, &old, &options.uid, options.revision)?;
        let own = old
            .pointer("/spec/terminationGracePeriodSeconds")
            .and_then(Value::as_i64)
            .unwrap_or(30);
        let bound = resource == kinds::POD && !text(&old, "/spec/nodeName").is_empty();
        let grace = if bound {
            options.grace_period_seconds.unwrap_or(own)
        } else {
            0
        };
        let extra = match options.propagation {
            Propagation::Background => None,
            Propagation::Foreground => Some("foregroundDeletion"),
            Propagation::Orphan => Some("orphan"),
        };
        let held = has_finalizers(&old) || extra.is_some();
        if grace == 0 && !held {
            return Ok((line("delete", &place), self.store(place, None)));
        }
        self.change("delete", resource, &namespace, &name, |object| {
            if !is_deleting(object) {
                object["metadata"]["deletionTimestamp"] = json!(now);
            }
            object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
            if let Some(extra) = extra {
                let mut finalizers = object["metadata"]["finalizers"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                if !finalizers.contains(&json!(extra)) {
                    finalizers.push(json!(extra));
                }
                object["metadata"]["finalizers"] = json!(finalizers);
            }
            if resource == kinds::NAMESPACE {
                object["status"]["phase"] = json!("Terminating");
            }
            Ok(())
        })
    }

    fn stamped(&mut self, mut object: Value, name: &str) -> Value {
        self.uids += 1;
        let metadata = &mut object["metadata"];
        metadata["name"] = json!(name);
        if metadata["uid"].is_null() {
            metadata["uid"] = json!(format!("uid-{}", self.uids));
        }
        if metadata["creationTimestamp"].is_null() {
            metadata["creationTimestamp"] = json!(time::format(self.now));
        }
        object
    }

    fn store(&mut self, place: Place, new: Option<Value>) -> Object {
        self.revision += 1;
        let new = new.map(|mut new| {
            new["metadata"]["resourceVersion"] = json!(self.revision.to_string());
            new
        });
        let old = match &new {
            Some(new) => self.objects.insert(place.clone(), new.clone()),
            None => {
                if place.0 == kinds::NAMESPACE {
                    self.gone.insert(place.2.clone());
                }
                self.objects.remove(&place)
            }
        };
        let last = new.as_ref().or(old.as_ref()).map(object);
        self.history.push((
            place.0,
            Change {
                revision: self.revision,
                old,
                new,
            },
        ));
        let Some(last) = last else {
            unreachable!("a change has an object before or after")
        };
        Object {
            revision: self.revision,
            ..last
        }
    }
}
