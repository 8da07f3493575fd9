//! The binary: allocator, runtime, exit code. Everything else is in the library.

use std::{
    ffi::{CStr, CString},
    process::ExitCode,
    ptr::null_mut,
    time::Duration,
};

use clap::Parser;
use hexflight::{Cli, ProcessCalls, console};

/// How long blocking threads may go on once a command has ended.
const EXIT_WAIT: Duration = Duration::from_millis(500);

/// How long a blocking thread waits for work before it ends, and gives back memory that others have freed meanwhile.
const THREAD_KEPT: Duration = Duration::from_secs(1);

/// One that keeps little of what many threads have freed (`docs/design.md`, freed memory).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Freed memory goes back to the system after half a second, by threads of the allocator, also while nobody allocates; what is large, too,
/// instead of at once. `_RJEM_MALLOC_CONF` in the environment goes before it.
#[unsafe(export_name = "_rjem_malloc_conf")]
#[expect(unsafe_code, reason = "the name under which the allocator looks for its settings")]
#[used]
static ALLOCATOR_SETTINGS: &[u8; 96] =
    b"background_thread:true,dirty_decay_ms:500,muzzy_decay_ms:0,oversize_threshold:0,narenas_ratio:1\0";

fn main() -> ExitCode {
    without_huge_pages();
    ProcessCalls { give_back, keep_freed, stand_back }.install();
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

/// Of what it frees the allocator keeps some for half a second, in case somebody wants it again. This gives back all of it.
#[expect(unsafe_code, reason = "a call of the allocator that has no safe name")]
fn give_back() {
    // SAFETY: the name ends with a zero and stands for an action without a value; any thread may call it at any time.
    unsafe {
        tikv_jemalloc_sys::mallctl(ALL_ARENAS_PURGE.as_ptr(), null_mut(), null_mut(), null_mut(), 0);
    }
}

/// The number 4096 stands for all arenas (`MALLCTL_ARENAS_ALL`).
const ALL_ARENAS_PURGE: &CStr = c"arena.4096.purge";

/// Asks the system for less, and gives back later.
fn keep_freed(time: Duration) {
    let time = isize::try_from(time.as_millis()).unwrap_or(isize::MAX);
    set(c"arenas.dirty_decay_ms", time);
    // Those that there are already; the others begin as the line above says.
    for arena in 0..ARENAS_MAX {
        if let Ok(name) = CString::new(format!("arena.{arena}.dirty_decay_ms")) {
            set(&name, time);
        }
    }
}

/// More than there are: one per core.
const ARENAS_MAX: u32 = 1_024;

/// Sets a number of the allocator; one that it does not have stays as it is.
#[expect(unsafe_code, reason = "a call of the allocator that has no safe name")]
fn set(name: &CStr, mut value: isize) {
    let value = std::ptr::from_mut(&mut value);
    // SAFETY: the name ends with a zero and stands for a number of this size, which is read during the call; any thread may call it at any time.
    unsafe {
        tikv_jemalloc_sys::mallctl(name.as_ptr(), null_mut(), null_mut(), value.cast(), size_of::<isize>());
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
