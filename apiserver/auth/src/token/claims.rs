//! What a service account's token says, in upstream's names.

use serde::{Deserialize, Serialize};

/// The claims.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// For whom it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aud: Vec<String>,
    /// Until when, in seconds since 1970; zero for ever (only tokens kept in Secrets).
    #[serde(skip_serializing_if = "is_zero")]
    pub exp: i64,
    /// Since when.
    #[serde(skip_serializing_if = "is_zero")]
    pub iat: i64,
    /// Who says so.
    pub iss: String,
    /// Its own identity.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub jti: String,
    /// What it is bound to.
    #[serde(rename = "kubernetes.io")]
    pub kubernetes: Bound,
    /// Not before.
    #[serde(skip_serializing_if = "is_zero")]
    pub nbf: i64,
    /// The user.
    pub sub: String,
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// What a token is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bound {
    /// The service account's namespace.
    pub namespace: String,
    /// The node that the pod runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Reference>,
    /// The pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Reference>,
    /// The Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Reference>,
    /// The service account.
    pub serviceaccount: Reference,
}

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reference {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}
