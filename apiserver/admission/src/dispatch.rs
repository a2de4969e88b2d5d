//! Asks webhooks and policies: mutating webhooks one after another, validating ones all at once.
//!
//! Source: the dispatchers of the Kubernetes apiserver library, whose order and messages clients know.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_api::{ApiError, Resource};
use coracle_service::Env;
use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use k8s_openapi::api::admissionregistration::v1::WebhookClientConfig;

use crate::{
    Access, Attributes, Backends, Lookup, Objects, Snapshot,
    cel::{Bindings, CONDITIONS_BUDGET},
    client::Client,
    policy,
    review::{self, Response},
    webhook::{FailurePolicy, Webhook, endpoint},
};

/// How long the expressions of one write may take.
const EVALUATION_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks webhooks and policies. See the module.
pub struct Dispatcher {
    client: Client,
    access: Arc<dyn Access>,
    env: Env,
}

/// What mutating webhooks made of an object.
#[derive(Clone, Debug, Default)]
pub struct Mutated {
    /// The object; `None` for a delete.
    pub object: Option<Bytes>,
    /// For the caller, in the order in which they were given.
    pub warnings: Vec<String>,
    /// For the audit log.
    pub annotations: BTreeMap<String, String>,
}

/// What those who let a write pass have to say about it.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// For the caller.
    pub warnings: Vec<String>,
    /// For the audit log.
    pub annotations: BTreeMap<String, String>,
}

/// One write, as all who are asked about it see it.
struct Case<'a> {
    snapshot: &'a Arc<Snapshot>,
    attributes: &'a Attributes,
    lookup: &'a dyn Lookup,
}

