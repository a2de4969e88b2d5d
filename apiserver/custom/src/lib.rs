//! Custom resources: what a CustomResourceDefinition says about objects, as pure functions over JSON values.
//!
//! [`Definition::compile`] judges a definition and makes of each version a tree ([`schema::Node`]) along which objects
//! are pruned ([`prune`]), completed ([`defaulting`]), validated ([`validate`]) and judged by CEL rules ([`rules`]).
//! [`cel`] stands alone: it knows schemas as types, and nothing of definitions. Serving the resources is the registry's.

pub mod cel;
pub mod columns;
mod conditions;
pub mod conversion;
pub mod defaulting;
mod definition;
mod format;
mod jsonpath;
pub mod prune;
pub mod ratchet;
pub mod review;
pub mod rules;
pub mod schema;
pub mod structural;
#[cfg(test)]
mod tests;
pub mod validate;
mod view;

pub use definition::{Definition, ScalePaths, Selectable, Version};
pub use jsonpath::{JsonPath, PathError};
