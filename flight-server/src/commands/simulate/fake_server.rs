//! A Flight server for tests that answers batches as it is told, and counts the rows it keeps.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
    decode::FlightRecordBatchStream,
    flight_service_server::{FlightService, FlightServiceServer},
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use hexflight_engine::tasks;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};

type Answer<T> = BoxStream<'static, Result<T, Status>>;

/// What happens to the next batch; without any left, batches are stored.
#[derive(Debug)]
pub(super) enum Reply {
    /// Kept and acknowledged.
    Store,
    /// Not kept; the call ends.
    Refuse(Status),
    /// Kept, but the call ends instead of an ack.
    StoreAndBreak(Status),
}

/// The server.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeServer {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    stored_rows: Arc<AtomicUsize>,
}

impl FakeServer {
    /// Starts on a free port; runs as long as the test's runtime.
    pub(super) async fn start(replies: Vec<Reply>) -> (Self, String) {
        let server = Self { replies: Arc::new(Mutex::new(replies.into())), ..Self::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = FlightServiceServer::new(server.clone());
        let incoming = TcpListenerStream::new(listener);
        tasks::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        (server, url)
    }

    pub(super) fn stored_rows(&self) -> usize {
        self.stored_rows.load(Ordering::SeqCst)
    }

    fn answer(&self, rows: usize) -> Result<PutResult, Status> {
        let reply = self.replies.lock().unwrap().pop_front().unwrap_or(Reply::Store);
        if let Reply::Refuse(status) = reply {
            return Err(status);
        }
        self.stored_rows.fetch_add(rows, Ordering::SeqCst);
        if let Reply::StoreAndBreak(status) = reply {
            return Err(status);
        }
        let ack = format!(r#"{{"table":"events","rows":{rows},"stream":"s","sequence":1}}"#);
        Ok(PutResult { app_metadata: ack.into() })
    }
}

#[tonic::async_trait]
impl FlightService for FakeServer {
    type HandshakeStream = Answer<HandshakeResponse>;
    type ListFlightsStream = Answer<FlightInfo>;
    type DoGetStream = Answer<FlightData>;
    type DoPutStream = Answer<PutResult>;
    type DoExchangeStream = Answer<FlightData>;
    type DoActionStream = Answer<arrow_flight::Result>;
    type ListActionsStream = Answer<ActionType>;

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let messages = request.into_inner().map_err(Into::into).boxed();
        let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
        let (answers, stream) = mpsc::channel(1);
        let server = self.clone();
        tasks::spawn(async move {
            while let Some(Ok(batch)) = batches.next().await {
                let answer = server.answer(batch.num_rows());
                let ended = answer.is_err();
                if answers.send(answer).await.is_err() || ended {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream).boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(Status::unimplemented("handshake"))
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(Status::unimplemented("list_flights"))
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        Err(Status::unimplemented("get_flight_info"))
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(Status::unimplemented("poll_flight_info"))
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        Err(Status::unimplemented("get_schema"))
    }

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        Err(Status::unimplemented("do_get"))
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("do_exchange"))
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        Err(Status::unimplemented("do_action"))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(Status::unimplemented("list_actions"))
    }
}
