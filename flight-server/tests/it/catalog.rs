//! Metadata over Flight SQL, with and without filters.

use arrow::array::{AsArray, RecordBatch};
use arrow_flight::{
    FlightInfo,
    sql::{
        CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
        CommandGetPrimaryKeys, CommandGetTables, CommandGetXdbcTypeInfo, SqlInfo,
    },
};
use futures::TryStreamExt;

use crate::harness::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_found_by_each_filter() {
    let server = TestServer::start().await;
    let all = CommandGetTables::default();
    let cases = [
        // The table of events, and that of queries.
        (all.clone(), 2),
        (CommandGetTables { catalog: Some("hexflight".to_owned()), ..all.clone() }, 2),
        (CommandGetTables { catalog: Some(String::new()), ..all.clone() }, 0),
        (CommandGetTables { db_schema_filter_pattern: Some("pub%".to_owned()), ..all.clone() }, 1),
        (CommandGetTables { table_name_filter_pattern: Some("e_ents".to_owned()), ..all.clone() }, 1),
        (CommandGetTables { table_name_filter_pattern: Some("e_nts".to_owned()), ..all.clone() }, 0),
        (CommandGetTables { table_types: vec!["TABLE".to_owned()], ..all.clone() }, 1),
        (CommandGetTables { table_types: vec!["BASE TABLE".to_owned()], ..all.clone() }, 1),
        (CommandGetTables { table_types: vec!["VIEW".to_owned()], ..all.clone() }, 0),
        (CommandGetTables { include_schema: true, ..all }, 2),
    ];
    for (command, expected) in cases {
        let info = server.sql().await.get_tables(command.clone()).await.unwrap();
        let columns = info.clone().try_decode_schema().unwrap().fields().len();
        assert_eq!(columns, if command.include_schema { 5 } else { 4 });
        assert_eq!(rows(&fetched(&server, info).await), expected, "{command:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn catalogs_schemas_and_types_are_listed() {
    let server = TestServer::start().await;
    let mut sql = server.sql().await;
    let catalogs = fetched(&server, sql.get_catalogs().await.unwrap()).await;
    assert_eq!(catalogs[0].column(0).as_string::<i32>().value(0), "hexflight");
    let schemas = sql.get_db_schemas(CommandGetDbSchemas::default()).await.unwrap();
    assert_eq!(fetched(&server, schemas).await[0].column(1).as_string::<i32>().value(0), "public");
    let none = CommandGetDbSchemas { db_schema_filter_pattern: Some("x%".to_owned()), ..Default::default() };
    assert_eq!(rows(&fetched(&server, sql.get_db_schemas(none).await.unwrap()).await), 0);
    let types = fetched(&server, sql.get_table_types().await.unwrap()).await;
    assert_eq!(types[0].column(0).as_string::<i32>().value(0), "BASE TABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn infos_and_types_can_be_filtered() {
    let server = TestServer::start().await;
    let mut sql = server.sql().await;
    let one = sql.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await.unwrap();
    assert_eq!(rows(&fetched(&server, one).await), 1);
    let all = sql.get_sql_info(vec![]).await.unwrap();
    assert!(rows(&fetched(&server, all).await) > 40);
    let types = sql.get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: None }).await.unwrap();
    assert_eq!(rows(&fetched(&server, types).await), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_empty_with_the_right_columns() {
    let server = TestServer::start().await;
    let mut sql = server.sql().await;
    let table = "events".to_owned();
    let primary = CommandGetPrimaryKeys { table: table.clone(), ..Default::default() };
    let exported = CommandGetExportedKeys { table: table.clone(), ..Default::default() };
    let imported = CommandGetImportedKeys { table: table.clone(), ..Default::default() };
    let cross = CommandGetCrossReference { pk_table: table.clone(), fk_table: table, ..Default::default() };
    let infos = [
        (sql.get_primary_keys(primary).await.unwrap(), 6),
        (sql.get_exported_keys(exported).await.unwrap(), 13),
        (sql.get_imported_keys(imported).await.unwrap(), 13),
        (sql.get_cross_reference(cross).await.unwrap(), 13),
    ];
    for (info, columns) in infos {
        assert_eq!(info.clone().try_decode_schema().unwrap().fields().len(), columns);
        assert_eq!(rows(&fetched(&server, info).await), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gets_a_token() {
    let server = TestServer::start().await;
    let mut sql = server.sql().await;
    sql.handshake("anyone", "anything").await.unwrap();
    assert!(sql.token().is_some());
    sql.execute("SELECT 1".to_owned(), None).await.unwrap();
}

async fn fetched(server: &TestServer, info: FlightInfo) -> Vec<RecordBatch> {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    server.sql().await.do_get(ticket).await.unwrap().try_collect().await.unwrap()
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}
