//! Who a bearer token proves its holder to be.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use coracle_api::time;
use coracle_service::{Peer, identity::AUTHENTICATED};
use jiff::Timestamp;
use parking_lot::Mutex;
use ring::{digest, hmac};
use serde::Deserialize;

use super::{Claims, ISSUER, SERVICE_ACCOUNT, Signer, claims::Reference};
use crate::Lookup;

/// Tokens whose signatures are remembered; beyond that, all are forgotten and proven anew.
const MAX_PROVEN: usize = 4_096;
/// Longer ones are no tokens.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// What the name of a bootstrap token's Secret starts with.
const BOOTSTRAP: &str = "bootstrap-token-";
const BOOTSTRAP_TYPE: &str = "bootstrap.kubernetes.io/token";
const BOOTSTRAPPERS: &str = "system:bootstrappers";

/// A token's holder, and for whom the token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who it is.
    pub user: Peer,
    /// Those of the wanted audiences that the token is for.
    pub audiences: Vec<String>,
}

/// See the module. Proofs of signatures are remembered; whether what a token is bound to still exists is looked up
/// each time.
pub struct Authenticator {
    signer: Arc<Signer>,
    proven: Mutex<BTreeMap<[u8; 32], Arc<Claims>>>,
}

impl Authenticator {
    /// Believes what `signer` signed.
    #[must_use]
    pub fn new(signer: Arc<Signer>) -> Self {
        let proven = Mutex::default();
        Self { signer, proven }
    }

    /// Whose token it is, where it is good now and for one of the `audiences` (none: the API's own).
    #[must_use]
    pub fn authenticate(
        &self,
        lookup: &dyn Lookup,
        token: &str,
        audiences: &[String],
        now: Timestamp,
    ) -> Option<Authenticated> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let own = [ISSUER.to_owned()];
        let audiences = if audiences.is_empty() { &own } else { audiences };
        if let Some(user) = bootstrap_user(lookup, token, now) {
            let audiences: Vec<String> = audiences
                .iter()
                .filter(|audience| *audience == ISSUER)
                .cloned()
                .collect();
            return (!audiences.is_empty()).then_some(Authenticated { user, audiences });
        }
        let claims = self.proven(token)?;
        let audiences: Vec<String> = audiences
            .iter()
            .filter(|audience| claims.aud.contains(audience))
            .cloned()
            .collect();
        let is_due = claims.iss == ISSUER
            && !audiences.is_empty()
            && claims.nbf <= now.as_second()
            && (now.as_second() < claims.exp || (claims.exp == 0 && claims.kubernetes.secret.is_some()));
        if !is_due {
            return None;
        }
        let user = holder(lookup, &claims)?;
        Some(Authenticated { user, audiences })
    }

    fn proven(&self, token: &str) -> Option<Arc<Claims>> {
        let hash: [u8; 32] = digest::digest(&digest::SHA256, token.as_bytes())
            .as_ref()
            .try_into()
            .ok()?;
        if let Some(claims) = self.proven.lock().get(&hash) {
            return Some(Arc::clone(claims));
        }
        let claims = Arc::new(self.signer.prove(token)?);
        let mut proven = self.proven.lock();
        if proven.len() >= MAX_PROVEN {
            proven.clear();
        }
        proven.insert(hash, Arc::clone(&claims));
        Some(claims)
    }
}

/// The service account, where it and what the token is bound to still exist.
fn holder(lookup: &dyn Lookup, claims: &Claims) -> Option<Peer> {
    let bound = &claims.kubernetes;
    let (namespace, account) = (&bound.namespace, &bound.serviceaccount);
    if claims.sub != format!("{SERVICE_ACCOUNT}{namespace}:{}", account.name) {
        return None;
    }
    let is_there = |resource: &str, namespace: &str, wanted: &Reference| {
        lookup
            .get("", resource, namespace, &wanted.name)
            .is_some_and(|found| found.uid == wanted.uid)
    };
    let still = |resource: &str, namespace: &str, wanted: &Option<Reference>| {
        wanted
            .as_ref()
            .is_none_or(|wanted| is_there(resource, namespace, wanted))
    };
    // A pod's node is told, and is no condition: a node that goes takes its pods along.
    let node_counts = bound.pod.is_none();
    let is_good = is_there("serviceaccounts", namespace, account)
        && still("pods", namespace, &bound.pod)
        && still("secrets", namespace, &bound.secret)
        && (!node_counts || still("nodes", "", &bound.node));
    is_good.then(|| user(claims))
}

fn user(claims: &Claims) -> Peer {
    let bound = &claims.kubernetes;
    let mut extra = BTreeMap::new();
    let mut add = |key: &str, value: String| {
        extra.insert(format!("authentication.kubernetes.io/{key}"), vec![value]);
    };
    if !claims.jti.is_empty() {
        add("credential-id", format!("JTI={}", claims.jti));
    }
    if let Some(pod) = &bound.pod {
        add("pod-name", pod.name.clone());
        add("pod-uid", pod.uid.clone());
    }
    if let Some(node) = &bound.node {
        add("node-name", node.name.clone());
        add("node-uid", node.uid.clone());
    }
    let namespace = &bound.namespace;
    Peer {
        user: claims.sub.clone(),
        uid: bound.serviceaccount.uid.clone(),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            AUTHENTICATED.to_owned(),
        ],
        extra,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Secret {
    r#type: String,
    data: BTreeMap<String, String>,
}

impl Secret {
    fn text(&self, key: &str) -> String {
        let decoded = self.data.get(key).and_then(|value| STANDARD.decode(value).ok());
        String::from_utf8(decoded.unwrap_or_default()).unwrap_or_default()
    }
}

/// The user of a bootstrap token that a Secret in `kube-system` holds.
fn bootstrap_user(lookup: &dyn Lookup, token: &str, now: Timestamp) -> Option<Peer> {
    let (id, secret) = token.split_once('.')?;
    let is_formed = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if !is_formed(id, 6) || !is_formed(secret, 16) {
        return None;
    }
    let found = lookup.get("", "secrets", "kube-system", &format!("{BOOTSTRAP}{id}"))?;
    let kept: Secret = serde_json::from_slice(&found.json).ok()?;
    let is_due = match kept.text("expiration").as_str() {
        "" => true,
        text => time::parse(text).is_some_and(|end| now < end),
    };
    // Compared through a keyed digest, so that the time taken tells nothing of where they differ.
    let key = hmac::Key::new(hmac::HMAC_SHA256, kept.text("token-secret").as_bytes());
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        id.as_bytes(),
    );
    let is_same = hmac::verify(&key, id.as_bytes(), tag.as_ref()).is_ok();
    let is_good = kept.r#type == BOOTSTRAP_TYPE
        && kept.text("token-id") == id
        && kept.text("usage-bootstrap-authentication") == "true"
        && !found.is_deleting
        && is_due
        && is_same;
    let groups = kept.text("auth-extra-groups");
    let extra = groups
        .split(',')
        .map(str::trim)
        .filter(|group| group.starts_with(&format!("{BOOTSTRAPPERS}:")));
    is_good.then(|| {
        let mut groups = vec![BOOTSTRAPPERS];
        groups.extend(extra);
        groups.push(AUTHENTICATED);
        Peer::new(format!("system:bootstrap:{id}"), &groups)
    })
}
