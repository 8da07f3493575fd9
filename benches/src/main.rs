//! `hexflight-bench`: the measurements of Hexflight, one subcommand each; every one prints a plain table.
//!
//! ```text
//! cargo build --release -p hexflight -p hexflight-benches
//! target/release/hexflight-bench ingest        durable rows/s, cost per stage
//! target/release/hexflight-bench http          durable events/s over HTTP, latency, CPU
//! target/release/hexflight-bench ack           ack latency of one producer
//! target/release/hexflight-bench restart       kill to ready with 1 GiB of WAL
//! target/release/hexflight-bench memory        peak memory under a budget
//! target/release/hexflight-bench disk          bytes per event
//! target/release/hexflight-bench encodings     every encoding of every column
//! target/release/hexflight-bench commit        flush commit with 10 to 10,000 files in the table
//! target/release/hexflight-bench plan          planning of the product's queries, stage by stage
//! target/release/hexflight-bench parquet       files to import: time them with `hexflight import`
//! target/release/hexflight-bench import        bulk load in any order and in order of time
//! python benches/python/roundtrip.py           queries through pyarrow and ADBC
//! python benches/python/questions.py FOLDER    the questions over 50 M events beside DuckDB and ClickHouse, against their goals;
//!                                              also many clients at once, cold starts, growth, bytes per event
//! ```
//!
//! Run it on a quiet machine, in a folder on the disk to be measured: data goes to temporary folders there. Servers are
//! started from the `hexflight` binary beside this one.

#![expect(clippy::disallowed_methods, reason = "a measurement takes the machine's time")]

mod table;
mod percentile;
mod events;
mod drive;
mod noop;
mod scrape;
mod server_process;
mod ingest;
mod http;
mod ack;
mod restart;
mod memory;
mod segment_file;
mod disk;
mod encodings;
mod commit;
mod plan;
mod parquet_set;
mod import;

use std::{fmt::Display, path::PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand};
use hexflight::console;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Takes what a measurement has to say.
pub(crate) type Print<'a> = &'a mut (dyn FnMut(&dyn Display) -> Result<()> + Send);

/// Measurements of Hexflight
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Debug, Subcommand)]
enum Measurement {
    /// Durable rows per second over Flight DoPut, and the cost of each stage
    Ingest {
        /// Rows per run
        #[arg(long, default_value_t = 8_000_000)]
        rows: usize,
        /// Runs per combination
        #[arg(long, default_value_t = 3)]
        repeats: usize,
    },
    /// Durable events per second over HTTP, with the latency of requests
    Http(http::Options),
    /// Ack latency of one producer of small batches
    Ack {
        /// Batches to send
        #[arg(long, default_value_t = 2_000)]
        batches: usize,
    },
    /// Start to ready after SIGKILL with a large WAL
    Restart {
        /// Least size of the WAL
        #[arg(long, default_value_t = 1 << 30)]
        wal_bytes: u64,
    },
    /// Fills a WAL and waits to be killed; `restart` starts it
    #[command(hide = true)]
    Fill {
        /// Data directory
        #[arg(long)]
        folder: PathBuf,
        /// Least size of the WAL
        #[arg(long)]
        wal_bytes: u64,
    },
    /// Peak memory of a server under a budget
    Memory {
        /// Rows to send
        #[arg(long, default_value_t = 20_000_000)]
        rows: usize,
        /// The budget
        #[arg(long, default_value = "2GiB")]
        limit: String,
    },
    /// Bytes per event in flushed files
    Disk {
        /// Rows to flush
        #[arg(long, default_value_t = 10_000_000)]
        rows: usize,
    },
    /// Size and CPU time of every encoding of every column
    Encodings {
        /// Rows of the segment
        #[arg(long, default_value_t = 1_000_000)]
        rows: usize,
        /// Runs per variant
        #[arg(long, default_value_t = 3)]
        repeats: usize,
    },
    /// Flush commit with 10, 1,000 and 10,000 files in the table
    Commit {
        /// Flushes per size
        #[arg(long, default_value_t = 100)]
        flushes: usize,
    },
    /// Time from a statement to its physical plan, per stage, with 10 and 10,000 files in the table
    Plan {
        /// Plans per query
        #[arg(long, default_value_t = 200)]
        repeats: usize,
        /// Prints every stage that takes as long or longer. **Units**: µs
        #[arg(long, default_value_t = 30)]
        least_micros: u64,
    },
    /// Parquet files to import
    Parquet(parquet_set::ParquetArgs),
    /// Rows per second, memory and cost per stage of a bulk load
    Import {
        /// Rows to load, for example 50M
        #[arg(long, default_value = "50M", value_parser = import::amount)]
        rows: usize,
        /// Order of the rows
        #[arg(long, value_enum, default_value_t = import::Order::Random)]
        order: import::Order,
        /// The engine's memory limit
        #[arg(long, default_value = "2GiB", value_parser = import::amount)]
        memory_limit: usize,
        /// Rows of a batch
        #[arg(long, default_value = "65536", value_parser = import::amount)]
        batch_rows: usize,
        /// Event time that the rows cover
        #[arg(long, default_value_t = 48)]
        hours: i64,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let mut print = |text: &dyn Display| Ok(console::say(&text.to_string())?);
    let print: Print<'_> = &mut print;
    match cli.measurement {
        Measurement::Ingest { rows, repeats } => ingest::run(rows, repeats, print).await,
        Measurement::Http(options) => http::run(&options, print).await,
        Measurement::Ack { batches } => ack::run(batches, print).await,
        Measurement::Restart { wal_bytes } => restart::run(wal_bytes, print).await,
        Measurement::Fill { folder, wal_bytes } => restart::fill(&folder, wal_bytes, print).await,
        Measurement::Memory { rows, limit } => memory::run(rows, &limit, print).await,
        Measurement::Disk { rows } => disk::run(rows, print).await,
        Measurement::Encodings { rows, repeats } => encodings::run(rows, repeats, print).await,
        Measurement::Commit { flushes } => commit::run(flushes, print).await,
        Measurement::Plan { repeats, least_micros } => plan::run(repeats, least_micros, print).await,
        Measurement::Parquet(args) => parquet_set::run(&args, print),
        Measurement::Import { rows, order, memory_limit, batch_rows, hours } => {
            let settings =
                import::Settings { rows, order, memory_limit_bytes: memory_limit, batch_rows, hours };
            import::run(settings, print).await
        }
    }
}
