//! Tests of [`ArrivingBody`].

use std::convert::Infallible;

use futures::{FutureExt, StreamExt, stream};
use hexflight_engine::Budget;
use tonic::Code;

use super::*;

const LIMIT: usize = 8 << 20;
const PART: usize = 8;
const MESSAGE: usize = 768 << 10;

#[tokio::test]
async fn a_message_has_its_memory_until_the_next_one_is_asked_for() {
    let budget = Budget::new(LIMIT);
    let memory = ArrivalMemory::new("messages", &budget, PART);
    let mut body = arriving(&memory, vec![beginning(MESSAGE, 10), rest(MESSAGE - 10), beginning(8, 8)]);

    assert_eq!(next(&mut body).await.unwrap().len(), 15);
    assert_eq!(budget.used(), MESSAGE);
    next(&mut body).await.unwrap();
    assert_eq!(budget.used(), MESSAGE);
    next(&mut body).await.unwrap();
    assert_eq!(budget.used(), 0);
}

/// What takes one message keeps it until the request has ended, and that must be soon.
#[tokio::test]
async fn a_single_message_is_held_until_its_request_ends() {
    let budget = Budget::new(LIMIT);
    let memory = ArrivalMemory::new("messages", &budget, PART);
    let mut body = arriving(&memory, vec![beginning(MESSAGE, 10), rest(MESSAGE - 10)]);
    (body.is_stream, body.pace.wait) = (false, Duration::from_millis(10));
    next(&mut body).await.unwrap();
    next(&mut body).await.unwrap();
    let late = next(&mut body).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert_eq!(budget.used(), MESSAGE, "the reader has the message still");
    drop(body);
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_large_message_must_arrive_faster() {
    let memory = ArrivalMemory::new("messages", &Budget::new(1 << 30), PART);
    let mut body = arriving(&memory, vec![beginning(64 << 20, 100 << 10)]);
    (body.bytes_max, body.pace.wait) = (128 << 20, Duration::from_millis(10));
    next(&mut body).await.unwrap();
    let slow = next(&mut body).await.unwrap_err();
    assert!(slow.message().contains("at least 1048576 must"), "{}", slow.message());
}

#[tokio::test]
async fn a_message_without_memory_waits_and_small_ones_do_not() {
    let budget = Budget::new(LIMIT);
    let memory = ArrivalMemory::new("messages", &budget, PART);
    let mut first = arriving(&memory, vec![beginning(MESSAGE, 0)]);
    next(&mut first).await.unwrap();
    let both = [beginning(8, 8), beginning(MESSAGE, 0)].concat();
    let mut second = arriving(&memory, vec![both.into()]);

    assert_eq!(next(&mut second).await.unwrap().len(), 13);
    assert!(next(&mut second).now_or_never().is_none());
    drop(first);
    assert_eq!(next(&mut second).await.unwrap().len(), 5);
    drop(second);
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_message_that_finds_no_memory_or_stalls_is_refused() {
    let wait = Duration::from_millis(10);
    let memory = ArrivalMemory::with_wait("messages", &Budget::new(LIMIT), PART, wait);
    let mut first = arriving(&memory, vec![beginning(MESSAGE, 0)]);
    first.pace.wait = wait;
    next(&mut first).await.unwrap();
    let mut second = arriving(&memory, vec![beginning(MESSAGE, 0)]);

    assert_eq!(next(&mut second).await.unwrap_err().code(), Code::ResourceExhausted);
    let stalled = next(&mut first).await.unwrap_err();
    assert_eq!(stalled.code(), Code::DeadlineExceeded);
    assert!(stalled.message().contains("at least 65536 must"), "{}", stalled.message());
}

#[tokio::test]
async fn a_message_that_its_reader_refuses_takes_nothing() {
    let budget = Budget::new(LIMIT);
    let memory = ArrivalMemory::new("messages", &budget, PART);
    let mut body = arriving(&memory, vec![beginning(LIMIT + 1, 0)]);
    next(&mut body).await.unwrap();
    assert_eq!(budget.used(), 0);
}

/// A body that has sent some pieces and does not end.
fn arriving(memory: &Arc<ArrivalMemory>, pieces: Vec<Bytes>) -> ArrivingBody {
    let pieces = stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)).chain(stream::pending());
    let inner = Body::new(axum::body::Body::from_stream(pieces));
    ArrivingBody::new(inner, Arc::clone(memory), Waits::default(), LIMIT, true)
}

fn beginning(declared: usize, sent: usize) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(declared).unwrap().to_be_bytes());
    bytes.resize(bytes.len() + sent, b'x');
    bytes.into()
}

fn rest(bytes: usize) -> Bytes {
    vec![b'x'; bytes].into()
}

async fn next(body: &mut ArrivingBody) -> Result<Bytes, Status> {
    let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
    frame.unwrap().map(|frame| frame.into_data().unwrap())
}
