//! `Server`: one engine behind Flight and HTTP. `serve`, `demo` and tests start it, ask it where it listens, and shut it down.
//!
//! ```text
//!  start:    HTTP listens (ready: 503) → Flight port reserved → store, engine → Flight listens → ready
//!  shutdown: see `shutdown.rs`
//! ```

use std::{error::Error, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use arrow_flight::flight_service_server::FlightServiceServer;
use hexflight_engine::{Engine, EngineError, EngineOptions, SPILL_FOLDER, Store, SystemClock, tasks, time};
use hexflight_planner::{Asker, QueryEngine, QueryOptions};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Server as TonicServer;

use crate::{
    arrival::{ArrivalMemory, Arrivals},
    auth::{Auth, FlightGate},
    config::Config,
    flight::{FlightApi, FlightContext},
    http::{self, Api, ApiLimits, BodyMemory, HttpContext},
    listen::{HEADER_BYTES_MAX, Listener, Open, PENDING_RESETS_MAX, Protocol, Strangers, Tls},
    process::ProcessCalls,
    queries::QueryService,
    serve_error::ServeError,
    shutdown::Shutdown,
};

/// Calls of one connection at once, which strangers can begin too; a client that wants more opens another. RFC 9113 recommends no less.
const STREAMS_MAX: u32 = 100;

/// Largest message of a Handshake: user and password. **Units**: bytes.
const LOGIN_BYTES_MAX: usize = 16 << 10;

/// Part of the memory limit that messages may take together while they arrive.
const MESSAGES_PART: usize = 8;

/// Part of the memory limit that pages of Parquet files may take together while they are imported over HTTP.
const PAGES_PART: usize = 8;

/// HTTP/2 windows. A stream may have several 64 k-row batches (4 MiB) on the way; a connection several such streams. Where memory is short they
/// are smaller: what a window holds is not counted.
const STREAM_WINDOW_BYTES: usize = 8 << 20;
const CONNECTION_WINDOW_BYTES: usize = 32 << 20;
const STREAM_WINDOW_BYTES_MIN: usize = 256 << 10;

/// Part of the memory limit that the window of a stream, and of a connection, may have.
const STREAM_WINDOW_PART: usize = 128;
const CONNECTION_WINDOW_PART: usize = 64;

/// Connections that do not answer a ping are closed: a device that lost its network must not hold a stream for hours.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Pending connections of the Flight port.
const BACKLOG: u32 = 1_024;

/// What the process may take beside the memory limit and its code before its largest query is ended, or this part of the limit: stacks, what
/// is not counted, what the allocator keeps. **Units**: bytes.
const BESIDE_BUDGET: usize = 72 << 20;
const BESIDE_BUDGET_PART: usize = 8;

/// From this limit on freed memory is kept for so long, since messages of some MiB come and go: to get it from the system each time costs a tenth
/// of ingest. **Units**: bytes.
const FREED_KEPT_FROM: usize = 4 << 30;
const FREED_KEPT: Duration = Duration::from_secs(2);

/// How often histograms are folded.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How long a start may take longer so that the first queries find what they begin with.
const WARM_UP_MAX: Duration = Duration::from_millis(250);

/// A running server. Dropping it stops the listeners without a flush: the WAL keeps what was acknowledged.
#[derive(Debug)]
pub struct Server {
    flight_address: SocketAddr,
    http_address: SocketAddr,
    engine: Arc<Engine>,
    flight_context: Arc<FlightContext>,
    http_context: Arc<HttpContext>,
    flight_task: JoinHandle<Result<(), tonic::transport::Error>>,
    flight_stop: DropGuard,
    http_task: JoinHandle<()>,
    http_stop: DropGuard,
    /// Of both ports.
    connections: Vec<Arc<Open>>,
    has_tls: bool,
}

impl Server {
    /// Opens the engine over `config.data_dir` and listens. Returns when every acknowledged row can be queried.
    ///
    /// # Errors
    /// A port that is taken, a data directory that cannot be used, stored bytes that fail a check; the text says what to do.
    pub async fn start(config: Config) -> Result<Self, ServeError> {
        Self::start_with(config, Access::Write).await
    }

    /// As [`Server::start`], over a data directory of which nothing is changed: it only answers.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_to_read(config: Config) -> Result<Self, ServeError> {
        Self::start_with(config, Access::Read).await
    }

    async fn start_with(config: Config, access: Access) -> Result<Self, ServeError> {
        let auth = Arc::new(read_users(&config)?);
        let http_context = Arc::new(HttpContext::starting(Arc::clone(&auth), config.cors_origins.clone()));
        let http_listener = bind_http(config.http_bind).await?;
        let http_address =
            local_address("HTTP", config.http_bind, "--http-bind", http_listener.local_addr())?;
        let flight_socket = reserve_flight(config.flight_bind)?;
        let strangers = Arc::new(Strangers::new(config.strangers));
        let tls = read_tls(&config)?;
        warn_of_clear_text(&config);
        let http_listener = Listener::new(Protocol::Http, http_listener, Arc::clone(&strangers), tls.clone());
        let http_connections = http_listener.open();
        let http_stop = CancellationToken::new();
        let http_task = spawn_http(http_listener, &http_context, &http_stop);
        tasks::spawn(Arc::clone(&auth).watch(http_stop.clone()));
        if let Some(tls) = &tls {
            tasks::spawn(Arc::clone(tls).watch(http_stop.clone()));
        }
        let http_stop = http_stop.drop_guard();

        let (engine, queries) = open_engine(&config, access).await?;
        let queries = Arc::new(QueryService::new(Arc::new(queries), config.query_timeout));
        let flight_context = Arc::new(FlightContext::new(
            Arc::clone(&engine),
            Arc::clone(&queries),
            auth,
            config.max_message_bytes,
        ));
        let flight_listener = flight_socket
            .listen(BACKLOG)
            .map_err(|error| bind_error("Flight", config.flight_bind, "--flight-bind", error))?;
        let flight_address =
            local_address("Flight", config.flight_bind, "--flight-bind", flight_listener.local_addr())?;
        let flight_stop = CancellationToken::new();
        let flight_listener = Listener::new(Protocol::Grpc, flight_listener, strangers, tls.clone());
        let connections = vec![flight_listener.open(), http_connections];
        let flight_task =
            spawn_flight(flight_listener, &flight_context, config.max_message_bytes, flight_stop.clone());

        // Nobody else sets it: this context was made above.
        let _newly_set = http_context.api.set(Arc::new(api(&config, &engine, queries)));
        http_context.readiness.set(Ok(()));
        Ok(Self {
            flight_address,
            http_address,
            engine,
            flight_context,
            http_context,
            flight_task,
            flight_stop: flight_stop.drop_guard(),
            http_task,
            http_stop,
            connections,
            has_tls: tls.is_some(),
        })
    }

    /// Where Flight and Flight SQL listen, as clients write it: `grpc://127.0.0.1:8815`, `grpc+tls://` with TLS.
    #[must_use]
    pub fn flight_url(&self) -> String {
        let scheme = if self.has_tls { "grpc+tls" } else { "grpc" };
        format!("{scheme}://{}", self.flight_address)
    }

    /// Where HTTP listens: `http://127.0.0.1:8080`, `https://` with TLS.
    #[must_use]
    pub fn http_url(&self) -> String {
        let scheme = if self.has_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.http_address)
    }

    /// The engine behind it.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Resolves when a listener ends by itself, which it never should.
    pub async fn failed(&mut self) -> ServeError {
        let detail = match (&mut self.flight_task).await {
            Ok(Ok(())) => "it ended by itself".to_owned(),
            Ok(Err(error)) => root_cause(&error),
            Err(error) => error.to_string(),
        };
        ServeError::Listener { what: "Flight", detail }
    }

    /// Stops taking work, lets what was taken end, flushes and closes; in 14 s at most, whatever clients do.
    ///
    /// # Errors
    /// The flush failed; the WAL keeps the rows for the next start.
    pub async fn shutdown(self) -> Result<(), ServeError> {
        let shutdown = Shutdown {
            engine: self.engine,
            flight: self.flight_context,
            flight_stop: self.flight_stop,
            flight_task: self.flight_task,
            http: self.http_context,
            http_stop: self.http_stop,
            http_task: self.http_task,
            connections: self.connections,
        };
        shutdown.run().await.map_err(ServeError::from)
    }
}

