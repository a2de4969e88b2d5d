//! Roles and their bindings.

use coracle_api::object::BuiltIn;
use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{AGE, Cell, Column, NAME, Printer, typed};

const CREATED_AT: Column = Column::text("Created At", "When it was made.");
const BINDING: &[Column] = &[
    NAME,
    Column::text("Role", "The role that is given."),
    AGE,
    Column::text("Users", "Users who have it.").wide(),
    Column::text("Groups", "Groups whose members have it.").wide(),
    Column::text("ServiceAccounts", "Service accounts that have it.").wide(),
];

pub(super) static ROLE: Printer = Printer {
    columns: &[NAME, CREATED_AT],
    cells: |json, _| {
        let Role { metadata, .. } = Role::parse(json)?;
        Ok(vec![typed::name(&metadata), typed::created_at(&metadata)])
    },
};

pub(super) static CLUSTER_ROLE: Printer = Printer {
    columns: &[NAME, CREATED_AT],
    cells: |json, _| {
        let ClusterRole { metadata, .. } = ClusterRole::parse(json)?;
        Ok(vec![typed::name(&metadata), typed::created_at(&metadata)])
    },
};

pub(super) static ROLE_BINDING: Printer = Printer {
    columns: BINDING,
    cells: |json, now| {
        let own = RoleBinding::parse(json)?;
        Ok(binding(
            &own.metadata,
            &own.role_ref,
            own.subjects.as_deref(),
            now,
        ))
    },
};

pub(super) static CLUSTER_ROLE_BINDING: Printer = Printer {
    columns: BINDING,
    cells: |json, now| {
        let own = ClusterRoleBinding::parse(json)?;
        Ok(binding(
            &own.metadata,
            &own.role_ref,
            own.subjects.as_deref(),
            now,
        ))
    },
};

fn binding(metadata: &ObjectMeta, role: &RoleRef, subjects: Option<&[Subject]>, now: Timestamp) -> Vec<Cell> {
    let of_kind = |kind: &str| {
        let own = subjects
            .unwrap_or_default()
            .iter()
            .filter(|own| own.kind == kind)
            .map(|own| match &own.namespace {
                Some(namespace) if kind == "ServiceAccount" => format!("{namespace}/{}", own.name),
                _ => own.name.clone(),
            });
        Cell::from(own.collect::<Vec<_>>().join(", "))
    };
    vec![
        typed::name(metadata),
        format!("{}/{}", role.kind, role.name).into(),
        typed::age(metadata, now),
        of_kind("User"),
        of_kind("Group"),
        of_kind("ServiceAccount"),
    ]
}
