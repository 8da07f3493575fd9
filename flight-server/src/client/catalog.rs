//! What there is on a server, asked through Flight SQL's own metadata calls.

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Schema, SchemaRef},
};
use arrow_flight::{
    IpcMessage,
    sql::{CommandGetTables, client::FlightSqlServiceClient},
};
use bytes::Bytes;
use futures::TryStreamExt;
use hexflight_planner::SCHEMA_NAME;
use tonic::transport::Channel;

use super::ClientError;

/// A table and its columns, in the types in which they are sent.
#[derive(Debug, Clone)]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub schema: SchemaRef,
}

/// All tables, in the server's order.
pub(super) async fn tables(
    mut client: FlightSqlServiceClient<Channel>,
) -> Result<Vec<TableInfo>, ClientError> {
    let request = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
    let info = client.get_tables(request).await?;
    let mut tables = Vec::new();
    for ticket in info.endpoint.into_iter().filter_map(|endpoint| endpoint.ticket) {
        let batches: Vec<RecordBatch> = client.do_get(ticket).await?.try_collect().await?;
        for batch in batches {
            read_tables(&batch, &mut tables)?;
        }
    }
    Ok(tables)
}

fn read_tables(batch: &RecordBatch, tables: &mut Vec<TableInfo>) -> Result<(), ClientError> {
    let column = |name: &str| {
        let reason = || format!("GetTables answered without the column {name}");
        batch.column_by_name(name).ok_or_else(|| ClientError::Protocol { reason: reason() })
    };
    let unexpected = || ClientError::Protocol { reason: "GetTables answered with other types".to_owned() };
    let db_schemas = column("db_schema_name")?.as_string_opt::<i32>().ok_or_else(unexpected)?;
    let names = column("table_name")?.as_string_opt::<i32>().ok_or_else(unexpected)?;
    let schemas = column("table_schema")?.as_binary_opt::<i32>().ok_or_else(unexpected)?;
    for row in (0..batch.num_rows()).filter(|row| names.is_valid(*row) && schemas.is_valid(*row)) {
        let schema = Schema::try_from(IpcMessage(Bytes::copy_from_slice(schemas.value(row))))?;
        let name = names.value(row);
        // As a statement names it.
        let name = match db_schemas.value(row) {
            "" | SCHEMA_NAME => name.to_owned(),
            db_schema => format!("{db_schema}.{name}"),
        };
        tables.push(TableInfo { name, schema: SchemaRef::new(schema) });
    }
    Ok(())
}
