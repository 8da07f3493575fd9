//! The comparison, and the questions' SQL asked of a plain in-memory table of simulated events.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, StringArray};
use datafusion::{datasource::MemTable, prelude::SessionContext};

use super::*;
use crate::{
    commands::simulate::{Fleet, Ledger, TimeSlice, Workload, WorkloadConfig},
    demo::question::{Question, questions},
};

#[tokio::test]
async fn every_question_asked_of_the_same_events_agrees() {
    let (context, ledger, fleet) = events_and_ledger(20).await;
    let questions = questions(&ledger, &fleet);

    for question in &questions {
        let answer = ask(&context, question).await;
        let verdict = compare(&answer, &question.expected(&ledger));
        assert_eq!(verdict, Ok(()), "{}\n{}", question.title(), question.sql());
    }
    assert!(questions.len() >= 8);
}

#[tokio::test]
async fn a_lost_batch_is_noticed_by_every_question_about_all_time() {
    let (context, mut ledger, fleet) = events_and_ledger(20).await;
    let questions = questions(&ledger, &fleet);
    // The ledger has a batch more than the table: as if an acknowledged batch had been lost.
    ledger.record(workload().next_batch(slice(19)).events);

    for question in questions.iter().filter(|question| question.window.slice == TimeSlice::ALWAYS) {
        let answer = ask(&context, question).await;
        assert!(compare(&answer, &question.expected(&ledger)).is_err(), "{}", question.title());
    }
}

#[test]
fn differences_are_named() {
    let expected = Aggregate { count: 2, sum: 3.0, sum_abs: 3.0, min: Some(1.0), max: Some(2.0) };
    let verdict = |events, sum, max| compare(&summary(events, sum, max), &Expected::Summary(expected));

    assert_eq!(verdict(2, 3.0, 2.0), Ok(()));
    assert_eq!(verdict(2, 3.0 + 1e-12, 2.0), Ok(()));
    assert_eq!(verdict(3, 3.0, 2.0), Err("events is 3, expected 2".to_owned()));
    assert_eq!(verdict(2, 3.1, 2.0), Err("sum is Some(3.1), expected Some(3.0)".to_owned()));
    assert_eq!(verdict(2, 3.0, 9.0), Err("max is Some(9.0), expected Some(2.0)".to_owned()));
}

#[test]
fn rankings_are_compared_in_order() {
    let batch = RecordBatch::try_from_iter([
        ("device_id", Arc::new(StringArray::from(vec!["a", "b"])) as _),
        ("events", Arc::new(Int64Array::from(vec![5, 5])) as _),
    ])
    .unwrap();
    let ranking = |ids: [&str; 2]| Expected::Ranking(ids.map(|id| (id.to_owned(), 5)).to_vec());
    let answer = answer_of(batch);

    assert_eq!(compare(&answer, &ranking(["a", "b"])), Ok(()));
    assert_eq!(compare(&answer, &ranking(["b", "a"])), Err("device 1 is \"a\", expected \"b\"".to_owned()));
    assert_eq!(compare(&answer, &Expected::Ranking(vec![])), Err("2 rows, expected 0".to_owned()));
}

#[test]
fn an_empty_window_has_no_average() {
    let batch =
        RecordBatch::try_from_iter([("average", Arc::new(Float64Array::from(vec![None])) as _)]).unwrap();
    let none = Expected::Average(Aggregate::default());

    assert_eq!(compare(&answer_of(batch), &none), Ok(()));
}

fn summary(events: i64, sum: f64, max: f64) -> Answer {
    let float = |value: f64| Arc::new(Float64Array::from(vec![value])) as _;
    let columns = [
        ("events", Arc::new(Int64Array::from(vec![events])) as _),
        ("sum", float(sum)),
        ("average", float(1.5)),
        ("min", float(1.0)),
        ("max", float(max)),
    ];
    answer_of(RecordBatch::try_from_iter(columns).unwrap())
}

fn answer_of(batch: RecordBatch) -> Answer {
    Answer { schema: batch.schema(), batches: vec![batch] }
}

async fn events_and_ledger(batch_count: i64) -> (SessionContext, Ledger, Arc<Fleet>) {
    let mut workload = workload();
    let fleet = Arc::clone(workload.fleet());
    let mut ledger = Ledger::new(Arc::clone(&fleet));
    let mut batches = Vec::new();
    for index in 0..batch_count {
        let simulated = workload.next_batch(slice(index));
        batches.push(simulated.batch);
        ledger.record(simulated.events);
    }
    let context = SessionContext::new();
    let table = MemTable::try_new(Arc::clone(workload.schema()), vec![batches]).unwrap();
    context.register_table("events", Arc::new(table)).unwrap();
    (context, ledger, fleet)
}

fn workload() -> Workload {
    let config = WorkloadConfig { device_count: 300, batch_rows: 1_000, ..WorkloadConfig::default() };
    Workload::new(Arc::new(Fleet::new(&config)), config)
}

/// A minute each.
fn slice(index: i64) -> TimeSlice {
    let from_micros = 1_767_268_800_000_000 + index * 60_000_000;
    TimeSlice { from_micros, to_micros: from_micros + 60_000_000 }
}

async fn ask(context: &SessionContext, question: &Question) -> Answer {
    let frame = context.sql(&question.sql()).await.unwrap();
    let schema = Arc::new(frame.schema().as_arrow().clone());
    Answer { schema, batches: frame.collect().await.unwrap() }
}
