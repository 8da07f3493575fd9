//! `hexflight demo`: the main job from end to end on one machine, with every answer checked.
//!
//! ```text
//! EmbeddedServer ◄── run_load (Flight DoPut) ──► Ledger
//!        ▲                                          │
//!        └──── Tally: four questions (Flight SQL) ◄─┘ compare
//!        stop, start on the same directory, ask again
//! ```

mod args;
mod ingest;
mod question;
mod verdict;
mod tally;
mod summary;

use std::{path::Path, sync::Arc};

use self::{ingest::ingest_events, question::questions, summary::summarise, tally::Tally};
use crate::{
    client::Client,
    commands::simulate::Fleet,
    console::{self, CliError, millis},
    embedded::EmbeddedServer,
};
use hexflight_engine::time;

pub use args::DemoArgs;

/// Runs the command.
///
/// # Errors
/// `Checks` when any answer differs from the simulator's own count; others when a part of the demo does not work at all.
pub async fn run(args: DemoArgs) -> Result<(), CliError> {
    let directory = tempfile::Builder::new()
        .prefix("hexflight-demo-")
        .tempdir()
        .map_err(|source| CliError::Io { action: "make a temporary directory".to_owned(), source })?;
    let mut tally = Tally::default();
    let server = start(directory.path()).await?;
    console::say(
        "Hexflight demo: events in through Arrow Flight, four questions through Flight SQL, a restart.",
    )?;
    console::say("Every answer is compared with a count that the simulator keeps by itself.")?;
    say_server(&server, directory.path())?;

    let fleet = Arc::new(Fleet::new(&args.workload()));
    let client = Client::connect(&server.flight_url()).await?;
    let (ledger, load) = ingest_events(&args, &client, &fleet, &mut tally).await?;

    console::say("\nThe four questions")?;
    let questions = questions(&ledger, &fleet);
    for question in &questions {
        tally.ask_in_full(&client, question, &ledger).await?;
    }
    drop(client);

    let server = restart(server, directory.path()).await?;
    let client = Client::connect(&server.flight_url()).await?;
    tally.ask_for_all(&client, &ledger).await?;
    for question in &questions {
        tally.ask_briefly(&client, question, &ledger).await?;
    }
    drop(client);
    server.stop().await?;
    summarise(&load, directory.path(), &tally)?;
    tally.result()
}

async fn start(data_dir: &Path) -> Result<EmbeddedServer, CliError> {
    EmbeddedServer::start(data_dir).await.map_err(|error| CliError::Server(error.to_string()))
}

async fn restart(server: EmbeddedServer, data_dir: &Path) -> Result<EmbeddedServer, CliError> {
    console::say("\nRestart: the server stops and starts again on the same directory")?;
    let stopping = time::now();
    server.stop().await?;
    let starting = time::now();
    let server = start(data_dir).await?;
    console::say(&format!(
        "  stopped in {}, ready again in {}",
        millis(starting - stopping),
        millis(starting.elapsed())
    ))?;
    Ok(server)
}

fn say_server(server: &EmbeddedServer, data_dir: &Path) -> Result<(), CliError> {
    console::say(&format!("\nServer: Flight on {}, data in {}", server.flight_url(), data_dir.display()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_check_of_a_small_demo_holds() {
        let args = DemoArgs { rows: 30_000, duration: Duration::from_secs(60), devices: 500, seed: 7 };

        Box::pin(run(args)).await.unwrap();
    }
}
