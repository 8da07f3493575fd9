//! Who may do what: every Flight method, Flight SQL command, action and HTTP path is asked with every kind of credentials, and what came back is
//! `docs/security.md`. A door that opens or closes by mistake is a line of the file that differs.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use arrow_flight::{
    Action, Criteria, Empty, FlightData, FlightDescriptor, HandshakeRequest, Ticket,
    flight_service_client::FlightServiceClient, sql::Any,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use prost::Message;
use tempfile::TempDir;
use tonic::{Code, Request, Status, transport::Channel};

use crate::harness::TestServer;

const PASSWORD: &str = "correct horse";

/// Set to anything, the file is written instead of compared.
const UPDATE_VARIABLE: &str = "UPDATE_SECURITY_MD";

/// The commands of Flight SQL, as descriptor or ticket.
const COMMANDS: [&str; 14] = [
    "CommandGetCatalogs",
    "CommandGetDbSchemas",
    "CommandGetTables",
    "CommandGetTableTypes",
    "CommandGetPrimaryKeys",
    "CommandGetExportedKeys",
    "CommandGetImportedKeys",
    "CommandGetCrossReference",
    "CommandGetSqlInfo",
    "CommandGetXdbcTypeInfo",
    "CommandStatementQuery",
    "CommandPreparedStatementQuery",
    "CommandStatementSubstraitPlan",
    "TicketStatementQuery",
];

/// The commands of Flight SQL that are put.
const PUT_COMMANDS: [&str; 5] = [
    "CommandStatementIngest",
    "CommandStatementUpdate",
    "CommandPreparedStatementUpdate",
    "CommandPreparedStatementQuery",
    "CommandStatementSubstraitPlan",
];

/// The methods of Flight, those of [`Door::Put`] and [`Door::Action`] with nothing that means anything.
const METHODS: [&str; 9] = [
    "Handshake",
    "ListFlights",
    "GetFlightInfo",
    "PollFlightInfo",
    "GetSchema",
    "DoGet",
    "DoExchange",
    "ListActions",
    "AMethodThatIsAddedLater",
];

/// Stands for a wrong password of another user each time: guesses of one user are slowed.
const WRONG_PASSWORD: &str = "Basic wrong";

/// The credentials, as the columns call them.
const CREDENTIALS: [&str; 7] =
    ["none", "wrong password", "wrong token", "read", "write", "admin", "token of an admin, scope write"];

