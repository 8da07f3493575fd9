//! The `HEXFLIGHT_*` variables of the environment: one that nearly is a setting is a mistake, and what it meant would silently not hold.

use datafusion::common::utils::datafusion_strsim::levenshtein;

use super::{ConfigError, settings::SETTINGS};

/// Prefix of the environment variables: `HEXFLIGHT_DATA_DIR`.
pub(super) const ENV_PREFIX: &str = "HEXFLIGHT_";

/// Letters by which a mistake differs.
const LETTERS_MAX: usize = 2;

/// Variables that are no settings of a server: its file, and what our own clients read.
const OTHERS: [&str; 5] = ["CONFIG", "TARGET", "USER", "PASSWORD", "TLS_CA"];

/// The variables that mean nothing.
///
/// # Errors
/// One that differs from a setting by a letter or two.
pub(super) fn unknown(names: impl Iterator<Item = String>) -> Result<Vec<String>, ConfigError> {
    let mut unknown = Vec::new();
    for variable in names {
        let Some(name) = variable.strip_prefix(ENV_PREFIX) else { continue };
        if known().any(|known| known == name) {
            continue;
        }
        let meant = known().map(|known| (levenshtein(name, &known), known)).min();
        match meant.filter(|(letters, _)| *letters <= LETTERS_MAX) {
            Some((_, meant)) => {
                return Err(ConfigError::Variable { meant: format!("{ENV_PREFIX}{meant}"), variable });
            }
            None => unknown.push(variable),
        }
    }
    unknown.sort();
    Ok(unknown)
}

fn known() -> impl Iterator<Item = String> {
    let settings = SETTINGS.iter().map(|setting| setting.key.to_ascii_uppercase());
    settings.chain(OTHERS.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_refused_and_what_is_far_from_any_setting_is_named() {
        assert_eq!(of(&["HEXFLIGHT_DATA_DIR", "HEXFLIGHT_TARGET", "HEXFLIGHT_CONFIG", "PATH"]), Ok(vec![]));
        assert_eq!(
            of(&["HEXFLIGHT_SEED", "HEXFLIGHT_BIN"]),
            Ok(vec!["HEXFLIGHT_BIN".into(), "HEXFLIGHT_SEED".into()])
        );
        for (mistake, meant) in [
            ("HEXFLIGHT_AUTHFILE", "HEXFLIGHT_AUTH_FILE"),
            ("HEXFLIGHT_AUTH_FLIE", "HEXFLIGHT_AUTH_FILE"),
            ("HEXFLIGHT_LOGS", "HEXFLIGHT_LOG"),
            ("HEXFLIGHT_HTTP_BIN", "HEXFLIGHT_HTTP_BIND"),
        ] {
            let error = of(&[mistake]).unwrap_err().to_string();
            assert!(error.contains(mistake) && error.contains(&format!("'{meant}'")), "{error}");
        }
    }

    fn of(names: &[&str]) -> Result<Vec<String>, ConfigError> {
        unknown(names.iter().map(|name| (*name).to_owned()))
    }
}
