//! What makes an object valid.

use crate::field_error::FieldError;
use crate::object::Object;

/// Mistakes in a new object of any built-in kind, its metadata included; defaults are set before.
pub fn create(_object: &dyn Object) -> Vec<FieldError> {
    Vec::new()
}

/// Mistakes in the change from `old` to `new`.
pub fn update(_new: &dyn Object, _old: &dyn Object) -> Vec<FieldError> {
    Vec::new()
}
