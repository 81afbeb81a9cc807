//! Which module may use which, and which may touch the world.

use std::collections::BTreeSet;

use crate::none;
use crate::source::{File, rust_files, src_files};

/// The modules from the ground up, and what each may use of those before it.
const MODULES: &[(&str, &[&str])] = &[
    ("errno", &[]),
    ("lines", &[]),
    ("last_words", &[]),
    ("spawn", &["errno"]),
    ("smtp", &[]),
    ("cdb", &["errno", "lines"]),
    ("client", &["cdb", "lines"]),
    ("control", &["errno", "client", "lines"]),
    ("policy", &["smtp", "client", "control"]),
    ("message", &["client", "control"]),
    ("queue", &["smtp", "control", "spawn"]),
    ("helper", &["errno", "control", "spawn"]),
    ("auth", &["errno", "cdb", "control", "helper"]),
    ("tls", &["errno", "control", "policy", "message", "auth"]),
    ("session", &["smtp", "control", "policy", "message", "queue", "auth"]),
    ("dns", &["errno"]),
    ("relay_table", &["errno", "cdb", "client", "control", "dns"]),
    ("account_table", &["errno", "cdb", "control", "relay_table"]),
    (
        "lookup",
        &[
            "errno",
            "smtp",
            "cdb",
            "client",
            "control",
            "policy",
            "spawn",
            "helper",
            "tls",
            "dns",
            "relay_table",
            "account_table",
        ],
    ),
    ("screen", &["errno", "control", "policy", "message", "session", "lookup"]),
    ("log", &["smtp", "control"]),
    ("wire", &["smtp", "control", "message", "tls"]),
    (
        "connection",
        &[
            "errno", "smtp", "client", "control", "message", "queue", "auth", "session", "lookup", "screen", "log",
            "wire", "tls",
        ],
    ),
    (
        "operator",
        &[
            "errno",
            "smtp",
            "cdb",
            "client",
            "control",
            "policy",
            "message",
            "queue",
            "auth",
            "session",
            "tls",
            "dns",
            "relay_table",
            "account_table",
            "lookup",
            "screen",
        ],
    ),
    (
        "bin",
        &[
            "errno",
            "last_words",
            "spawn",
            "cdb",
            "client",
            "control",
            "queue",
            "auth",
            "session",
            "dns",
            "relay_table",
            "account_table",
            "lookup",
            "connection",
            "operator",
        ],
    ),
];

#[test]
fn modules_use_only_what_stands_before_them() {
    let mut before = BTreeSet::new();
    for (module, uses) in MODULES {
        let later: Vec<_> = uses.iter().filter(|used| !before.contains(*used)).collect();
        assert!(later.is_empty(), "MODULES: {module} uses {later:?}, which does not stand before it");
        before.insert(*module);
    }
    let mut findings = Vec::new();
    for file in src_files().iter().filter(|file| file.path != "src/lib.rs") {
        let module = module(file);
        let Some((_, uses)) = MODULES.iter().find(|(known, _)| *known == module) else {
            findings.push(format!("{}: the module {module} is not in MODULES: say what it may use", file.path));
            continue;
        };
        for (number, path) in file.paths() {
            let mut parts = path.split("::");
            let (Some("crate" | "postern"), Some(used)) = (parts.next(), parts.next()) else { continue };
            let is_module = used.starts_with(char::is_lowercase);
            if is_module && used != module && !uses.contains(&used) {
                findings.push(format!("{}:{number}: {module} may not use {used} ({path})", file.path));
            }
        }
    }
    none(findings);
}

/// `smtp` for `src/smtp/path.rs`, `wire` for `src/wire.rs`.
fn module(file: &File) -> &str {
    let path = file.path.strip_prefix("src/").unwrap();
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// What may touch files, environment, clock, processes or network, and what it does with them.
const WORLDLY: &[(&str, &str)] = &[
    ("src/cdb/", "reads and writes cdb files"),
    ("src/control/environment.rs", "reads the environment"),
    ("src/control/load.rs", "reads control files, asks the socket for the client"),
    ("src/control/present.rs", "looks which control files there are"),
    ("src/control/summary.rs", "looks which control files there are"),
    ("src/spawn.rs", "starts programs"),
    ("src/queue/program.rs", "runs the queue program"),
    ("src/queue/log_filter.rs", "makes the file of LOGFILTER, writes to its fifo"),
    ("src/queue/maildir.rs", "writes messages"),
    ("src/dns/servers.rs", "reads /etc/resolv.conf"),
    ("src/dns/transport.rs", "asks name servers, looks at the clock"),
    ("src/relay_table/", "reads and writes the relay table, asks databases, makes tcp.smtp.cdb"),
    ("src/account_table/", "reads users/cdb and the directories of domains, asks databases"),
    ("src/lookup/", "reads lists, asks for the addresses of this host, runs the programs of recipients"),
    ("src/screen/rules.rs", "reads lists"),
    ("src/helper.rs", "runs programs and waits for their answers"),
    ("src/auth/checker.rs", "asks checkers of passwords"),
    ("src/tls/", "reads certificates, looks at the clock for tickets, writes their keys"),
    ("src/log.rs", "writes to stderr"),
    ("src/last_words.rs", "writes to stderr"),
    ("src/wire", "reads from the client and writes to it"),
    ("src/connection", "looks at the clock, writes to stderr"),
    ("src/operator/", "reads control files, looks at this host's network, writes manuals"),
    ("src/bin/", "programs"),
];

/// Paths that lead out of the program.
const WORLD: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::net::Tcp",
    "std::net::Udp",
    "std::net::ToSocketAddrs",
    "std::os::unix::net",
    "std::io::std",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "nix::",
    "rustix::",
];
/// Of these, what is only data.
const DATA: &[&str] = &["nix::sys::wait::WaitStatus"];
/// The same as methods.
const METHODS: &[&str] = &[".exists()", ".try_exists()", ".is_dir()", ".is_file()", ".canonicalize()", ".read_dir()"];

