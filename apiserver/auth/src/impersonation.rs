//! Acting as somebody else: which rights it takes, and who the caller then is.
//!
//! Source: "User impersonation" in the Kubernetes documentation.

use std::collections::BTreeMap;

use coracle_api::ApiError;
use coracle_service::{
    Peer,
    identity::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED},
};

use crate::{Attributes, Authorizer, ResourceAttributes};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
/// The group of users and their like, as impersonation asks for them.
const AUTHENTICATION: &str = "authentication.k8s.io";

/// Whom a request wants to act as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impersonation {
    user: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

impl Impersonation {
    /// Reads the headers of a request, names in lower case; `None` where it wants nothing of the kind.
    ///
    /// # Errors
    /// Bad request where groups, a UID or extras come without a user.
    pub fn of<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Option<Self>, ApiError> {
        let mut wanted = Self::default();
        let mut is_asked = false;
        for (name, value) in headers {
            match name {
                USER => value.clone_into(&mut wanted.user),
                UID => value.clone_into(&mut wanted.uid),
                GROUP => wanted.groups.push(value.to_owned()),
                name => {
                    let Some(key) = name.strip_prefix(EXTRA) else {
                        continue;
                    };
                    let values = wanted.extra.entry(unescape(key)).or_default();
                    values.push(value.to_owned());
                }
            }
            is_asked = true;
        }
        if is_asked && wanted.user.is_empty() {
            return Err(ApiError::internal(format!(
                "requested {:?} without impersonating a user",
                wanted.groups
            )));
        }
        Ok(is_asked.then_some(wanted))
    }

    /// Who the caller is from now on.
    ///
    /// # Errors
    /// Forbidden, naming the first thing that the caller may not take on.
    pub fn take(self, caller: &Peer, authorizer: &Authorizer) -> Result<Peer, ApiError> {
        let account = self
            .user
            .strip_prefix(SERVICE_ACCOUNT)
            .and_then(|rest| rest.split_once(':'));
        let asked = match account {
            Some((namespace, name)) => ResourceAttributes {
                version: "v1",
                resource: "serviceaccounts",
                namespace,
                name,
                ..ResourceAttributes::default()
            },
            None => about("", "users", "", &self.user),
        };
        let require = |asked| authorizer.require(&Attributes::resource(caller, "impersonate", asked));
        require(asked)?;
        for group in &self.groups {
            require(about("", "groups", "", group))?;
        }
        if !self.uid.is_empty() {
            require(about(AUTHENTICATION, "uids", "", &self.uid))?;
        }
        for (key, value) in self
            .extra
            .iter()
            .flat_map(|(key, values)| values.iter().map(move |value| (key, value)))
        {
            require(about(AUTHENTICATION, "userextras", key, value))?;
        }
        let mut groups = self.groups;
        if let (Some((namespace, _)), true) = (account, groups.is_empty()) {
            groups.push("system:serviceaccounts".to_owned());
            groups.push(format!("system:serviceaccounts:{namespace}"));
        }
        let last = if self.user == ANONYMOUS {
            UNAUTHENTICATED
        } else {
            AUTHENTICATED
        };
        if !groups
            .iter()
            .any(|group| group == AUTHENTICATED || group == UNAUTHENTICATED)
        {
            groups.push(last.to_owned());
        }
        Ok(Peer {
            uid: self.uid,
            groups,
            extra: self.extra,
            user: self.user,
        })
    }
}

fn about<'a>(
    group: &'a str,
    resource: &'a str,
    subresource: &'a str,
    name: &'a str,
) -> ResourceAttributes<'a> {
    ResourceAttributes {
        group,
        version: "v1",
        resource,
        subresource,
        name,
        ..ResourceAttributes::default()
    }
}

/// Keys of extras are percent-encoded in header names.
fn unescape(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, decoded) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
