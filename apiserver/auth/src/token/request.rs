//! TokenRequests: what a service account's token may be asked for, and the token.

use coracle_api::{ApiError, FieldError, Path, time};
use coracle_service::Random;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Claims, ISSUER, SERVICE_ACCOUNT, Signer,
    claims::{Bound, Reference},
};
use crate::{Found, Lookup};

/// For how long tokens are good where the request does not say, and at least and at most; in seconds.
const DEFAULT_SECONDS: i64 = 3_600;
const MIN_SECONDS: i64 = 600;
const MAX_SECONDS: i64 = 1 << 32;

/// Answers a TokenRequest (as JSON) for a service account.
///
/// # Errors
/// [`ApiError`] as upstream answers: unknown account or bound object, another UID, a duration out of bounds.
pub fn answer(
    lookup: &dyn Lookup,
    signer: &Signer,
    random: &Random,
    (namespace, name): (&str, &str),
    mut request: Value,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let account = lookup
        .get("", "serviceaccounts", namespace, name)
        .ok_or_else(|| not_found("serviceaccounts", name))?;
    let spec = &request["spec"];
    let seconds = spec["expirationSeconds"].as_i64().unwrap_or(DEFAULT_SECONDS);
    check_duration(seconds)?;
    let mut audiences: Vec<String> = spec["audiences"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|audience| audience.as_str().map(str::to_owned))
        .collect();
    if audiences.is_empty() {
        audiences.push(ISSUER.to_owned());
    }
    let mut bound = Bound {
        namespace: namespace.to_owned(),
        serviceaccount: Reference {
            name: name.to_owned(),
            uid: account.uid,
        },
        ..Bound::default()
    };
    bind(lookup, &mut bound, &spec["boundObjectRef"])?;
    let end = now
        .checked_add(SignedDuration::from_secs(seconds))
        .map_err(ApiError::internal)?;
    let claims = Claims {
        aud: audiences.clone(),
        exp: end.as_second(),
        iat: now.as_second(),
        iss: ISSUER.to_owned(),
        jti: random.uuid(),
        kubernetes: bound,
        nbf: now.as_second(),
        sub: format!("{SERVICE_ACCOUNT}{namespace}:{name}"),
    };
    let token = signer.sign(&claims).map_err(ApiError::internal)?;
    request["metadata"] =
        json!({"name": name, "namespace": namespace, "creationTimestamp": time::format(now)});
    request["spec"]["audiences"] = json!(audiences);
    request["spec"]["expirationSeconds"] = json!(seconds);
    request["status"] = json!({"token": token, "expirationTimestamp": time::format(end)});
    Ok(request)
}

fn check_duration(seconds: i64) -> Result<(), ApiError> {
    let path = Path::new("spec").child("expirationSeconds");
    let error = if seconds < MIN_SECONDS {
        FieldError::invalid(&path, seconds, "may not specify a duration less than 10 minutes")
    } else if seconds > MAX_SECONDS {
        FieldError::invalid(
            &path,
            seconds,
            "may not specify a duration larger than 2^32 seconds",
        )
    } else {
        return Ok(());
    };
    Err(ApiError::invalid_kind(
        "authentication.k8s.io",
        "TokenRequest",
        "",
        vec![error],
    ))
}

/// Binds the token to the object that the request names, if it names one.
fn bind(lookup: &dyn Lookup, bound: &mut Bound, asked: &Value) -> Result<(), ApiError> {
    if asked.is_null() {
        return Ok(());
    }
    let text = |field: &str| asked[field].as_str().unwrap_or_default();
    let name = text("name");
    let find = |resource: &str, namespace: &str| -> Result<(Found, Reference), ApiError> {
        let found = lookup
            .get("", resource, namespace, name)
            .ok_or_else(|| not_found(resource, name))?;
        let (wanted, uid) = (text("uid"), found.uid.clone());
        if !wanted.is_empty() && wanted != uid {
            let why = format!(
                "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have been deleted and then recreated"
            );
            let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
            return Err(ApiError::new(coracle_api::Reason::Conflict, message));
        }
        let name = name.to_owned();
        Ok((found, Reference { name, uid }))
    };
    match (text("apiVersion"), text("kind")) {
        ("v1", "Pod") => {
            let (found, pod) = find("pods", &bound.namespace)?;
            let object: Value = serde_json::from_slice(&found.json).map_err(ApiError::internal)?;
            let account = object["spec"]["serviceAccountName"].as_str().unwrap_or("default");
            if account != bound.serviceaccount.name {
                return Err(ApiError::bad_request(format!(
                    "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                    bound.serviceaccount.name
                )));
            }
            let node = object["spec"]["nodeName"].as_str().unwrap_or_default();
            bound.node = lookup.get("", "nodes", "", node).map(|found| Reference {
                name: node.to_owned(),
                uid: found.uid,
            });
            bound.pod = Some(pod);
        }
        ("v1", "Secret") => bound.secret = Some(find("secrets", &bound.namespace)?.1),
        ("v1", "Node") => bound.node = Some(find("nodes", "")?.1),
        (version, kind) => {
            return Err(ApiError::bad_request(format!(
                "cannot bind token to object of type {version}, Kind={kind}"
            )));
        }
    }
    Ok(())
}

fn not_found(resource: &str, name: &str) -> ApiError {
    let details = coracle_api::Details {
        name: name.to_owned(),
        kind: resource.to_owned(),
        ..coracle_api::Details::default()
    };
    ApiError::new(
        coracle_api::Reason::NotFound,
        format!("{resource} {name:?} not found"),
    )
    .with_details(details)
}
