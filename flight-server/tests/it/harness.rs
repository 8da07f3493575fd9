//! A server for one test, and the few calls that most tests make.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::Schema,
};
use arrow_flight::{
    FlightData, FlightDescriptor, FlightInfo, PutResult, Ticket, decode::FlightRecordBatchStream,
    error::FlightError, flight_service_client::FlightServiceClient, sql::client::FlightSqlServiceClient,
    utils::batches_to_flight_data,
};
use futures::{StreamExt, TryStreamExt, stream};
use hexflight::{Config, Server};
use tempfile::TempDir;
use tonic::{Status, transport::Channel};

/// 2024-01-01T00:00:00Z. **Units**: µs.
pub(crate) const START: i64 = 1_704_067_200_000_000;

pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config_in(&folder);
        change(&mut config);
        Self { server: Server::start(config).await.unwrap(), folder }
    }

    /// Stops the server and starts another over the same folder.
    pub(crate) async fn restarted(self) -> Self {
        self.server.shutdown().await.unwrap();
        let server = Server::start(config_in(&self.folder)).await.unwrap();
        Self { server, folder: self.folder }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let url = self.server.flight_url().replace("grpc://", "http://");
        Channel::from_shared(url).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn flight(&self) -> FlightServiceClient<Channel> {
        let client = FlightServiceClient::new(self.channel().await);
        client.max_decoding_message_size(64 << 20).max_encoding_message_size(usize::MAX)
    }

    pub(crate) async fn sql(&self) -> FlightSqlServiceClient<Channel> {
        FlightSqlServiceClient::new(self.channel().await)
    }

    /// Sends messages to `events`; the acks that came, and the error that ended the stream.
    pub(crate) async fn put(&self, messages: Vec<FlightData>) -> (Vec<PutResult>, Option<Status>) {
        self.put_to(FlightDescriptor::new_path(vec!["events".to_owned()]), messages).await
    }

    pub(crate) async fn put_to(
        &self,
        descriptor: FlightDescriptor,
        mut messages: Vec<FlightData>,
    ) -> (Vec<PutResult>, Option<Status>) {
        if let Some(first) = messages.first_mut() {
            first.flight_descriptor = Some(descriptor);
        }
        let mut acks = Vec::new();
        let mut answers = match self.flight().await.do_put(stream::iter(messages)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return (acks, Some(status)),
        };
        loop {
            match answers.message().await {
                Ok(Some(ack)) => acks.push(ack),
                Ok(None) => return (acks, None),
                Err(status) => return (acks, Some(status)),
            }
        }
    }

    /// Sends batches that must all be taken.
    pub(crate) async fn ingest(&self, batches: Vec<RecordBatch>) {
        let expected = batches.len();
        let (acks, error) = self.put(messages_of(&batches)).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(acks.len(), expected);
    }

    /// The error with which one bad batch is refused; asserts that nothing of it was kept.
    pub(crate) async fn refused(&self, batch: RecordBatch) -> Status {
        let (acks, error) = self.put(messages_of(&[batch])).await;
        assert!(acks.is_empty());
        assert_eq!(self.count().await, 0);
        error.expect("the batch was taken")
    }

    /// Rows of `events`.
    pub(crate) async fn count(&self) -> i64 {
        let batches = self.query("SELECT count(*) FROM events").await.unwrap();
        batches[0].column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(0)
    }

    /// The result of SQL sent as plain Flight does; asserts that it is what was announced.
    pub(crate) async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, Status> {
        let info = self.info(sql).await?;
        let (schema, batches) = self.stream(info.endpoint[0].ticket.clone().unwrap()).await?;
        assert_eq!(schema, info.clone().try_decode_schema().unwrap(), "{sql}");
        Ok(batches)
    }

    /// Schema and batches of a ticket.
    pub(crate) async fn stream(&self, ticket: Ticket) -> Result<(Schema, Vec<RecordBatch>), Status> {
        let mut messages = self.flight().await.do_get(ticket).await?.into_inner();
        let first = messages.message().await?.expect("a stream begins with its schema");
        let schema = Schema::try_from(&first).unwrap();
        let data = stream::iter([Ok(first)]).chain(messages);
        let data = data.map_err(|status| FlightError::Tonic(Box::new(status)));
        let batches = FlightRecordBatchStream::new_from_flight_data(data).try_collect().await;
        Ok((schema, batches.map_err(Status::from)?))
    }

    /// Sends a body to a path of the JSON API; status and body of the answer.
    pub(crate) async fn post(&self, path: &str, media_type: &str, body: String) -> (u16, Vec<u8>) {
        let request = reqwest::Client::new().post(format!("{}/api/v1/{path}", self.server.http_url()));
        let answer = request.header("content-type", media_type).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }

    /// The answer to a statement over HTTP, which must succeed.
    pub(crate) async fn http_sql(&self, body: &serde_json::Value) -> Vec<u8> {
        let (status, answer) = self.post("sql", "application/json", body.to_string()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        answer
    }

    pub(crate) async fn info(&self, sql: &str) -> Result<FlightInfo, Status> {
        let descriptor = FlightDescriptor::new_cmd(sql.to_owned());
        Ok(self.flight().await.get_flight_info(descriptor).await?.into_inner())
    }

    pub(crate) async fn fetch(&self, ticket: Ticket) -> Result<Vec<RecordBatch>, Status> {
        Ok(self.stream(ticket).await?.1)
    }
}

pub(crate) fn config_in(folder: &TempDir) -> Config {
    Config {
        data_dir: folder.path().join("data"),
        flight_bind: ([127, 0, 0, 1], 0).into(),
        http_bind: ([127, 0, 0, 1], 0).into(),
        memory_limit_bytes: 256 << 20,
        ..Config::default()
    }
}

/// The columns of `rows` good events.
pub(crate) fn event_columns(rows: usize) -> HashMap<&'static str, ArrayRef> {
    let times = (0..rows).map(|row| START + row as i64 * 1_000_000);
    let devices = (0..rows).map(|row| format!("device-{}", row % 10));
    let types = (0..rows).map(|row| if row % 2 == 0 { "temperature" } else { "humidity" });
    HashMap::from([
        (
            "timestamp",
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")) as ArrayRef,
        ),
        ("device_id", Arc::new(StringArray::from_iter_values(devices))),
        ("type", Arc::new(StringArray::from_iter_values(types))),
        ("value", Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64)))),
    ])
}

/// A batch of columns, in the order of their names.
pub(crate) fn batch_of(columns: HashMap<&'static str, ArrayRef>) -> RecordBatch {
    let mut columns: Vec<_> = columns.into_iter().collect();
    columns.sort_by_key(|(name, _)| *name);
    RecordBatch::try_from_iter(columns).unwrap()
}

pub(crate) fn events(rows: usize) -> RecordBatch {
    batch_of(event_columns(rows))
}

/// Good events with one column replaced or added.
pub(crate) fn events_with(name: &'static str, column: ArrayRef) -> RecordBatch {
    let mut columns = event_columns(column.len());
    columns.insert(name, column);
    batch_of(columns)
}

pub(crate) fn messages_of(batches: &[RecordBatch]) -> Vec<FlightData> {
    let schema = batches[0].schema();
    batches_to_flight_data(&schema, batches.to_vec()).unwrap()
}

pub(crate) fn schema_message(schema: &Schema) -> Vec<FlightData> {
    batches_to_flight_data(schema, Vec::new()).unwrap()
}

/// Drains a stream to see it end.
pub(crate) async fn drained<S: futures::Stream + Unpin>(mut stream: S) {
    while stream.next().await.is_some() {}
}