#[test]
fn few_files_touch_the_world() {
    let mut findings = Vec::new();
    for file in src_files() {
        if WORLDLY.iter().any(|(path, _)| file.path.starts_with(path)) {
            continue;
        }
        let used = file.paths().into_iter().filter(|(_, path)| {
            let is_function_of_c = path.strip_prefix("libc::").is_some_and(|name| name.starts_with(char::is_lowercase));
            let begins = |starts: &[&str]| starts.iter().any(|start| path.starts_with(start));
            is_function_of_c || (begins(WORLD) && !begins(DATA))
        });
        let called = file.code().filter_map(|(number, line)| {
            METHODS.iter().find(|method| line.contains(*method)).map(|method| (number, (*method).to_owned()))
        });
        for (number, what) in used.chain(called) {
            findings.push(format!("{}:{number}: {what} touches the world, which is for WORLDLY files", file.path));
        }
    }
    let files = src_files();
    for (path, _) in WORLDLY {
        if !files.iter().any(|file| file.path.starts_with(path)) {
            findings.push(format!("WORLDLY: there is no {path}"));
        }
    }
    none(findings);
}

/// What may speak to a database; everything else, and so smtpd, is linked without the client and its runtime.
const OF_DATABASES: &[&str] = &[
    "src/account_table/cluster.rs",
    "src/account_table/flags.rs",
    "src/account_table/mysql.rs",
    "src/bin/checkaddress.rs",
    "src/relay_table/mysql/",
    "src/relay_table/table.rs",
    "src/bin/checkrelay.rs",
    "src/bin/opensmtp.rs",
    "src/bin/clearopensmtp.rs",
];

#[test]
fn few_programs_speak_to_a_database() {
    let leads_there = |path: &str| {
        let path = path.replacen("postern::", "crate::", 1);
        [
            "crate::account_table::mysql",
            "crate::relay_table::mysql",
            "crate::relay_table::table",
            "mysql_async",
            "tokio",
        ]
        .iter()
        .any(|module| path == *module || path.starts_with(&format!("{module}::")))
    };
    let (mut findings, mut found) = (Vec::new(), 0);
    for file in src_files() {
        for (number, path) in file.paths().into_iter().filter(|(_, path)| leads_there(path)) {
            found += 1;
            if !OF_DATABASES.iter().any(|known| file.path.starts_with(known)) {
                findings.push(format!("{}:{number}: {path} is for the programs of OF_DATABASES", file.path));
            }
        }
    }
    assert!(found > 10, "only {found} uses of the database client were found: has it another name?");
    none(findings);
}

#[test]
fn only_the_entry_point_is_unsafe() {
    let mut findings = Vec::new();
    for file in rust_files() {
        let is_word = |line: &str| {
            let mut words = line.split(|character: char| !character.is_alphanumeric() && character != '_');
            words.any(|word| word == "unsafe")
        };
        let strings_aside = |line: &str| line.split('"').step_by(2).any(is_word);
        for (number, line) in (1..).zip(file.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let is_entry_point = file.path == "src/bin/smtpd.rs" && line == "#[unsafe(no_mangle)]";
            if strings_aside(line) && !is_entry_point {
                findings.push(format!("{}:{number}: unsafe code is for the entry point of smtpd alone", file.path));
            }
        }
    }
    let library = src_files().into_iter().find(|file| file.path == "src/lib.rs").unwrap();
    if !library.text.contains("#![forbid(unsafe_code)]") {
        findings.push("src/lib.rs: keep #![forbid(unsafe_code)]".to_owned());
    }
    none(findings);
}
