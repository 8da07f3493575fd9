//! Cross-origin requests: answered for the origins of the setting, before anybody has to say who he is; otherwise not at all.

use hexflight::CorsOrigins;
use reqwest::{Method, Response};

use crate::harness::TestServer;

const HOME: &str = "https://dashboards.example";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_list_may_ask_and_others_may_not() {
    let server = with_origins(CorsOrigins::Only(vec![HOME.parse().unwrap()])).await;
    let preflight = ask(&server, Method::OPTIONS, HOME).await;
    assert_eq!(preflight.status().as_u16(), 200);
    assert_eq!(header(&preflight, "access-control-allow-origin"), Some(HOME));
    assert_eq!(header(&preflight, "access-control-allow-methods"), Some("GET,POST"));
    assert_eq!(header(&preflight, "access-control-allow-headers"), Some("authorization,content-type"));
    assert_eq!(header(&preflight, "access-control-allow-credentials"), Some("true"));
    for method in [Method::OPTIONS, Method::POST] {
        let other = ask(&server, method, "https://elsewhere.example").await;
        assert_eq!(header(&other, "access-control-allow-origin"), None);
    }
    // The answer is a problem, which the page may read.
    let answer = ask(&server, Method::POST, HOME).await;
    assert_eq!(answer.status().as_u16(), 415);
    assert_eq!(header(&answer, "access-control-allow-origin"), Some(HOME));
    let exposed = header(&answer, "access-control-expose-headers").unwrap();
    assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"), "{exposed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_may_ask_where_all_may_and_none_where_nothing_is_set() {
    let server = with_origins(CorsOrigins::Any).await;
    let preflight = ask(&server, Method::OPTIONS, HOME).await;
    assert_eq!(header(&preflight, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&preflight, "access-control-allow-credentials"), None);
    let server = TestServer::start().await;
    let preflight = ask(&server, Method::OPTIONS, HOME).await;
    assert_eq!(preflight.status().as_u16(), 405);
    assert_eq!(header(&preflight, "access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_needs_no_password_and_a_refusal_can_be_read() {
    let users = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(users.path(), "ada:correct horse\n").unwrap();
    let server = TestServer::start_with(|config| {
        config.cors_origins = CorsOrigins::Only(vec![HOME.parse().unwrap()]);
        config.auth_file = Some(users.path().to_owned());
    })
    .await;
    assert_eq!(ask(&server, Method::OPTIONS, HOME).await.status().as_u16(), 200);
    let refused = ask(&server, Method::POST, HOME).await;
    assert_eq!(refused.status().as_u16(), 401);
    assert_eq!(header(&refused, "access-control-allow-origin"), Some(HOME));
}

async fn with_origins(origins: CorsOrigins) -> TestServer {
    TestServer::start_with(|config| config.cors_origins = origins).await
}

async fn ask(server: &TestServer, method: Method, origin: &'static str) -> Response {
    let url = format!("{}/api/v1/sql", server.server.http_url());
    let request = reqwest::Client::new().request(method, url).header("origin", origin);
    let request = request
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    request.send().await.unwrap()
}

fn header<'r>(answer: &'r Response, name: &str) -> Option<&'r str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}
