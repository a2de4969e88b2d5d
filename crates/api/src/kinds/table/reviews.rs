//! Rows of `authentication.k8s.io` and `authorization.k8s.io`: questions, answered when they are created and never kept.

use k8s_openapi::api::{
    authentication::v1::{SelfSubjectReview, TokenReview},
    authorization::v1::{
        LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
    },
};

use super::{CLUSTER_FIELDS, META_FIELDS, Place, Resource};
use crate::object::BuiltIn;

const CREATE: &[&str] = &["create"];

/// TokenReview: whose token is this?
pub static TOKEN_REVIEW: &Resource = &Resource {
    place: Place::TOKEN_REVIEW as usize,
    group: "authentication.k8s.io",
    version: "v1",
    kind: "TokenReview",
    plural: "tokenreviews",
    singular: "tokenreview",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: CREATE,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/authentication.k8s.io/tokenreviews/",
    api_version: "authentication.k8s.io/v1",
    stored_as: None,
    decode: <TokenReview as BuiltIn>::decode,
};

/// SelfSubjectReview: who am I?
pub static SELF_SUBJECT_REVIEW: &Resource = &Resource {
    place: Place::SELF_SUBJECT_REVIEW as usize,
    group: "authentication.k8s.io",
    version: "v1",
    kind: "SelfSubjectReview",
    plural: "selfsubjectreviews",
    singular: "selfsubjectreview",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: CREATE,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/authentication.k8s.io/selfsubjectreviews/",
    api_version: "authentication.k8s.io/v1",
    stored_as: None,
    decode: <SelfSubjectReview as BuiltIn>::decode,
};

/// SubjectAccessReview: may somebody do this?
pub static SUBJECT_ACCESS_REVIEW: &Resource = &Resource {
    place: Place::SUBJECT_ACCESS_REVIEW as usize,
    group: "authorization.k8s.io",
    version: "v1",
    kind: "SubjectAccessReview",
    plural: "subjectaccessreviews",
    singular: "subjectaccessreview",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: CREATE,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/authorization.k8s.io/subjectaccessreviews/",
    api_version: "authorization.k8s.io/v1",
    stored_as: None,
    decode: <SubjectAccessReview as BuiltIn>::decode,
};

/// SelfSubjectAccessReview: may I do this?
pub static SELF_SUBJECT_ACCESS_REVIEW: &Resource = &Resource {
    place: Place::SELF_SUBJECT_ACCESS_REVIEW as usize,
    group: "authorization.k8s.io",
    version: "v1",
    kind: "SelfSubjectAccessReview",
    plural: "selfsubjectaccessreviews",
    singular: "selfsubjectaccessreview",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: CREATE,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/authorization.k8s.io/selfsubjectaccessreviews/",
    api_version: "authorization.k8s.io/v1",
    stored_as: None,
    decode: <SelfSubjectAccessReview as BuiltIn>::decode,
};

/// LocalSubjectAccessReview: may somebody do this in this namespace?
pub static LOCAL_SUBJECT_ACCESS_REVIEW: &Resource = &Resource {
    place: Place::LOCAL_SUBJECT_ACCESS_REVIEW as usize,
    group: "authorization.k8s.io",
    version: "v1",
    kind: "LocalSubjectAccessReview",
    plural: "localsubjectaccessreviews",
    singular: "localsubjectaccessreview",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: CREATE,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/authorization.k8s.io/localsubjectaccessreviews/",
    api_version: "authorization.k8s.io/v1",
    stored_as: None,
    decode: <LocalSubjectAccessReview as BuiltIn>::decode,
};

/// SelfSubjectRulesReview: what may I do in a namespace?
pub static SELF_SUBJECT_RULES_REVIEW: &Resource = &Resource {
    place: Place::SELF_SUBJECT_RULES_REVIEW as usize,
    group: "authorization.k8s.io",
    version: "v1",
    kind: "SelfSubjectRulesReview",
    plural: "selfsubjectrulesreviews",
    singular: "selfsubjectrulesreview",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: CREATE,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/authorization.k8s.io/selfsubjectrulesreviews/",
    api_version: "authorization.k8s.io/v1",
    stored_as: None,
    decode: <SelfSubjectRulesReview as BuiltIn>::decode,
};
