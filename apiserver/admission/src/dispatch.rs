//! Asks webhooks and policies: mutating webhooks one after another, validating ones all at once.
//!
//! Source: the dispatchers of the Kubernetes apiserver library, whose order and messages clients know.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_api::ApiError;
use coracle_service::Env;
use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use k8s_openapi::api::admissionregistration::v1::WebhookClientConfig;
use serde_json::Value;

use crate::{
    Attributes, Backends, Lookup, Objects, Snapshot,
    cel::Bindings,
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
    /// The `request` of reviews and expressions.
    request: Value,
    lookup: &'a dyn Lookup,
}

impl Dispatcher {
    /// Reaches webhooks by URL through `env`, those of Services through `backends`.
    #[must_use]
    pub fn new(env: &Env, backends: Arc<dyn Backends>) -> Self {
        Self {
            client: Client::new(env, backends),
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
        let case = Case::new(snapshot, attributes, lookup);
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
                let Some(response) = self.ask(&case, webhook, &objects).await? else {
                    continue;
                };
                if let Some(asked) = asked.get_mut(place) {
                    *asked = true;
                }
                match response.apply(objects.object.as_ref()) {
                    Ok(Some(object)) => {
                        objects.object = Some(object);
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
        let case = Case::new(snapshot, attributes, lookup);
        let mut verdict = self.judge(&case, objects).await?;
        let mut asking: Vec<BoxFuture<'_, _>> = Vec::with_capacity(snapshot.validating.len());
        for webhook in &snapshot.validating {
            asking.push(self.ask(&case, webhook, objects).boxed());
        }
        let answers = join_all(asking).await;
        for (webhook, answer) in snapshot.validating.iter().zip(answers) {
            if let Some(response) = answer? {
                absorb(&mut verdict.warnings, &mut verdict.annotations, webhook, response);
            }
        }
        Ok(verdict)
    }

    /// Evaluates the policies that match.
    async fn judge(&self, case: &Case<'_>, objects: &Objects) -> Result<Verdict, ApiError> {
        let cases = policy::gather(&case.snapshot.policies, case.attributes, objects, case.lookup);
        if cases.is_empty() {
            return Ok(Verdict::default());
        }
        let (snapshot, request) = (Arc::clone(case.snapshot), case.request.clone());
        let (attributes, objects) = (case.attributes.clone(), objects.clone());
        let namespace = crate::matching::namespace_of(&attributes, &objects, case.lookup);
        let evaluate = move || {
            let input = policy::Input::new(&objects, namespace.as_ref(), request);
            policy::evaluate(&snapshot.policies, &cases, &attributes, &input)
        };
        match self.evaluate(evaluate).await {
            Ok(outcome) => outcome,
            // Which policy it was is not known, so the strictest reading holds.
            Err(why) => Err(case
                .attributes
                .forbidden(format!("evaluate admission policies: {why}"))),
        }
    }

    /// Asks one webhook; `None` where it does not want to be asked, or failed and may.
    async fn ask(
        &self,
        case: &Case<'_>,
        webhook: &Webhook,
        objects: &Objects,
    ) -> Result<Option<Response>, ApiError> {
        let Case {
            attributes, lookup, ..
        } = case;
        let Attributes {
            operation,
            resource,
            subresource,
            ..
        } = attributes;
        if Snapshot::is_exempt(resource) || !webhook.may_match(*operation, resource, subresource) {
            return Ok(None);
        }
        match &webhook.selectors {
            Ok(selectors) if !selectors.match_write(attributes, objects, *lookup) => return Ok(None),
            Ok(_) => {}
            Err(why) => return tolerate(webhook, why).map(|()| None),
        }
        match self.conditions_hold(case, webhook, objects).await {
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
        match self.call(webhook, &case.request, &uid, objects).await {
            Ok(response) if response.allowed => Ok(Some(response)),
            Ok(response) => Err(response.denial(&webhook.name)),
            Err(why) => tolerate(webhook, &format!("failed to call webhook: {why}")).map(|()| None),
        }
    }

    async fn call(
        &self,
        webhook: &Webhook,
        request: &Value,
        uid: &str,
        objects: &Objects,
    ) -> Result<Response, String> {
        let endpoint = webhook.endpoint.as_ref().map_err(Clone::clone)?;
        let body = review::body(request, uid, objects);
        let answer = self.client.post(endpoint, webhook.timeout, body).await?;
        review::read(&answer, uid)
    }

    async fn conditions_hold(
        &self,
        case: &Case<'_>,
        webhook: &Webhook,
        objects: &Objects,
    ) -> Result<bool, String> {
        if webhook.conditions.is_empty() {
            return Ok(true);
        }
        let conditions = Arc::clone(&webhook.conditions);
        let (request, objects) = (case.request.clone(), objects.clone());
        self.evaluate(move || {
            let input = policy::Input::new(&objects, None, request);
            conditions.hold(&Bindings::new(input.values()))
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

impl<'a> Case<'a> {
    fn new(snapshot: &'a Arc<Snapshot>, attributes: &'a Attributes, lookup: &'a dyn Lookup) -> Self {
        Self {
            snapshot,
            attributes,
            request: attributes.request(),
            lookup,
        }
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
