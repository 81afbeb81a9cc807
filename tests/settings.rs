//! No setting is a name without a deed: each that is built is set in a session, and its effect is seen.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

#[path = "support/home.rs"]
mod home;
#[path = "support/smtp.rs"]
mod smtp;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use home::{Home, QueueEnd, QueueProgram};
use postern::control::settings::{Role, SETTINGS, Setting, State};
use serde_json::Value;
use smtp::Smtp;

/// Settings of other programs, and those that need a server: the test that sets each and sees what it does.
const ELSEWHERE: &[(&str, &[&str])] = &[
    (
        "tests/relay_table/",
        &[
            "relaydb",
            "RELAY_DB_TIMEOUT",
            "RELAY_TABLE",
            "RELAY_LAYOUT",
            "host.mysql",
            "host.master",
            "vpopmail.mysql",
            "mcdinfo",
            "MYSQL_USER",
            "MYSQL_PASSWD",
            "MYSQL_SOCKET",
            "MYSQL_VPORT",
            "MYSQL_DATABASE",
            "MYSQL_READ_DEFAULT_FILE",
            "MYSQL_READ_DEFAULT_GROUP",
            "MYSQL_INIT_COMMAND",
            "MYSQL_OPT_PROTOCOL",
            "CLIENT_COMPRESS",
            "MYSQL_OPT_SSL_ENFORCE",
            "MYSQL_OPT_SSL_MODE",
            "MYSQL_OPT_SSL_VERIFY_CERT",
            "MYSQL_OPT_SSL_CA",
            "TCP_FILE",
        ],
    ),
    ("src/relay_table/sources/tests.rs", &["MYSQL_OPT_SSL_CERT", "MYSQL_OPT_SSL_KEY"]),
    (
        "tests/tls/",
        &[
            "CERTDIR",
            "STARTTLS",
            "SMTPS",
            "servercert.pem",
            "clientca.pem",
            "clientcrl.pem",
            "tlsclients",
            "tlsservermethod",
            "servercipherlist",
            "serverciphersuite",
        ],
    ),
    ("src/account_table/assign.rs", &["ASSIGNDIR"]),
    (
        "tests/accounts/",
        &[
            "MYSQL_TIMEOUT",
            "NO_SMTP_BITS",
            "ACCOUNT_LAYOUT",
            "ACCOUNT_VALIAS",
            "ACCOUNT_FILES",
            "MYSQL_TABLE",
            "MYSQL_INACTIVE_TABLE",
            "DOMAIN_LIMITS",
            "host.cntrl",
            "CNTRL_USER",
            "CNTRL_PASSWD",
            "CNTRL_SOCKET",
            "CNTRL_VPORT",
            "CNTRL_DATABASE",
            "CNTRL_TABLE",
        ],
    ),
    ("tests/client_lists.rs", &["relayclients.cdb", "relaymx.cdb"]),
    ("tests/lint.rs", &["RELAYMX_ANYONE"]),
    ("tests/manual.rs", &["DNSCACHEIP"]),
    ("tests/auth.rs", &["AUTH_CDB"]),
    ("src/session/auth/tests.rs", &["DISABLE_SCRAM_SHA1_PLUS", "DISABLE_SCRAM_SHA256_PLUS"]),
    ("tests/transcripts/accounts/", &["MASQUERADE", "DEFAULT_DOMAIN"]),
];

/// One row of the table.
struct Deed {
    name: String,
    needs: Vec<String>,
    value: String,
    says: Vec<String>,
    shows: String,
}

fn deeds() -> Vec<Deed> {
    let table = include_str!("settings/deeds.txt");
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|line| {
        // What a list calls a program has a bar of its own.
        let columns: Vec<&str> = line.split(" |").map(|column| column.strip_prefix(' ').unwrap_or(column)).collect();
        let [name, needs, value, says, shows] = columns[..] else { panic!("not five columns: {line}") };
        let list = |text: &str| text.split(';').map(|part| part.trim_start().to_owned()).collect::<Vec<_>>();
        let needs = list(needs).into_iter().filter(|need| !need.is_empty()).collect();
        Deed { name: name.to_owned(), needs, value: value.to_owned(), says: list(says), shows: shows.to_owned() }
    });
    parsed.collect()
}

