//! Raw settings: the texts found in flags, environment, file and defaults, and which of them won. The only user of figment.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Env, Format, Toml},
    value::{Dict, Map, Value},
};

use hexflight_engine::disk;

use super::{
    ConfigError,
    settings::SETTINGS,
    variables::{self, ENV_PREFIX},
};

/// Where the value of a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A command-line flag.
    Flag(String),
    /// An environment variable.
    Env(String),
    /// A TOML file.
    File(PathBuf),
    /// Nothing was said.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The text of one setting and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawSetting {
    /// Name as in the file: `data_dir`.
    pub key: &'static str,
    /// The text, not yet checked; empty means "not set".
    pub text: String,
    /// Which layer said it.
    pub origin: Origin,
}

/// Reads all layers and returns the winner of each setting, in the order of the table of settings.
///
/// # Errors
/// An unreadable or malformed file, a key in it that is no setting, or a variable that nearly is one.
pub fn read_layers(
    file: Option<&Path>,
    flags: &BTreeMap<&'static str, String>,
) -> Result<Vec<RawSetting>, ConfigError> {
    unknown_variables()?;
    let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
    let mut figment = Figment::new();
    if let Some(path) = file {
        figment = figment.merge(read_file(path)?);
    }
    figment = figment.merge(Env::prefixed(ENV_PREFIX).only(&known)).merge(Flags(flags.clone()));
    SETTINGS.iter().map(|setting| winner(&figment, setting.key, setting.default, file)).collect()
}

/// The `HEXFLIGHT_*` variables that mean nothing.
///
/// # Errors
/// One that nearly is a setting.
pub(crate) fn unknown_variables() -> Result<Vec<String>, ConfigError> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    variables::unknown(names)
}

fn read_file(path: &Path) -> Result<Figment, ConfigError> {
    let unreadable = |detail: String| ConfigError::File { path: path.to_owned(), detail };
    let text = disk::read_text(path).map_err(|error| unreadable(error.to_string()))?;
    let figment = Figment::from(Toml::string(&text));
    let keys: BTreeMap<String, Value> =
        figment.extract().map_err(|error| unreadable(one_line(&error.to_string())))?;
    for key in keys.keys() {
        if !SETTINGS.iter().any(|setting| setting.key == key) {
            let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
            return Err(unreadable(format!("unknown setting '{key}'; settings: {}", known.join(", "))));
        }
    }
    Ok(figment)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn winner(
    figment: &Figment,
    key: &'static str,
    default: &str,
    file: Option<&Path>,
) -> Result<RawSetting, ConfigError> {
    let Ok(value) = figment.find_value(key) else {
        return Ok(RawSetting { key, text: default.to_owned(), origin: Origin::Default });
    };
    let source = figment.get_metadata(value.tag()).map_or("", |metadata| &metadata.name);
    let origin = if source == Flags::NAME {
        Origin::Flag(format!("--{}", key.replace('_', "-")))
    } else if source.contains("environment") {
        Origin::Env(format!("{ENV_PREFIX}{}", key.to_ascii_uppercase()))
    } else {
        file.map_or(Origin::Default, |path| Origin::File(path.to_owned()))
    };
    let text = scalar_text(&value).ok_or_else(|| ConfigError::Setting {
        key,
        value: format!("{value:?}"),
        origin: origin.to_string(),
        rule: "must be a single value, not a list or a table".to_owned(),
    })?;
    Ok(RawSetting { key, text, origin })
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Char(_, c) => Some(c.to_string()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(_, number) => number
            .to_i128()
            .map(|whole| whole.to_string())
            .or_else(|| number.to_u128().map(|whole| whole.to_string()))
            .or_else(|| number.to_f64().map(|real| real.to_string())),
        _ => None,
    }
}

/// The flags that were given, as a figment layer.
struct Flags(BTreeMap<&'static str, String>);

impl Flags {
    const NAME: &str = "command line";
}

impl Provider for Flags {
    fn metadata(&self) -> Metadata {
        Metadata::named(Self::NAME)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict: Dict =
            self.0.iter().map(|(key, text)| ((*key).to_owned(), Value::from(text.clone()))).collect();
        Ok(Map::from([(Profile::Default, dict)]))
    }
}
