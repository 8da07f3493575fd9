//! What there is: catalogs, schemas, tables, table types, keys, SqlInfo and types. Each answer is one small batch; the ticket is the
//! command itself.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use arrow_flight::{
    FlightData,
    encode::FlightDataEncoderBuilder,
    error::FlightError,
    sql::{Command, CommandGetDbSchemas, CommandGetTables},
};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use hexflight_planner::SYSTEM_SCHEMA_NAME;
use tonic::Status;

use super::{FlightContext, sql_info, xdbc};
use crate::queries::catalog_schema;

/// The type of every table of events, in the word of the SQL standard. Types are compared without case.
const TABLE_TYPE: &str = "BASE TABLE";

/// The type of tables about the process, in the word of JDBC. Clients that list tables of data do not ask for it.
const TABLE_TYPE_SYSTEM: &str = "SYSTEM TABLE";

/// The same in the word of JDBC, which clients ask for as well.
const TABLE_TYPE_JDBC: &str = "TABLE";

/// The batch that answers a metadata command; `None` if it is not one.
pub(super) fn answer(context: &FlightContext, command: &Command) -> Option<Result<RecordBatch, Status>> {
    let answer = match command.clone() {
        Command::CommandGetCatalogs(command) => {
            let mut builder = command.into_builder();
            builder.append(context.queries.engine().catalog_name());
            builder.build()
        }
        Command::CommandGetDbSchemas(command) => db_schemas(context, command),
        Command::CommandGetTables(command) => tables(context, command),
        Command::CommandGetTableTypes(command) => {
            let mut builder = command.into_builder();
            [TABLE_TYPE, TABLE_TYPE_SYSTEM].into_iter().for_each(|table_type| builder.append(table_type));
            builder.build()
        }
        Command::CommandGetSqlInfo(command) => {
            sql_info::data().and_then(|data| command.into_builder(data).build())
        }
        Command::CommandGetXdbcTypeInfo(command) => {
            xdbc::data().and_then(|data| command.into_builder(data).build())
        }
        Command::CommandGetPrimaryKeys(_) => Ok(RecordBatch::new_empty(Arc::clone(&PRIMARY_KEYS))),
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => Ok(RecordBatch::new_empty(Arc::clone(&FOREIGN_KEYS))),
        _ => return None,
    };
    Some(answer.map_err(|error| Status::internal(format!("metadata: {error}"))))
}

/// The batch as a `DoGet` stream.
pub(super) fn stream_of(batch: RecordBatch) -> BoxStream<'static, Result<FlightData, Status>> {
    FlightDataEncoderBuilder::new()
        .with_schema(batch.schema())
        .build(stream::iter([Ok(batch)]))
        .map_err(Status::from)
        .boxed()
}

fn db_schemas(context: &FlightContext, command: CommandGetDbSchemas) -> Result<RecordBatch, FlightError> {
    let mut builder = command.into_builder();
    let schemas: BTreeSet<_> =
        context.queries.engine().catalog_tables().iter().map(|table| table.schema).collect();
    schemas.into_iter().for_each(|schema| builder.append(context.queries.engine().catalog_name(), schema));
    builder.build()
}

fn tables(context: &FlightContext, mut command: CommandGetTables) -> Result<RecordBatch, FlightError> {
    for wanted in &mut command.table_types {
        if [TABLE_TYPE, TABLE_TYPE_JDBC].iter().any(|known| wanted.eq_ignore_ascii_case(known)) {
            TABLE_TYPE.clone_into(wanted);
        } else if wanted.eq_ignore_ascii_case(TABLE_TYPE_SYSTEM) {
            TABLE_TYPE_SYSTEM.clone_into(wanted);
        }
    }
    let mut builder = command.into_builder();
    let catalog = context.queries.engine().catalog_name();
    for table in context.queries.engine().catalog_tables() {
        let is_system = table.schema == SYSTEM_SCHEMA_NAME;
        let table_type = if is_system { TABLE_TYPE_SYSTEM } else { TABLE_TYPE };
        builder.append(catalog, table.schema, &table.name, table_type, &catalog_schema(&table.columns))?;
    }
    builder.build()
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

/// **Source**: `CommandGetPrimaryKeys` in `FlightSql.proto`. There are no keys: events may repeat.
static PRIMARY_KEYS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("key_name", true),
    ]))
});

/// **Source**: `CommandGetExportedKeys`, `CommandGetImportedKeys` and `CommandGetCrossReference` in `FlightSql.proto`.
static FOREIGN_KEYS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
});
