//! What a call says about who makes it: the `Authorization` header, or the header of Flight's older login.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::Denied;

/// Carries the token of clients that log in by messages instead of a header (`FlightClient.authenticate` of pyarrow and Java);
/// base64, as all binary metadata of gRPC.
const TOKEN_HEADER: &str = "auth-token-bin";

/// Credentials of a call.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// User and password.
    Basic {
        /// The name.
        user: String,
        /// The password, in the clear.
        password: String,
    },
    /// A token that a login gave out.
    Bearer(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(..)",
            Self::Bearer(_) => "Bearer(..)",
        })
    }
}

impl Credentials {
    /// Reads the headers of a call; `None` when they say nothing.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Result<Option<Self>, Denied> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            return Self::of_authorization(value).map(Some).ok_or(Denied::Malformed);
        }
        let Some(value) = headers.get(TOKEN_HEADER) else { return Ok(None) };
        let token = decoded(value.as_bytes()).ok_or(Denied::Malformed)?;
        Ok(Some(Self::Bearer(token)))
    }

    /// The scheme is written in any case (RFC 9110, 11.1).
    fn of_authorization(value: &HeaderValue) -> Option<Self> {
        let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(rest.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = decoded(rest.as_bytes())?;
        let (user, password) = pair.split_once(':')?;
        Some(Self::Basic { user: user.to_owned(), password: password.to_owned() })
    }
}

/// Text in base64, with or without its padding: gRPC libraries differ.
fn decoded(bytes: &[u8]) -> Option<String> {
    let mut padded = bytes.to_vec();
    while !padded.len().is_multiple_of(4) {
        padded.push(b'=');
    }
    String::from_utf8(STANDARD.decode(padded).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_are_read_in_any_case() {
        let basic = Credentials::Basic { user: "ada".to_owned(), password: "se:cret".to_owned() };
        for value in ["Basic YWRhOnNlOmNyZXQ=", "basic YWRhOnNlOmNyZXQ", "BASIC  YWRhOnNlOmNyZXQ="] {
            assert_eq!(read("authorization", value), Ok(Some(basic.clone())), "{value}");
        }
        assert_eq!(read("authorization", "bearer abc"), Ok(Some(Credentials::Bearer("abc".to_owned()))));
        assert_eq!(read("auth-token-bin", "YWJj"), Ok(Some(Credentials::Bearer("abc".to_owned()))));
        assert_eq!(read("x-other", "Basic"), Ok(None));
    }

    #[test]
    fn anything_else_is_malformed() {
        for value in ["Basic", "Basic !!!", "Basic YWRh", "Negotiate abc", "", "YWRhOnNlOmNyZXQ="] {
            assert_eq!(read("authorization", value), Err(Denied::Malformed), "{value}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let basic = Credentials::Basic { user: "ada".to_owned(), password: "hunter2".to_owned() };
        assert!(!format!("{basic:?} {:?}", Credentials::Bearer("hunter2".to_owned())).contains("hunter2"));
    }

    fn read(name: &'static str, value: &str) -> Result<Option<Credentials>, Denied> {
        Credentials::of_headers(&HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]))
    }
}
