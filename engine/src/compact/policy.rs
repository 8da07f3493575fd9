//! What to merge next. A pure function over the shapes of all files; `docs/design.md` states its bounds, its tests hold it to them.
//!
//! Within a node of the [tree of time](super::tree) files are merged when four of them lie in one *tier*, a factor of four in rows; where
//! all rows stay together, smaller ones go along. Once a node is quiet, what is left is merged as well, as far as it pays. What is large enough is done.

use std::{collections::BTreeMap, ops::Range};

use super::{
    Limits,
    tree::{Cuts, FileShape, Node, Tree},
};

/// Files of one tier that make a merge, and the width of a tier.
const FAN_IN: usize = 4;
/// In a quiet node a file is merged with smaller ones that have at least this part of its rows together.
const QUIET_PART: u64 = 4;

/// A merge to be done.
#[derive(Debug)]
pub(super) struct Plan {
    /// The files, by their places in what was looked at.
    pub(super) files: Vec<usize>,
    pub(super) cuts: Cuts,
}

/// The cheapest merge that is due. A node is quiet when nothing was added to it after `quiet_since_ms`.
pub(super) fn next_merge(files: &[FileShape], limits: &Limits, quiet_since_ms: i64) -> Option<Plan> {
    let tree = Tree::of(files, limits);
    let mut members: BTreeMap<Node, Vec<usize>> = BTreeMap::new();
    for (place, file) in files.iter().enumerate() {
        if !limits.is_full(file) {
            members.entry(tree.home_of(file)).or_default().push(place);
        }
    }
    let mut cheapest: Option<(u64, Node, Vec<usize>)> = None;
    for (node, mut places) in members {
        places.sort_by_key(|place| (files[*place].rows, *place));
        let shapes: Vec<FileShape> = places.iter().map(|place| files[*place]).collect();
        let Some(due) = due(&shapes, tree.is_open(node), limits, quiet_since_ms) else { continue };
        let bytes = shapes[due.clone()].iter().map(|file| file.bytes).sum();
        if cheapest.as_ref().is_none_or(|(least, ..)| bytes < *least) {
            cheapest = Some((bytes, node, places[due].to_vec()));
        }
    }
    cheapest.map(|(_, node, files)| Plan { files, cuts: Cuts::new(tree, node) })
}

/// Which of a node's files, which are in order of their rows, are to be merged.
fn due(files: &[FileShape], is_open: bool, limits: &Limits, quiet_since_ms: i64) -> Option<Range<usize>> {
    let mut start = 0;
    for run in files.chunk_by(|a, b| tier(a) == tier(b)) {
        let end = start + run.len();
        if run.len() >= FAN_IN {
            // What stays in an open node may be less than what was merged: smaller files that went along would go along each time.
            let first = if is_open { start } else { 0 };
            return Some(first..(first + fitting(&files[first..end], limits)));
        }
        start = end;
    }
    let is_quiet = files.iter().all(|file| file.added_ms <= quiet_since_ms);
    let count = is_quiet.then(|| longest_balanced_prefix(&files[..fitting(files, limits)])).flatten()?;
    Some(0..count)
}

/// How many of the smallest files fit into one merge. Two always do, and where it ends short of all of them it makes a full file.
fn fitting(files: &[FileShape], limits: &Limits) -> usize {
    let (mut rows, mut bytes) = (0, 0);
    let fits = |file: &&FileShape| {
        rows += file.rows;
        bytes += file.bytes;
        rows <= limits.rows_max && bytes <= limits.bytes_max
    };
    files.iter().take_while(fits).count()
}

/// Length of the longest prefix of the files, which are sorted by size, in which the last file has at most [`QUIET_PART`] times the rows of all
/// smaller ones.
fn longest_balanced_prefix(files: &[FileShape]) -> Option<usize> {
    let mut below = 0;
    let mut count = None;
    for (place, file) in files.iter().enumerate() {
        if place > 0 && file.rows <= below * QUIET_PART {
            count = Some(place + 1);
        }
        below += file.rows;
    }
    count
}

fn tier(file: &FileShape) -> u32 {
    file.rows.max(1).ilog(FAN_IN as u64)
}
