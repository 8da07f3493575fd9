//! `Target`: the address of a server and who asks. User and password stand in the address, `grpc://user:password@host:port`, or else in
//! `HEXFLIGHT_USER` and `HEXFLIGHT_PASSWORD`; nothing that is shown or logged has them.

use std::{env, fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::ClientError;

/// Variables that hold what the address does not.
const USER_VARIABLE: &str = "HEXFLIGHT_USER";
const PASSWORD_VARIABLE: &str = "HEXFLIGHT_PASSWORD";

/// Where to connect and as whom.
#[derive(Debug)]
pub(super) struct Target {
    /// The address without user and password.
    pub(super) url: String,
    pub(super) authorization: Option<Authorization>,
}

/// Value of the header `authorization`.
#[derive(Clone)]
pub(super) struct Authorization(Arc<str>);

impl Authorization {
    fn basic(user: &str, password: &str) -> Self {
        Self(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).into())
    }

    /// The value, for the header alone.
    pub(super) fn header(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(..)")
    }
}

impl Target {
    /// Reads an address, and the variables if it names no user.
    pub(super) fn of(text: &str) -> Result<Self, ClientError> {
        let variables = (env::var(USER_VARIABLE).ok(), env::var(PASSWORD_VARIABLE).ok());
        Self::with_variables(text, variables)
    }

    fn with_variables(text: &str, variables: (Option<String>, Option<String>)) -> Result<Self, ClientError> {
        let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
        let (user_info, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
        let url = if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") };
        let refuse = |rule: String| ClientError::Address { url: url.clone(), rule };
        let authorization = match (user_info, variables) {
            (Some(user_info), _) => Some(of_user_info(user_info).map_err(refuse)?),
            (None, (Some(user), Some(password))) => Some(Authorization::basic(&user, &password)),
            (None, (None, None)) => None,
            (None, _) => {
                return Err(refuse(format!("set both {USER_VARIABLE} and {PASSWORD_VARIABLE}, or neither")));
            }
        };
        Ok(Self { url, authorization })
    }
}

fn of_user_info(text: &str) -> Result<Authorization, String> {
    let rule = || {
        "write user and password as grpc://USER:PASSWORD@HOST:PORT, with '%' and '/' in them as %25 and %2F"
            .to_owned()
    };
    let (user, password) = text.split_once(':').ok_or_else(rule)?;
    let (user, password) = (unescaped(user).ok_or_else(rule)?, unescaped(password).ok_or_else(rule)?);
    Ok(Authorization::basic(&user, &password))
}

/// Puts the bytes that `%41` stands for in its place.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_taken_out_of_the_address() {
        for url in ["grpc://ada:s%40c:ret@h:1", "grpc://ada:s@c:ret@h:1"] {
            let target = read(url, (None, None)).unwrap();
            assert_eq!(target.url, "grpc://h:1");
            assert_eq!(target.authorization.unwrap().header(), basic("ada:s@c:ret"));
        }
        assert!(read("grpc://h:1", (None, None)).unwrap().authorization.is_none());
    }

    #[test]
    fn variables_hold_what_the_address_does_not() {
        let variables = || (Some("eve".to_owned()), Some("other".to_owned()));
        let header = |url| read(url, variables()).unwrap().authorization.unwrap().header().to_owned();
        assert_eq!(header("grpc://h:1"), basic("eve:other"));
        assert_eq!(header("grpc://ada:x@h:1"), basic("ada:x"));
        let error = read("grpc://h:1", (Some("eve".to_owned()), None)).unwrap_err().to_string();
        assert!(error.contains(PASSWORD_VARIABLE), "{error}");
    }

    #[test]
    fn no_error_and_no_debug_form_shows_a_password() {
        for url in [
            "grpc://hunter2@h:1",
            "grpc://a:hunter2%zz@h:1",
            "grpc://a:hunter2%4@h:1",
            "grpc://a:hunter2@h:1",
        ] {
            let shown = format!("{:?}", read(url, (None, None)));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    fn read(url: &str, variables: (Option<String>, Option<String>)) -> Result<Target, ClientError> {
        Target::with_variables(url, variables)
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }
}
