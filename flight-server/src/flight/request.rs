//! What a descriptor or ticket asks for: a table by path, a Flight SQL command, or plain SQL text, which pyarrow users send for
//! want of a Flight SQL client.

use arrow_flight::{
    FlightDescriptor, Ticket,
    flight_descriptor::DescriptorType,
    sql::{Any, Command},
};
use prost::Message;
use tonic::Status;

/// Prefix of the type of every Flight SQL command.
const SQL_COMMAND_PREFIX: &str = "type.googleapis.com/arrow.flight.protocol.sql.";

/// What is asked for.
#[derive(Debug, PartialEq)]
pub(super) enum Request {
    /// A descriptor path.
    Path(Vec<String>),
    /// A Flight SQL command.
    Command(Box<Command>),
    /// SQL text.
    Sql(String),
}

impl Request {
    /// Reads a descriptor.
    pub(super) fn of_descriptor(descriptor: &FlightDescriptor) -> Result<Self, Status> {
        match descriptor.r#type() {
            DescriptorType::Path => Ok(Self::Path(descriptor.path.clone())),
            DescriptorType::Cmd => Self::of_bytes(&descriptor.cmd, "the descriptor's command"),
            DescriptorType::Unknown => Err(Status::invalid_argument(
                "the flight descriptor has no type; use a path such as [\"events\"] or a command",
            )),
        }
    }

    /// Reads a ticket.
    pub(super) fn of_ticket(ticket: &Ticket) -> Result<Self, Status> {
        Self::of_bytes(&ticket.ticket, "the ticket")
    }

    /// SQL text can look like a protobuf message by chance, never like one with our type URL.
    fn of_bytes(bytes: &[u8], what: &str) -> Result<Self, Status> {
        if let Ok(any) = Any::decode(bytes)
            && any.type_url.starts_with(SQL_COMMAND_PREFIX)
        {
            let name = any.type_url[SQL_COMMAND_PREFIX.len()..].to_owned();
            return match Command::try_from(any) {
                Ok(Command::Unknown(_)) => {
                    Err(Status::unimplemented(format!("Flight SQL command {name} is not supported")))
                }
                Ok(command) => Ok(Self::Command(Box::new(command))),
                Err(error) => Err(Status::invalid_argument(format!("{what}: {name}: {error}"))),
            };
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if is_sql(text) => Ok(Self::Sql(text.to_owned())),
            _ => {
                Err(Status::invalid_argument(format!("{what} is neither a Flight SQL command nor SQL text")))
            }
        }
    }
}

/// Whether text can be a statement: printable, and it begins with a word, a parenthesis or a comment.
fn is_sql(text: &str) -> bool {
    let begins = text.trim_start().chars().next();
    begins.is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, '(' | '-' | '/'))
        && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use arrow_flight::sql::{CommandGetCatalogs, CommandStatementQuery, ProstMessageExt};
    use tonic::Code;

    use super::*;

    #[test]
    fn a_flight_sql_command_is_recognised() {
        let query = CommandStatementQuery { query: "SELECT 1".to_owned(), transaction_id: None };
        let bytes = query.as_any().encode_to_vec();
        let request = Request::of_bytes(&bytes, "it").unwrap();
        assert_eq!(request, Request::Command(Box::new(Command::CommandStatementQuery(query))));
        let bytes = CommandGetCatalogs {}.as_any().encode_to_vec();
        assert!(matches!(Request::of_bytes(&bytes, "it"), Ok(Request::Command(_))));
    }

    #[test]
    fn sql_text_is_a_statement() {
        for sql in ["SELECT 1", "  with x as (select 1) select * from x", "-- note\nSELECT 1", "(SELECT 1)"] {
            assert_eq!(Request::of_bytes(sql.as_bytes(), "it").unwrap(), Request::Sql(sql.to_owned()));
        }
    }

    #[test]
    fn anything_else_is_invalid() {
        for bytes in [&b""[..], b"\xff\xfe", b"\x00\x01", b"42"] {
            assert_eq!(
                Request::of_bytes(bytes, "it").unwrap_err().code(),
                Code::InvalidArgument,
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn an_unknown_command_is_unimplemented() {
        let any = Any { type_url: format!("{SQL_COMMAND_PREFIX}CommandDance"), value: bytes::Bytes::new() };
        let error = Request::of_bytes(&any.encode_to_vec(), "it").unwrap_err();
        assert_eq!(error.code(), Code::Unimplemented);
        assert!(error.message().contains("CommandDance"));
    }
}
