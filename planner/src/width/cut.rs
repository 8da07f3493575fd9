//! `Cut`: rows on their way into UNNEST, which copies what stands beside a list for each of its items. They go in a few at a time, and a long list
//! in pieces: a row of a list and of what is beside it is the same as two rows of its halves.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use arrow::{
    array::{Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, RecordBatch},
    buffer::OffsetBuffer,
    datatypes::{DataType, SchemaRef},
};
use datafusion::{
    common::exec_err,
    error::Result,
    execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext},
    physical_plan::{
        ExecutionPlan,
        unnest::{ListUnnest, UnnestExec},
    },
};
use futures::{Stream, StreamExt};

use super::{columns::counted, large_columns};
use crate::{
    functions::{Bounds, bytes_at, entries, items_at, largest_bytes},
    through::{Through, ThroughExec},
};

/// What a value of a fixed size takes at most.
const VALUE_BYTES: u64 = 16;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    bounds: Arc<Bounds>,
    lists: Arc<[ListUnnest]>,
    /// Columns beside them that can be large.
    wide: Arc<[usize]>,
}

impl Cut {
    /// The node above the input of `unnest`.
    pub(crate) fn below(unnest: &UnnestExec, bounds: &Arc<Bounds>) -> Arc<dyn ExecutionPlan> {
        let lists: Arc<[ListUnnest]> = unnest.list_column_indices().into();
        let mut wide = large_columns(&unnest.input().schema());
        // A list that is taken apart is not copied, but for one of which another depth is asked for, too.
        wide.retain(|column| lists.iter().filter(|list| list.index_in_input_schema == *column).count() != 1);
        let way = Self { bounds: Arc::clone(bounds), lists, wide: wide.into() };
        Arc::new(ThroughExec::new(Arc::clone(unnest.input()), way))
    }

    /// Whether the lists of a row can come in pieces.
    fn can_cut(&self, batch: &RecordBatch) -> bool {
        self.lists.iter().all(|list| {
            let data_type = batch.column(list.index_in_input_schema).data_type();
            list.depth == 1 && matches!(data_type, DataType::List(_) | DataType::LargeList(_))
        })
    }

    /// How often the rest of a row is copied. Lists of lists are taken apart level by level, beside what the others have become: at most.
    fn copies(&self, batch: &RecordBatch, row: usize) -> u64 {
        let of = |list: &ListUnnest| {
            let values = batch.column(list.index_in_input_schema);
            if values.is_null(row) {
                return 1;
            }
            if list.depth == 1 { items_at(values, row).max(1) } else { entries(values, row, row + 1).max(1) }
        };
        if self.is_deep() {
            return self.lists.iter().map(of).fold(1, u64::saturating_mul);
        }
        self.lists.iter().map(of).max().unwrap_or(1)
    }

    fn is_deep(&self) -> bool {
        self.lists.iter().any(|list| list.depth > 1)
    }

    fn fixed_bytes(batch: &RecordBatch) -> u64 {
        VALUE_BYTES * u64::try_from(batch.num_columns()).unwrap_or(u64::MAX)
    }

    /// What is copied of a row.
    fn row_bytes(&self, batch: &RecordBatch, row: usize) -> u64 {
        let wide = self.wide.iter().map(|column| {
            let column = batch.column(*column);
            counted(column.data_type(), bytes_at(column, row))
        });
        let wide = wide.sum::<u64>();
        Self::fixed_bytes(batch).saturating_add(wide)
    }

    /// Whether all copies of all rows are surely few.
    fn is_small(&self, batch: &RecordBatch) -> Result<bool> {
        if self.is_deep() {
            return Ok(false);
        }
        let all = self
            .lists
            .iter()
            .map(|list| entries(batch.column(list.index_in_input_schema), 0, batch.num_rows()));
        let rows = u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
        let copies = all.sum::<u64>().saturating_add(rows);
        let widest = self.wide.iter().map(|column| {
            let column = batch.column(*column);
            largest_bytes(column).map(|bytes| counted(column.data_type(), bytes))
        });
        let bytes = Self::fixed_bytes(batch).saturating_add(widest.sum::<Result<u64>>()?);
        Ok(copies.saturating_mul(bytes) <= self.bounds.piece_bytes())
    }

    /// How many of the rows from one on go in together; none if that one alone is too much.
    fn rows_together(&self, batch: &RecordBatch, from: usize) -> usize {
        let mut left = self.bounds.piece_bytes();
        let fits = |row: &usize| {
            let all = self.copies(batch, *row).saturating_mul(self.row_bytes(batch, *row));
            let rest = left.checked_sub(all);
            left = rest.unwrap_or_default();
            rest.is_some()
        };
        (from..batch.num_rows()).take_while(fits).count()
    }

