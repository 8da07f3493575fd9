//! The way of one request: bytes → plain bytes → rows → engine → answer. Long pieces of work run on blocking threads, no more of them at once
//! than there are cores.

use std::{num::NonZero, sync::Arc};

use axum::{
    body::BodyDataStream,
    extract::Request,
    http::{header, request::Parts},
};
use hexflight_engine::{
    BadRow, EngineError, OnBadRow, TableName, tasks,
    time::{self, Instant as Deadline, timeout_at},
};
use tokio::sync::Semaphore;

use super::{
    answer::{self, Accepted},
    body,
    request::{Encoding, Head},
};
use crate::{
    arrival::{RETRY_MS, WAIT},
    http::{
        Api,
        body::{Held, READ_TIMEOUT, read, refuse},
        ready::Ready,
    },
    json::{
        document::{self, Events},
        fault::{Faults, Origin},
    },
    status::{Problem, engine_problem},
    telemetry,
};

/// Bodies up to which parsing runs where the request arrives: some 0.2 ms. **Units**: bytes.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// What the requests share.
#[derive(Debug)]
pub(super) struct Intake {
    table: TableName,
    parsing: Arc<Semaphore>,
}

impl Intake {
    /// For the table `events`.
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { table: TableName::new("events"), parsing: Arc::new(Semaphore::new(cores)) }
    }

    /// Answers a request.
    pub(super) async fn take(
        &self,
        ready: Result<Ready, Problem>,
        request: Request,
    ) -> Result<Accepted, Problem> {
        let started = time::now();
        let (parts, body) = request.into_parts();
        let mut pieces = body.into_data_stream();
        let (api, head, held) = match Self::receive(ready, &parts, &mut pieces).await {
            Ok(received) => received,
            Err(problem) => {
                refuse(pieces, &parts.headers, &problem).await;
                return Err(problem);
            }
        };
        let (sent_bytes, deadline) = (held.bytes.len(), time::now() + WAIT);
        let (events, held) = self.parse(&api, &head, held, deadline).await?;
        let accepted = self.store(&api, events, head.on_bad_row, deadline).await?;
        drop(held);
        if let Some(rows) = accepted.rows_written() {
            telemetry::batch_acknowledged(rows, sent_bytes, started.elapsed());
        }
        Ok(accepted)
    }

    async fn receive(
        ready: Result<Ready, Problem>,
        parts: &Parts,
        pieces: &mut BodyDataStream,
    ) -> Result<(Arc<Api>, Head, Held), Problem> {
        let Ready(api) = ready?;
        let head = Head::of(&parts.uri, &parts.headers)?;
        let declared = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        body::check_length(declared.and_then(|text| text.parse().ok()), &api.limits)?;
        let held = read(pieces, &api.bodies, body::sent_limit(&api.limits), READ_TIMEOUT).await?;
        Ok((api, head, held))
    }

    async fn parse(
        &self,
        api: &Api,
        head: &Head,
        held: Held,
        deadline: Deadline,
    ) -> Result<(Events, Held), Problem> {
        let (format, encoding) = (head.format.clone(), head.encoding);
        let is_short = encoding == Encoding::Identity && held.bytes.len() <= INLINE_BYTES_MAX;
        let limits = api.limits.clone();
        let work = move || {
            let mut plain = body::inflate(held, encoding, &limits)?;
            let events =
                document::read(&plain.bytes, &format).map_err(|reason| answer::unreadable(&reason))?;
            plain.let_go();
            Ok((events, plain))
        };
        if is_short {
            return work();
        }
        let turn = timeout_at(deadline, Arc::clone(&self.parsing).acquire_owned()).await;
        // Never closed: an error of the turn itself would mean so.
        let late = EngineError::Delayed { step: "a turn to be parsed", waited: WAIT, retry_ms: RETRY_MS };
        let turn = turn.map_err(|_| engine_problem(&late))?;
        let parsing = tasks::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        match parsing.await {
            Ok(parsed) => parsed,
            Err(error) => match error.try_into_panic() {
                // Goes on to the layer that answers panics.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(engine_problem(&EngineError::Closed)),
            },
        }
    }

    async fn store(
        &self,
        api: &Api,
        events: Events,
        on_bad_row: OnBadRow,
        deadline: Deadline,
    ) -> Result<Accepted, Problem> {
        if on_bad_row == OnBadRow::Refuse && events.faults.total > 0 {
            let bad_rows = self.check(api, &events).await;
            return Err(refused(events, &bad_rows));
        }
        let Some(batch) = &events.batch else {
            return Ok(match on_bad_row {
                OnBadRow::Refuse => Accepted::all(None),
                OnBadRow::Skip => Accepted::some(None, events.count, events.faults),
            });
        };
        let appended = match api.engine.append_by(&self.table, batch, on_bad_row, deadline).await {
            Ok(appended) => appended,
            Err(EngineError::InvalidRows(first)) => {
                // One rule was broken; the others are checked now. The clock may have made a row good since.
                let bad_rows = self.check(api, &events).await;
                let bad_rows = if bad_rows.is_empty() { first.rows } else { bad_rows };
                return Err(refused(events, &bad_rows));
            }
            Err(error) => return Err(engine_problem(&error)),
        };
        let ack = match appended.ack {
            Some(pending) => Some(pending.wait().await.map_err(|error| engine_problem(&error))?),
            None => None,
        };
        match on_bad_row {
            OnBadRow::Refuse => Ok(Accepted::all(ack.as_ref())),
            OnBadRow::Skip => {
                let mut faults = events.faults;
                faults.merge(of_rows(&events.origins, &appended.bad_rows));
                Ok(Accepted::some(ack.as_ref(), events.count, faults))
            }
        }
    }

    /// The rows that the engine would refuse; none if it cannot say now.
    async fn check(&self, api: &Api, events: &Events) -> Vec<BadRow> {
        match &events.batch {
            Some(batch) => api.engine.check(&self.table, batch).await.unwrap_or_default(),
            None => vec![],
        }
    }
}

fn refused(events: Events, bad_rows: &[BadRow]) -> Problem {
    let rejected = events.count - events.origins.len() + bad_rows.len();
    let mut faults = events.faults;
    faults.merge(of_rows(&events.origins, bad_rows));
    answer::refused(&faults, rejected, events.count, events.malformed.as_ref())
}

/// What the engine says about rows, said about the body.
fn of_rows(origins: &[Origin], bad_rows: &[BadRow]) -> Faults {
    let mut faults = Faults::default();
    for BadRow { row, column, value, rule } in bad_rows {
        faults.add(|| origins[*row].fault(column, rule, value));
    }
    faults
}
