//! The table of settings: name, default and meaning of each. Flags, environment, file and `config show` all follow it.

/// One setting.
#[derive(Debug)]
pub(super) struct Setting {
    /// Name in the file; flags write `-` for `_`.
    pub(super) key: &'static str,
    /// Text that holds when nobody says otherwise; empty means "not set".
    pub(super) default: &'static str,
}

/// All settings, in the order in which they are shown.
pub(super) const SETTINGS: &[Setting] = &[
    Setting { key: "data_dir", default: "./hexflight-data" },
    Setting { key: "flight_bind", default: "127.0.0.1:8815" },
    Setting { key: "http_bind", default: "127.0.0.1:8080" },
    Setting { key: "memory_limit", default: "60%" },
    Setting { key: "max_message", default: "64MiB" },
    Setting { key: "max_body", default: "8MiB" },
    Setting { key: "max_import_body", default: "256MiB" },
    Setting { key: "max_future", default: "1h" },
    Setting { key: "flush_interval", default: "1m" },
    Setting { key: "generation_rows", default: "1048576" },
    Setting { key: "compaction", default: "true" },
    Setting { key: "compaction_rate", default: "64MiB" },
    Setting { key: "vacuum_after", default: "24h" },
    Setting { key: "reserve", default: "" },
    Setting { key: "query_timeout", default: "10m" },
    Setting { key: "max_queries", default: "" },
    Setting { key: "auth_file", default: "" },
    Setting { key: "tls_cert", default: "" },
    Setting { key: "tls_key", default: "" },
    Setting { key: "cors_origins", default: "" },
    Setting { key: "log", default: "info" },
    Setting { key: "insecure", default: "false" },
];
