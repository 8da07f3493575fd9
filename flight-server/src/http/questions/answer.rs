//! Runs the statement of a question and reads its numbers. A statement's text never changes with the question: what is asked
//! for is bound, so that schemas and plans of few statements can be kept.

use std::sync::Arc;

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::concat_batches,
    datatypes::{Float64Type, Int64Type},
};
use axum::http::StatusCode;
use futures::TryStreamExt;
use hexflight_planner::{DataFusionError, ScalarValue};

use super::window::Window;
use crate::{
    http::Api,
    status::{Problem, query_problem},
};

/// The rows of a statement's answer, as one batch. Questions have bounded answers.
///
/// **Cancellation**: dropping the future stops the query.
pub(super) async fn ask(api: &Api, sql: &str, params: Vec<ScalarValue>) -> Result<Rows, Problem> {
    let asked = api.begin(None);
    let answer = async {
        let stream = asked.run(sql, params).await?;
        let schema = stream.schema();
        let batches: Vec<RecordBatch> = stream.try_collect().await?;
        concat_batches(&schema, &batches).map_err(DataFusionError::from)
    };
    let batch = answer.await.map_err(|error| query_problem(&error))?;
    asked.rows_sent(batch.num_rows());
    Ok(Rows(batch))
}

/// A text parameter, in the type that text columns have.
pub(super) fn text(value: &str) -> ScalarValue {
    ScalarValue::Utf8View(Some(value.to_owned()))
}

/// The two parameters of `timestamp >= $n AND timestamp < $n+1`.
pub(super) fn bounds(window: Window) -> [ScalarValue; 2] {
    let instant = |micros| ScalarValue::TimestampMicrosecond(Some(micros), Some(Arc::from("UTC")));
    [instant(window.start_micros), instant(window.end_micros)]
}

/// An answer's rows, read by the position of a column and of a row.
#[derive(Debug)]
pub(super) struct Rows(RecordBatch);

impl Rows {
    pub(super) fn count(&self) -> usize {
        self.0.num_rows()
    }

    /// An integer; 0 where there is none.
    pub(super) fn integer(&self, column: usize, row: usize) -> Result<i64, Problem> {
        let array = self.0.columns().get(column).and_then(|array| array.as_primitive_opt::<Int64Type>());
        let array = array.filter(|array| row < array.len()).ok_or_else(unexpected)?;
        Ok(if array.is_null(row) { 0 } else { array.value(row) })
    }

    /// A float, `None` where SQL has NULL. One that JSON cannot hold is an error: `null` would say that there is nothing.
    pub(super) fn float(&self, column: usize, row: usize) -> Result<Option<f64>, Problem> {
        let array = self.0.columns().get(column).and_then(|array| array.as_primitive_opt::<Float64Type>());
        let array = array.filter(|array| row < array.len()).ok_or_else(unexpected)?;
        if array.is_null(row) {
            return Ok(None);
        }
        let value = array.value(row);
        if value.is_finite() { Ok(Some(value)) } else { Err(not_finite()) }
    }

    pub(super) fn text(&self, column: usize, row: usize) -> Result<String, Problem> {
        let array = self.0.columns().get(column).and_then(|array| array.as_string_view_opt());
        let array = array.filter(|array| row < array.len()).ok_or_else(unexpected)?;
        Ok(array.value(row).to_owned())
    }
}

fn unexpected() -> Problem {
    let detail = "the answer of the statement has other columns than expected";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
}

fn not_finite() -> Problem {
    let detail = "the sum of the values is beyond what a 64-bit float can hold (about 1.8e308)";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "sum_overflow", detail)
        .with_hint("ask for a shorter window")
}
