//! Which lists are merged, by which key: the facts of Kubernetes' Go types that strategic merge rests on.
//!
//! Source: the `patchStrategy` and `patchMergeKey` tags of `k8s.io/api`. A list that is not named here is replaced
//! whole; an object that is not named is merged field by field.

use crate::kinds::Resource;

/// The named fields of one type.
pub(super) struct Schema {
    fields: &'static [(&'static str, Rule)],
}

/// How one field is merged.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// An object.
    Object(&'static Schema),
    /// An object of which only the fields in `$retainKeys` stay: a union, where setting one unsets the other.
    Union(&'static Schema),
    /// A list of objects that are told apart by the value of `key`.
    List {
        key: &'static str,
        item: &'static Schema,
        union: bool,
    },
    /// A list of scalars, merged as a set.
    Set,
    /// Anything else: lists are replaced, objects merged field by field.
    Plain,
}

impl Schema {
    pub(super) fn rule(&self, field: &str) -> Rule {
        self.fields
            .iter()
            .find(|(name, _)| *name == field)
            .map_or(Rule::Plain, |(_, rule)| *rule)
    }
}

const fn list(key: &'static str, item: &'static Schema) -> Rule {
    Rule::List {
        key,
        item,
        union: false,
    }
}

pub(super) static ANY: Schema = Schema { fields: &[] };

static METADATA: Schema = Schema {
    fields: &[("finalizers", Rule::Set), ("ownerReferences", list("uid", &ANY))],
};

static CONTAINER: Schema = Schema {
    fields: &[
        ("env", list("name", &ANY)),
        ("ports", list("containerPort", &ANY)),
        ("volumeDevices", list("devicePath", &ANY)),
        ("volumeMounts", list("mountPath", &ANY)),
    ],
};

static POD_SPEC: Schema = Schema {
    fields: &[
        ("containers", list("name", &CONTAINER)),
        ("ephemeralContainers", list("name", &CONTAINER)),
        ("hostAliases", list("ip", &ANY)),
        ("imagePullSecrets", list("name", &ANY)),
        ("initContainers", list("name", &CONTAINER)),
        (
            "resourceClaims",
            Rule::List {
                key: "name",
                item: &ANY,
                union: true,
            },
        ),
        ("schedulingGates", list("name", &ANY)),
        ("topologySpreadConstraints", list("topologyKey", &ANY)),
        (
            "volumes",
            Rule::List {
                key: "name",
                item: &ANY,
                union: true,
            },
        ),
    ],
};

static POD_TEMPLATE: Schema = Schema {
    fields: &[
        ("metadata", Rule::Object(&METADATA)),
        ("spec", Rule::Object(&POD_SPEC)),
    ],
};

static CONDITIONS: Schema = Schema {
    fields: &[("conditions", list("type", &ANY))],
};

static POD_STATUS: Schema = Schema {
    fields: &[
        ("conditions", list("type", &ANY)),
        ("hostIPs", list("ip", &ANY)),
        ("podIPs", list("ip", &ANY)),
        (
            "resourceClaimStatuses",
            Rule::List {
                key: "name",
                item: &ANY,
                union: true,
            },
        ),
    ],
};

static POD: Schema = Schema {
    fields: &[
        ("metadata", Rule::Object(&METADATA)),
        ("spec", Rule::Object(&POD_SPEC)),
        ("status", Rule::Object(&POD_STATUS)),
    ],
};

static REPLICA_SET_SPEC: Schema = Schema {
    fields: &[("template", Rule::Object(&POD_TEMPLATE))],
};

static REPLICA_SET: Schema = Schema {
    fields: &[
        ("metadata", Rule::Object(&METADATA)),
        ("spec", Rule::Object(&REPLICA_SET_SPEC)),
        ("status", Rule::Object(&CONDITIONS)),
    ],
};

static DEPLOYMENT_SPEC: Schema = Schema {
    fields: &[
        ("strategy", Rule::Union(&ANY)),
        ("template", Rule::Object(&POD_TEMPLATE)),
    ],
};

static DEPLOYMENT: Schema = Schema {
    fields: &[
        ("metadata", Rule::Object(&METADATA)),
        ("spec", Rule::Object(&DEPLOYMENT_SPEC)),
        ("status", Rule::Object(&CONDITIONS)),
    ],
};

static NODE_SPEC: Schema = Schema {
    fields: &[("podCIDRs", Rule::Set)],
};

static NODE_STATUS: Schema = Schema {
    fields: &[
        ("addresses", list("type", &ANY)),
        ("conditions", list("type", &ANY)),
    ],
};

static NODE: Schema = Schema {
    fields: &[
        ("metadata", Rule::Object(&METADATA)),
        ("spec", Rule::Object(&NODE_SPEC)),
        ("status", Rule::Object(&NODE_STATUS)),
    ],
};

static SERVICE_SPEC: Schema = Schema {
    fields: &[("ports", list("port", &ANY))],
};

static SERVICE: Schema = Schema {
    fields: &[
        ("metadata", Rule::Object(&METADATA)),
        ("spec", Rule::Object(&SERVICE_SPEC)),
        ("status", Rule::Object(&CONDITIONS)),
    ],
};

static SERVICE_ACCOUNT: Schema = Schema {
    fields: &[
        ("metadata", Rule::Object(&METADATA)),
        ("secrets", list("name", &ANY)),
    ],
};

static WITH_CONDITIONS: Schema = Schema {
    fields: &[
        ("metadata", Rule::Object(&METADATA)),
        ("status", Rule::Object(&CONDITIONS)),
    ],
};

/// The schema of a kind.
pub(super) fn of(resource: &Resource) -> &'static Schema {
    match (resource.group, resource.kind) {
        ("", "Pod") => &POD,
        ("", "Node") => &NODE,
        ("", "Service") => &SERVICE,
        ("", "ServiceAccount") => &SERVICE_ACCOUNT,
        ("apps", "Deployment") => &DEPLOYMENT,
        ("apps", "ReplicaSet") => &REPLICA_SET,
        _ => &WITH_CONDITIONS,
    }
}
