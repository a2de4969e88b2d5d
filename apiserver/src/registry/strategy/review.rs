//! Reviews: nothing but what every kind has, because no review is ever stored.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::{
    authentication::v1::{SelfSubjectReview, TokenReview},
    authorization::v1::{
        LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
    },
};

use super::Strategy;

macro_rules! reviews {
    ($($name:ident: $kind:ty = $row:expr;)*) => {$(
        pub(super) struct $name;

        impl Strategy for $name {
            type Kind = $kind;

            fn resource(&self) -> &'static Resource {
                $row
            }
        }
    )*};
}

reviews! {
    TokenReviewStrategy: TokenReview = kinds::TOKEN_REVIEW;
    SelfSubjectReviewStrategy: SelfSubjectReview = kinds::SELF_SUBJECT_REVIEW;
    SubjectAccessReviewStrategy: SubjectAccessReview = kinds::SUBJECT_ACCESS_REVIEW;
    SelfSubjectAccessReviewStrategy: SelfSubjectAccessReview = kinds::SELF_SUBJECT_ACCESS_REVIEW;
    LocalSubjectAccessReviewStrategy: LocalSubjectAccessReview = kinds::LOCAL_SUBJECT_ACCESS_REVIEW;
    SelfSubjectRulesReviewStrategy: SelfSubjectRulesReview = kinds::SELF_SUBJECT_RULES_REVIEW;
}
