//! What some rows look at besides their cases: tools, rebuilt and changed files, whole networks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use postern::control::Setup;
use postern::control::environment::Environment;
use postern::lookup::Lookups;
use postern::policy::verdict::{Answer, Question, Using};

use crate::home::Home;
use crate::net::compile_rules;
use crate::smtp::Smtp;
use crate::support::program;

/// A control directory for `mx.local.ex`, where `local.ex` is local.
struct Site {
    home: Home,
}

impl Site {
    fn new(files: &[(&str, &str)]) -> Site {
        let home = Home::new();
        for (name, text) in [("me", "mx.local.ex\n"), ("rcpthosts", "local.ex\n")].iter().chain(files) {
            home.write(name, text);
        }
        Site { home }
    }

    fn write(&self, name: &str, text: &str) {
        self.home.write(name, text);
    }

    /// What this client hears to a recipient elsewhere, and the log.
    fn ask_to_relay(&self, ip: &str, variables: &[(String, String)]) -> (String, String) {
        let mut command = Command::new(program("smtpd"));
        command.current_dir(self.home.path()).env_clear().env("CONTROLDIR", self.home.control());
        command.env("DISABLE_EXTRA_GREET", "").env("PENALTY", "0").env("TCPREMOTEIP", ip);
        let mut smtp = Smtp::start(command.envs(variables.iter().cloned()));
        smtp.reply();
        smtp.ask("MAIL FROM:<joe@other.ex>");
        let reply = smtp.ask("RCPT TO:<you@far.ex>");
        smtp.ask("QUIT");
        smtp.exit().unwrap();
        (reply, smtp.log())
    }

    fn may_relay(&self, ip: &str) -> bool {
        let (reply, log) = self.ask_to_relay(ip, &[]);
        assert!(reply.starts_with("250 ") || reply.starts_with("553 "), "{reply}\n{log}");
        reply.starts_with("250 ")
    }

    /// Compiles a list.
    fn compile(&self, name: &str) {
        let output = Command::new(program("qmail-cdb"))
            .arg(name)
            .env_clear()
            .env("CONTROLDIR", self.home.control())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", errors(&output));
    }

