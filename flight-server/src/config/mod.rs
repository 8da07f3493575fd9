//! Configuration: raw texts from flags, environment, file and defaults ([`read_layers`]), checked once into [`Config`]. Nothing
//! behind this module reads a flag or a variable.
//!
//! If you add a setting, also look at README and write `docs/settings.md` anew.

mod settings;
mod variables;
mod layers;
mod origins;
pub(crate) mod units;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

pub(crate) use layers::unknown_variables;
pub use layers::{Origin, RawSetting, read_layers};
pub use origins::CorsOrigins;
pub use settings::{SETTINGS, Setting};

use hexflight_planner::default_queries_max;

use crate::listen::{StrangerLimits, TlsFiles};

/// Smallest memory budget that can work: a generation, its flush and a query. **Units**: bytes.
const MEMORY_LIMIT_MIN: u64 = 64 << 20;

/// Bounds of a message. gRPC cannot frame more than 4 GiB; 2 GiB is what every client can address. **Units**: bytes.
const MAX_MESSAGE_RANGE: (u64, u64) = (64 << 10, 2 << 30);

/// Bounds of an HTTP body: it is held in memory while it is read. **Units**: bytes.
const MAX_BODY_RANGE: (u64, u64) = (1 << 10, 1 << 30);

/// Bounds of the body of an HTTP import: it goes to a scratch file. **Units**: bytes.
const MAX_IMPORT_BODY_RANGE: (u64, u64) = (1 << 10, 1 << 40);

/// Everything a server can be told, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Folder that holds WAL, tables and the lock.
    pub data_dir: PathBuf,
    /// Where Flight listens; port 0 takes a free one.
    pub flight_bind: SocketAddr,
    /// Where HTTP listens; port 0 takes a free one.
    pub http_bind: SocketAddr,
    /// Budget of ingest, generations and queries together. **Units**: bytes.
    pub memory_limit_bytes: usize,
    /// Largest message taken, also once it is decompressed. **Units**: bytes.
    pub max_message_bytes: usize,
    /// Largest body of an HTTP request, as it is sent. **Units**: bytes.
    pub max_body_bytes: usize,
    /// Largest body of an HTTP import. **Units**: bytes.
    pub max_import_body_bytes: u64,
    /// How far in the future an event may lie.
    pub max_future: Duration,
    /// Age at which rows in memory are flushed.
    pub flush_interval: Duration,
    /// Rows at which a generation is sealed.
    pub generation_rows_max: usize,
    /// Whether small files are merged in the background.
    pub compaction: bool,
    /// What merging may read and write per second, over time. **Units**: bytes.
    pub compaction_bytes_per_second: u64,
    /// How long files that were merged into others stay.
    pub vacuum_after: Duration,
    /// Disk space kept free for flushes; `None` leaves it to the size of the file system. **Units**: bytes.
    pub reserve_bytes: Option<u64>,
    /// After which a query is stopped; `None` lets it run.
    pub query_timeout: Option<Duration>,
    /// Large queries that run at once; others wait.
    pub max_queries: usize,
    /// File of the users that may call, as `hexflight user` writes it; `None` lets everybody.
    pub auth_file: Option<PathBuf>,
    /// Certificate and key of both ports; `None` serves in the clear.
    pub tls: Option<TlsFiles>,
    /// From which web pages a browser may ask the HTTP API.
    pub cors_origins: CorsOrigins,
    /// Log filter, for example `info` or `hexflight=debug,info`.
    pub log: String,
    /// Whether a non-loopback bind without authentication is accepted.
    pub insecure: bool,
    /// What connections may take before a call on them is let in; for programs that embed a server, no setting.
    pub strangers: StrangerLimits,
}

impl Default for Config {
    fn default() -> Self {
        let limit = units::parse_memory("60%", units::machine_memory()).unwrap_or(2 << 30);
        Self {
            data_dir: PathBuf::from("./hexflight-data"),
            flight_bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8815)),
            http_bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            memory_limit_bytes: usize::try_from(limit).unwrap_or(usize::MAX),
            max_message_bytes: 64 << 20,
            max_body_bytes: 8 << 20,
            max_import_body_bytes: 256 << 20,
            max_future: Duration::from_hours(1),
            flush_interval: Duration::from_mins(1),
            generation_rows_max: 1 << 20,
            compaction: true,
            compaction_bytes_per_second: 64 << 20,
            vacuum_after: Duration::from_hours(24),
            reserve_bytes: None,
            query_timeout: Some(Duration::from_mins(10)),
            max_queries: default_queries_max(),
            auth_file: None,
            tls: None,
            cors_origins: CorsOrigins::Own,
            log: "info".to_owned(),
            insecure: false,
            strangers: StrangerLimits::default(),
        }
    }
}

impl Config {
    /// Checks the raw settings.
    ///
    /// # Errors
    /// The first setting that breaks its rule, with its value and origin.
    pub fn resolve(raw: &[RawSetting]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for setting in raw {
            config.apply(setting).map_err(|rule| ConfigError::Setting {
                key: setting.key,
                value: setting.text.clone(),
                origin: setting.origin.to_string(),
                rule,
            })?;
        }
        config.tls = tls_files(raw)?;
        config.check_exposure()?;
        Ok(config)
    }

