//! Defaults, exactly as upstream sets them.

use crate::object::Object;

/// Sets the defaults of an object of any built-in kind.
pub fn apply(_object: &mut dyn Object) {}
