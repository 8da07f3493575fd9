//! `Work`: answers a question for one file, type by type: from its rollup what lies wholly inside, row by row what does not.

use std::sync::Arc;

use datafusion::error::Result;
use hexflight_engine::{DataFile, Rollup, Sums, TypeRollup};

use super::{
    counters::Counters,
    groups::{Groups, Key},
    question::Question,
    share::Share,
};
use crate::cache::{DeviceNames, SegmentCache};

/// What every file of a question needs.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) question: Arc<Question>,
    pub(super) cache: Arc<SegmentCache>,
    pub(super) names: Arc<DeviceNames>,
    /// Numbers of the devices asked for, sorted; `None`: any.
    pub(super) devices: Option<Arc<[u32]>>,
    /// Whether only the devices with the most rows are wanted, see [`super::leaders`].
    pub(super) leaders_only: bool,
    pub(super) fingerprint: u128,
    pub(super) counters: Counters,
}

/// One type of a file.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) file: &'a Arc<DataFile>,
    pub(super) rollup: &'a Arc<Rollup>,
    pub(super) of_type: TypeRollup<'a>,
    /// The type's number.
    pub(super) kind: u32,
    /// Whether all its rows lie in the window.
    pub(super) inside: bool,
}

impl Segment<'_> {
    pub(super) fn key(&self) -> Key {
        Key { kind: self.kind, ..Key::default() }
    }

    pub(super) fn key_of(&self, device: u32) -> Key {
        Key { device, ..self.key() }
    }
}

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

    pub(super) fn segment<'a>(
        &self,
        file: &'a Arc<DataFile>,
        rollup: &'a Arc<Rollup>,
        of_type: TypeRollup<'a>,
    ) -> Segment<'a> {
        let kind = if self.question.by_type() { self.names.write().number(of_type.name()) } else { 0 };
        let inside = self.question.facts.window.holds(of_type.time());
        Segment { file, rollup, of_type, kind, inside }
    }

    pub(super) fn add_groups(&self, groups: &mut Groups, known: impl IntoIterator<Item = (Key, Sums)>) {
        let (mut count, mut rows) = (0, 0);
        for (key, sums) in known {
            groups.add_sums(key, &sums);
            count += 1;
            rows += usize::try_from(sums.count).unwrap_or(0);
        }
        self.counters.rollup_groups.add(count);
        self.counters.rollup_rows.add(rows);
    }

    pub(super) fn count_segment(&self, read_rows: bool, any: bool) {
        match (read_rows, any) {
            (true, _) => self.counters.segments_raw.add(1),
            (false, true) => self.counters.segments_rollup.add(1),
            (false, false) => self.counters.segments_pruned.add(1),
        }
    }
}

/// Whether what was added up on the way to a total may have left the range of doubles; then its rows are added anew.
#[expect(clippy::cast_precision_loss, reason = "a bound")]
fn may_overflow(total: &Sums) -> bool {
    let largest = total.max.abs().max(total.min.abs());
    total.count > 0 && !(largest * total.count as f64).is_finite()
}

/// Whether every device of a type stands in its list.
fn lists_all_devices(of_type: &TypeRollup<'_>) -> bool {
    of_type.device_floor() == Some(1)
}