fn read_users(config: &Config) -> Result<Auth, ServeError> {
    let Some(path) = &config.auth_file else { return Ok(Auth::default()) };
    Auth::of_file(path.clone()).map_err(|detail| ServeError::AuthFile { path: path.clone(), detail })
}

fn read_tls(config: &Config) -> Result<Option<Arc<Tls>>, ServeError> {
    let Some(files) = &config.tls else { return Ok(None) };
    Tls::of_files(files.clone()).map(|tls| Some(Arc::new(tls))).map_err(ServeError::Tls)
}

/// Says that whoever listens on the way learns passwords.
fn warn_of_clear_text(config: &Config) {
    let is_reachable = !config.flight_bind.ip().is_loopback() || !config.http_bind.ip().is_loopback();
    if config.tls.is_none() && config.auth_file.is_some() && is_reachable {
        tracing::warn!("passwords and events cross the network in the clear; set --tls-cert and --tls-key");
    }
}

fn api(config: &Config, engine: &Arc<Engine>, queries: Arc<QueryService>) -> Api {
    let limits = ApiLimits {
        body_bytes_max: config.max_body_bytes,
        plain_bytes_max: config.max_message_bytes,
        import_bytes_max: config.max_import_body_bytes,
        scratch_dir: config.data_dir.clone(),
    };
    let bodies = Arc::new(BodyMemory::of(engine.budget()));
    let pages = ArrivalMemory::new("pages of files that are read", engine.budget(), PAGES_PART);
    Api { engine: Arc::clone(engine), queries, limits, bodies, pages, asker: Asker::default() }
}

