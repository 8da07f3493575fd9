//! The binary: allocator, runtime, exit code. Everything else is in the library.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use hexflight::{Cli, ProcessCalls, console};

/// How long blocking threads may go on once a command has ended.
const EXIT_WAIT: Duration = Duration::from_millis(500);

/// How long a blocking thread waits for work before it ends, and gives back memory that others have freed meanwhile.
const THREAD_KEPT: Duration = Duration::from_secs(1);

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    without_huge_pages();
    ProcessCalls { give_back, stand_back }.install();
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

/// A huge page is cleared as a whole when the first byte of it is used: the first queries after a start would wait for that, and
/// the process would hold nearly twice the memory.
#[cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "the one call that the standard library has no name for")
)]
fn without_huge_pages() {
    #[cfg(target_os = "linux")]
    // SAFETY: this option takes a number and sets a flag of the process; no memory is handed over.
    // A kernel that does not know it says so and goes on as it is.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1_u64, 0_u64, 0_u64, 0_u64);
    }
}

/// Freed memory waits for a second before it is given back, and then until a thread has reason to look. This gives back all of it.
#[expect(unsafe_code, reason = "a call of the allocator that has no safe name")]
fn give_back() {
    // SAFETY: it takes a flag and hands nothing over; any thread may call it at any time.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}

/// How far a thread stands back: where others want the same core, it gets about a tenth of it.
#[cfg(target_os = "linux")]
const NICENESS: libc::c_int = 10;

/// Linux has niceness of threads; elsewhere it is one of the process.
#[cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "a call of the system that the standard library has no name for")
)]
fn stand_back() {
    #[cfg(target_os = "linux")]
    // SAFETY: it takes numbers and hands no memory over; 0 is the calling thread. Where it is refused, the thread goes on as it is.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
    }
}

/// This runtime does network I/O and light work; queries run on the planner's own.
fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("hexflight-io")
        .thread_keep_alive(THREAD_KEPT)
        .build()?;
    let outcome = runtime.block_on(async { Box::pin(cli.run()).await });
    // What a blocking thread still computes nobody waits for any more.
    runtime.shutdown_timeout(EXIT_WAIT);
    Ok(outcome?)
}
