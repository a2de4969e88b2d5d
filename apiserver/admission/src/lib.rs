//! What happens to a write between decoding and storing: built-in admission, webhooks and policies.
//!
//! Built-in plugins are pure functions over the object and what a lookup tells of others. Webhooks and policies are
//! matched without parsing, so that a write that none of them wants pays nothing.
