//! Looks at the Delta log: whether its versions are contiguous and whole, and where they lead.

use crate::{
    delta::{DeltaLog, TableState, mark_text},
    error::{ErrorKind, Result},
    finding::Finding,
};

/// What the log says.
#[derive(Debug)]
pub(super) struct DeltaSeen {
    /// After the last version before the first that is damaged.
    pub(super) state: TableState,
    /// Versions that are there.
    pub(super) versions: u64,
    pub(super) findings: Vec<Finding>,
    /// What is wrong with the marks, which are no part of the log.
    pub(super) marks: Vec<Finding>,
}

impl DeltaSeen {
    /// Reads every version. Behind a damaged one each is looked at by itself.
    ///
    /// # Errors
    /// `Unavailable` when the folder cannot be listed.
    pub(super) async fn read(log: &DeltaLog) -> Result<Self> {
        let mark = log.newest_mark().await?;
        let newest = log.newest().await?;
        let mut seen = Self { state: TableState::empty(), versions: 0, findings: vec![], marks: vec![] };
        for version in 0..=newest.max(0) {
            seen.version(log, version, newest).await;
        }
        if let Some(mark) = mark.filter(|mark| *mark > newest) {
            // A mark is put after its version, and read before: the version was there.
            seen.missing_versions(log, newest + 1, mark);
        }
        if let Some(mark) = mark {
            seen.look_at_mark(log, mark).await?;
        }
        if seen.is_whole() {
            // What was put meanwhile.
            while log.store.head(&log.version_path(seen.state.version() + 1)).await?.is_some() {
                let version = seen.state.version() + 1;
                seen.version(log, version, version).await;
                if !seen.is_whole() {
                    break;
                }
            }
        }
        Ok(seen)
    }

    /// Whether the state is that of the newest version.
    pub(super) fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    async fn version(&mut self, log: &DeltaLog, version: i64, newest: i64) {
        let actions = match log.read(version).await {
            Ok((_, Some(actions))) => actions,
            Ok((_, None)) => return self.missing(log, version, newest),
            Err(error) => return self.damaged(log, version, error.kind(), &error.detail()),
        };
        self.versions += 1;
        if version != self.state.version() + 1 {
            return;
        }
        if let Err(error) = self.state.apply(log, version, &actions) {
            self.damaged(log, version, error.kind(), &error.detail());
        }
    }

    fn missing(&mut self, log: &DeltaLog, version: i64, newest: i64) {
        let problem = if newest < 0 {
            String::from("missing, and no other version is there")
        } else {
            format!("missing, while the newest version is {newest}")
        };
        self.findings.push(Finding::new(log.version_path(version), problem, self.advice()));
    }

    /// A mark says its version twice. One that has been replaced meanwhile is no concern.
    async fn look_at_mark(&mut self, log: &DeltaLog, mark: i64) -> Result<()> {
        let path = log.mark_path(mark);
        let text = log.store.get(&path).await?;
        if text.is_some_and(|text| text != mark_text(mark)) {
            let advice = "its name is what counts, and nothing is lost; the next commit makes another";
            self.marks.push(Finding::new(path, format!("it does not say {mark}"), advice));
        }
        Ok(())
    }

    fn missing_versions(&mut self, log: &DeltaLog, first: i64, mark: i64) {
        let problem = format!("missing, while a mark says that there was a version {mark}");
        self.findings.push(Finding::new(log.version_path(first), problem, self.advice()));
    }

    fn damaged(&mut self, log: &DeltaLog, version: i64, kind: ErrorKind, detail: &str) {
        let problem = match kind {
            ErrorKind::Corrupt => detail.to_owned(),
            _ => format!("cannot be read: {detail}"),
        };
        self.findings.push(Finding::new(log.version_path(version), problem, self.advice()));
    }

    fn advice(&self) -> String {
        format!(
            "the table is known up to version {}; restore this one from a backup, and delete no data file meanwhile",
            self.state.version()
        )
    }
}