    /// What tcpserver's rules give to this client.
    fn rule(&self, cdb: &Path, ip: &str) -> (String, Vec<(String, String)>) {
        let output = Command::new(program("tcprulescheck")).arg(cdb).env_clear().env("TCPREMOTEIP", ip).output();
        let said = String::from_utf8(output.unwrap().stdout).unwrap();
        let set = said.lines().filter_map(|line| line.strip_prefix("set environment variable "));
        let pairs = set.filter_map(|text| text.split_once('='));
        let variables = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        (said, variables)
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compiles rules to `tcp.smtp.cdb` in a directory, whatever comes of it.
fn tcprules(directory: &Path, rules: &str) -> Output {
    let mut command = Command::new(program("tcprules"));
    command.arg(directory.join("tcp.smtp.cdb")).arg(directory.join("tcp.smtp.tmp")).stdin(input(rules));
    command.output().unwrap()
}

/// Input for a program, on a file without a name.
pub fn input(text: &str) -> Stdio {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file.into()
}

/// What `postern convert` makes of a configuration: the files, and what it says.
fn convert(from: &str, text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::write(&source, text).unwrap();
    let output =
        Command::new(program("postern")).args(["convert", "--from", from]).arg(&source).env_clear().output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.is_empty(), "postern convert: {}", errors(&output));
    (directory, said)
}

/// The lines of converted text that are no comments, and those that are.
fn lines_and_comments(said: &str) -> (Vec<&str>, Vec<&str>) {
    said.lines().filter(|line| !line.trim().is_empty()).partition(|line| !line.starts_with('#'))
}

/// What relayclients says of many clients, each on a connection of its own.
fn relayclients(control: &Path, ips: &[String]) -> Vec<String> {
    let answer = |ip: &String| {
        let environment: Environment = [(b"TCPREMOTEIP".to_vec(), ip.clone().into_bytes())].into_iter().collect();
        let setup = Setup::load(environment, control, None).unwrap();
        match Lookups::new(&setup).answer(Question::RelayClients(Using::Files)) {
            Ok(Answer::Yes(evidence)) => format!("{evidence} {}", evidence.suffix.escape_ascii()),
            Ok(answer) => format!("{answer:?}"),
            Err(failed) => failed.to_string(),
        }
    };
    ips.iter().map(answer).collect()
}

/// A line that begins in the first column names another table: it is no entry of this one.
pub fn s_10() {
    let (_home, said) = convert("sun", "INTERNAL_IP\n\n  $(192.0.2.0/24)  $Y\n$(198.51.100.0/24)  $Y\n  *  $N\n");
    let (lines, comments) = lines_and_comments(&said);
    assert!(lines.iter().any(|line| line.contains("192.0.2.")), "{said}");
    assert!(!lines.iter().any(|line| line.contains("198.51.100")), "{said}");
    assert!(comments.iter().any(|line| line.contains("198.51.100.0/24")), "{said}");
}

/// What no control file can say stays a comment.
pub fn s_20() {
    for flag in ["$B", "$H", "$D500"] {
        let table = format!("ORIG_MAIL_ACCESS\n\n  TCP|*|25|192.0.2.9|*|MAIL|tcp_local|*@spam.ex|*|*  {flag}\n");
        let (_home, said) = convert("sun", &table);
        let (lines, comments) = lines_and_comments(&said);
        assert!(!lines.iter().any(|line| line.contains("spam.ex")), "{said}");
        assert!(comments.iter().any(|line| line.contains(flag)), "{flag}\n{said}");
    }
}

pub fn s_21() {
    let site = Site::new(&[("relayclients", "192.0.2.7\n")]);
    site.compile("relayclients");
    assert!(site.may_relay("192.0.2.7"));
    let (reply, log) = site.ask_to_relay("192.0.2.7", &[]);
    assert!(reply.starts_with("250 ") && !log.contains("relayclients.cdb"), "the compiled list is fresh:\n{log}");
    site.write("relayclients", "192.0.2.8\n");
    let (reply, log) = site.ask_to_relay("192.0.2.7", &[]);
    assert!(reply.starts_with("553 "), "{reply}");
    assert!(log.lines().any(|line| line.contains("relayclients.cdb")), "nothing is logged:\n{log}");
    assert!(site.may_relay("192.0.2.8"));
    site.compile("relayclients");
    assert!(site.may_relay("192.0.2.8") && !site.may_relay("192.0.2.7"));
}

pub fn i_14() {
    let (_home, said) =
        convert("imail", "mode = localhosts\naccept = 192.0.2.\naccept = *.partner.ex\naccept = friend.ex\n");
    let (lines, comments) = lines_and_comments(&said);
    assert!(lines.iter().any(|line| line.contains("friend.ex")), "{said}");
    for line in ["192.0.2.", "*.partner.ex"] {
        assert!(!lines.iter().any(|found| found.contains(line)), "{said}");
        assert!(comments.iter().any(|found| found.contains(line)), "{said}");
    }
}

pub fn i_17() {
    let site = Site::new(&[("relayclients", "192.0.2.7\n")]);
    assert!(site.may_relay("192.0.2.7") && !site.may_relay("203.0.113.9"));
    site.write("relaylevel", "none\n");
    assert!(!site.may_relay("192.0.2.7"));
    site.write("relaylevel", "open\n");
    assert!(site.may_relay("192.0.2.7") && site.may_relay("203.0.113.9"));
}

pub fn m_14() {
    let site = Site::new(&[("relayclients", "192.168.40.*\n")]);
    assert!(site.may_relay("192.168.40.1") && !site.may_relay("192.168.41.1"));
    site.write("relayclients", "192.168.300.*\n192.168.41-42.*\n");
    assert!(!site.may_relay("192.168.40.1"));
    let (reply, log) = site.ask_to_relay("192.168.42.1", &[]);
    assert!(reply.starts_with("250 ") && log.contains(" relayclients:1: 192.168.300.*: "), "{reply}\n{log}");
    let output = Command::new(program("postern"))
        .args(["match", "192.168.41-42.*", "192.168.42.1"])
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{}", errors(&output));
    assert_eq!(said, "yes 192.168.42.1 192.168.42.0/24\n");
}

pub fn n_03() {
    let site = Site::new(&[]);
    let directory = site.home.path().to_owned();
    let cdb = compile_rules(&directory, ":allow\n");
    let may_relay = || {
        let (_, variables) = site.rule(&cdb, "192.0.2.7");
        site.ask_to_relay("192.0.2.7", &variables).0.starts_with("250 ")
    };
    let edited = directory.join("tcp.smtp");
    fs::write(&edited, "192.0.2.7:allow,RELAYCLIENT=\"\"\n:allow\n").unwrap();
    assert!(!may_relay(), "it is not rebuilt yet");
    compile_rules(&directory, &fs::read_to_string(&edited).unwrap());
    assert!(may_relay(), "it is rebuilt");
    let (done, begun) = (AtomicBool::new(false), AtomicBool::new(false));
    let reads = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                let file = fs::read(&cdb).expect("the cdb is there");
                assert!(file.len() > 2048, "a cdb of {} octets", file.len());
                begun.store(true, Ordering::Relaxed);
                reads += 1;
            }
            reads
        });
        while !begun.load(Ordering::Relaxed) && !reader.is_finished() {
            thread::yield_now();
        }
        for _ in 0..20 {
            compile_rules(&directory, "192.0.2.7:allow,RELAYCLIENT=\"\"\n:allow\n");
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    println!("the cdb was read {reads} times while it was rebuilt");
}

