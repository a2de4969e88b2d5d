//! Custom resources: structural schemas, pruning, defaulting, validation, CEL rules and printer columns.
//!
//! Pure functions over JSON values and what a CustomResourceDefinition says; serving the resources is the registry's.
