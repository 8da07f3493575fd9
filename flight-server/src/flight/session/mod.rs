//! Sessions: `SetSessionOptions`, `GetSessionOptions` and `CloseSession`. A client that sets an option gets a cookie and sends it with
//! its later calls; one that never does needs no session, and costs none.

mod messages;
mod options;
mod table;

use arrow_flight::{Action, ActionType};
use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use prost::Message;
use tonic::{Request as Call, Response, Status, metadata::MetadataMap};
use uuid::Uuid;

pub(crate) use options::{QUERY_TIMEOUT, SessionOptions};
pub(crate) use table::Sessions;

use self::messages::{CloseResult, CloseStatus, Options, SetError, SetResult};
use crate::{
    auth::Caller,
    timestamp_unit::{TIMESTAMP_UNIT, TimestampUnit},
};
use hexflight_engine::{Ids as _, SystemIds, time};

const SET: &str = "SetSessionOptions";
const GET: &str = "GetSessionOptions";
const CLOSE: &str = "CloseSession";

/// Name of the cookie. **Source**: the server session middleware of Arrow C++, which all clients follow.
const COOKIE: &str = "arrow_flight_session_id";

type Answer = Response<BoxStream<'static, Result<arrow_flight::Result, Status>>>;

/// The actions that are answered here.
pub(super) fn action_types() -> Vec<ActionType> {
    [
        (SET, "Sets options for later calls: SetSessionOptionsRequest in, what was not set out."),
        (GET, "Reads the options of the session: nothing in, GetSessionOptionsResult out."),
        (CLOSE, "Forgets the session: nothing in, CloseSessionResult out."),
    ]
    .map(|(name, text)| ActionType { r#type: name.to_owned(), description: text.to_owned() })
    .into()
}

/// Whether an action is answered here.
pub(super) fn answers(action: &Action) -> bool {
    matches!(action.r#type.as_str(), SET | GET | CLOSE)
}

/// Does one of the three actions.
pub(super) fn act(sessions: &Sessions, call: &Call<Action>) -> Result<Answer, Status> {
    let (id, caller, now) = (session_id(call.metadata()), caller_of(call), time::now());
    let known = id.and_then(|id| Some((id, sessions.options(id, &caller, now)?)));
    let action = call.get_ref();
    match action.r#type.as_str() {
        SET => {
            // An id that is not known, or no longer, is not taken over: only ids made here are hard to guess.
            let (id, mut options) = known.unwrap_or_else(|| (SystemIds.random(), SessionOptions::default()));
            let answer = set_all(&mut options, action)?;
            sessions.store(id, caller, options, now);
            answered(&answer, known.is_none().then(|| format!("{COOKIE}={}", id.simple())))
        }
        GET => {
            let options = known.map(|(_, options)| options).unwrap_or_default();
            answered(&Options { options: options.all() }, None)
        }
        _ => {
            if let Some(id) = id {
                sessions.close(id, &caller, now);
            }
            let answer = CloseResult { status: CloseStatus::Closed.into() };
            answered(&answer, id.map(|_| format!("{COOKIE}=; Max-Age=0")))
        }
    }
}

/// Who calls and under which options.
#[derive(Debug, Clone, Default)]
pub(super) struct CallOptions {
    pub(super) session: SessionOptions,
    pub(super) caller: Caller,
    /// The unit of the timestamps of results: what the call's header says, else its session.
    pub(super) timestamp_unit: TimestampUnit,
}

/// The options under which a call is made.
///
/// # Errors
/// INVALID_ARGUMENT for a header with a value that it cannot have.
pub(super) fn options_of<T>(sessions: &Sessions, call: &Call<T>) -> Result<CallOptions, Status> {
    let (id, caller) = (session_id(call.metadata()), caller_of(call));
    let session = id.and_then(|id| sessions.options(id, &caller, time::now())).unwrap_or_default();
    let header = call.metadata().get(TIMESTAMP_UNIT).map(|value| value.as_bytes());
    let asked = TimestampUnit::of_header(header).map_err(Status::invalid_argument)?;
    let timestamp_unit = asked.or(session.timestamp_unit).unwrap_or_default();
    Ok(CallOptions { session, caller, timestamp_unit })
}

fn set_all(options: &mut SessionOptions, action: &Action) -> Result<SetResult, Status> {
    let request = Options::decode(action.body.clone())
        .map_err(|error| Status::invalid_argument(format!("{SET}: the body cannot be read: {error}")))?;
    let mut answer = SetResult::default();
    for (name, value) in request.options {
        if let Err(why) = options.set(&name, value.value.as_ref()) {
            answer.errors.insert(name, SetError { value: why.into() });
        }
    }
    Ok(answer)
}

fn answered(message: &impl Message, cookie: Option<String>) -> Result<Answer, Status> {
    let result = arrow_flight::Result { body: Bytes::from(message.encode_to_vec()) };
    let mut response = Response::new(stream::iter([Ok(result)]).boxed());
    if let Some(cookie) = cookie {
        let cookie = cookie.parse().map_err(|_| Status::internal("a cookie of letters is no header"))?;
        response.metadata_mut().insert("set-cookie", cookie);
    }
    Ok(response)
}

fn caller_of<T>(call: &Call<T>) -> Caller {
    call.extensions().get::<Caller>().cloned().unwrap_or_default()
}

/// The session that the cookies of a call name.
fn session_id(metadata: &MetadataMap) -> Option<Uuid> {
    let headers = metadata.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let mut cookies =
        headers.flat_map(|header| header.split(';')).filter_map(|cookie| cookie.split_once('='));
    let (_, id) = cookies.find(|(name, _)| name.trim() == COOKIE)?;
    Uuid::try_parse(id.trim().trim_matches('"')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let id = SystemIds.random();
        for cookie in [format!("a=b; {COOKIE}={}; c=d", id.simple()), format!("{COOKIE}=\"{id}\"")] {
            let mut metadata = MetadataMap::new();
            metadata.append("cookie", "other=1".parse().unwrap());
            metadata.append("cookie", cookie.parse().unwrap());
            assert_eq!(session_id(&metadata), Some(id), "{cookie}");
        }
        assert_eq!(session_id(&MetadataMap::new()), None);
    }
}
