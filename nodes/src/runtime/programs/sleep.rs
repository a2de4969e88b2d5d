//! `sleep DURATION...`: exits with code 0 after the sum of the durations.

use std::{sync::Arc, time::Duration};

use crate::runtime::program::{Invocation, Program, Run, Step, Usage, wait};

/// The program.
pub struct Sleep;

impl Program for Sleep {
    fn name(&self) -> &'static str {
        "sleep"
    }

    fn start(&self, invocation: Arc<Invocation>) -> Result<Run, Usage> {
        if invocation.arguments.is_empty() {
            return Err(Usage("sleep: missing operand".to_owned()));
        }
        let mut total = Duration::ZERO;
        for argument in &invocation.arguments {
            match wait(argument)? {
                Step::Wait(duration) => total = total.saturating_add(duration),
                _ => return Ok(Run::Idle),
            }
        }
        Ok(Run::Script(vec![Step::Wait(total)]))
    }
}