async fn bind_http(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| bind_error("HTTP", address, "--http-bind", error))
}

/// Binds without listening: a taken port is found before the engine is opened, and nobody waits for answers until it is.
fn reserve_flight(address: SocketAddr) -> Result<TcpSocket, ServeError> {
    let reserve = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    reserve().map_err(|error| bind_error("Flight", address, "--flight-bind", error))
}

fn local_address(
    what: &'static str,
    address: SocketAddr,
    flag: &'static str,
    found: io::Result<SocketAddr>,
) -> Result<SocketAddr, ServeError> {
    found.map_err(|error| bind_error(what, address, flag, error))
}

fn bind_error(what: &'static str, address: SocketAddr, flag: &'static str, source: io::Error) -> ServeError {
    if source.kind() == io::ErrorKind::AddrInUse {
        ServeError::PortTaken { what, address, flag }
    } else {
        ServeError::Bind { what, address, flag, source }
    }
}

fn spawn_http(listener: Listener, context: &Arc<HttpContext>, stop: &CancellationToken) -> JoinHandle<()> {
    let (context, stop) = (Arc::clone(context), stop.clone());
    tasks::spawn(async move {
        let serving = http::serve(listener, Arc::clone(&context), stop);
        tokio::pin!(serving);
        let mut upkeep = time::interval(UPKEEP_INTERVAL);
        loop {
            tokio::select! {
                () = &mut serving => return,
                _ = upkeep.tick() => context.upkeep(),
            }
        }
    })
}

/// What a server does to its data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    Read,
}

