//! `Handshake`: user and password in, token out. Credentials come in the `Authorization` header, or in the first message as
//! `BasicAuth`, the way of older clients; the token goes out both ways. Without users everybody gets a token that nobody looks at.

use std::time::Duration;

use arrow_flight::{BasicAuth, HandshakeRequest, HandshakeResponse};
use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use prost::Message;
use tonic::{Request as Call, Response, Status, Streaming};

use crate::{
    auth::{Auth, Credentials, Denied, tell_peer, unauthenticated},
    listen::Peer,
};
use hexflight_engine::time;

/// How long a client may take to send the message with its credentials.
const MESSAGE_WAIT: Duration = Duration::from_secs(10);

/// Logs a client in.
pub(super) async fn handshake(
    auth: &Auth,
    call: Call<Streaming<HandshakeRequest>>,
) -> Result<Response<BoxStream<'static, Result<HandshakeResponse, Status>>>, Status> {
    let peer = call.extensions().get::<Peer>().cloned();
    let answer = log_in(auth, call, peer.as_ref()).await;
    tell_peer(peer.as_ref(), answer.is_ok());
    answer
}

async fn log_in(
    auth: &Auth,
    call: Call<Streaming<HandshakeRequest>>,
    peer: Option<&Peer>,
) -> Result<Response<BoxStream<'static, Result<HandshakeResponse, Status>>>, Status> {
    let credentials = match credentials(auth, call).await? {
        Some(credentials) => credentials,
        None if auth.is_on() => return Err(unauthenticated(Denied::Missing)),
        None => Credentials::Bearer(String::new()),
    };
    let token = auth.login(credentials, peer).await.map_err(unauthenticated)?;
    let bearer = format!("Bearer {token}").parse();
    let answer = HandshakeResponse { protocol_version: 0, payload: Bytes::from(token) };
    let mut response = Response::new(stream::iter([Ok(answer)]).boxed());
    if let Ok(bearer) = bearer {
        response.metadata_mut().insert("authorization", bearer);
    }
    Ok(response)
}

async fn credentials(
    auth: &Auth,
    call: Call<Streaming<HandshakeRequest>>,
) -> Result<Option<Credentials>, Status> {
    if !auth.is_on() {
        return Ok(None);
    }
    let (metadata, _, mut messages) = call.into_parts();
    let header = Credentials::of_headers(metadata.as_ref()).map_err(unauthenticated)?;
    if header.is_some() {
        return Ok(header);
    }
    let first = time::timeout(MESSAGE_WAIT, messages.message()).await;
    let Ok(first) = first else { return Err(unauthenticated(Denied::Missing)) };
    let Some(request) = first? else { return Ok(None) };
    let basic = BasicAuth::decode(request.payload).map_err(|_| unauthenticated(Denied::Malformed))?;
    let named = !basic.username.is_empty() || !basic.password.is_empty();
    Ok(named.then_some(Credentials::Basic { user: basic.username, password: basic.password }))
}
