//! `Tally`: asks questions, prints what a newcomer wants to see of each, and counts the checks.

use std::time::Duration;

use super::{question::Question, verdict};
use crate::{
    client::{Answer, Client},
    commands::simulate::Ledger,
    commands::sql::table_text,
    console::{self, CliError, grouped, millis},
};
use hexflight_engine::time;

/// Checks made and failed.
#[derive(Debug, Default)]
pub(super) struct Tally {
    asked: usize,
    failed: usize,
}

impl Tally {
    /// Asks, and prints title, statement, answer, time and verdict.
    ///
    /// # Errors
    /// `Client` when the server does not answer.
    pub(super) async fn ask_in_full(
        &mut self,
        client: &Client,
        question: &Question,
        ledger: &Ledger,
    ) -> Result<(), CliError> {
        console::say(&format!("\n  {}\n", question.title()))?;
        say_indented(&question.sql())?;
        let (answer, elapsed) = timed(client, &question.sql()).await?;
        say_indented(&table_text(&answer.schema, answer.batches.clone())?)?;
        let verdict = verdict::compare(&answer, &question.expected(ledger));
        self.say_verdict(
            verdict,
            &format!("equals the simulator's own count, answered in {}", millis(elapsed)),
        )
    }

    /// Asks, and prints one line.
    ///
    /// # Errors
    /// `Client` when the server does not answer.
    pub(super) async fn ask_briefly(
        &mut self,
        client: &Client,
        question: &Question,
        ledger: &Ledger,
    ) -> Result<(), CliError> {
        let (answer, elapsed) = timed(client, &question.sql()).await?;
        let verdict = verdict::compare(&answer, &question.expected(ledger));
        let verdict = verdict.map_err(|difference| format!("{}: {difference}", question.title()));
        self.say_verdict(verdict, &format!("{:>9}  {}", millis(elapsed), question.title()))
    }

    /// Counts all events: exactly those of the ledger, each once.
    ///
    /// # Errors
    /// `Client` when the server does not answer.
    pub(super) async fn ask_for_all(&mut self, client: &Client, ledger: &Ledger) -> Result<(), CliError> {
        let (answer, _) = timed(client, COUNT_SQL).await?;
        let acked = ledger.row_count() as u64;
        let verdict = match verdict::count_of(&answer) {
            Ok(found) if found == acked => Ok(()),
            Ok(found) => Err(format!("{} events, {} were acknowledged", grouped(found), grouped(acked))),
            Err(difference) => Err(difference),
        };
        self.say_verdict(verdict, &format!("{} events: every acknowledged one, once", grouped(acked)))
    }

    /// Counts a check that was made elsewhere.
    ///
    /// # Errors
    /// `Io` when stdout fails.
    pub(super) fn say_verdict(&mut self, verdict: Result<(), String>, praise: &str) -> Result<(), CliError> {
        self.asked += 1;
        match verdict {
            Ok(()) => console::say(&format!("  ✓ {praise}")),
            Err(difference) => {
                self.failed += 1;
                console::say(&format!("  ✗ {difference}"))
            }
        }
    }

    /// How it went, in words.
    pub(super) fn text(&self) -> String {
        format!("{} of {} ok", self.asked - self.failed, self.asked)
    }

    /// # Errors
    /// `Checks` when any check failed.
    pub(super) fn result(&self) -> Result<(), CliError> {
        match self.failed {
            0 => Ok(()),
            failed => Err(CliError::Checks { failed, asked: self.asked }),
        }
    }
}

/// Counts what the server has.
pub(super) const COUNT_SQL: &str = "SELECT count(*) AS events FROM events";

async fn timed(client: &Client, sql: &str) -> Result<(Answer, Duration), CliError> {
    let started = time::now();
    let answer = client.query(sql).await?.collect().await?;
    Ok((answer, started.elapsed()))
}

fn say_indented(text: &str) -> Result<(), CliError> {
    text.lines().try_for_each(|line| console::say(&format!("     {line}")))
}
