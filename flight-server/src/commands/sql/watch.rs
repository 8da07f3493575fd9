//! `Watch`: says on stderr how far a slow query is, from the server's own counts, until its first rows come.

use std::time::Duration;

use crate::{
    client::{QueryHandle, RemoteProgress},
    console::{ProgressLine, grouped},
};
use hexflight_engine::time::{self, Instant, sleep_until};

/// A faster query needs no words.
const FIRST_AFTER: Duration = Duration::from_millis(500);

/// Between two looks: each is a call to the server.
const INTERVAL: Duration = Duration::from_millis(200);

/// Whether progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// Not at all.
    Nothing,
    /// On a line that is redrawn.
    Line,
    /// The same, and printed where it cannot be redrawn.
    Always,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    handle: QueryHandle,
    show: Show,
    due: Instant,
    line: Option<ProgressLine>,
}

impl Watch {
    /// Begins to count the time.
    pub(super) fn start(handle: &QueryHandle, show: Show) -> Self {
        Self { handle: handle.clone(), show, due: time::now() + FIRST_AFTER, line: None }
    }

    /// Waits until it is time, asks and shows; forever if there is nothing to show.
    ///
    /// **Cancellation**: dropping the future leaves what is shown.
    pub(super) async fn tick(&mut self) {
        if self.show == Show::Nothing {
            return std::future::pending().await;
        }
        sleep_until(self.due).await;
        let progress = self.handle.progress().await;
        self.due = time::now() + INTERVAL;
        match progress {
            Ok(Some(progress)) => self.shown().update(describe(&progress)),
            Ok(None) => {}
            // The query itself will say what is wrong.
            Err(_) => self.end(),
        }
    }

    /// Takes the line away, for good.
    pub(super) fn end(&mut self) {
        self.show = Show::Nothing;
        if let Some(line) = self.line.take() {
            line.finish();
        }
    }

    fn shown(&mut self) -> &mut ProgressLine {
        let show = self.show;
        self.line.get_or_insert_with(|| match show {
            Show::Always => ProgressLine::start_printing(),
            Show::Nothing | Show::Line => ProgressLine::start(),
        })
    }
}

/// `running: 1,234 rows scanned, 3 of 10 files and 5 of 8 memory batches pruned, 2.3 s`.
fn describe(progress: &RemoteProgress) -> String {
    let mut text = format!("{}: {} rows scanned", progress.state, grouped(progress.rows_scanned));
    let sources = [
        ("files", progress.files_pruned, progress.files_total),
        ("memory batches", progress.memory_batches_pruned, progress.memory_batches_total),
    ];
    let sources = sources.into_iter().filter(|(_, _, total)| *total > 0);
    let sources: Vec<_> = sources
        .map(|(name, pruned, total)| format!("{} of {} {name}", grouped(pruned), grouped(total)))
        .collect();
    if !sources.is_empty() {
        text.push_str(&format!(", {} pruned", sources.join(" and ")));
    }
    text.push_str(&format!(", {:.1} s", progress.elapsed().as_secs_f64()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_one_short_line() {
        let mut progress = RemoteProgress {
            state: "running".to_owned(),
            elapsed_ms: 2_345,
            rows_scanned: 1_234_567,
            files_total: 10,
            files_pruned: 3,
            memory_batches_total: 8,
            memory_batches_pruned: 5,
        };
        assert_eq!(
            describe(&progress),
            "running: 1,234,567 rows scanned, 3 of 10 files and 5 of 8 memory batches pruned, 2.3 s"
        );
        (progress.files_total, progress.memory_batches_total) = (0, 0);
        assert_eq!(describe(&progress), "running: 1,234,567 rows scanned, 2.3 s");
    }
}