/// What a client can ask for.
#[derive(Debug, Clone)]
enum Door {
    Method(&'static str),
    Info(&'static str),
    Get(&'static str),
    PutTo(&'static str, FlightDescriptor),
    Action(String),
    Http(String, String),
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_what_the_server_does() {
    let (folder, users) = users();
    let server = TestServer::start_with(|config| config.auth_file = Some(users)).await;
    let written = document(&server).await;
    drop(folder);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/security.md");
    if std::env::var_os(UPDATE_VARIABLE).is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = written.lines().zip(found.lines()).find(|(written, found)| written != found);
    assert!(
        written == found,
        "docs/security.md is not what the server does; first difference: {differing:?}; if the server is right, run the test with \
         {UPDATE_VARIABLE}=1"
    );
}

async fn document(server: &TestServer) -> String {
    let headers = headers(server).await;
    let mut text = "# Who may do what\n\n\
        Written by a test that asks a server with users at every door with all kinds of credentials (`flight-server/tests/it/security.rs`); it\n\
        fails when the server does anything else. `yes`: let in, whatever the answer is then; `no`: known, and refused with\n\
        PERMISSION_DENIED or 403; `–`: not known, refused with UNAUTHENTICATED or 401. Of `system.queries`, of `/api/v1/tokens` and of\n\
        sessions, who is not an admin has the own part only. Without users everybody is let in everywhere.\n"
        .to_owned();
    let actions = actions(server, &headers[5]).await;
    let sections = [
        ("Flight methods", METHODS.map(Door::Method).to_vec()),
        ("Flight SQL commands, GetFlightInfo", COMMANDS.map(Door::Info).to_vec()),
        ("Flight SQL commands, DoGet", COMMANDS.map(Door::Get).to_vec()),
        ("DoPut", puts()),
        ("Actions, DoAction", actions.into_iter().map(Door::Action).collect()),
        ("HTTP", paths(server, &headers[5]).await),
    ];
    for (title, doors) in sections {
        write!(
            text,
            "\n## {title}\n\n| | {} |\n|---|{}\n",
            CREDENTIALS.join(" | "),
            "---|".repeat(CREDENTIALS.len())
        )
        .unwrap();
        for door in doors {
            let mut line = format!("| {} |", name(&door));
            for header in &headers {
                let header = header.as_deref().map(fresh);
                write!(line, " {} |", verdict(server, &door, header.as_deref()).await).unwrap();
            }
            writeln!(text, "{line}").unwrap();
        }
    }
    text
}

fn fresh(header: &str) -> String {
    static GUESSES: AtomicUsize = AtomicUsize::new(0);
    if header != WRONG_PASSWORD {
        return header.to_owned();
    }
    basic(&format!("guess-{}", GUESSES.fetch_add(1, Ordering::Relaxed)), PASSWORD)
}

fn name(door: &Door) -> String {
    match door {
        Door::Method(name) | Door::Info(name) | Door::Get(name) | Door::PutTo(name, _) => format!("`{name}`"),
        Door::Action(name) => format!("`{name}`"),
        Door::Http(method, path) => format!("`{method} {path}`"),
    }
}

/// How a door answers to credentials. Each time over a connection of its own: strangers are cut off.
async fn verdict(server: &TestServer, door: &Door, header: Option<&str>) -> &'static str {
    let code = match door {
        Door::Http(method, path) => return http_verdict(server, method, path, header).await,
        Door::Method("AMethodThatIsAddedLater") => unheard(server, header).await,
        door => {
            let client = FlightServiceClient::new(server.channel().await);
            call(client, door, header).await.err().map_or(Code::Ok, |status| status.code())
        }
    };
    match code {
        Code::Unauthenticated => "–",
        Code::PermissionDenied => "no",
        _ => "yes",
    }
}

async fn call(
    mut client: FlightServiceClient<Channel>,
    door: &Door,
    header: Option<&str>,
) -> Result<(), Status> {
    let table = FlightDescriptor::new_path(vec!["events".to_owned()]);
    match door {
        Door::Method("Handshake") => {
            let answers = client.handshake(with(stream::empty::<HandshakeRequest>(), header)).await?;
            answers.into_inner().try_collect::<Vec<_>>().await.map(drop)
        }
        Door::Method("ListFlights") => client.list_flights(with(Criteria::default(), header)).await.map(drop),
        Door::Method("GetFlightInfo") => client.get_flight_info(with(table, header)).await.map(drop),
        Door::Method("PollFlightInfo") => client.poll_flight_info(with(table, header)).await.map(drop),
        Door::Method("GetSchema") => client.get_schema(with(table, header)).await.map(drop),
        Door::Method("DoGet") => client.do_get(with(Ticket::new("SELECT 1"), header)).await.map(drop),
        Door::Method("DoExchange") => {
            client.do_exchange(with(stream::empty::<FlightData>(), header)).await.map(drop)
        }
        Door::Method(_) => client.list_actions(with(Empty {}, header)).await.map(drop),
        Door::Info(name) => {
            client.get_flight_info(with(FlightDescriptor::new_cmd(command(name)), header)).await.map(drop)
        }
        Door::Get(name) => client.do_get(with(Ticket::new(command(name)), header)).await.map(drop),
        Door::PutTo(_, descriptor) => {
            let first = FlightData { flight_descriptor: Some(descriptor.clone()), ..FlightData::default() };
            let answers = client.do_put(with(stream::iter([first]), header)).await?;
            answers.into_inner().try_collect::<Vec<_>>().await.map(drop)
        }
        Door::Action(name) => {
            let answers = client.do_action(with(Action::new(name.clone(), Bytes::new()), header)).await?;
            answers.into_inner().try_collect::<Vec<_>>().await.map(drop)
        }
        Door::Http(..) => unreachable!("is not called"),
    }
}

/// A call with the header `authorization`.
fn with<T>(message: T, header: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(header) = header {
        request.metadata_mut().insert("authorization", header.parse().unwrap());
    }
    request
}

/// A command of Flight SQL in which nothing is said.
fn command(name: &str) -> Bytes {
    let type_url = format!("type.googleapis.com/arrow.flight.protocol.sql.{name}");
    Bytes::from(Any { type_url, value: Bytes::new() }.encode_to_vec())
}

fn puts() -> Vec<Door> {
    let import = Bytes::from_static(br#"{"import": {"table": "events"}}"#);
    let mut doors = vec![
        Door::PutTo("path events", FlightDescriptor::new_path(vec!["events".to_owned()])),
        Door::PutTo("import", FlightDescriptor::new_cmd(import)),
    ];
    doors.extend(PUT_COMMANDS.map(|name| Door::PutTo(name, FlightDescriptor::new_cmd(command(name)))));
    doors
}

/// What the server says that it does, and what Flight SQL has besides.
async fn actions(server: &TestServer, admin: &Option<String>) -> Vec<String> {
    let mut client = FlightServiceClient::new(server.channel().await);
    let listed = client.list_actions(with(Empty {}, admin.as_deref())).await.unwrap().into_inner();
    let mut names: Vec<String> = listed.map_ok(|action| action.r#type).try_collect().await.unwrap();
    names.extend(
        ["BeginTransaction", "CreatePreparedSubstraitPlan", "AnActionThatIsAddedLater"].map(str::to_owned),
    );
    names
}

/// What the server says that it serves, and what nobody serves.
async fn paths(server: &TestServer, admin: &Option<String>) -> Vec<Door> {
    let answer = reqwest::Client::new()
        .get(format!("{}/openapi.json", server.server.http_url()))
        .header("authorization", admin.as_deref().unwrap())
        .send();
    let document: serde_json::Value =
        serde_json::from_slice(&answer.await.unwrap().bytes().await.unwrap()).unwrap();
    let mut doors = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            doors.push(Door::Http(method.to_uppercase(), path.clone()));
        }
    }
    for (method, path) in [
        ("GET", "/openapi.json"),
        ("GET", "/nothing"),
        ("POST", "/nothing"),
        ("DELETE", "/api/v1/added-later"),
    ] {
        doors.push(Door::Http(method.to_owned(), path.to_owned()));
    }
    doors
}

async fn http_verdict(server: &TestServer, method: &str, path: &str, header: Option<&str>) -> &'static str {
    let path = path.replace("{device_id}", "a").replace("{id}", "a");
    let url = format!("{}{path}", server.server.http_url());
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
    if let Some(header) = header {
        request = request.header("authorization", header);
    }
    match request.send().await.unwrap().status().as_u16() {
        401 => "–",
        403 => "no",
        _ => "yes",
    }
}

/// The code of a method of the service that there is not.
async fn unheard(server: &TestServer, header: Option<&str>) -> Code {
    let url = server.server.flight_url().replace("grpc://", "http://");
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let path = "/arrow.flight.protocol.FlightService/AMethodThatIsAddedLater";
    let mut request = client.post(format!("{url}{path}")).header("content-type", "application/grpc");
    if let Some(header) = header {
        request = request.header("authorization", header);
    }
    let answer = request.send().await.unwrap();
    Code::from_bytes(answer.headers()["grpc-status"].as_bytes())
}

/// The headers of [`CREDENTIALS`].
async fn headers(server: &TestServer) -> Vec<Option<String>> {
    let of_role = |role: &str| Some(basic(role, PASSWORD));
    let made = reqwest::Client::new()
        .post(format!("{}/api/v1/tokens", server.server.http_url()))
        .header("authorization", basic("admin", PASSWORD))
        .header("content-type", "application/json")
        .body(r#"{"name": "test", "scopes": ["write"]}"#)
        .send();
    let made: serde_json::Value =
        serde_json::from_slice(&made.await.unwrap().bytes().await.unwrap()).unwrap();
    vec![
        None,
        Some(WRONG_PASSWORD.to_owned()),
        Some("Bearer guess".to_owned()),
        of_role("read"),
        of_role("write"),
        of_role("admin"),
        Some(format!("Bearer {}", made["token"].as_str().unwrap())),
    ]
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A file with a user of each role, named after it.
fn users() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    for role in ["read", "write", "admin"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hexflight"))
            .args(["user", "add", role, "--role", role, "--auth-file"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        command.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        assert!(command.wait().unwrap().success());
    }
    (folder, path)
}
