//! Who owns which fields of an object: field sets, managers, and the merge of server-side apply.
//!
//! Pure functions over JSON values and their shapes; the registry decides when they run and keeps what they return.