/// As IndiMail's tutorial shows it on the web.
pub fn n_18() {
    let directory = tempfile::tempdir().unwrap();
    let cdb = compile_rules(directory.path(), "192.0.2.7:allow,RELAYCLIENT=\"\"\n");
    let before = fs::read(&cdb).unwrap();
    let output = tcprules(directory.path(), "127.:allow\n192.0.2.:allow,RELAYCLIENT=””\n");
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(100), "{said}");
    assert!(said.contains("192.0.2.:allow,RELAYCLIENT=") && said.contains('2'), "{said}");
    assert!(said.contains("typographic") && said.contains("quot"), "{said}");
    assert_eq!(fs::read(&cdb).unwrap(), before);
}

/// A Good-Clients list that goes on behind a comma at the end of a line.
pub fn v_07() {
    let (_home, said) =
        convert("openvms", "Relay: ON\nGood-Clients: 1.2.0.0/16, 2.3.0.0/16,\n  2.3.4.5, relay.abc.ex\n");
    let (lines, _) = lines_and_comments(&said);
    for line in ["1.2.0.0/16", "2.3.0.0/16", "2.3.4.5", "@relay.abc.ex"] {
        assert_eq!(lines.iter().filter(|found| **found == line).count(), 1, "{line}\n{said}");
    }
}

pub fn x_03() {
    let ips: Vec<String> =
        (39..=44).flat_map(|third| (0..=255).map(move |fourth| format!("192.168.{third}.{fourth}"))).collect();
    for line in ["192.168.40-43.*", "192.168.40-43.0-255", "192.168.40.0/22"] {
        let site = Site::new(&[("relayclients", &format!("{line}\n"))]);
        for (ip, decided) in ips.iter().zip(relayclients(&site.home.control(), &ips)) {
            let inside = !ip.starts_with("192.168.39.") && !ip.starts_with("192.168.44.");
            assert_eq!(decided, if inside { "relayclients:1 " } else { "No" }, "{line}: {ip}");
        }
    }
}

/// By its path: our own has the same name.
fn debian_tcprulescheck() -> PathBuf {
    let path = PathBuf::from("/usr/bin/tcprulescheck");
    assert!(path.exists(), "tcprulescheck (Debian: ucspi-tcp) is installed");
    path
}

