//! The registry on the memory store: every verb, and the errors that clients match on.

mod admission;
mod annotations;
mod apply;
mod around;
mod batch;
mod concurrency;
mod deletion;
mod equivalents;
mod evictions;
mod patches;
mod quotas;
mod reads;
mod services;
mod workloads;
mod writes;
