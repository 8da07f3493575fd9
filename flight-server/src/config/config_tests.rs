//! Tests of the layers and the checks of [`Config`].

use std::{collections::BTreeMap, path::Path};

use super::*;

#[test]
fn defaults_are_those_of_the_table() {
    let config = resolved(None, &[]).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "flush_interval = '2s'\nmax_message = 1048576\n");
    let flags = BTreeMap::from([("flush_interval", "3s".to_owned())]);
    let raw = read_layers(Some(&file), &flags).unwrap();
    let config = Config::resolve(&raw).unwrap();
    assert_eq!(config.flush_interval, Duration::from_secs(3));
    assert_eq!(config.max_message_bytes, 1 << 20);
    assert_eq!(origin(&raw, "flush_interval"), Origin::Flag("--flush-interval".to_owned()));
    assert_eq!(origin(&raw, "max_message"), Origin::File(file));
    assert_eq!(origin(&raw, "log"), Origin::Default);
}

#[test]
fn an_unknown_key_in_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "flush_intervall = '2s'\n");
    let error = resolved(Some(&file), &[]).unwrap_err().to_string();
    assert!(error.contains("unknown setting 'flush_intervall'"), "{error}");
}

#[test]
fn a_malformed_file_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "flush_interval = \n= 3\n");
    let error = resolved(Some(&file), &[]).unwrap_err().to_string();
    assert!(error.starts_with("config file "), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn a_bad_value_names_setting_value_origin_and_rule() {
    let error = resolved(None, &[("memory_limit", "lots")]).unwrap_err().to_string();
    assert!(error.starts_with("memory_limit = 'lots' (flag --memory-limit): must be"), "{error}");
}

#[test]
fn a_list_is_not_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "log = ['info']\n");
    let error = resolved(Some(&file), &[]).unwrap_err().to_string();
    assert!(error.contains("must be a single value"), "{error}");
}

#[test]
fn an_open_bind_needs_users_or_insecure() {
    let open = ("flight_bind", "0.0.0.0:0");
    let error = resolved(None, &[open]).unwrap_err();
    assert!(matches!(error, ConfigError::Exposed { key: "flight_bind", .. }));
    assert!(resolved(None, &[open, ("insecure", "true")]).is_ok());
    assert!(resolved(None, &[open, ("auth_file", "users")]).is_ok());
}

#[test]
fn a_certificate_needs_its_key() {
    let (cert, key) = (("tls_cert", "c.pem"), ("tls_key", "k.pem"));
    let files = TlsFiles { cert: PathBuf::from("c.pem"), key: PathBuf::from("k.pem") };
    assert_eq!(resolved(None, &[cert, key]).unwrap().tls, Some(files));
    for (given, missing) in [(cert, "tls_key"), (key, "tls_cert")] {
        let error = resolved(None, &[given]).unwrap_err().to_string();
        assert!(error.contains(given.0) && error.contains(&format!("needs {missing}")), "{error}");
    }
}

#[test]
fn limits_have_bounds() {
    assert!(resolved(None, &[("memory_limit", "1MiB")]).is_err());
    assert!(resolved(None, &[("max_message", "1kB")]).is_err());
    assert!(resolved(None, &[("max_message", "3GiB")]).is_err());
    assert!(resolved(None, &[("max_import_body", "1B")]).is_err());
    assert!(resolved(None, &[("generation_rows", "0")]).is_err());
    assert!(resolved(None, &[("compaction_rate", "0")]).is_err());
    assert!(resolved(None, &[("vacuum_after", "0h")]).is_err());
}

#[test]
fn compaction_can_be_switched_off_and_slowed_down() {
    let config = resolved(None, &[("compaction", "false"), ("compaction_rate", "8MiB")]).unwrap();
    assert!(!config.compaction);
    assert_eq!(config.compaction_bytes_per_second, 8 << 20);
    assert_eq!(config.vacuum_after, Duration::from_hours(24));
}

#[test]
fn origins_are_read_from_every_layer_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "cors_origins = 'https://a.example'\n");
    let origins = resolved(Some(&file), &[]).unwrap().cors_origins;
    assert_eq!(origins, CorsOrigins::Only(vec!["https://a.example".parse().unwrap()]));
    assert_eq!(resolved(Some(&file), &[("cors_origins", "*")]).unwrap().cors_origins, CorsOrigins::Any);
    let error = resolved(None, &[("cors_origins", "a.example")]).unwrap_err().to_string();
    assert!(error.starts_with("cors_origins = 'a.example' (flag --cors-origins): must be"), "{error}");
}

fn resolved(file: Option<&Path>, flags: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
    let flags = flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
    Config::resolve(&read_layers(file, &flags)?)
}

fn origin(raw: &[RawSetting], key: &str) -> Origin {
    raw.iter().find(|setting| setting.key == key).unwrap().origin.clone()
}

fn written(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("hexflight.toml");
    std::fs::write(&path, text).unwrap();
    path
}
