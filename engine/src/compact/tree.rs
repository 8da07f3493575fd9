//! The tree of time that files lie in: all time, days, buckets, and pieces of buckets that hold too much. A file belongs to the
//! smallest node that all its rows lie in. Pure: it knows ranges and counts, never files on disk.

use std::collections::{BTreeMap, HashMap};

use super::Limits;
use crate::segment::BUCKET_PIECES;

/// Buckets of a day, for the default bucket of an hour.
const DAY_BUCKETS: i64 = 24;
/// Levels below the one of all time.
const LEVELS: usize = 4;
/// How far statistics may lie above the largest time of a file: they are rounded up to a millisecond when written, and widened by
/// another when read back.
const STATISTICS_SLACK_MICROS: i64 = 2_000;
/// A child's rows have a file of their own if they are at least this part of what is merged, and of what the child holds.
const SHARE_PART: u64 = 16;

/// What the policy knows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileShape {
    /// Earliest and latest time. **Units**: µs.
    pub(super) min: i64,
    pub(super) max: i64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// When it was added. **Units**: ms since 1970.
    pub(super) added_ms: i64,
}

/// A span of time: level 0 is all of it, level 1 days, 2 buckets, 3 and 4 pieces of buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) level: usize,
    index: i64,
}

const ROOT: Node = Node { level: 0, index: 0 };

/// Rows by node.
#[derive(Debug)]
pub(super) struct Tree {
    /// Widths of the levels from 1 on. **Units**: µs.
    widths: [i64; LEVELS],
    split_rows: u64,
    file_rows_min: u64,
    /// Rows of the files that lie in a node as a whole.
    rows: HashMap<Node, u64>,
    /// The deepest level that has nodes to put files into.
    deepest: usize,
}

impl Tree {
    pub(super) fn of(files: &[FileShape], limits: &Limits) -> Self {
        let bucket = limits.bucket_micros;
        let widths = [bucket * DAY_BUCKETS, bucket, bucket / BUCKET_PIECES[0], bucket / BUCKET_PIECES[1]];
        let mut tree = Self {
            widths,
            split_rows: limits.split_rows,
            file_rows_min: limits.file_rows_min,
            rows: HashMap::new(),
            deepest: 2,
        };
        for file in files {
            for node in tree.nodes_of(file) {
                *tree.rows.entry(node).or_default() += file.rows;
            }
        }
        let split = tree.rows.keys().copied().filter(|node| tree.is_open(*node));
        tree.deepest = split.map(|node| node.level + 1).max().unwrap_or(2).max(2);
        tree
    }

    /// Returns the deepest open node whose time span contains the file.
    pub(super) fn home_of(&self, file: &FileShape) -> Node {
        let mut home = ROOT;
        for node in self.nodes_of(file) {
            if !self.is_open(home) {
                break;
            }
            home = node;
        }
        home
    }

    /// Whether a node's rows are to be told apart by its children.
    pub(super) fn is_open(&self, node: Node) -> bool {
        match node.level {
            0 | 1 => true,
            LEVELS => false,
            _ => self.rows_in(node) > self.split_rows,
        }
    }

    fn rows_in(&self, node: Node) -> u64 {
        self.rows.get(&node).copied().unwrap_or(0)
    }

    /// The nodes below the root that hold a file as a whole, from the widest on.
    fn nodes_of(&self, file: &FileShape) -> impl Iterator<Item = Node> + use<> {
        let (min, max) = (file.min, (file.max - STATISTICS_SLACK_MICROS).max(file.min));
        let nodes = self.widths.into_iter().enumerate();
        nodes.map_while(move |(above, width)| {
            let index = min.div_euclid(width);
            (index == max.div_euclid(width)).then_some(Node { level: above + 1, index })
        })
    }
}

/// How the rows of a merge are divided into files.
#[derive(Debug)]
pub(super) struct Cuts {
    tree: Tree,
    node: Node,
}

impl Cuts {
    pub(super) fn new(tree: Tree, node: Node) -> Self {
        Self { tree, node }
    }

    /// Width of the cells by which rows are counted; `None` when all of them go to one file. **Units**: µs.
    pub(super) fn cell_micros(&self) -> Option<i64> {
        let is_leaf = !self.tree.is_open(self.node);
        (!is_leaf).then(|| self.tree.widths[self.tree.deepest - 1])
    }

    /// The file of each cell, by number. A node's rows have a file of their own when they are many, or a good part both of the merge
    /// and of what the node holds; those that are neither stay together in the file of the node above.
    pub(super) fn files_of(&self, rows_by_cell: &BTreeMap<i64, u64>) -> BTreeMap<i64, u32> {
        let cells: Vec<(i64, u64)> = rows_by_cell.iter().map(|(cell, rows)| (*cell, *rows)).collect();
        let merged = cells.iter().map(|(_, rows)| rows).sum();
        let mut files = Files { file_of_cell: BTreeMap::new(), next: 0 };
        let rest = self.divide(self.node, &cells, merged, &mut files);
        files.take(&rest);
        files.file_of_cell
    }

    /// Returns the cells that no file below the node has taken.
    fn divide(&self, node: Node, cells: &[(i64, u64)], merged: u64, files: &mut Files) -> Vec<(i64, u64)> {
        if node.level >= self.tree.deepest || !self.tree.is_open(node) {
            return cells.to_vec();
        }
        let cell_micros = self.tree.widths[self.tree.deepest - 1];
        let child_width = self.tree.widths[node.level];
        let index_of = |cell: i64| (cell * cell_micros).div_euclid(child_width);
        let mut rest = vec![];
        for run in cells.chunk_by(|a, b| index_of(a.0) == index_of(b.0)) {
            let child = Node { level: node.level + 1, index: index_of(run[0].0) };
            let left = self.divide(child, run, merged, files);
            let rows = left.iter().map(|(_, rows)| rows).sum();
            if self.is_worth_a_file(child, rows, merged) {
                files.take(&left);
            } else {
                rest.extend(left);
            }
        }
        rest
    }

    fn is_worth_a_file(&self, node: Node, rows: u64, merged: u64) -> bool {
        let min = self.tree.file_rows_min;
        let is_share = rows * SHARE_PART >= merged && rows * SHARE_PART >= self.tree.rows_in(node);
        rows >= min || (rows * SHARE_PART >= min && is_share)
    }
}

#[derive(Debug)]
struct Files {
    file_of_cell: BTreeMap<i64, u32>,
    next: u32,
}

impl Files {
    fn take(&mut self, cells: &[(i64, u64)]) {
        if !cells.is_empty() {
            self.file_of_cell.extend(cells.iter().map(|(cell, _)| (*cell, self.next)));
            self.next += 1;
        }
    }
}