    /// How many items of a row's lists go in together: all, where they cannot be cut.
    fn items_together(&self, row: &RecordBatch) -> Result<u64> {
        let (copies, bytes, most) = (self.copies(row, 0), self.row_bytes(row, 0), self.bounds.joined_bytes());
        if bytes > most {
            return exec_err!("unnest: {bytes} bytes beside a list; at most {most} bytes");
        }
        if self.can_cut(row) {
            return Ok((self.bounds.piece_bytes() / bytes).max(1));
        }
        if copies.saturating_mul(bytes) > most {
            return exec_err!(
                "unnest: {copies} copies of {bytes} bytes; those of one row have at most {most} bytes together, but for plain lists (no lists in \
                 lists, no views, no lists of fixed size)"
            );
        }
        Ok(copies)
    }

    /// The row with some items of its lists; those that end before have none.
    fn piece(&self, row: &RecordBatch, start: u64, end: u64) -> Result<RecordBatch> {
        let mut columns = row.columns().to_vec();
        for list in &*self.lists {
            let column = &mut columns[list.index_in_input_schema];
            let cut = match row.column(list.index_in_input_schema).as_list_opt::<i32>() {
                Some(values) => part(values, start, end)?,
                None => part(row.column(list.index_in_input_schema).as_list::<i64>(), start, end)?,
            };
            *column = cut;
        }
        Ok(RecordBatch::try_new(row.schema(), columns)?)
    }
}

/// Some items of a list that is alone in its array.
fn part<O: OffsetSizeTrait>(list: &GenericListArray<O>, start: u64, end: u64) -> Result<ArrayRef> {
    let (first, last) = (list.value_offsets()[0], list.value_offsets()[1]);
    let place = |items: u64| {
        let items = usize::try_from(items).ok().and_then(O::from_usize);
        items.map_or(last, |items| (first + items.min(last - first)).min(last))
    };
    let (field, values) = match list.data_type() {
        DataType::List(field) | DataType::LargeList(field) => (Arc::clone(field), Arc::clone(list.values())),
        other => return exec_err!("{other} is no list"),
    };
    let offsets = OffsetBuffer::new(vec![place(start), place(end)].into());
    Ok(Arc::new(GenericListArray::try_new(field, offsets, values, list.nulls().cloned())?))
}

impl Through for Cut {
    const NAME: &'static str = "CutExec";

    fn anew(&self) -> Self {
        self.clone()
    }

    fn execute(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let inner = input.execute(partition, context)?;
        Ok(Box::pin(CutStream { inner, way: self.clone(), rest: None }))
    }
}

struct CutStream {
    inner: SendableRecordBatchStream,
    way: Cut,
    rest: Option<Rest>,
}

/// What has not been handed on of a batch.
struct Rest {
    batch: RecordBatch,
    /// The first such row.
    row: usize,
    /// The first such item of the row's lists.
    item: u64,
}

impl Rest {
    fn of(batch: RecordBatch) -> Self {
        Self { batch, row: 0, item: 0 }
    }

    fn next(&mut self, way: &Cut) -> Result<Option<RecordBatch>> {
        if self.row == self.batch.num_rows() {
            return Ok(None);
        }
        if self.row == 0 && self.item == 0 && way.is_small(&self.batch)? {
            self.row = self.batch.num_rows();
            return Ok(Some(self.batch.clone()));
        }
        let rows = if self.item == 0 { way.rows_together(&self.batch, self.row) } else { 0 };
        if rows > 0 {
            self.row += rows;
            return Ok(Some(self.batch.slice(self.row - rows, rows)));
        }
        let row = self.batch.slice(self.row, 1);
        let (from, items) = (self.item, way.items_together(&row)?);
        self.item += items;
        if self.item >= way.copies(&row, 0) {
            (self.row, self.item) = (self.row + 1, 0);
        }
        if from == 0 && self.item == 0 {
            Ok(Some(row))
        } else {
            way.piece(&row, from, from + items).map(Some)
        }
    }
}

impl Stream for CutStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inner, way, rest } = &mut *self;
        loop {
            if let Some(piece) = rest.as_mut().map_or(Ok(None), |rest| rest.next(way)).transpose() {
                return Poll::Ready(Some(piece));
            }
            *rest = None;
            match ready!(inner.poll_next_unpin(context)) {
                Some(Ok(batch)) => *rest = Some(Rest::of(batch)),
                end => return Poll::Ready(end),
            }
        }
    }
}

impl RecordBatchStream for CutStream {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}
