//! `exit [CODE] [--after DURATION]`, or `EXIT_CODE` and `EXIT_AFTER`: exits with a code after a delay.
//!
//! For crash loops, completed pods and anything else that ends by itself.

use std::sync::Arc;

use crate::runtime::program::{Invocation, Program, Run, Step, Usage, wait};

/// The program.
pub struct Exit;

impl Program for Exit {
    fn name(&self) -> &'static str {
        "exit"
    }

    fn start(&self, invocation: Arc<Invocation>) -> Result<Run, Usage> {
        let first = invocation
            .arguments
            .first()
            .map(String::as_str)
            .filter(|text| !text.starts_with('-'));
        let code = first
            .or_else(|| invocation.option("code"))
            .or_else(|| invocation.variable("EXIT_CODE"));
        let code: u8 = match code {
            Some(text) => text
                .parse()
                .map_err(|_| Usage(format!("exit: {text:?} is not an exit code")))?,
            None => 0,
        };
        let mut steps = Vec::new();
        if let Some(after) = invocation
            .option("after")
            .or_else(|| invocation.variable("EXIT_AFTER"))
        {
            steps.push(wait(after)?);
        }
        steps.push(Step::Print(format!("exit with code {code}")));
        steps.push(Step::Exit(code));
        Ok(Run::Script(steps))
    }
}
