//! The watch cache against a small obvious model.
