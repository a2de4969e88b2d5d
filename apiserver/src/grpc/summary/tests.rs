//! Typed summaries, above all what STATUS says.