    fn apply(&mut self, setting: &RawSetting) -> Result<(), String> {
        let text = setting.text.as_str();
        match setting.key {
            "data_dir" if text.is_empty() => return Err("must name a folder".to_owned()),
            "data_dir" => self.data_dir = PathBuf::from(text),
            "flight_bind" => self.flight_bind = units::parse_address(text)?,
            "http_bind" => self.http_bind = units::parse_address(text)?,
            "memory_limit" => {
                let bytes = units::parse_memory(text, units::machine_memory())?;
                self.memory_limit_bytes = to_usize(within(bytes, (MEMORY_LIMIT_MIN, u64::MAX))?);
            }
            "max_message" => {
                self.max_message_bytes = to_usize(within(units::parse_bytes(text)?, MAX_MESSAGE_RANGE)?);
            }
            "max_body" => {
                self.max_body_bytes = to_usize(within(units::parse_bytes(text)?, MAX_BODY_RANGE)?);
            }
            "max_import_body" => {
                self.max_import_body_bytes = within(units::parse_bytes(text)?, MAX_IMPORT_BODY_RANGE)?;
            }
            "max_future" => self.max_future = units::parse_duration(text)?,
            "flush_interval" => self.flush_interval = units::parse_duration(text)?,
            "generation_rows" => self.generation_rows_max = units::parse_count(text)?,
            "compaction" => self.compaction = units::parse_bool(text)?,
            "compaction_rate" => self.compaction_bytes_per_second = units::parse_bytes(text)?,
            "vacuum_after" => self.vacuum_after = units::parse_duration(text)?,
            "reserve" if text.is_empty() => self.reserve_bytes = None,
            "reserve" if text == "0" => self.reserve_bytes = Some(0),
            "reserve" => self.reserve_bytes = Some(units::parse_bytes(text)?),
            "query_timeout" if text == "0" => self.query_timeout = None,
            "query_timeout" => self.query_timeout = Some(units::parse_duration(text)?),
            "max_queries" if text.is_empty() => self.max_queries = default_queries_max(),
            "max_queries" => self.max_queries = units::parse_count(text)?,
            "auth_file" => self.auth_file = (!text.is_empty()).then(|| PathBuf::from(text)),
            "tls_cert" | "tls_key" => {}
            "cors_origins" => self.cors_origins = origins::parse_origins(text)?,
            "log" => self.log = text.to_owned(),
            "insecure" => self.insecure = units::parse_bool(text)?,
            other => return Err(format!("the setting {other} is listed and not read; this is a bug")),
        }
        Ok(())
    }

    fn check_exposure(&self) -> Result<(), ConfigError> {
        let binds = [("flight_bind", self.flight_bind), ("http_bind", self.http_bind)];
        for (key, address) in binds {
            if !address.ip().is_loopback() && self.auth_file.is_none() && !self.insecure {
                return Err(ConfigError::Exposed { key, address });
            }
        }
        Ok(())
    }
}

/// Both files or neither.
fn tls_files(raw: &[RawSetting]) -> Result<Option<TlsFiles>, ConfigError> {
    let given = |key| raw.iter().find(|setting| setting.key == key && !setting.text.is_empty());
    let alone = |setting: &RawSetting, other: &str| ConfigError::Setting {
        key: setting.key,
        value: setting.text.clone(),
        origin: setting.origin.to_string(),
        rule: format!("needs {other} beside it"),
    };
    match (given("tls_cert"), given("tls_key")) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => {
            Ok(Some(TlsFiles { cert: PathBuf::from(&cert.text), key: PathBuf::from(&key.text) }))
        }
        (Some(cert), None) => Err(alone(cert, "tls_key")),
        (None, Some(key)) => Err(alone(key, "tls_cert")),
    }
}

fn within(bytes: u64, (least, most): (u64, u64)) -> Result<u64, String> {
    if bytes < least {
        Err(format!("must be at least {least} bytes"))
    } else if bytes > most {
        Err(format!("must be at most {most} bytes"))
    } else {
        Ok(bytes)
    }
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The data directory of a command that has no other settings: flag over environment over default.
///
/// # Errors
/// As [`read_layers`].
pub(crate) fn data_dir(flag: Option<&String>) -> Result<PathBuf, ConfigError> {
    let flags = flag.map(|text| ("data_dir", text.clone())).into_iter().collect();
    let raw = read_layers(None, &flags)?.into_iter().find(|setting| setting.key == "data_dir");
    Ok(raw.map_or_else(|| Config::default().data_dir, |setting| PathBuf::from(setting.text)))
}

/// Why a configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting breaks its rule.
    #[error("{key} = '{value}' ({origin}): {rule}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// Its text.
        value: String,
        /// Where the text came from.
        origin: String,
        /// What is allowed.
        rule: String,
    },
    /// A variable of the environment is nearly a setting.
    #[error(
        "environment variable '{variable}' is no setting; '{meant}' is one: correct its name, or unset it"
    )]
    Variable {
        /// The variable.
        variable: String,
        /// What it probably means.
        meant: String,
    },
    /// The file cannot be read or holds something else than settings.
    #[error("config file {}: {detail}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The server would be open to the network without authentication.
    #[error(
        "{key} = '{address}' can be reached from other machines and is refused without authentication; \
         name users with --auth-file, bind to 127.0.0.1, or give --insecure if the network is trusted"
    )]
    Exposed {
        /// The setting.
        key: &'static str,
        /// Its address.
        address: SocketAddr,
    },
}

#[cfg(test)]
#[path = "config_tests.rs"]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod tests;
