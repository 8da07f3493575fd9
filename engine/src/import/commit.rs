//! The end of a load: the rest is sorted and written, then one Delta version names every file and every source.

use std::sync::{Arc, atomic::Ordering};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use metrics::histogram;

use super::{
    ImportSummary, OnLoaded, SourceId,
    load::Load,
    part::bytes_of,
    partitions::Partitions,
    plan::{Unit, pack},
    scratch::Chunk,
    spread::spread,
    width::Width,
};
use crate::{
    delta::{Change, LoadedSource, check_sources},
    error::{EngineError, Result},
    tables::CommitEnd,
    tasks::{blocking, cores},
    time,
};

/// Units under way for each core; most of them wait for the disk.
const UNITS_PER_CORE: usize = 4;

impl Load {
    /// Runs to its end even if the caller goes away; it then stops before the last step.
    pub(super) async fn commit(
        self: Arc<Self>,
        sources: Vec<SourceId>,
        on_loaded: OnLoaded,
    ) -> Result<ImportSummary> {
        let started = time::now();
        self.check()?;
        let sources = self.check_sources(sources, on_loaded)?;
        self.take_small().await?;
        self.settle().await?;
        let units = self.plan().await?;
        self.write_all(units).await?;
        let summary = self.publish(&sources).await?;
        histogram!("hexflight_import_seconds").record(started.elapsed());
        tracing::info!(?summary, seconds = started.elapsed().as_secs_f64(), "loaded");
        Ok(summary)
    }

    /// Writes units. After the first that fails the others are waited for, not dropped: a put that nobody waits for could land after
    /// the load's files were deleted.
    async fn write_all(self: &Arc<Self>, units: Vec<Unit>) -> Result<()> {
        let writes = units.into_iter().map(|unit| async {
            if let Err(error) = self.write(unit).await {
                self.fail(&error);
            }
        });
        let writes: Vec<_> = writes.map(FutureExt::boxed).collect();
        // More than there are cores: while files are fsynced, others are encoded. Memory and turns bound what really runs.
        stream::iter(writes).buffer_unordered(cores() * UNITS_PER_CORE).collect::<()>().await;
        self.check()
    }

    /// What fails at the end would have cost all the work before it.
    fn check_sources(&self, mut sources: Vec<SourceId>, on_loaded: OnLoaded) -> Result<Vec<LoadedSource>> {
        sources.sort_unstable();
        if let Some([twice, _]) = sources.array_windows().find(|[a, b]| a == b) {
            return Err(EngineError::InvalidOption(format!("source {twice} is named twice in one load")));
        }
        let sources: Vec<LoadedSource> = sources.iter().map(|source| source.loaded(on_loaded)).collect();
        let table = self.table()?;
        check_sources(table.spec.name(), &table.view.snapshot().table, &sources)?;
        Ok(sources)
    }

    /// Takes no more rows and waits for the steps under way.
    async fn settle(&self) -> Result<()> {
        self.state.lock().is_closed = true;
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // Registered before the check: a step that ends in between wakes us.
            settled.as_mut().enable();
            self.check()?;
            if self.state.lock().steps == 0 {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = settled => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// What is left to write. When something was spilled, all is: the memory is wanted for sorting.
    async fn plan(self: &Arc<Self>) -> Result<Vec<Unit>> {
        let (width, in_memory) = {
            let partitions = &mut self.state.lock().partitions;
            if !partitions.has_spilled() {
                let plan = pack(partitions.take_all(), partitions.width, &self.memory.limits);
                return Ok(plan.into_units(&self.memory.limits));
            }
            (partitions.width, partitions.take_memory())
        };
        let chunks = self.spill(in_memory).await?;
        let partitions = {
            let partitions = &mut self.state.lock().partitions;
            partitions.take_chunks(chunks);
            partitions.take_all()
        };
        let plan = pack(partitions, width, &self.memory.limits);
        self.divide(plan.units, plan.oversized, width).await
    }

    /// Spreads what is too large for memory over finer partitions, until the finest; that is cut as it came.
    fn divide(
        self: &Arc<Self>,
        mut units: Vec<Unit>,
        oversized: Vec<Unit>,
        width: Width,
    ) -> BoxFuture<'_, Result<Vec<Unit>>> {
        async move {
            for unit in oversized {
                if width.is_finest() {
                    units.extend(unit.cut(&self.memory.limits));
                    continue;
                }
                let mut finer = self.respread(unit).await?;
                let width = finer.width;
                let plan = pack(finer.take_all(), width, &self.memory.limits);
                units = self.divide(units, plan.oversized, width).await?;
                units.extend(plan.units);
            }
            Ok(units)
        }
        .boxed()
    }

    /// Reads spilled rows, spreads them again from the finest width on, and spills them.
    async fn respread(&self, unit: Unit) -> Result<Partitions> {
        let mut finer = Partitions::new(self.table()?.spec.bucket_micros());
        for part in unit.parts {
            let chunk = part.into_chunk().expect("all of an oversized unit was spilled");
            self.respread_chunk(chunk, &mut finer).await?;
            if finer.memory_bytes() >= self.memory.limits.rows_bytes / 2 {
                let chunks = self.spill(finer.take_memory()).await?;
                finer.take_chunks(chunks);
            }
        }
        let chunks = self.spill(finer.take_memory()).await?;
        finer.take_chunks(chunks);
        Ok(finer)
    }

    async fn respread_chunk(&self, chunk: Chunk, finer: &mut Partitions) -> Result<()> {
        let held = self.memory.rows_again(chunk.length, &self.stop).await.ok_or_else(|| self.failure())?;
        let (scratch, width, piece_bytes) = (self.scratch()?, finer.width, self.memory.limits.part_bytes());
        let _turn = self.turn().await?;
        let spreads = blocking("import spread", move || {
            let mut held = held;
            let batches = scratch.read(chunk)?.into_iter();
            batches.map(|batch| spread(&batch, width, piece_bytes, held.split(bytes_of(&batch)))).collect()
        });
        let spreads: Vec<_> = spreads.await?;
        spreads.into_iter().for_each(|spread| finer.take(spread, &self.memory.limits));
        Ok(())
    }

    async fn publish(&self, sources: &[LoadedSource]) -> Result<ImportSummary> {
        let table = self.table()?;
        let (rows, files) = {
            let mut state = self.state.lock();
            (state.rows, std::mem::take(&mut state.files))
        };
        let written: u64 = files.iter().filter_map(|file| file.row_count).sum();
        assert!(written == rows, "a load of {rows} rows wrote {written}");
        let mut summary = ImportSummary {
            rows,
            files: files.len(),
            bytes: files.iter().map(|file| file.size_bytes).sum(),
            version: table.view.snapshot().version(),
        };
        if files.is_empty() {
            return Ok(summary);
        }
        let started = time::now();
        // The last moment at which the load can be given up.
        self.check()?;
        self.may_be_committed.store(true, Ordering::SeqCst);
        let change = Change { files: &files, sources, ..Change::default() };
        let end = CommitEnd::of(table, &change).await;
        histogram!("hexflight_import_commit_seconds").record(started.elapsed());
        match end {
            CommitEnd::Committed(state) => {
                summary.version = state.version();
                Ok(summary)
            }
            CommitEnd::Refused(error) => {
                self.may_be_committed.store(false, Ordering::SeqCst);
                Err(error)
            }
            CommitEnd::Unknown(error) => Err(error),
        }
    }
}