/// The objects of a write in one of the versions that are asked for.
type Shown = Vec<(&'static Resource, Objects)>;

impl Dispatcher {
    /// Reaches webhooks by URL through `env`, those of Services through `backends`. Expressions ask `access` who may do
    /// what.
    #[must_use]
    pub fn new(env: &Env, backends: Arc<dyn Backends>, access: Arc<dyn Access>) -> Self {
        Self {
            client: Client::new(env, backends),
            access,
            env: env.clone(),
        }
    }

    /// Posts `body` to a webhook that is no admission webhook, such as one that converts custom resources.
    ///
    /// # Errors
    /// What went wrong, to be shown to the client.
    pub async fn post(
        &self,
        webhook: WebhookClientConfig,
        timeout: Duration,
        body: Bytes,
    ) -> Result<Bytes, String> {
        self.client.post(&endpoint(webhook)?, timeout, body).await
    }

    /// Has the mutating webhooks change the object, in the order of their configurations' names.
    ///
    /// # Errors
    /// [`ApiError`] where one denies the write, or fails and must not.
    pub async fn mutate(
        &self,
        snapshot: &Arc<Snapshot>,
        attributes: &Attributes,
        mut objects: Objects,
        lookup: &dyn Lookup,
    ) -> Result<Mutated, ApiError> {
        let case = Case {
            snapshot,
            attributes,
            lookup,
        };
        let mut mutated = Mutated::default();
        let mut asked = vec![false; snapshot.mutating.len()];
        // Where the last change came from: who was asked before it may want to be asked again.
        let mut changed_at = None;
        for is_again in [false, true] {
            for (place, webhook) in snapshot.mutating.iter().enumerate() {
                let is_due = asked.get(place).copied().unwrap_or_default()
                    && webhook.is_reinvoked
                    && changed_at.is_some_and(|changed| changed > place);
                if is_again && !is_due {
                    continue;
                }
                let Some(version) = case.version(webhook) else {
                    continue;
                };
                let shown = case.shown(&objects, version).await?;
                let Some(response) = self.ask(&case, webhook, version, &shown).await? else {
                    continue;
                };
                if let Some(asked) = asked.get_mut(place) {
                    *asked = true;
                }
                match response.apply(shown.object.as_ref()) {
                    Ok(Some(object)) => {
                        objects.object = Some(case.stored(object).await?);
                        // In the second round a change concerns all who follow.
                        changed_at = Some(if is_again { usize::MAX } else { place });
                    }
                    Ok(None) => {}
                    Err(why) => tolerate(webhook, &why)?,
                }
                absorb(&mut mutated.warnings, &mut mutated.annotations, webhook, response);
            }
        }
        mutated.object = objects.object;
        Ok(mutated)
    }

    /// Has policies, then all validating webhooks at once, judge the object as it would be stored.
    ///
    /// # Errors
    /// [`ApiError`] of the first that denies the write, or fails and must not.
    pub async fn validate(
        &self,
        snapshot: &Arc<Snapshot>,
        attributes: &Attributes,
        objects: &Objects,
        lookup: &dyn Lookup,
    ) -> Result<Verdict, ApiError> {
        let case = Case {
            snapshot,
            attributes,
            lookup,
        };
        let mut shown = Shown::new();
        let mut verdict = self.judge(&case, objects, &mut shown).await?;
        let mut due = Vec::with_capacity(snapshot.validating.len());
        for webhook in &snapshot.validating {
            if let Some(version) = case.version(webhook) {
                due.push((webhook, version));
                case.show(objects, version, &mut shown).await?;
            }
        }
        let mut asking: Vec<BoxFuture<'_, _>> = Vec::with_capacity(due.len());
        for (webhook, version) in &due {
            if let Some((_, objects)) = shown.iter().find(|(own, _)| own == version) {
                asking.push(self.ask(&case, webhook, version, objects).boxed());
            }
        }
        let answers = join_all(asking).await;
        for ((webhook, _), answer) in due.into_iter().zip(answers) {
            if let Some(response) = answer? {
                absorb(&mut verdict.warnings, &mut verdict.annotations, webhook, response);
            }
        }
        Ok(verdict)
    }

    /// Evaluates the policies that match.
    async fn judge(
        &self,
        case: &Case<'_>,
        objects: &Objects,
        shown: &mut Shown,
    ) -> Result<Verdict, ApiError> {
        let cases = policy::gather(&case.snapshot.policies, case.attributes, objects, case.lookup);
        if cases.is_empty() {
            return Ok(Verdict::default());
        }
        for matched in &cases {
            case.show(objects, matched.version, shown).await?;
        }
        let (snapshot, access) = (Arc::clone(case.snapshot), Arc::clone(&self.access));
        let (attributes, shown) = (case.attributes.clone(), shown.clone());
        let namespace = crate::matching::namespace_of(&attributes, objects, case.lookup);
        let evaluate = move || {
            let input = |(version, objects): &(&'static Resource, Objects)| {
                policy::Input::new(&attributes, version, objects, namespace.as_ref(), &access)
            };
            let inputs: Vec<policy::Input> = shown.iter().map(input).collect();
            policy::evaluate(&snapshot.policies, &cases, &attributes, &inputs)
        };
        match self.evaluate(evaluate).await {
            Ok(outcome) => outcome,
            // Which policy it was is not known, so the strictest reading holds.
            Err(why) => Err(case
                .attributes
                .forbidden(format!("evaluate admission policies: {why}"))),
        }
    }

    /// Asks one webhook about objects of the version that it wants to see; `None` where it does not want to be asked,
    /// or failed and may.
    async fn ask(
        &self,
        case: &Case<'_>,
        webhook: &Webhook,
        version: &'static Resource,
        objects: &Objects,
    ) -> Result<Option<Response>, ApiError> {
        let Case {
            attributes, lookup, ..
        } = case;
        match &webhook.selectors {
            Ok(selectors) if !selectors.match_write(attributes, objects, *lookup) => return Ok(None),
            Ok(_) => {}
            Err(why) => return tolerate(webhook, why).map(|()| None),
        }
        match self.conditions_hold(case, webhook, version, objects).await {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(why) if webhook.failure == FailurePolicy::Ignore => {
                tracing::warn!(webhook = webhook.name, why, "evaluate match conditions");
                return Ok(None);
            }
            Err(why) => return Err(attributes.forbidden(why)),
        }
        if attributes.dry_run && !webhook.allows_dry_run {
            let why = format!("admission webhook {:?} does not support dry run", webhook.name);
            return Err(ApiError::bad_request(why));
        }
        let uid = self.env.random.uuid();
        let body = review::body(&attributes.request(version), &uid, objects);
        match self.call(webhook, &uid, body).await {
            Ok(response) if response.allowed => Ok(Some(response)),
            Ok(response) => Err(response.denial(&webhook.name)),
            Err(why) => tolerate(webhook, &format!("failed to call webhook: {why}")).map(|()| None),
        }
    }

    async fn call(&self, webhook: &Webhook, uid: &str, body: Bytes) -> Result<Response, String> {
        let endpoint = webhook.endpoint.as_ref().map_err(Clone::clone)?;
        let answer = self.client.post(endpoint, webhook.timeout, body).await?;
        review::read(&answer, uid)
    }

    async fn conditions_hold(
        &self,
        case: &Case<'_>,
        webhook: &Webhook,
        version: &'static Resource,
        objects: &Objects,
    ) -> Result<bool, String> {
        if webhook.conditions.is_empty() {
            return Ok(true);
        }
        let conditions = Arc::clone(&webhook.conditions);
        let (attributes, objects) = (case.attributes.clone(), objects.clone());
        let access = Arc::clone(&self.access);
        self.evaluate(move || {
            let input = policy::Input::new(&attributes, version, &objects, None, &access);
            conditions.hold(&Bindings::new(input.values(), &input.caller, CONDITIONS_BUDGET))
        })
        .await?
    }

    /// Runs expressions where they hold up nobody else, for a limited time.
    async fn evaluate<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let work = self.env.spawn.blocking(work);
        match self.env.transport_clock.timeout(EVALUATION_TIMEOUT, work).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err(format!("operation took longer than {EVALUATION_TIMEOUT:?}")),
        }
    }
}

