//! The binary: allocator, runtime, exit code. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use hexflight::{Cli, console};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = run(cli);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::note(&format!("hexflight: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// This runtime does network I/O and light work; queries run on the planner's own.
fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("hexflight-io").build()?;
    runtime.block_on(async { Box::pin(cli.run()).await })?;
    Ok(())
}
