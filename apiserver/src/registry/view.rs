//! As what an answer shows an object: as it is stored, in another version of its kind, or as a Scale.

use coracle_api::Resource;

/// As what a write's answer shows the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    /// As it is.
    #[default]
    Whole,
    /// As this version of its kind, which is not the stored one.
    Version(&'static Resource),
    /// As an `autoscaling/v1` Scale.
    Scale,
}

impl View {
    /// How `resource` shows its objects.
    pub fn of(resource: &'static Resource) -> Self {
        if resource.is_storage() {
            Self::Whole
        } else {
            Self::Version(resource)
        }
    }
}
