//! Where a fuzzer hands over what may be a rollup object.

use std::{collections::BTreeMap, sync::Arc};

use object_store::{ObjectStoreExt, PutPayload, memory::InMemory, path::Path};

use super::{Rollup, sections::sealed};
use crate::{
    delta::{DataFile, RollupObject},
    error::Result,
    store::Store,
};

/// Reads it as it is, and with the checksums that it should have, so that what lies behind is reached.
pub fn rollup_object(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers needs nothing").block_on(async {
        for object in [bytes.to_vec(), sealed(bytes.to_vec())] {
            // What is wrong with it is said, and that is all.
            let _error = read(object).await;
        }
    });
}

async fn read(object: Vec<u8>) -> Result<()> {
    let location = Path::from("fuzzed");
    let disk = Arc::new(InMemory::new());
    let rollup =
        RollupObject { location: location.clone(), size_bytes: object.len() as u64, directory_crc32c: None };
    disk.put(&location, PutPayload::from(object)).await.expect("memory takes it");
    let store = Store::new(disk);
    let file = DataFile {
        location,
        size_bytes: 0,
        row_count: None,
        modified_ms: 0,
        columns: BTreeMap::new(),
        rollup: Some(rollup),
        checksums: None,
    };
    let Some(rollup) = Rollup::read(&store, &file).await? else { return Ok(()) };
    for of_type in rollup.types() {
        // Each whatever the others are like.
        let _minutes = of_type.minutes(&store).await;
        let _cells = of_type.cells(&store).await;
        if let Ok(Some(devices)) = of_type.devices(&store).await
            && let Some(index) = devices.index
        {
            let _rows = index.rows_of("fuzzed");
        }
    }
    Ok(())
}
