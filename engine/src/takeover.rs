//! `Recovery`: takes over the streams of dead processes: looks at all of them, ends them, and shows their rows to queries. It is the way of
//! this process's own past; nothing here knows who wrote a stream.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::array::RecordBatch;
use futures::{TryStreamExt, pin_mut};

use crate::{
    budget::Budget,
    error::{EngineError, Result},
    finding::Finding,
    flush::Flusher,
    health::Health,
    ingest::{memory_of, to_query},
    memory::{Generation, MemoryBatch},
    options::EngineOptions,
    quarantine,
    schema::{Sequence, StreamId, TableName},
    store::{Store, keys},
    stream::Streams,
    tables::{Table, Tables},
    tasks::blocking,
    time,
    wal::{self, Fence, PutEnd, Registered, Survey, Takeover},
};

/// See the module.
#[derive(Debug)]
pub(crate) struct Recovery<'a> {
    pub(crate) store: &'a Store,
    pub(crate) options: &'a EngineOptions,
    pub(crate) tables: &'a Tables,
    pub(crate) streams: &'a Streams,
    pub(crate) budget: &'a Arc<Budget>,
    pub(crate) health: &'a Health,
    pub(crate) flusher: &'a Flusher,
}

impl Recovery<'_> {
    /// Takes over every stream that left something: returns when their rows can be queried. All of them are looked at before anything
    /// is changed.
    ///
    /// # Errors
    /// `Corrupt` when acknowledged rows are gone or stored bytes fail a check, `Unavailable` when the store fails.
    pub(crate) async fn run(&self) -> Result<()> {
        for takeover in self.look_at_streams().await? {
            self.recover_stream(takeover).await?;
        }
        Ok(())
    }

    async fn look_at_streams(&self) -> Result<Vec<Takeover>> {
        let survey = Survey::of(self.store).await?;
        let mut findings = vec![];
        let registered = wal::registry::list(self.store).await?;
        findings.extend(registered.iter().filter_map(|entry| entry.finding.clone()));
        findings.extend(self.vanished(&survey, &registered));
        let mut streams: BTreeSet<StreamId> = registered.iter().map(|entry| entry.stream).collect();
        for stream in survey.unfinished(|stream| self.tables.flushed(stream)) {
            if streams.insert(stream) {
                findings.push(Finding {
                    object: keys::stream_entry(stream).to_string(),
                    detail: format!(
                        "missing, and wal/{stream} holds what is in no file; the stream is taken over by its name"
                    ),
                });
            }
        }
        let mut takeovers = vec![];
        for stream in streams {
            let takeover = Takeover::of(self.store, stream, self.tables.flushed(stream)).await?;
            findings.extend(takeover.finding.clone());
            takeovers.push(takeover);
        }
        findings.extend(self.lost_commits(&takeovers));
        findings.into_iter().for_each(|finding| self.health.report(finding));
        Ok(takeovers)
    }

    /// The newest commits of the process before, if it noted more than there are. Not a reason to refuse the start: in a copy that was
    /// made beside a running server the note may be younger than the rest.
    fn lost_commits(&self, takeovers: &[Takeover]) -> Option<Finding> {
        let (stream, landed) = wal::landed::noted(self.store)?;
        let end = takeovers
            .iter()
            .find(|takeover| takeover.stream == stream)
            .map(|takeover| takeover.end.previous());
        let end = end.unwrap_or_else(|| self.tables.flushed(stream));
        (landed > end).then(|| Finding {
            object: keys::wal_object(stream, end.next()).to_string(),
            detail: format!(
                "missing, and LOCK says that all up to commit {landed} were there: acknowledged rows are gone"
            ),
        })
    }

    /// A stream with rows in files leaves its fence, or the last flushed commit. One of which nothing is left may have had more than
    /// what is in files.
    fn vanished(&self, survey: &Survey, registered: &[Registered]) -> Option<Finding> {
        let deletes_flushed = |stream| {
            registered
                .iter()
                .any(|entry| entry.stream == stream && !entry.keeps_flushed && entry.finding.is_none())
        };
        let states: Vec<_> = self.tables.iter().map(|table| table.view.snapshot()).collect();
        let flushed = states.iter().flat_map(|snapshot| snapshot.table.streams());
        let vanished: BTreeMap<StreamId, Sequence> =
            flushed.filter(|(stream, _)| !survey.holds(*stream) && !deletes_flushed(*stream)).collect();
        let (stream, flushed) = vanished.last_key_value()?;
        let others = vanished.len() - 1;
        Some(Finding {
            object: format!("wal/{stream}"),
            detail: format!(
                "nothing is left of this stream (and of {others} others), of which commits up to {flushed} are in files; if it had more, their \
                 rows are gone"
            ),
        })
    }

    /// Puts the fence and sets aside what lies behind it. On a full disk that waits until the stream is closed, which makes space: until
    /// then the lock on the directory keeps others away.
    async fn end_dead_stream(&self, mut takeover: Takeover) -> Result<Takeover> {
        let store = self.store.with_reserve();
        while !takeover.is_fenced {
            match wal::put_fence_if_space(&store, takeover.stream, takeover.end).await? {
                Some(PutEnd::Landed) => takeover.is_fenced = true,
                // Somebody put an object there meanwhile: look again.
                Some(PutEnd::Fenced) => {
                    takeover = Takeover::of(self.store, takeover.stream, takeover.flushed).await?;
                }
                None => {
                    tracing::warn!(stream = %takeover.stream, "the disk is full: the stream is fenced once there is space");
                    return Ok(takeover);
                }
            }
        }
        for path in &takeover.behind {
            match quarantine::set_aside(&store, path).await {
                Err(error) if error.is_storage_full() => {
                    tracing::warn!(%path, %error, "the object is set aside once there is space");
                }
                set_aside => set_aside?,
            }
        }
        Ok(takeover)
    }

    async fn recover_stream(&self, takeover: Takeover) -> Result<()> {
        let started = time::now();
        let takeover = if self.options.read_only { takeover } else { self.end_dead_stream(takeover).await? };
        let Takeover { stream, flushed, end, is_fenced, .. } = takeover;
        assert!(end > flushed, "fence {end} of stream {stream} lies behind its txn {flushed}");
        let mut loaded: BTreeMap<TableName, Generation> = BTreeMap::new();
        let mut rows = 0;
        let tail = wal::tail(self.store, stream, flushed, end);
        pin_mut!(tail);
        while let Some((sequence, object)) = tail.try_next().await? {
            for (name, batches) in object.tables {
                let table = self.tables.get(&name)?;
                // Another table is behind: these rows are in files already.
                if sequence <= table.flushed(stream) {
                    continue;
                }
                let generation =
                    loaded.entry(name.clone()).or_insert_with(|| Generation::new(stream, sequence));
                for batch in batches {
                    rows += batch.num_rows();
                    let batch = self.read_back(table, batch).await?;
                    generation.push(sequence, Arc::new(batch))?;
                }
                if self.is_full(generation)
                    && let Some(full) = loaded.remove(&name)
                {
                    table.view.adopt(full);
                }
            }
            self.make_room().await?;
        }
        for (name, generation) in loaded {
            self.tables.get(&name)?.view.adopt(generation);
        }
        if !self.options.read_only {
            self.streams.end(self.tables, stream, Fence { sequence: end, is_put: is_fenced });
        }
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(%stream, fence = %end, rows, seconds, "recovered a stream");
        Ok(())
    }

    async fn read_back(&self, table: &Table, batch: RecordBatch) -> Result<MemoryBatch> {
        let memory = self.budget.events_unchecked(memory_of(&batch));
        let spec = Arc::clone(&table.spec);
        blocking("read back", move || Ok(MemoryBatch::new(to_query(&spec, &batch)?, Some(memory)))).await
    }

    fn is_full(&self, generation: &Generation) -> bool {
        generation.row_count() >= self.options.generation_rows_max
            || generation.bytes() >= self.options.generation_bytes_max
    }

    /// A WAL tail may be larger than memory: what is loaded goes to files before more is read. A full disk takes no files; to be read, the
    /// rows may fill what queries have to share with them otherwise.
    async fn make_room(&self) -> Result<()> {
        let has_room = || match self.store.is_full() {
            true => self.budget.try_reserve(0, 1.0).is_ok(),
            false => self.budget.try_events(0).is_ok(),
        };
        if has_room() {
            return Ok(());
        }
        if self.options.read_only {
            return Err(EngineError::InvalidOption(format!(
                "memory limit: {} bytes do not take the rows that no file holds yet; start a server, which flushes them, or raise it",
                self.options.memory_limit_bytes
            )));
        }
        match self.flusher.flush(false).await {
            Err(error) if error.is_storage_full() && self.budget.try_reserve(0, 1.0).is_ok() => Ok(()),
            flushed => flushed,
        }
    }
}