/// The rows of `postern settings --json` that are built.
fn built() -> Vec<&'static Setting> {
    let mut command = Command::new(support::program("postern"));
    let output = command.args(["settings", "--json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told: BTreeSet<(String, String)> = told
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["state"] == "works" || row["state"] == "on demand")
        .map(|row| (row["file"].as_str().unwrap().to_owned(), row["variable"].as_str().unwrap().to_owned()))
        .collect();
    let rows: Vec<_> = SETTINGS.iter().filter(|row| matches!(row.state, State::Works(_) | State::OnDemand)).collect();
    assert_eq!(rows.iter().map(|row| (row.file.to_owned(), row.variable.to_owned())).collect::<BTreeSet<_>>(), told);
    rows
}

#[test]
fn every_setting_does_something() {
    let (deeds, rows) = (deeds(), built());
    let has_deed = |row: &&&Setting| deeds.iter().any(|deed| deed.name == row.name());
    let is_elsewhere = |name: &str| ELSEWHERE.iter().any(|(_, names)| names.contains(&name));
    let idle: Vec<_> =
        rows.iter().filter(|row| !has_deed(row) && !is_elsewhere(row.name())).map(|row| row.name()).collect();
    assert!(
        idle.is_empty(),
        "built, and nobody sees what these do; give each a line in tests/settings/deeds.txt: {idle:?}"
    );
    for deed in &deeds {
        assert!(rows.iter().any(|row| row.name() == deed.name), "{} is no setting that is built", deed.name);
        assert!(!is_elsewhere(&deed.name), "{} is here, not elsewhere", deed.name);
    }
    let forms: Vec<(&Deed, Form)> = deeds
        .iter()
        .flat_map(|deed| {
            forms(rows.iter().find(|row| row.name() == deed.name).unwrap()).into_iter().map(move |form| (deed, form))
        })
        .collect();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((deed, form)) = forms.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = is_seen(deed, form) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    println!("{} settings in {} forms, {} elsewhere", deeds.len(), forms.len(), rows.len() - deeds.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// What is shown elsewhere is named there.
#[test]
fn what_is_shown_elsewhere_is_there() {
    for (place, names) in ELSEWHERE {
        let text = text_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join(place.trim_end_matches('/')));
        for name in *names {
            let name = name.strip_suffix(".cdb").unwrap_or(name);
            assert!(text.contains(name), "{place} does not mention {name}");
        }
    }
}

fn text_below(path: &Path) -> String {
    if !path.is_dir() {
        return fs::read_to_string(path).unwrap();
    }
    fs::read_dir(path).unwrap().map(|entry| text_below(&entry.unwrap().path())).collect()
}

/// How a setting is set.
#[derive(Debug, Clone, PartialEq)]
enum Form {
    File(&'static str),
    Compiled(&'static str),
    Variable(&'static str),
    /// The variable names the file.
    Named(&'static str),
}

fn forms(row: &Setting) -> Vec<Form> {
    let compiled = row.file.strip_suffix(".cdb").map(Form::Compiled);
    let file = Some(Form::File(row.file)).filter(|_| !row.file.is_empty());
    let variable = Some(row.variable).filter(|variable| !variable.is_empty());
    let variable = variable
        .map(|variable| if row.role == Role::FileName { Form::Named(variable) } else { Form::Variable(variable) });
    compiled.or(file).into_iter().chain(variable).collect()
}

fn is_seen(deed: &Deed, form: &Form) -> Result<(), String> {
    let [with, without] = [true, false].map(|is_set| session(deed, form, is_set));
    let (here, there, text) = match deed.shows.strip_prefix('-') {
        Some(text) => (&without, &with, text),
        None => (&with, &without, deed.shows.as_str()),
    };
    if here.contains(text) && !there.contains(text) {
        return Ok(());
    }
    Err(format!(
        "{}, {form:?}: `{}` makes no difference\nwith it:\n{with}\nwithout it:\n{without}",
        deed.name, deed.shows
    ))
}

/// All that a session shows: replies, log, what the queue program was given, and whether it took long.
fn session(deed: &Deed, form: &Form, is_set: bool) -> String {
    let home = Home::new();
    let mut command = Command::new(support::program("smtpd"));
    command.current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin").env("QUEUE_HOME", home.path());
    command.env("CONTROLDIR", home.control()).env("QMAILQUEUE", home.queue()).env("PENALTY", "0");
    command.env("TCPREMOTEIP", "10.1.2.3").env("TCPREMOTEHOST", "client.example").env("TCPLOCALHOST", "mx.test");
    command.env("DISABLE_EXTRA_GREET", "");
    home.write("me", "mx.test\n");
    home.write("rcpthosts", "test\n");
    deed.needs.iter().for_each(|need| prepare(need, &mut command, &home));
    set(deed, form, is_set, &mut command, &home);
    let began = Instant::now();
    let mut smtp = Smtp::start(&mut command);
    let waits = deed.says == ["[wait]"];
    if !waits {
        let lines = deed.says.iter().flat_map(|line| said(line)).chain(["QUIT".to_owned()]);
        smtp.send(lines.map(|line| line.replace("<LF>", "\n").replace("<CR>", "\r") + "\r\n").collect::<String>());
    } else if !is_set {
        thread::sleep(Duration::from_millis(1500));
        smtp.end_input();
    }
    let mut shown = smtp.rest().unwrap_or_else(|error| panic!("{}: {error:?}", deed.name));
    let took = if began.elapsed() >= Duration::from_secs(2) { "waited two seconds\n" } else { "" };
    smtp.end_input();
    smtp.exit();
    shown += &smtp.log();
    for delivery in home.deliveries() {
        let items = delivery.envelope_items().iter().map(|item| format!("queued {item}\n")).collect::<String>();
        shown += &(items + &delivery.environment.join("\n") + "\n" + &String::from_utf8_lossy(&delivery.message));
    }
    shown + took
}

/// Something that both sessions need.
fn prepare(need: &str, command: &mut Command, home: &Home) {
    let (kind, rest) = need.split_once(' ').unwrap();
    let pair = |mark| rest.split_once(mark).unwrap_or_else(|| panic!("{need}"));
    match kind {
        "env" => drop(command.env(pair("=").0, filled(pair("=").1, home))),
        "unset" => drop(command.env_remove(rest)),
        "control" => home.write(pair(" = ").0, pair(" = ").1.to_owned() + "\n"),
        "argument" => drop(command.arg(filled(rest, home))),
        "login" => log_in(rest, home),
        "queue" => {
            let (code, rest) = rest.split_once(' ').unwrap();
            let (descriptor, text) = rest.split_once(' ').unwrap();
            let text = Some((descriptor.parse().unwrap(), text.as_bytes().to_vec()));
            home.set_queue(&QueueProgram { end: QueueEnd::Exit(code.parse().unwrap()), text });
        }
        _ => panic!("{need}"),
    }
}

/// Two minutes ago the user has read mail from the client's address.
fn log_in(user: &str, home: &Home) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    fs::create_dir_all(home.control().join("logins")).unwrap();
    let mut command = Command::new(support::program("opensmtp"));
    command.arg("--import").env_clear().env("CONTROLDIR", home.control()).stdin(Stdio::piped());
    let mut opensmtp = command.spawn().unwrap();
    std::io::Write::write_all(
        &mut opensmtp.stdin.take().unwrap(),
        format!("{user}\t10.1.2.3\t{}\n", now - 120).as_bytes(),
    )
    .unwrap();
    assert!(opensmtp.wait().unwrap().success());
}

/// Sets the setting, or sees to it that it is not set.
fn set(deed: &Deed, form: &Form, is_set: bool, command: &mut Command, home: &Home) {
    let value = filled(&deed.value, home);
    match (form, is_set) {
        (Form::File(name), true) => home.write(name, value + "\n"),
        (Form::File(name), false) => drop(fs::remove_file(home.control().join(name))),
        (Form::Compiled(name), true) => home.write_cdb(name, &[value]),
        (Form::Compiled(_), false) => {}
        (Form::Variable(name), true) => drop(command.env(name, value)),
        (Form::Named(name), true) => {
            home.write("other-name", value + "\n");
            command.env(name, "other-name");
        }
        (Form::Variable(name) | Form::Named(name), false)
            if !deed.needs.iter().any(|need| *need == format!("env {name}=")) =>
        {
            command.env_remove(name);
        }
        (Form::Variable(_) | Form::Named(_), false) => {}
    }
}

fn filled(value: &str, home: &Home) -> String {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/checker.sh");
    let places = [("<home>", home.path()), ("<queue>", &home.queue()), ("<checker>", &checker)];
    places.iter().fold(value.to_owned(), |value, (name, place)| value.replace(name, &place.display().to_string()))
}

fn said(line: &str) -> Vec<String> {
    let lines: &[&str] = match line {
        "[mail]" => &["MAIL FROM:<a@b.c>"],
        "[to]" => &["RCPT TO:<u@test>"],
        "[far]" => &["RCPT TO:<x@far.example>"],
        "[one]" => &["MAIL FROM:<a@b.c>", "RCPT TO:<u@test>", "DATA", "Subject: one", "", "hi", "."],
        other => &[other],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}