impl Case<'_> {
    /// The version in which a webhook wants to see the write, where it does.
    fn version(&self, webhook: &Webhook) -> Option<&'static Resource> {
        let Attributes {
            operation,
            resource,
            subresource,
            ..
        } = self.attributes;
        if Snapshot::is_exempt(resource) {
            return None;
        }
        webhook.may_match(*operation, resource, subresource, self.lookup)
    }

    /// The objects, which are of the stored version, in another one.
    async fn shown(&self, objects: &Objects, version: &'static Resource) -> Result<Objects, ApiError> {
        Ok(Objects {
            object: self.converted(objects.object.as_ref(), version).await?,
            old: self.converted(objects.old.as_ref(), version).await?,
        })
    }

    async fn converted(
        &self,
        json: Option<&Bytes>,
        version: &'static Resource,
    ) -> Result<Option<Bytes>, ApiError> {
        match json {
            Some(json) if !self.attributes.is_part() => self.lookup.convert(json, version).await.map(Some),
            other => Ok(other.cloned()),
        }
    }

    /// Adds the objects in a version, unless they are there already.
    async fn show(
        &self,
        objects: &Objects,
        version: &'static Resource,
        shown: &mut Shown,
    ) -> Result<(), ApiError> {
        if !shown.iter().any(|(own, _)| *own == version) {
            shown.push((version, self.shown(objects, version).await?));
        }
        Ok(())
    }

    /// What a webhook made of the object, in the stored version.
    async fn stored(&self, object: Bytes) -> Result<Bytes, ApiError> {
        if self.attributes.is_part() {
            return Ok(object);
        }
        self.lookup.convert(&object, self.attributes.stored).await
    }
}

/// What a webhook's failure means for the write.
fn tolerate(webhook: &Webhook, why: &str) -> Result<(), ApiError> {
    if webhook.failure == FailurePolicy::Ignore {
        tracing::warn!(webhook = webhook.name, why, "webhook failed and is passed over");
        return Ok(());
    }
    Err(ApiError::internal(format!(
        "failed calling webhook {:?}: {why}",
        webhook.name
    )))
}

fn absorb(
    warnings: &mut Vec<String>,
    annotations: &mut BTreeMap<String, String>,
    webhook: &Webhook,
    response: Response,
) {
    warnings.extend(response.warnings);
    let named = |(key, value)| (format!("{}/{key}", webhook.name), value);
    annotations.extend(response.audit_annotations.into_iter().map(named));
}
