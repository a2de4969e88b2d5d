//! Who a caller is, and what a caller may do: authentication, authorization and the audit log.
//!
//! Both doors ask here and nowhere else. What is known of roles, bindings and tokens comes from the registry's own
//! cache; nothing here opens the store.
