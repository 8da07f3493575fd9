//! Answers a question for one file, type by type: from its rollup what lies wholly inside, row by row what does not.

use std::sync::Arc;

use datafusion::error::Result;
use hexflight_engine::{DataFile, Rollup, Sums, TypeRollup};

use super::{
    context::Work,
    groups::Groups,
    segment::{Segment, lists_all_devices},
    share::Share,
};

impl Work {
    /// Adds a file's rows to the groups, or the file to those that have no rollup that can be used.
    pub(super) async fn add_file(&self, file: Arc<DataFile>, share: &mut Share) -> Result<()> {
        let Some(rollup) = self.cache.rollup(&file).await? else {
            share.left.push(file);
            return Ok(());
        };
        if self.question.wants_sums() && rollup.types().any(|of_type| may_overflow(of_type.total())) {
            share.left.push(file);
            return Ok(());
        }
        match &self.question.facts.types {
            Some(types) => {
                for of_type in types.iter().filter_map(|name| rollup.find(name)) {
                    self.add_type(&file, &rollup, of_type, share).await?;
                }
            }
            None => {
                for of_type in rollup.types() {
                    self.add_type(&file, &rollup, of_type, share).await?;
                }
            }
        }
        Ok(())
    }

    /// Whether newer rows than all of the file's are known, when only the newest are wanted.
    pub(super) fn is_older_than_needed(&self, file: &DataFile, groups: &Groups) -> bool {
        if !self.question.only_wants_newest() {
            return false;
        }
        let newest = groups.newest_since(self.devices.as_deref().unwrap_or_default());
        newest.zip(file.time()).is_some_and(|(newest, (_, to))| to < newest)
    }

    /// Whether a newer row than all of the segment's is known of each of its devices, when only the newest are wanted.
    async fn is_outdated(&self, segment: &Segment<'_>, groups: &Groups) -> Result<bool> {
        if !self.question.wants_newest_of_each() || !lists_all_devices(&segment.of_type) {
            return Ok(false);
        }
        let Some(known) = self.cache.devices(segment.file, &segment.of_type, &self.names).await? else {
            return Ok(false);
        };
        let devices: Vec<u32> = known.listed.numbers().iter().collect();
        Ok(groups.newest_since(&devices).is_some_and(|newest| newest > segment.of_type.time().1))
    }

    /// Whether files are best read one after the other from the newest on, because mostly few of them are needed.
    pub(super) async fn is_one_by_one(&self, newest: Option<&Arc<DataFile>>) -> Result<bool> {
        if self.question.only_wants_newest() {
            return Ok(true);
        }
        let (true, Some(newest)) = (self.question.wants_newest_of_each(), newest) else { return Ok(false) };
        let rollup = self.cache.rollup(newest).await?;
        Ok(rollup.is_some_and(|rollup| rollup.types().all(|of_type| lists_all_devices(&of_type))))
    }

    async fn add_type(
        &self,
        file: &Arc<DataFile>,
        rollup: &Arc<Rollup>,
        of_type: TypeRollup<'_>,
        share: &mut Share,
    ) -> Result<()> {
        if self.question.facts.window.misses(of_type.time()) {
            self.counters.segments_pruned.add(1);
            return Ok(());
        }
        let segment = self.segment(file, rollup, of_type);
        if self.is_outdated(&segment, &share.groups).await? {
            self.counters.segments_pruned.add(1);
            return Ok(());
        }
        if self.add_whole(&segment, share)
            || self.add_minutes(&segment, share).await?
            || self.add_devices(&segment, share).await?
            || self.add_cells(&segment, share).await?
        {
            return Ok(());
        }
        if self.is_remembered(&segment) {
            self.add_remembered(&segment, share).await
        } else {
            self.add_pieces(&segment, share).await
        }
    }
}

/// Whether what was added up on the way to a total may have left the range of doubles; then its rows are added anew.
#[expect(clippy::cast_precision_loss, reason = "a bound")]
fn may_overflow(total: &Sums) -> bool {
    let largest = total.max.abs().max(total.min.abs());
    total.count > 0 && !(largest * total.count as f64).is_finite()
}
