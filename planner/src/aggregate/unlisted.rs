//! The devices with the most rows, exactly, without reading the rows of all the others.
//!
//! Threshold algorithm (Fagin). A rollup lists every device that has at least so many rows, its floor. An unlisted device has at most the sum of
//! the floors, each less one. Where the k-th best count exceeds that, only devices that can still overtake it are looked up where they are not
//! listed; all others are out. Otherwise the rows of every device that is not listed are read.

use datafusion::error::Result;

use super::{
    context::Work, deferred::Deferred, groups::Selection, pieces::Piece, segment::Segment, select::select,
    share::Share,
};

impl Work {
    /// Adds the rows of the candidates that a segment does not list; with `None`, of all devices that it does not list.
    pub(super) async fn add_unlisted(
        &self,
        deferred: &Deferred,
        candidates: Option<&[u32]>,
        share: &mut Share,
    ) -> Result<()> {
        let Some(of_type) = deferred.rollup.find(&deferred.type_name) else { return Ok(()) };
        let segment = self.segment(&deferred.file, &deferred.rollup, of_type);
        let missing: Option<Vec<u32>> = candidates.map(|candidates| {
            candidates.iter().copied().filter(|number| !deferred.listed.holds(*number)).collect()
        });
        let mut pieces = self.pieces_of_devices(&segment, missing.as_deref()).await?;
        let columns = self.piece_columns(&segment, &mut pieces, false).await?;
        let wanted = match &missing {
            Some(missing) => flags(columns.device_count, false, missing.iter().copied()),
            None => flags(columns.device_count, true, deferred.listed.iter()),
        };
        let mut rows = vec![];
        for piece in &pieces {
            self.counters.raw_rows.add(piece.rows.len());
            let devices = columns.devices[piece.rows.clone()].iter();
            select(&mut rows, piece.rows.start, devices.map(|device| wanted[*device as usize]));
            share.groups.add_rows(segment.key(), None, &columns, &Selection::Some(&rows));
        }
        self.count_segment(!pieces.is_empty(), true);
        Ok(())
    }

    async fn pieces_of_devices(&self, segment: &Segment<'_>, numbers: Option<&[u32]>) -> Result<Vec<Piece>> {
        let Some(numbers) = numbers else { return Ok(vec![Piece::whole(segment, false)]) };
        let names: Vec<String> = {
            let names = self.names.read();
            numbers.iter().map(|number| names.name(*number).to_owned()).collect()
        };
        let found = self.device_pieces(segment, names.iter().map(String::as_str), false).await?;
        Ok(found.unwrap_or_else(|| vec![Piece::whole(segment, false)]))
    }
}

/// `count` times `rest`, but the opposite at `places`.
fn flags(count: usize, rest: bool, places: impl Iterator<Item = u32>) -> Vec<bool> {
    let mut flags = vec![rest; count];
    for place in places {
        if let Some(flag) = flags.get_mut(place as usize) {
            *flag = !rest;
        }
    }
    flags
}
