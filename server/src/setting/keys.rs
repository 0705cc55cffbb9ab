//! Every key of the configuration: what it takes, what it means, and how else it is set. docs/configuration.md, the origins in `glaux config
//! show` and the hints of errors are made from this table. Tests in `config/reference` check that no key is missing.

use std::fmt;

use self::Takes::{
    Address, Bytes, Count, Days, Milliseconds, NamedLists, NamedSections, NamedTexts, OneOf, OneOrMoreOf, Path, Seconds, Switch,
    Text, TextOrTexts, Texts, Time, Url,
};

/// The variables that stand for flags.
pub(crate) const DATA_DIR_VARIABLE: &str = "GLAUX_DATA_DIR";
pub(crate) const CATALOG_VARIABLE: &str = "GLAUX_CATALOG";
pub(crate) const CATALOG_TOKEN_VARIABLE: &str = "GLAUX_CATALOG_TOKEN";

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Text,
    Texts,
    TextOrTexts,
    /// Texts by names of the user's own.
    NamedTexts,
    /// Sections by names of the user's own.
    NamedSections,
    /// Lists of sections by names of the user's own.
    NamedLists,
    Path,
    Url,
    Address,
    /// A number, or a text with a unit: `10MB` (10^6), `10MiB` (2^20).
    Bytes,
    /// A text with a unit: `250ms`, `30s`, `5m`, `1h`; or a number of seconds.
    Time,
    Milliseconds,
    Seconds,
    Days,
    Count,
    Switch,
    OneOf(&'static [&'static str]),
    OneOrMoreOf(&'static [&'static str]),
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Text => "text",
            Self::Texts => "list of texts",
            Self::TextOrTexts => "text, or list of texts",
            Self::NamedTexts => "texts by name",
            Self::NamedSections => "sections by name",
            Self::NamedLists => "lists of sections by name",
            Self::Path => "path",
            Self::Url => "URL",
            Self::Address => "address:port",
            Self::Bytes => "bytes",
            Self::Time => "time",
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Days => "days",
            Self::Count => "number",
            Self::Switch => "true or false",
            Self::OneOf(values) => return choice(f, values),
            Self::OneOrMoreOf(values) => {
                choice(f, values)?;
                ", or a list of them"
            }
        };
        f.write_str(text)
    }
}

/// `"a", "b" or "c"`.
fn choice(f: &mut fmt::Formatter<'_>, values: &[&str]) -> fmt::Result {
    for (index, value) in values.iter().enumerate() {
        let before = match index {
            0 => "",
            _ if index + 1 == values.len() => " or ",
            _ => ", ",
        };
        write!(f, "{before}\"{value}\"")?;
    }
    Ok(())
}

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// With its sections: `engine.memory_limit`.
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    /// One or more sentences, with names between backticks.
    pub(crate) meaning: &'static str,
    /// The flag that sets it.
    pub(crate) flag: Option<&'static str>,
    /// The environment variable that stands for the flag.
    pub(crate) variable: Option<&'static str>,
    /// Whether `SET SESSION` sets it for one session, by the last part of its name.
    in_session: bool,
}

impl Key {
    const fn new(name: &'static str, takes: Takes, meaning: &'static str) -> Self {
        Self { name, takes, meaning, flag: None, variable: None, in_session: false }
    }

    const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    const fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    const fn in_session(self) -> Self {
        Self { in_session: true, ..self }
    }

    /// The name that `SET SESSION` knows it by.
    pub(crate) fn session(&self) -> Option<&'static str> {
        self.in_session.then(|| self.name.rsplit('.').next().unwrap_or(self.name))
    }
}

/// The key of that name; one of a single bucket is that of all buckets, one of a tariff that of all tariffs, one of a hook that of all
/// hooks.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    let named = ["tariffs", "hooks"].into_iter().find(|section| name.split('.').next() == Some(*section));
    let name = named.unwrap_or(name);
    let of_bucket = name.strip_prefix("storage.buckets.").and_then(|rest| rest.rsplit_once('.'));
    let general = of_bucket.map(|(_, last)| format!("storage.defaults.{last}"));
    let name = general.as_deref().unwrap_or(name);
    KEYS.iter().find(|key| key.name == name)
}

