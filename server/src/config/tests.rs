//! Precedence, units, and errors that name the key and its place. Environment variables are set only inside figment's jail.

use std::{fs, time::Duration};

use glaux_engine::config::HookOptions;
use tempfile::TempDir;

use super::*;
use crate::span::Span;

/// An empty data directory, its configuration file, and the environment.
struct Case {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

impl Case {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), variables: Vec::new() }
    }

    fn file(&self, text: &str) {
        fs::write(self.dir.path().join("glaux.toml"), text).unwrap();
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    fn overrides(&self) -> Overrides {
        Overrides { data_dir: Some(self.dir.path().to_owned()), ..Overrides::default() }
    }

    fn load(&self) -> Result<Loaded> {
        load(&self.overrides(), &self.variables)
    }
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_defaults() {
    let mut case = Case::new();
    let loaded = case.load().unwrap();
    assert_eq!((loaded.engine.max_concurrent_queries, &loaded.file), (EngineOptions::default().max_concurrent_queries, &None));
    assert_eq!(loaded.engine.data_dir, case.dir.path());

    case.file("[engine]\nmax_concurrent_queries = 3\nmemory_limit = \"2GiB\"\n[session]\nmax_scan = \"1GB\"");
    let loaded = case.load().unwrap();
    assert_eq!((loaded.engine.max_concurrent_queries, loaded.engine.memory_limit), (3, Some(2 << 30)));
    assert_eq!(loaded.session.max_scan, Some(1_000_000_000));

    case.set("GLAUX__ENGINE__MEMORY_LIMIT", "3000MB");
    case.set("GLAUX__SESSION__MAX_SCAN", "2000");
    case.set("GLAUX__SESSION__TIMEOUT", "5m");
    case.set("LOGNAME", "ada");
    let loaded = case.load().unwrap();
    assert_eq!((loaded.engine.memory_limit, loaded.session.max_scan), (Some(3_000_000_000), Some(2_000)));
    assert_eq!((loaded.session.timeout, loaded.session.user.as_str()), (Some(Duration::from_secs(300)), "ada"));

    let address = Some("[::1]:7".parse().unwrap());
    let flags = Overrides { memory_limit: Some(7), max_scan: Some("1kB".to_owned()), http_addr: address, ..case.overrides() };
    let loaded = load(&flags, &case.variables).unwrap();
    assert_eq!((Some(loaded.server.http_addr), loaded.server.allow_anonymous_network), (address, false));
    assert_eq!((loaded.engine.memory_limit, loaded.session.max_scan), (Some(7), Some(1_000)));
    let origin = |key: &str| loaded.settings().unwrap().into_iter().find(|setting| setting.key == key).unwrap().origin;
    assert_eq!(origin("engine.memory_limit"), "flag --memory-limit");
    assert_eq!((origin("server.http_addr").as_str(), origin("server.flight_addr").as_str()), ("flag --http-addr", "default"));
    assert_eq!(origin("engine.data_dir"), "flag --data-dir");
    assert_eq!(origin("session.timeout"), "environment variable GLAUX__SESSION__TIMEOUT");
    assert!(origin("engine.max_concurrent_queries").ends_with("glaux.toml\""));
    assert_eq!(origin("engine.spill_limit"), "default");
}

#[test]
fn tariffs_and_labels_come_from_their_sections() {
    let case = Case::new();
    let file = case.dir.path().join("my.toml");
    let text = "[engine]\ntariff = \"mine\"\n[session.labels]\nteam = \"a\"\njob = \"x\"\n\
        [[tariffs.mine]]\neffective_from = \"2026-01-01\"\nusd_per_tb = 6.25\nminimum_bytes = \"20MB\"\n\
        [[tariffs.mine.stores]]\nprefix = \"s3://\"\nget_usd_per_1000 = \"0.0004\"";
    fs::write(&file, text).unwrap();
    let labels = vec![("job".to_owned(), "x.y".to_owned()), ("a.b".to_owned(), "1".to_owned())];
    let loaded = load(&Overrides { file: Some(file), labels, ..case.overrides() }, &[]).unwrap();
    let tariff = loaded.tariffs.default_tariff();
    assert_eq!((tariff.id().as_str(), tariff.minimum_bytes), ("mine@2026-01-01", 20_000_000));
    assert_eq!([tariff.price_per_tb.to_string(), tariff.stores[0].get_per_1000.to_string()], ["6.25", "0.0004"]);
    let shown = loaded.settings().unwrap();
    assert!(shown.iter().any(|setting| setting.key == "tariffs.mine" && setting.value.contains("6.25")), "{shown:?}");
    assert!(shown.iter().all(|setting| !setting.key.starts_with("engine.tariffs")), "{shown:?}");
    assert!(shown.iter().any(|setting| setting.key == "session.labels.job" && setting.origin == "flag --label"), "{shown:?}");
    let labels = [("a.b".into(), "1".into()), ("job".into(), "x.y".into()), ("team".into(), "a".into())];
    assert_eq!(loaded.session.labels, BTreeMap::from(labels));
}

#[test]
fn unknown_keys_are_errors_that_name_key_and_place() {
    let mut case = Case::new();
    case.file("[engine]\nparalelism = 3");
    let error = case.load().unwrap_err();
    assert!(error.message().contains("\"engine.paralelism\"") && error.message().contains("glaux.toml"), "{error}");
    assert!(error.hint().unwrap().contains("parallelism"), "{error:?}");

    case.file("[[engine.tariffs.mine]]\nminimum_bytes = 3");
    let error = case.load().unwrap_err();
    assert!(error.message().contains("engine.tariffs") && error.hint().unwrap().contains("[tariffs]"), "{error:?}");

    case.file("[nonsense]\nx = 1");
    assert!(case.load().unwrap_err().message().contains("\"nonsense\""));

    case.file("[engine]\nspill_limit = \"much\"");
    let error = case.load().unwrap_err();
    assert!(error.message().contains("engine.spill_limit") && error.message().contains("glaux.toml"), "{error}");
    assert_eq!(error.hint(), Some("Disk space that spilling may use. A query that needs more fails. (bytes)"));
    case.file("[storage.buckets.lake]\ntimeout_seconds = \"long\"");
    let error = case.load().unwrap_err();
    assert!(error.message().contains("storage.buckets.lake.timeout_seconds"), "{error}");
    assert!(error.hint().unwrap().ends_with("(seconds)"), "{error:?}");

    case.file("");
    case.set("GLAUX__ENGINE__NOPE", "1");
    let error = case.load().unwrap_err();
    assert!(error.message().contains("engine.nope") && error.message().contains("GLAUX__ENGINE__NOPE"), "{error}");
}

#[test]
fn tariffs_that_do_not_fit_are_refused_at_the_start() {
    let case = Case::new();
    let dated = |line: &str| format!("[[tariffs.mine]]\neffective_from = \"2027-01-01\"\n{line}\n");
    for (text, told) in [
        (dated("usd_per_tb = \"-5\""), "invalid \"tariffs.mine.0.usd_per_tb\""),
        (dated("usd_per_tb = -5"), "the amount of USD \"-5\" is negative"),
        (dated("usd_per_tb = \"5 EUR\""), "is not a decimal"),
        (dated("currency = \"EUR\""), "\"tariffs.mine.0.currency\" is \"EUR\": prices are in USD only"),
        (dated("minimum_bytes = \"1kB\""), "\"tariffs.mine.0.minimum_bytes\" is 1000, less than the increment"),
        (dated("price = 5"), "unknown key \"tariffs.mine.0.price\""),
        ("[tariffs.mine]\nusd_per_tb = 5".to_owned(), "invalid \"tariffs.mine\""),
        ("[engine]\ntariff = \"cheap\"".to_owned(), "tariff \"cheap\" does not exist"),
        ("[engine]\ntariff = 5".to_owned(), "invalid \"engine.tariff\""),
    ] {
        case.file(&text);
        let error = case.load().unwrap_err();
        assert!(error.message().contains(told), "{text}: {error}");
        assert!(error.hint().is_some(), "{text}: {error:?}");
    }
}

#[test]
fn hooks_come_from_their_sections_and_their_urls_are_not_shown() {
    let case = Case::new();
    case.file(
        "[hooks.alert]\nurl = \"https://user:secret@hooks.example/services/secret\"\n\
         [hooks.page]\ncommand = [\"/bin/page\", \"--now\"]\ntimeout = \"250ms\"",
    );
    let loaded = case.load().unwrap();
    let hooks = &loaded.engine.hooks;
    assert_eq!(hooks["alert"].url.as_deref(), Some("https://user:secret@hooks.example/services/secret"));
    assert_eq!((hooks["alert"].command.len(), hooks["alert"].timeout), (0, HookOptions::TIMEOUT));
    assert_eq!(
        (hooks["page"].command.join(" "), hooks["page"].timeout),
        ("/bin/page --now".to_owned(), Duration::from_millis(250))
    );
    let shown = loaded.settings().unwrap();
    let url = shown.iter().find(|setting| setting.key == "hooks.alert.url").unwrap();
    assert_eq!(url.value, "\"https://hooks.example/***\"");

    for (text, told) in [
        ("[hooks.alert]\ntimeout = \"1s\"", "hook \"alert\" has neither a URL nor a command"),
        ("[hooks.alert]\nurl = \"http://h/\"\ncommand = [\"x\"]", "hook \"alert\" has a URL and a command"),
        ("[hooks.alert]\nurl = \"ftp://h/\"", "hook \"alert\" has no valid URL"),
        ("[hooks.alert]\nurl = \"http://h/\"\ntimeout = 0", "hook \"alert\" has a timeout of 0"),
        ("[hooks.alert]\naddress = \"http://h/\"", "unknown key \"hooks.alert.address\""),
        ("[hooks.alert]\nurl = \"http://h/\"\ntimeout = \"soon\"", "invalid \"hooks.alert.timeout\""),
    ] {
        case.file(text);
        let error = case.load().unwrap_err();
        assert!(error.message().contains(told) && error.hint().is_some(), "{text}: {error:?}");
    }
}

#[test]
fn the_tariff_of_former_versions_is_refused_with_what_to_write() {
    let mut case = Case::new();
    case.file("[tariff]\nmicro_usd_per_terabyte = 6250000\nminimum_bytes = \"20MB\"");
    let error = case.load().unwrap_err();
    assert!(error.message().starts_with("unknown key \"tariff\" in ") && error.message().contains("glaux.toml"), "{error}");
    let hint = error.hint().unwrap();
    let section = "[[tariffs.mine]] with effective_from = \"2026-01-01\", usd_per_tb = \"6.25\", minimum_bytes = 20000000";
    assert!(hint.contains(section), "{hint}");
    assert!(hint.ends_with("tariff = \"mine\" in the section [engine]"), "{hint}");
    case.file("");
    case.set("GLAUX__TARIFF__MINIMUM_BYTES", "0");
    let error = case.load().unwrap_err();
    assert!(error.message().contains("environment variable GLAUX__TARIFF__MINIMUM_BYTES"), "{error}");
}

#[test]
fn every_setting_of_a_session_can_be_configured() {
    let mut case = Case::new();
    let default = case.load().unwrap().session;
    assert_eq!([&default.database, &default.workgroup, &default.time_zone], ["default", "primary", "UTC"]);
    assert_eq!((default.listing, default.max_recursion_depth), (None, SessionOptions::default().max_recursion_depth));
    case.file("[session]\nlisting = \"ttl=5m\"\nmax_recursion_depth = 7\ntime_zone = \"+2\"\ndatabase = \"S\"");
    let session = case.load().unwrap().session;
    assert_eq!((session.listing.map(|policy| policy.to_string()), session.max_recursion_depth), (Some("ttl=300s".to_owned()), 7));
    assert_eq!([&session.time_zone, &session.workgroup, &session.database], ["+02:00", "primary", "s"]);
    for wrong in ["listing = \"never\"", "max_recursion_depth = 0", "time_zone = \"Nowhere/City\""] {
        case.file(&format!("[session]\n{wrong}"));
        assert_eq!(case.load().unwrap_err().kind(), glaux_engine::ErrorKind::Invalid, "{wrong}");
    }
    case.file("");
    case.set("GLAUX__SESSION__LISTING", "");
    assert_eq!(case.load().unwrap().session.listing, None);
}

#[test]
fn files_that_are_missing_broken_or_circular_are_refused() {
    let case = Case::new();
    let named = Overrides { file: Some(case.dir.path().join("absent.toml")), ..case.overrides() };
    assert_eq!(load(&named, &[]).unwrap_err().kind(), glaux_engine::ErrorKind::NotFound);
    case.file("[engine");
    assert!(case.load().unwrap_err().message().contains("does not parse"));
    case.file("[engine]\ndata_dir = \"elsewhere\"");
    assert!(case.load().unwrap_err().hint().unwrap().contains("--config"));
}

#[test]
fn the_servers_sections_have_defaults_and_are_shown() {
    let mut case = Case::new();
    let loaded = case.load().unwrap();
    assert_eq!((loaded.server.flight_addr.to_string(), loaded.server.http_addr.port()), ("127.0.0.1:32010".to_owned(), 8686));
    assert!(!loaded.server.allow_anonymous_network && loaded.telemetry.otlp_endpoint.is_none());
    assert_eq!((loaded.log.level.as_str(), loaded.flight.max_sessions), ("info", 10_000));
    let shown: BTreeMap<_, _> = loaded.settings().unwrap().into_iter().map(|setting| (setting.key, setting.value)).collect();
    let keys = [
        "server.flight_addr",
        "server.http_addr",
        "server.allow_anonymous_network",
        "server.drain_timeout",
        "flight.ticket_lifetime",
        "flight.max_message_bytes",
        "log.format",
        "log.level",
        "telemetry.otlp_endpoint",
        "telemetry.service_name",
    ];
    for key in keys {
        assert!(shown.contains_key(key), "{key}: {shown:?}");
    }
    assert_eq!((shown["server.drain_timeout"].as_str(), shown["telemetry.otlp_endpoint"].as_str()), ("\"30s\"", "(not set)"));

    case.file("[server]\nhttp_addr = \"0.0.0.0:0\"\ndrain_timeout = \"5m\"\n[log]\nformat = \"json\"");
    case.set("GLAUX__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:4317");
    let loaded = case.load().unwrap();
    assert_eq!((loaded.server.http_addr.port(), loaded.server.drain_timeout), (0, Span::seconds(300)));
    assert_eq!(loaded.log.format, crate::telemetry::LogFormat::Json);
    assert_eq!(loaded.telemetry.otlp_endpoint.as_deref(), Some("http://127.0.0.1:4317"));

    for (text, key) in [("[server]\nflight_addr = \"here\"", "server.flight_addr"), ("[log]\nformat = \"xml\"", "log.format")] {
        case.file(text);
        let error = case.load().unwrap_err();
        assert!(error.message().contains(key) && error.message().contains("glaux.toml"), "{error}");
    }
}

#[test]
fn settings_of_stores_that_open_none_are_refused_at_the_start() {
    let case = Case::new();
    for (text, told) in [
        ("[storage.defaults]\ntimeout_seconds = 0\n", "timeout_seconds in [storage.defaults]"),
        ("[storage.buckets.lake]\nstall_timeout_ms = 0\n", "stall_timeout_ms in [storage.buckets.lake]"),
        ("[storage.buckets.lake]\nendpoint = \"http://user:topsecret@h/\"\n", "endpoint in [storage.buckets.lake]"),
    ] {
        case.file(text);
        let error = case.load().unwrap_err();
        assert!(error.message().contains(told) && !format!("{error:?}").contains("topsecret"), "{error:?}");
    }
    case.file("[telemetry]\notlp_endpoint = \"http://user:topsecret@h:4317/\"\n");
    let settings = case.load().unwrap().settings().unwrap();
    let shown = settings.into_iter().find(|setting| setting.key == "telemetry.otlp_endpoint").unwrap().value;
    assert_eq!(shown, "\"http://***@h:4317/\"");
}
