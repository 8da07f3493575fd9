//! `CorsOrigins`: from which web pages a browser may ask the HTTP API. Origins are compared letter by letter, as browsers write
//! them, so that a text which no browser sends is refused at the start and not found out by nobody being let in.

use axum::http::{HeaderValue, Uri};

/// Which origins may read answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CorsOrigins {
    /// None but that of the API itself, which is what browsers do without being told.
    #[default]
    Own,
    /// Every origin.
    Any,
    /// These.
    Only(Vec<HeaderValue>),
}

const RULE: &str = "must be *, or origins such as https://dashboards.example.org:3000, separated by commas";

/// Reads a list of origins, or `*`; empty for none.
pub(super) fn parse_origins(text: &str) -> Result<CorsOrigins, String> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    match names.as_slice() {
        [] => Ok(CorsOrigins::Own),
        ["*"] => Ok(CorsOrigins::Any),
        names => Ok(CorsOrigins::Only(names.iter().map(|name| origin(name)).collect::<Result<_, _>>()?)),
    }
}

/// An origin is a scheme, a host and a port that is not the scheme's own; nothing follows.
fn origin(name: &str) -> Result<HeaderValue, String> {
    let refused = |why: &str| Err(format!("{RULE}; '{name}' {why}"));
    if name == "*" {
        return refused("stands alone");
    }
    let uri: Uri = match name.parse() {
        Ok(uri) => uri,
        Err(_) => return refused("is none"),
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return refused("has no scheme, such as https://");
    };
    if format!("{scheme}://{authority}") != name {
        return refused("has a path or a slash at its end");
    }
    if authority.as_str().contains('@') || name.chars().any(|c| c.is_ascii_uppercase()) {
        return refused("is not how browsers write it: in small letters, without a user");
    }
    if matches!((scheme, uri.port_u16()), ("https", Some(443)) | ("http", Some(80))) {
        return refused("names the port that its scheme has anyway, which browsers leave out");
    }
    HeaderValue::from_str(name).or_else(|_| refused("is none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_as_browsers_write_it() {
        assert_eq!(parse_origins(""), Ok(CorsOrigins::Own));
        assert_eq!(parse_origins(" * "), Ok(CorsOrigins::Any));
        let two = ["https://a.example", "http://localhost:3000"].map(HeaderValue::from_static);
        assert_eq!(
            parse_origins("https://a.example, http://localhost:3000,"),
            Ok(CorsOrigins::Only(two.into()))
        );
        for bad in [
            "a.example",
            "https://a.example/",
            "https://a.example/path",
            "https://A.example",
            "https://a.example:443",
            "http://a.example:80",
            "https://me@a.example",
            "https://a.example, *",
            "null",
            "https://",
        ] {
            assert!(parse_origins(bad).is_err(), "{bad} was taken");
        }
    }
}