pub fn x_16() {
    let directory = tempfile::tempdir().unwrap();
    let cdb = compile_rules(directory.path(), "192.168.40.0/22:allow,RELAYCLIENT=\"\"\n:allow\n");
    let ask = |ip: &str| {
        let output = Command::new(debian_tcprulescheck()).arg(&cdb).env_clear().env("TCPREMOTEIP", ip).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let granted = |rule: &str| format!("rule {rule}:\nset environment variable RELAYCLIENT=\nallow connection\n");
    assert_eq!(ask("192.168.41.9"), granted("192.168.41."));
    assert_eq!(ask("192.168.40.0"), granted("192.168.40."));
    assert_eq!(ask("192.168.43.255"), granted("192.168.43."));
    assert_eq!(ask("192.168.44.0"), "rule :\nallow connection\n");
    assert_eq!(ask("192.168.39.255"), "rule :\nallow connection\n");
}

pub fn x_17() {
    let directory = tempfile::tempdir().unwrap();
    let path = compile_rules(directory.path(), "192.0.2.64/26:deny\n");
    let cdb = postern::cdb::read::Cdb::open(&path).unwrap();
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = cdb.iter(usize::MAX).map(|record| record.unwrap()).collect();
    let mut expected: Vec<(Vec<u8>, Vec<u8>)> =
        (64..128).map(|octet| (format!("192.0.2.{octet}").into_bytes(), b"D\0".to_vec())).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// Random addresses near the lines of a list, the same in every run.
fn random_clients(count: usize) -> Vec<String> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut below = |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    let mut client = |_| match below(8) {
        0 => format!("2001:db8:{:x}::{:x}", below(4), below(4)),
        1 => format!("::ffff:10.{}.{}.{}", below(4), below(4), below(256)),
        2 => format!("{}.{}.{}.{}", 1 + below(223), below(256), below(256), below(256)),
        3 => format!("192.168.{}.{}", 38 + below(8), below(256)),
        _ => format!("10.{}.{}.{}", below(4), below(4), below(16)),
    };
    (0..count).map(&mut client).collect()
}

/// Makes the text of a list one long comment that looks unchanged from outside: whoever still knows its lines has them
/// from the compiled list.
fn hide(path: &Path) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::options().write(true).open(path).unwrap();
    let before = file.metadata().unwrap();
    file.write_all_at(&b"#".repeat(before.len().try_into().unwrap()), 0).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
}

pub fn x_18() {
    const LISTS: [&str; 3] = [
        "10.0.0.0/8\n!10.1.0.0/16\n10.1.2.\n!10.1.2.3\n10.1.2.3:@gw.ex\n10.2.1-2.*\n!10.2.1-3.4-9\n2001:db8::/32\n\
         !2001:db8:1::/48\n192.168.40-43.*\n",
        "!10.0.0.0/9\n10.0.0.0/14\n!10.3.\n$(10.3.3.3/24)\n10.3.3.3\n172.16.1.3/21\n11.22.33\n[2001:db8:2::]/48:@v6.ex\n",
        "0.0.0.0/0\n!10.1.300.*\n!192.168.40.0/21\n192.168.41.7\n",
    ];
    let clients = random_clients(10_000);
    let mut granted = 0;
    for list in LISTS {
        let site = Site::new(&[("relayclients", list)]);
        let by_text = relayclients(&site.home.control(), &clients);
        site.compile("relayclients");
        hide(&site.home.control().join("relayclients"));
        let by_cdb = relayclients(&site.home.control(), &clients);
        for (ip, (text, compiled)) in clients.iter().zip(by_text.iter().zip(&by_cdb)) {
            assert_eq!(compiled, text, "{ip} with\n{list}");
        }
        granted += by_text.iter().filter(|decided| decided.starts_with("relayclients:")).count();
    }
    println!("3 lists, {} clients each, {granted} granted", clients.len());
    assert!(granted > 1_000 && granted < 29_000, "{granted}: the clients are not near the lists");
}
