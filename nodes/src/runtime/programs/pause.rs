//! `pause`: waits for its end and does nothing, at the cost of nothing.

use std::sync::Arc;

use crate::runtime::program::{Invocation, Program, Run, Usage};

/// The program.
pub struct Pause;

impl Program for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    fn start(&self, _invocation: Arc<Invocation>) -> Result<Run, Usage> {
        Ok(Run::Idle)
    }
}
