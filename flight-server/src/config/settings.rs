//! The table of settings: name, value, meaning and default of each. Flags, environment, file, `config show` and `docs/settings.md` come from it.

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Name in the file; flags write `-` for `_`.
    pub key: &'static str,
    /// What its value is called; empty where the flag stands alone.
    pub value: &'static str,
    /// What it is for.
    pub meaning: &'static str,
    /// Text that holds when nobody says otherwise; empty means "not set".
    pub default: &'static str,
    /// What holds when it is not set.
    pub unset: &'static str,
}

impl Setting {
    /// The flag, without its dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// Whether its flag stands alone and says yes.
    pub(crate) fn is_switch(&self) -> bool {
        self.value.is_empty()
    }

    /// What it is for, and what holds when nobody says anything.
    pub(crate) fn help(&self) -> String {
        match [self.unset, self.default].into_iter().find(|text| !text.is_empty() && !self.is_switch()) {
            Some(otherwise) => format!("{} [default: {otherwise}]", self.meaning),
            None => self.meaning.to_owned(),
        }
    }
}

/// All settings, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "data_dir",
        value: "FOLDER",
        meaning: "Folder for everything that is stored",
        default: "./hexflight-data",
        unset: "",
    },
    Setting {
        key: "flight_bind",
        value: "IP:PORT",
        meaning: "Where Flight and Flight SQL listen; port 0 takes a free one",
        default: "127.0.0.1:8815",
        unset: "",
    },
    Setting {
        key: "http_bind",
        value: "IP:PORT",
        meaning: "Where HTTP listens (JSON API, health, metrics)",
        default: "127.0.0.1:8080",
        unset: "",
    },
    Setting {
        key: "memory_limit",
        value: "SIZE",
        meaning: "Memory for ingest and queries: a share of the machine's or a size such as 2GiB",
        default: "60%",
        unset: "",
    },
    Setting {
        key: "max_message",
        value: "SIZE",
        meaning: "Largest message a client may send",
        default: "64MiB",
        unset: "",
    },
    Setting {
        key: "max_body",
        value: "SIZE",
        meaning: "Largest HTTP body a client may send",
        default: "8MiB",
        unset: "",
    },
    Setting {
        key: "max_import_body",
        value: "SIZE",
        meaning: "Largest HTTP body with a file to import",
        default: "256MiB",
        unset: "",
    },
    Setting {
        key: "max_future",
        value: "DURATION",
        meaning: "How far in the future an event may lie",
        default: "1h",
        unset: "",
    },
    Setting {
        key: "flush_interval",
        value: "DURATION",
        meaning: "Age at which events in memory are written to Parquet",
        default: "1m",
        unset: "",
    },
    Setting {
        key: "generation_rows",
        value: "ROWS",
        meaning: "Rows in memory at which they are sorted and written to Parquet",
        default: "1048576",
        unset: "",
    },
    Setting {
        key: "compaction",
        value: "BOOL",
        meaning: "Merge small Parquet files in the background",
        default: "true",
        unset: "",
    },
    Setting {
        key: "compaction_rate",
        value: "SIZE",
        meaning: "Bytes that merging may read and write per second, over time",
        default: "64MiB",
        unset: "",
    },
    Setting {
        key: "vacuum_after",
        value: "DURATION",
        meaning: "How long files that were merged into others stay, for other tools that still read them",
        default: "24h",
        unset: "",
    },
    Setting {
        key: "reserve",
        value: "SIZE",
        meaning: "Disk space kept free for flushes when the write-ahead log has filled the disk",
        default: "",
        unset: "128MiB, a 16th of the disk at most",
    },
    Setting {
        key: "query_timeout",
        value: "DURATION",
        meaning: "Stop queries that run longer; 0 lets them run",
        default: "10m",
        unset: "",
    },
    Setting {
        key: "max_queries",
        value: "COUNT",
        meaning: "Queries over many rows that run at once; more of them wait for their turn",
        default: "",
        unset: "2 a core, at least 4",
    },
    Setting {
        key: "auth_file",
        value: "FILE",
        meaning: "File of users that may call, as `hexflight user` writes it, readable by its owner alone",
        default: "",
        unset: "everybody may",
    },
    Setting {
        key: "tls_cert",
        value: "FILE",
        meaning: "Certificate chain in PEM, for TLS on both ports; read again when it changes",
        default: "",
        unset: "no TLS",
    },
    Setting {
        key: "tls_key",
        value: "FILE",
        meaning: "Key of the certificate in PEM, readable by its owner alone",
        default: "",
        unset: "",
    },
    Setting {
        key: "cors_origins",
        value: "ORIGINS",
        meaning: "Origins of web pages that may ask the HTTP API from a browser: https://a.example,http://localhost:3000, or * for all",
        default: "",
        unset: "none",
    },
    Setting {
        key: "log",
        value: "FILTER",
        meaning: "Log filter, for example info or hexflight=debug,info",
        default: "info",
        unset: "",
    },
    Setting {
        key: "insecure",
        value: "",
        meaning: "Listen on addresses that other machines reach without authentication",
        default: "false",
        unset: "",
    },
];
