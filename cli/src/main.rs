//! The `coracle` binary: the command line, and every process of a cluster as a subcommand.

mod addresses;
mod args;
mod bench;
mod cluster;
mod commands;
mod kubeconfig;
mod output;
mod process;
mod supervisor;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The command ran and failed.
const FAILURE: u8 = 1;
/// The command line could not be understood.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not mistakes.
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&anyhow::Error::new(error).context("start the runtime"));
            return ExitCode::from(FAILURE);
        }
    };
    match runtime.block_on(commands::dispatch(cli)) {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::from(FAILURE)
        }
    }
}
