//! A Flight server that takes batches and does nothing with them: what the same client reaches without an engine behind it.

use std::net::SocketAddr;

use anyhow::Result;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
    flight_service_server::{FlightService, FlightServiceServer},
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

/// As large as the real server's limit.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// HTTP/2 windows as the real server has them.
const STREAM_WINDOW_BYTES: u32 = 8 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;

type Responses<T> = BoxStream<'static, Result<T, Status>>;

/// A running server; stopped when dropped.
#[derive(Debug)]
pub(crate) struct NoopServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl NoopServer {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let service = FlightServiceServer::new(Noop).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let serving = Server::builder()
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
        // Its end shows at the client.
        let task = tokio::spawn(async move { drop(serving.await) });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("grpc://{}", self.address)
    }
}

impl Drop for NoopServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Noop;

fn nothing<T>() -> Result<T, Status> {
    Err(Status::unimplemented("this server only takes batches"))
}

/// The ack of a message that holds rows.
fn ack(message: &FlightData) -> Option<PutResult> {
    let header = arrow::ipc::root_as_message(&message.data_header).ok()?;
    let rows = header.header_as_record_batch()?.length();
    let body = json!({"rows": rows, "stream": "none", "sequence": 0});
    Some(PutResult { app_metadata: body.to_string().into() })
}

#[tonic::async_trait]
impl FlightService for Noop {
    type HandshakeStream = Responses<HandshakeResponse>;
    type ListFlightsStream = Responses<FlightInfo>;
    type DoGetStream = Responses<FlightData>;
    type DoPutStream = Responses<PutResult>;
    type DoExchangeStream = Responses<FlightData>;
    type DoActionStream = Responses<arrow_flight::Result>;
    type ListActionsStream = Responses<ActionType>;

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let acks = request.into_inner().try_filter_map(|message| std::future::ready(Ok(ack(&message))));
        Ok(Response::new(acks.boxed()))
    }

    async fn handshake(
        &self,
        _request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        nothing()
    }

    async fn list_flights(
        &self,
        _request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        nothing()
    }

    async fn get_flight_info(
        &self,
        _request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        nothing()
    }

    async fn poll_flight_info(
        &self,
        _request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        nothing()
    }

    async fn get_schema(
        &self,
        _request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        nothing()
    }

    async fn do_get(&self, _request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        nothing()
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        nothing()
    }

    async fn do_action(&self, _request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        nothing()
    }

    async fn list_actions(
        &self,
        _request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        nothing()
    }
}