/// All keys, section by section.
pub(crate) const KEYS: &[Key] = &[
    Key::new("session.database", Text, "Database of table names that name none. `USE` changes it for the session.")
        .flag("--database"),
    Key::new("session.workgroup", Text, "Workgroup that queries run in: its limits hold for them.")
        .flag("--workgroup")
        .in_session(),
    Key::new(
        "session.labels",
        NamedTexts,
        "Labels that are kept with each query in `system.queries`. The flag may be repeated, and adds to those of the file.",
    )
    .flag("--label"),
    Key::new(
        "session.max_scan",
        Bytes,
        "Table data that one query may scan; a query that would scan more is cut off. No limit if not set. A session can only \
         lower it.",
    )
    .flag("--max-scan")
    .in_session(),
    Key::new(
        "session.timeout",
        Time,
        "How long one query may take; a query that takes longer fails. No limit if not set. A session can only lower it.",
    )
    .flag("--timeout")
    .in_session(),
    Key::new(
        "session.time_zone",
        Text,
        "Time zone of `CURRENT_DATE` and of instants as text: an IANA name such as `Europe/Berlin`, or an offset such as \
         `+02:00`.",
    )
    .flag("--time-zone")
    .in_session(),
    Key::new(
        "session.listing",
        Text,
        "When the files of tables are listed: `live`, `snapshot`, or for how long a listing is reused, such as `ttl=5m`. What \
         each table's property `listing` says if not set.",
    )
    .in_session(),
    Key::new("session.max_recursion_depth", Count, "Steps that a recursive query may take, at least 1.").in_session(),
    Key::new(
        "engine.data_dir",
        Path,
        "Directory of the catalog, the history, users, caches and spilled data. It cannot be set in that directory's own \
         `glaux.toml`.",
    )
    .flag("--data-dir")
    .variable(DATA_DIR_VARIABLE),
    Key::new(
        "engine.memory_limit",
        Bytes,
        "Memory that all queries together may use before they spill to disk. 70 % of the machine's memory if not set.",
    )
    .flag("--memory-limit"),
    Key::new("engine.spill_limit", Bytes, "Disk space that spilling may use. A query that needs more fails."),
    Key::new("engine.parallelism", Count, "Streams that one query decodes in parallel. One per core if not set."),
    Key::new("engine.max_concurrent_queries", Count, "Queries that run at the same time. Further queries wait."),
    Key::new("engine.listing_concurrency", Count, "LIST requests of one query in flight."),
    Key::new("engine.footer_cache_bytes", Bytes, "Memory for decoded footers and page indexes of Parquet files."),
    Key::new(
        "engine.footer_disk_bytes",
        Bytes,
        "Disk space for footers, in `cache` in the data directory, so that a process that starts again reads none. 0 turns it \
         off.",
    ),
    Key::new("engine.fetch.requests", Count, "Read requests in flight, of all queries together."),
    Key::new(
        "engine.fetch.read_ahead_bytes",
        Bytes,
        "Data that is read ahead of the decoders, of all queries together. It counts against `engine.memory_limit`.",
    ),
    Key::new(
        "engine.fetch.hedge",
        Switch,
        "Send a read request a second time when it is slower than the 95th percentile, at most one request in twenty. Both count \
         as requests; the bill stays the same.",
    ),
    Key::new(
        "engine.fetch.share_splits",
        Switch,
        "Whether the streams of a scan share its splits, so that whichever is free takes the next. Otherwise each stream reads the splits \
         that the plan gave it.",
    ),
    Key::new("engine.data_cache.memory_bytes", Bytes, "Memory for the cache of fetched data. 0 turns it off."),
    Key::new(
        "engine.data_cache.disk_bytes",
        Bytes,
        "Disk space for the cache of fetched data, in `cache/data` in the data directory. 0 turns it off.",
    ),
    Key::new("engine.history.keep_days", Days, "How long ended queries stay in `system.queries`. 0 keeps them without limit."),
    Key::new(
        "engine.history.max_bytes",
        Bytes,
        "Size of the history's file beyond which its oldest queries are removed. 0 is no limit.",
    ),
    Key::new(
        "engine.history.redact_literals",
        Switch,
        "Whether statements and their errors are kept in the history and the log with `?` in place of the literals of the statement, \
         and without comments.",
    ),
    Key::new(
        "engine.history.max_waiting",
        Count,
        "Ended queries that wait in memory while the history cannot be written. Beyond it, new statements are refused.",
    ),
    Key::new(
        "engine.default_access",
        OneOf(&["none", "read", "write"]),
        "Access of users who are not administrators where nothing is granted.",
    ),
    Key::new(
        "engine.locations.allowed",
        Texts,
        "URLs and paths below which users who are not administrators may define tables, besides their databases' own locations \
         and the folders `lake` and `warehouse` of the data directory.",
    ),
    Key::new(
        "engine.locations.file",
        Switch,
        "Whether administrators may define tables over files of this machine outside `engine.locations.allowed`. If not set, \
         `false` for `glaux serve`, `true` for other commands.",
    ),
    Key::new("engine.locations.http", Switch, "The same for `http://` and `https://` locations."),
    Key::new(
        "engine.tariff",
        Text,
        "Tariff that queries are billed by whose workgroup names no other: `athena`, `athena+s3`, `free`, or one of `tariffs`.",
    ),
    Key::new(
        "tariffs",
        NamedLists,
        "Versions of tariffs. `[[tariffs.mine]]` has `effective_from`, the first day on which it holds, and what differs from the \
         version before it or from `base`: `version`, `units`, `usd_per_tb`, `increment_bytes`, `minimum_bytes`, \
         `bill_metadata`, and for stores, `[[tariffs.mine.stores]]` with `prefix`, `get_usd_per_1000`, `list_usd_per_1000`, \
         `put_usd_per_1000`, `delete_usd_per_1000`, `transfer_usd_per_gb`. Prices are in USD.",
    ),
    Key::new(
        "hooks",
        NamedSections,
        "What is called when a workgroup's budget reaches a warning level or is used up. `[hooks.alert]` has `url`, which a JSON \
         document is posted to, or `command`, a list of a program and its arguments, which gets the document on standard input; and \
         `timeout`, how long a call may take, 10s if not set.",
    ),
    Key::new("storage.defaults.region", Text, "S3: the region. `us-east-1` if not set."),
    Key::new(
        "storage.defaults.endpoint",
        Url,
        "Base URL of an S3-compatible service, or another one of Azure's or Google's, without the bucket. The provider's if not \
         set.",
    ),
    Key::new("storage.defaults.allow_http", Switch, "Whether endpoints without TLS may be used. `false` if not set."),
    Key::new(
        "storage.defaults.path_style",
        Switch,
        "S3: whether the bucket is a part of the path (`true`) or of the host name (`false`). `true` if not set.",
    ),
    Key::new("storage.defaults.anonymous", Switch, "Whether requests are sent unsigned, for public buckets. `false` if not set."),
    Key::new(
        "storage.defaults.requester_pays",
        Switch,
        "S3: whether the requester pays for requests and transfer. `false` if not set.",
    ),
    Key::new("storage.defaults.access_key_id", Text, "S3: the access key."),
    Key::new("storage.defaults.secret_access_key", Text, "S3: the secret of the access key."),
    Key::new("storage.defaults.session_token", Text, "S3: the session token of temporary credentials."),
    Key::new(
        "storage.defaults.profile",
        Text,
        "S3: a profile of the AWS configuration files; needs a build with `--features aws-profile`.",
    ),
    Key::new("storage.defaults.account", Text, "Azure: the storage account, where the location does not name it."),
    Key::new("storage.defaults.account_key", Text, "Azure: the account's key."),
    Key::new("storage.defaults.sas_token", Text, "Azure: a shared access signature, as a query string."),
    Key::new("storage.defaults.service_account_file", Path, "Google: JSON file with the credentials."),
    Key::new("storage.defaults.ca_certificate_file", Path, "PEM file of certificates to trust besides the system's."),
    Key::new(
        "storage.defaults.timeout_seconds",
        Seconds,
        "How long one attempt of a request may take with its whole body. 60 if not set.",
    ),
    Key::new(
        "storage.defaults.stall_timeout_ms",
        Milliseconds,
        "How long a read or a listing may go without a byte of its answer before it is repeated. 10000 if not set.",
    ),
    Key::new("storage.defaults.connect_timeout_seconds", Seconds, "How long opening a connection may take. 4 if not set."),
    Key::new(
        "storage.defaults.retry_timeout_seconds",
        Seconds,
        "How long after a request began it may still be repeated. 15 if not set.",
    ),
    Key::new("storage.defaults.max_retries", Count, "How often a request is repeated at most. 8 if not set."),
    Key::new(
        "storage.buckets",
        NamedSections,
        "The same keys for one bucket or container: `[storage.buckets.lake]`, `[storage.buckets.\"s3://lake\"]`, \
         `[storage.buckets.\"container@account.dfs.core.windows.net\"]`. The most specific name wins.",
    ),
    Key::new("storage.merge_gap_bytes", Bytes, "Ranges of a file that are further apart than this are not read by one request."),
    Key::new("storage.max_request_bytes", Bytes, "The largest range that one request reads; larger ranges are split."),
    Key::new(
        "catalog.url",
        Url,
        "Catalog service to use: `grpc://host:port`, or `grpcs://host:port` for TLS. The data directory's own catalog if not \
         set.",
    )
    .flag("--catalog")
    .variable(CATALOG_VARIABLE),
    Key::new("catalog.token", Text, "Token for a catalog service that asks who calls.")
        .flag("--catalog-token")
        .variable(CATALOG_TOKEN_VARIABLE),
    Key::new("catalog.user", Text, "User of the catalog service, in place of a token."),
    Key::new("catalog.password", Text, "The user's password."),
    Key::new(
        "catalog.ca_certificate",
        Path,
        "PEM file of the authorities that sign the service's certificate. The system's if not set.",
    )
    .flag("--catalog-ca-certificate"),
    Key::new("catalog.client_certificate", Path, "PEM file of the client certificate that is shown to the service."),
    Key::new("catalog.client_key", Path, "PEM file of the client certificate's private key."),
    Key::new(
        "catalog.timeout",
        Time,
        "How long the service may take to answer, and to go on once it has begun. Large changes are given longer.",
    ),
    Key::new("server.flight_addr", Address, "Where Flight SQL and the catalog are served. Port 0 takes any free one.")
        .flag("--flight-addr"),
    Key::new("server.http_addr", Address, "Where health and metrics are served.").flag("--http-addr"),
    Key::new(
        "server.allow_anonymous_network",
        Switch,
        "Listen beyond this machine although authentication is off: anybody on the network may read and change everything.",
    )
    .flag("--allow-anonymous-network"),
    Key::new("server.http_max_connections", Count, "Connections of the HTTP port. Beyond it, the oldest is closed."),
    Key::new(
        "server.http_header_timeout",
        Time,
        "How long a client of the HTTP port may take to send the head of a request, and how long it may keep a connection \
         between two.",
    ),
    Key::new("server.drain_timeout", Time, "How long running queries may take to end when the server shuts down."),
    Key::new("flight.ticket_lifetime", Time, "How long a planned result waits to be fetched."),
    Key::new("flight.max_ticket_lifetime", Time, "How long it waits at most, however often it is renewed."),
    Key::new("flight.orphan_lifetime", Time, "How long it waits once the connection that asked for it is gone."),
    Key::new(
        "flight.max_held_statements",
        Count,
        "Results of one session that wait to be fetched. Beyond it, the oldest is dropped.",
    ),
    Key::new("flight.max_held_statements_per_user", Count, "The same for one user."),
    Key::new("flight.max_held_statements_total", Count, "The same for all users together."),
    Key::new("flight.max_sessions", Count, "Sessions. Beyond it, the longest idle ends."),
    Key::new("flight.max_sessions_per_user", Count, "Sessions of one user. Beyond it, the user's longest idle ends."),
    Key::new("flight.session_idle", Time, "How long a session is kept that nobody uses."),
    Key::new(
        "flight.max_prepared_statements",
        Count,
        "Prepared statements of one session. Beyond it, the longest idle is closed.",
    ),
    Key::new("flight.max_prepared_statements_per_user", Count, "The same for one user."),
    Key::new("flight.max_prepared_statements_total", Count, "The same for all users together."),
    Key::new("flight.prepared_idle", Time, "How long a prepared statement is kept that nobody uses."),
    Key::new(
        "flight.max_message_bytes",
        Bytes,
        "The largest message that is accepted: batches of ingest and of parameters. What may be received at once is a multiple \
         of it.",
    ),
    Key::new("flight.max_header_bytes", Bytes, "The most that a request's headers may hold."),
    Key::new("flight.max_streams", Count, "Calls that one connection may have open. Further calls wait in the client."),
    Key::new(
        "flight.max_connections",
        Count,
        "Connections. Beyond it, the longest idle is closed, or the new one if all of them are in use.",
    ),
    Key::new("flight.max_connections_per_address", Count, "The same for one address."),
    Key::new("flight.max_connections_per_user", Count, "Connections on which one user has calls. Calls on further ones fail."),
    Key::new(
        "flight.handshake_timeout",
        Time,
        "How long a new connection may take to send its first bytes and to finish its TLS handshake.",
    ),
    Key::new("flight.request_timeout", Time, "How long a request may stall before it has arrived as a whole."),
    Key::new("flight.keep_alive", Time, "After how much silence a connection is checked for whether it is still alive."),
    Key::new(
        "auth.identity",
        OneOrMoreOf(&["none", "users", "oidc", "mtls"]),
        "How callers prove who they are. `none` turns authentication off: everybody is an administrator.",
    ),
    Key::new("auth.users_file", Path, "File of the users. `users.toml` in the data directory if not set."),
    Key::new(
        "auth.token_lifetime",
        Time,
        "How long a token of the server's is valid after it was issued or renewed, at least a second.",
    ),
    Key::new(
        "auth.certificate_name",
        OneOf(&["cn", "email", "dns", "uri"]),
        "Which name of a client certificate is the user's: the common name, or the first alternative name of that kind.",
    ),
    Key::new("auth.oidc.issuer", Url, "What `iss` must be. Required for `oidc`."),
    Key::new(
        "auth.oidc.jwks",
        Text,
        "URL or file of a JWKS, or file of PEM public keys or certificates. By the issuer's discovery document if not set.",
    ),
    Key::new("auth.oidc.audience", TextOrTexts, "What `aud` must be or contain; one of these. Required for `oidc`."),
    Key::new(
        "auth.oidc.user_claim",
        Text,
        "The claim that names the user. `preferred_username`, then `email` (unless unverified), then `sub` if not set.",
    ),
    Key::new(
        "auth.oidc.groups_claim",
        Text,
        "The claim that lists groups, as a list or a text with spaces between; `realm_access.roles` reaches into objects.",
    ),
    Key::new("auth.oidc.admin_groups", Texts, "Groups whose members are administrators."),
    Key::new("auth.oidc.workgroup_claim", Text, "The claim that binds the user to a workgroup."),
    Key::new("auth.oidc.leeway", Time, "How far clocks may be apart."),
    Key::new(
        "tls.certificate",
        Path,
        "PEM file of the server's certificate with its chain. Without it, connections are not encrypted. It is read again when \
         it changes.",
    ),
    Key::new("tls.key", Path, "PEM file of its private key."),
    Key::new("tls.client_ca", Path, "PEM file of the authorities that sign clients' certificates. Set, it asks clients for one."),
    Key::new(
        "tls.client_certificates",
        OneOf(&["optional", "required"]),
        "Whether a client without a certificate is turned away, where `tls.client_ca` is set.",
    ),
    Key::new("tls.min_version", OneOf(&["1.2", "1.3"]), "The oldest version of TLS that is accepted."),
    Key::new(
        "log.format",
        OneOf(&["text", "json"]),
        "Log lines of `glaux serve`, on standard error: for people, or one JSON object each.",
    ),
    Key::new(
        "log.level",
        Text,
        "`off`, `error`, `warn`, `info`, `debug` or `trace` for Glaux itself, or a filter such as `info,glaux_engine=debug`. The \
         variable `GLAUX_LOG` holds a filter and wins.",
    ),
    Key::new(
        "telemetry.otlp_endpoint",
        Url,
        "Where `glaux serve` sends traces, by OTLP over gRPC: `http://127.0.0.1:4317`. If not set, \
         `OTEL_EXPORTER_OTLP_ENDPOINT`; without that, nowhere.",
    ),
    Key::new("telemetry.service_name", Text, "The name that traces are sent under. If not set, `OTEL_SERVICE_NAME`, or `glaux`."),
];
