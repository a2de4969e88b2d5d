//! Who owns which fields of an object: field sets, managers, and the merge of server-side apply.
//!
//! Pure functions over JSON values and their shapes ([`coracle_api::schema::View`]); the registry decides when they run
//! and keeps what they return. A write that replaces or patches an object is told to [`Managers::update`], which gives
//! the writer what it changed; an applied configuration goes to [`Managers::apply`], which merges it, removes what the
//! manager no longer wants and refuses what others own.
//!
//! Promises: nothing here fails on a live object, however strange (what cannot be told apart is compared and replaced
//! as a whole); only an applied configuration is judged. Equal sets have equal JSON. Costs are linear in the object and
//! its sets, with a logarithm for lists. Left to others: decoding, defaults and validation of the result, and which
//! objects are tracked at all.
//!
//! Source: the field management page of the Kubernetes documentation and the semantics of structured-merge-diff.

mod apply;
mod blank;
mod compare;
mod conflict;
mod element;
mod extract;
mod items;
mod last_applied;
mod managers;
mod merge;
mod remove;
mod set;
#[cfg(test)]
mod tests;
mod update;
mod value;
mod wire;

pub use apply::{Applied, ApplyError};
pub use blank::blank;
pub use compare::{Comparison, compare};
pub use conflict::{Conflict, Conflicts};
pub use element::{Element, Path};
pub use extract::{Invalid, declared, extract};
pub use managers::{Malformed, Manager, Managers, Operation, Writer};
pub use merge::merge;
pub use remove::remove;
pub use set::FieldSet;
pub use update::MAX_UPDATE_MANAGERS;
