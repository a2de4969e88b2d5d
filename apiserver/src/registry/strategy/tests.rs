//! What the strategies do to objects.
