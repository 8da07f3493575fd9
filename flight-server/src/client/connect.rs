//! `Client`: one connection to one server. Cloning it shares the connection.

use std::{sync::Arc, time::Duration};

use arrow::datatypes::SchemaRef;
use arrow_flight::{
    FlightClient, flight_service_client::FlightServiceClient, sql::client::FlightSqlServiceClient,
};
use hexflight_engine::{OnBadRow, OnLoaded, SourceId, TableName};
use tonic::transport::{Channel, Endpoint};

use super::{
    ClientError, ImportStream, PutStream, QueryStream, ServerAddress, TableInfo, catalog,
    credentials::{Authorization, Target},
    error::root_cause,
    handle,
    import::loaded_sources,
    tls::TlsConnection,
};

/// Largest message in either direction; the server's own limit. **Units**: bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Header with the credentials of a call.
const AUTHORIZATION: &str = "authorization";

/// HTTP/2 flow control windows: room for several batches of 64 k rows on the way.
const WINDOW_BYTES: u32 = 32 << 20;

/// A connection to a Hexflight server.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    url: Arc<str>,
    authorization: Option<Authorization>,
}

impl Client {
    /// Connects to an address. Credentials are those of its url
    /// (`grpc://user:password@host:port`), else those of `HEXFLIGHT_USER` and `HEXFLIGHT_PASSWORD`.
    ///
    /// # Errors
    /// `Address` when its url is not one, `Connect` when nothing answers there.
    pub async fn connect(address: impl Into<ServerAddress>) -> Result<Self, ClientError> {
        let address = address.into();
        let Target { url, authorization } = Target::of(&address.url)?;
        let endpoint = endpoint(&url)?;
        let connected = if endpoint.uri().scheme_str() == Some("https") {
            let connector = TlsConnection::trusting(address.tls_ca.as_deref());
            let refuse = |rule| ClientError::Address { url: url.clone(), rule };
            connector.map_err(refuse)?.connect(&endpoint).await
        } else {
            endpoint.connect().await
        };
        let channel = connected
            .map_err(|error| ClientError::Connect { url: url.clone(), reason: root_cause(&error) })?;
        Ok(Self { channel, url: Arc::from(url), authorization })
    }

    /// The address as it was given, without user and password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens a DoPut call for batches of `schema` into `table`; at most `in_flight_max` of them are on the way.
    #[must_use]
    pub fn put_stream(&self, table: &TableName, schema: &SchemaRef, in_flight_max: usize) -> PutStream {
        PutStream::open(self.flight(), table, schema, in_flight_max)
    }

    /// Asks one SQL statement through Flight SQL.
    ///
    /// # Errors
    /// `Status` with the server's words when it refuses the statement, `Protocol` when the answer has no schema.
    pub async fn query(&self, sql: &str) -> Result<QueryStream, ClientError> {
        QueryStream::open(self.flight_sql(), sql).await
    }

    /// The server's tables with their columns.
    ///
    /// # Errors
    /// `Status` when the server refuses, `Protocol` when the answer is not one of Flight SQL.
    pub async fn tables(&self) -> Result<Vec<TableInfo>, ClientError> {
        catalog::tables(self.flight_sql()).await
    }

    /// Ends a query by its `query_id` in `system.queries`; whether one that the user may end had not ended yet.
    ///
    /// # Errors
    /// `Status` when the server refuses or does not know the action, `Protocol` when the answer cannot be read.
    pub async fn cancel_query(&self, query_id: u64) -> Result<bool, ClientError> {
        handle::cancel_by_id(self.flight_sql(), query_id).await
    }

    /// Opens a bulk load of batches of `schema` into `table`.
    #[must_use]
    pub fn import(
        &self,
        table: &TableName,
        schema: &SchemaRef,
        on_bad_row: OnBadRow,
        on_loaded: OnLoaded,
    ) -> ImportStream {
        ImportStream::open(self.flight(), table, schema, on_bad_row, on_loaded)
    }

    /// Which of some sources were bulk-loaded into `table` before.
    ///
    /// # Errors
    /// `Status` with the server's words when it refuses.
    pub async fn loaded_sources(
        &self,
        table: &TableName,
        sources: &[SourceId],
    ) -> Result<Vec<SourceId>, ClientError> {
        loaded_sources(self.flight(), table, sources).await
    }

    fn flight(&self) -> FlightClient {
        let mut client = FlightClient::new_from_inner(self.service());
        if let Some(authorization) = &self.authorization {
            // Base64 is always a good value.
            let _added = client.add_header(AUTHORIZATION, authorization.header());
        }
        client
    }

    fn flight_sql(&self) -> FlightSqlServiceClient<Channel> {
        let mut client = FlightSqlServiceClient::new_from_inner(self.service());
        if let Some(authorization) = &self.authorization {
            client.set_header(AUTHORIZATION, authorization.header());
        }
        client
    }

    fn service(&self) -> FlightServiceClient<Channel> {
        FlightServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }
}

fn endpoint(url: &str) -> Result<Endpoint, ClientError> {
    let refuse = |rule: &str| ClientError::Address { url: url.to_owned(), rule: rule.to_owned() };
    let (scheme, rest) =
        url.split_once("://").ok_or_else(|| refuse("write it as http://HOST:PORT or grpc://HOST:PORT"))?;
    let http = match scheme {
        "http" | "grpc" | "grpc+tcp" => "http",
        "https" | "grpc+tls" | "grpcs" => "https",
        _ => return Err(refuse("the scheme must be http or grpc, or https or grpc+tls")),
    };
    let endpoint =
        Endpoint::from_shared(format!("{http}://{rest}")).map_err(|error| refuse(&root_cause(&error)))?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_schemes_name_the_same_server() {
        for url in ["http://127.0.0.1:8815", "grpc://127.0.0.1:8815", "grpc+tcp://127.0.0.1:8815"] {
            assert_eq!(endpoint(url).unwrap().uri().to_string(), "http://127.0.0.1:8815/", "{url}");
        }
    }

    #[test]
    fn bad_addresses_say_what_is_right() {
        for (url, rule) in [("127.0.0.1:8815", "write it as"), ("ftp://127.0.0.1", "scheme must be")] {
            let text = endpoint(url).unwrap_err().to_string();
            assert!(text.contains(url) && text.contains(rule), "{text}");
        }
    }

    #[tokio::test]
    async fn refused_connection_says_what_to_start() {
        // Port 1 (tcpmux) has had no listener for decades.
        let error = Client::connect("grpc://127.0.0.1:1").await.unwrap_err().to_string();

        assert!(error.starts_with("cannot connect to grpc://127.0.0.1:1: connection refused"), "{error}");
        assert!(error.contains("hexflight serve"), "{error}");
    }
}