async fn open_engine(config: &Config, access: Access) -> Result<(Arc<Engine>, QueryEngine), ServeError> {
    let at_data_dir = |error| data_dir_error(&config.data_dir, error);
    let store = match access {
        Access::Write => Store::open_local(&config.data_dir).await,
        Access::Read => Store::open_local_to_read(&config.data_dir).await,
    };
    let store = store.map_err(at_data_dir)?;
    if let Some(calls) = ProcessCalls::installed().filter(|_| config.memory_limit_bytes >= FREED_KEPT_FROM) {
        (calls.keep_freed)(FREED_KEPT);
    }
    let options = EngineOptions {
        memory_limit_bytes: config.memory_limit_bytes,
        generation_rows_max: config.generation_rows_max,
        flush_interval: config.flush_interval,
        compact: config.compaction,
        compact_bytes_per_second: config.compaction_bytes_per_second,
        vacuum_after: config.vacuum_after,
        max_future: config.max_future,
        reserve_bytes: config.reserve_bytes,
        read_only: access == Access::Read,
        ..EngineOptions::default()
    };
    let engine = Engine::open(store, options, Arc::new(SystemClock)).await.map_err(at_data_dir)?;
    match QueryEngine::new(Arc::clone(&engine), &query_options(config, access)) {
        Ok(queries) => {
            queries.warm_up(WARM_UP_MAX).await;
            Ok((engine, queries))
        }
        Err(error) => {
            let runtime = io::Error::other(error.strip_backtrace());
            // The first error is the one to tell.
            let _also_failed = engine.shutdown().await;
            Err(ServeError::Runtime(runtime))
        }
    }
}

/// What does not fit in memory goes to a folder beside the data, or, where nothing may be changed there, to the system's.
fn query_options(config: &Config, access: Access) -> QueryOptions {
    let spill_directory = match access {
        Access::Write => config.data_dir.join(SPILL_FOLDER),
        Access::Read => std::env::temp_dir(),
    };
    let calls = ProcessCalls::installed();
    let limit = config.memory_limit_bytes;
    QueryOptions {
        queries_max: config.max_queries,
        process_bytes_max: Some(limit.saturating_add(BESIDE_BUDGET.max(limit / BESIDE_BUDGET_PART))),
        give_back: calls.map(|calls| calls.give_back),
        stand_back: calls.map(|calls| calls.stand_back),
        spill_directory: Some(spill_directory),
        ..QueryOptions::default()
    }
}

/// Turns what the system said into what to do about it.
fn data_dir_error(path: &Path, error: EngineError) -> ServeError {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let advice = match io_kind(&error) {
        Some(StorageFull | QuotaExceeded) => "the disk is full; free some space or choose another --data-dir",
        Some(PermissionDenied | ReadOnlyFilesystem) => {
            "it cannot be written; make it writable for this user or choose another --data-dir"
        }
        _ => return ServeError::Engine(error),
    };
    ServeError::DataDir { path: path.to_owned(), advice: format!("{advice} ({error})") }
}

fn io_kind(error: &EngineError) -> Option<io::ErrorKind> {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = error.source();
    }
    None
}

fn spawn_flight(
    listener: Listener,
    context: &Arc<FlightContext>,
    max_message_bytes: usize,
    stop: CancellationToken,
) -> JoinHandle<Result<(), tonic::transport::Error>> {
    let service =
        FlightServiceServer::new(FlightApi::new(Arc::clone(context))).max_encoding_message_size(usize::MAX);
    let login = service.clone().max_decoding_message_size(LOGIN_BYTES_MAX);
    let service = service.max_decoding_message_size(max_message_bytes);
    let memory = ArrivalMemory::new("messages that arrive", context.engine.budget(), MESSAGES_PART);
    let service = Arrivals::new(service, &memory, max_message_bytes);
    let login = Arrivals::new(login, &memory, LOGIN_BYTES_MAX);
    let service = FlightGate::new(Arc::clone(&context.auth), service, login);
    let limit = context.engine.budget().limit();
    let window = |part: usize, max: usize| {
        let bytes = (limit / part).clamp(STREAM_WINDOW_BYTES_MIN, max);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    };
    let router = TonicServer::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(window(STREAM_WINDOW_PART, STREAM_WINDOW_BYTES))
        .initial_connection_window_size(window(CONNECTION_WINDOW_PART, CONNECTION_WINDOW_BYTES))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .add_service(service);
    tasks::spawn(router.serve_with_incoming_shutdown(listener.into_stream(), stop.cancelled_owned()))
}

/// The innermost error: tonic's own text is "transport error".
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
