//! The examples of the man pages are true: each is played through smtpd, and through `postern explain` where that needs no DNS.
//!
//! A comment `.\" EXAMPLE KIND` in a page says what the literal block behind it is; columns are parted by two blanks or more.
//!
//! | kind | the block |
//! |---|---|
//! | `file NAME` | a control file; with a slash in its name, a file of the directory above |
//! | `zone` | what DNS says |
//! | `env` | variables of smtpd, one a line |
//! | `run` | commands to run |
//! | `verdicts` | a client and perhaps its name, `<sender>`, recipient; the code of the reply to RCPT and the reason |
//! | `log` | lines that the log of these sessions has |
//! | `rows` | all rows of the table of logins: a user, an address |
//! | `rules FILE` | a client's address; `deny`, `allow` and `RELAYCLIENT`, as a cdb of the directory above says |
//! | `patterns` | a client pattern, addresses that it holds, addresses that it does not hold |
//! | `malformed` | a line of the list that the page is about, a colon, what is said about it |
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(missing_docs)]

#[path = "support/dns.rs"]
mod dns;
mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dns::DnsServer;
use serde_json::Value;
use support::program;
use tempfile::TempDir;

#[test]
fn the_examples_of_relayclients() {
    assert!(play("relayclients") > 60);
}

#[test]
fn the_examples_of_relaymailfrom() {
    assert!(play("relaymailfrom") > 30);
}

#[test]
fn the_examples_of_relaymx() {
    assert!(play("relaymx") > 12);
}

/// D56 and D57: what opensmtp passes over, and what clearopensmtp makes of rules and logins.
#[test]
fn the_examples_of_relaydb() {
    assert!(play("relaydb") > 20);
}

#[test]
fn the_lines_of_the_sample_control_files_are_well_formed() {
    for list in ["relayclients", "relaymailfrom", "relaymx"] {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("control").join(list);
        let text = fs::read_to_string(sample).unwrap();
        let commented = text.lines().filter_map(|line| line.strip_prefix("# "));
        let lines: Vec<String> = commented.filter(|line| !line.contains(' ')).map(str::to_owned).collect();
        assert!(lines.len() > 3, "{list}: {lines:?}");
        assert_eq!(text.lines().find(|line| !line.starts_with('#')), None, "{list}: a sample lets nobody relay");
        let home = Home::new();
        home.write(list, &lines);
        home.run(&[format!("qmail-cdb {list}")]);
    }
}

/// A marked block of a page.
struct Block {
    /// The page and the number of the marker's line.
    place: String,
    kind: String,
    lines: Vec<String>,
}

impl Block {
    /// A line that is too long for the page goes on in the next one, behind four blanks.
    fn whole_lines(&self) -> Vec<String> {
        self.lines.join("\n").replace("\n    ", " ").lines().map(str::to_owned).collect()
    }
}

fn blocks(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).unwrap();
    let mut lines = (1..).zip(text.lines());
    let mut blocks = Vec::new();
    while let Some((number, line)) = lines.next() {
        let Some(kind) = line.strip_prefix(r#".\" EXAMPLE "#) else { continue };
        let place = format!("{}:{number}", page.display());
        let (_, begin) = lines.next().unwrap();
        assert_eq!(begin, ".Bd -literal -offset indent", "{place}: a literal block follows");
        let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != ".Ed");
        let lines = inside.map(|line| line.replace(r"\&", "").replace(r"\e", r"\")).collect();
        blocks.push(Block { place, kind: kind.to_owned(), lines });
    }
    blocks
}

/// Plays all examples of a page; returns how many things were compared.
fn play(list: &str) -> usize {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("etc/man/{list}.5"));
    let mut home = Home::new();
    let mut compared = 0;
    for block in blocks(&page) {
        let (kind, name) = block.kind.split_once(' ').unwrap_or((&block.kind, ""));
        let looks_back = matches!(kind, "verdicts" | "log" | "rules");
        if home.played && !looks_back {
            home = Home::new();
        }
        home.played |= looks_back;
        compared += match (kind, name) {
            ("file", name) => home.write(name, &block.lines),
            ("zone", "") => home.serve(&block.lines),
            ("env", "") => home.set(&block.lines),
            ("run", "") => home.run(&block.lines),
            ("verdicts", "") => home.verdicts(&block),
            ("log", "") => home.log(&block),
            ("rows", "") => home.rows(&block),
            ("rules", file) => home.rules(file, &block),
            ("patterns", "") => patterns(&block),
            ("malformed", "") => malformed(&block, list),
            (kind, _) => panic!("{}: {kind} is no kind of example", block.place),
        };
    }
    compared
}

/// The system directory of one example.
struct Home {
    directory: TempDir,
    dns: Option<DnsServer>,
    /// Variables of smtpd, `NAME=VALUE`.
    variables: Vec<String>,
    /// What its sessions logged, without the prefix of the lines.
    logged: Vec<String>,
    played: bool,
}

impl Home {
    fn new() -> Home {
        let home = Home {
            directory: tempfile::tempdir().unwrap(),
            dns: None,
            variables: Vec::new(),
            logged: Vec::new(),
            played: false,
        };
        home.write("me", &["mx.example.org".to_owned()]);
        home.write("rcpthosts", &["example.org".to_owned()]);
        home
    }

    fn control(&self) -> PathBuf {
        self.directory.path().join("control")
    }

    fn write(&self, name: &str, lines: &[String]) -> usize {
        let path = if name.contains('/') { self.directory.path().join(name) } else { self.control().join(name) };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, lines.join("\n") + "\n").unwrap();
        0
    }

    fn serve(&mut self, zone: &[String]) -> usize {
        self.dns = Some(DnsServer::start(&zone.join("\n")));
        0
    }

    fn set(&mut self, variables: &[String]) -> usize {
        self.variables.extend_from_slice(variables);
        0
    }

    fn run(&self, commands: &[String]) -> usize {
        for command in commands {
            let mut words = command.split(' ');
            let output = self.command(words.next().unwrap()).args(words).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{command}: {output:?}");
        }
        0
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program(name));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("SYSCONFDIR", self.directory.path());
        command.envs(self.dns.iter().map(|dns| ("DNSCACHEIP", dns.address())));
        command
    }

    fn verdicts(&mut self, block: &Block) -> usize {
        for line in &block.lines {
            let [who, answer] = columns(line, block);
            let situation = Situation::read(who, block);
            assert_eq!(self.say(&situation), answer, "{}: smtpd: {line}\n{}", block.place, self.logged.join("\n"));
            if self.dns.is_none() {
                assert_eq!(self.explain(&situation), answer, "{}: explain: {line}", block.place);
            }
        }
        block.lines.len()
    }

    fn log(&self, block: &Block) -> usize {
        let expected = block.whole_lines();
        for line in &expected {
            let log = self.logged.join("\n");
            assert!(self.logged.contains(line), "{}: not in the log: {line}\n{log}", block.place);
        }
        expected.len()
    }

    fn rows(&self, block: &Block) -> usize {
        let output = self.command("opensmtp").arg("--export").output().unwrap();
        assert!(output.status.success(), "{}: {output:?}", block.place);
        let exported = String::from_utf8(output.stdout).unwrap();
        let mut rows: Vec<&str> = exported.lines().map(|row| row.rsplit_once('\t').unwrap().0).collect();
        rows.sort_unstable();
        let expected: Vec<String> = block.lines.iter().map(|line| columns::<2>(line, block).join("\t")).collect();
        assert_eq!(rows, expected, "{}", block.place);
        expected.len()
    }

    fn rules(&self, file: &str, block: &Block) -> usize {
        for line in &block.lines {
            let [ip, expected] = columns(line, block);
            let mut command = self.command("tcprulescheck");
            let output = command.arg(self.directory.path().join(file)).env("TCPREMOTEIP", ip).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let relays = said.contains("set environment variable RELAYCLIENT=");
            let action = if said.ends_with("deny connection\n") { "deny" } else { "allow" };
            let told = format!("{action}{}", if relays { " RELAYCLIENT" } else { "" });
            assert_eq!(told, expected, "{}: {ip}: {said}", block.place);
        }
        block.lines.len()
    }

    /// What smtpd answers to RCPT, and its reason.
    fn say(&mut self, situation: &Situation<'_>) -> String {
        let mut command = self.command("smtpd");
        command.env("TCPREMOTEIP", situation.ip).envs(situation.name.map(|name| ("TCPREMOTEHOST", name)));
        command.envs(self.variables.iter().map(|variable| variable.split_once('=').unwrap()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut smtpd = command.spawn().unwrap();
        let (from, to) = (situation.sender, situation.recipient);
        let said = format!("HELO client\r\nMAIL FROM:{from}\r\nRCPT TO:<{to}>\r\nQUIT\r\n");
        smtpd.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
        let output = smtpd.wait_with_output().unwrap();
        let replies = String::from_utf8(output.stdout).unwrap();
        let logged = String::from_utf8(output.stderr).unwrap();
        // Behind the address of the client.
        let message = |line: &str| Some(line.split_once(" from ")?.1.split_once(' ')?.1.to_owned());
        self.logged.extend(logged.lines().filter_map(message));
        let code = replies.lines().nth(3).and_then(|reply| reply.get(..3)).unwrap_or_default();
        let reason = logged.lines().filter_map(|line| Some(line.rsplit_once(" reason=")?.1)).next_back();
        format!("{code} {}", reason.unwrap_or_default())
    }

    /// The same as `postern explain` tells it.
    fn explain(&self, situation: &Situation<'_>) -> String {
        let mut command = self.command("postern");
        command.args(["explain", "--json", "--helo", "client", "--ip", situation.ip, "--rcpt", situation.recipient]);
        command.args(["--from", situation.sender.trim_matches(['<', '>'])]);
        command.args(situation.name.map(|name| format!("--name={name}")));
        command.args(self.variables.iter().map(|variable| format!("--env={variable}")));
        let output = command.output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let steps = told["steps"].as_array().unwrap();
        let rcpt = steps.last().unwrap();
        format!("{} {}", rcpt["code"], rcpt["reason"].as_str().unwrap())
    }
}

/// Who calls and what for.
struct Situation<'a> {
    ip: &'a str,
    name: Option<&'a str>,
    /// In brackets.
    sender: &'a str,
    recipient: &'a str,
}

impl<'a> Situation<'a> {
    fn read(text: &'a str, block: &Block) -> Self {
        let mut words = text.split(' ');
        let ip = words.next().unwrap();
        assert!(ip.parse::<std::net::IpAddr>().is_ok(), "{}: {ip} is no address", block.place);
        let mut situation = Situation { ip, name: None, sender: "<a@client.example>", recipient: "b@far.example" };
        for word in words {
            if word.starts_with('<') {
                situation.sender = word;
            } else if word.contains('@') {
                situation.recipient = word;
            } else {
                situation.name = Some(word);
            }
        }
        situation
    }
}

fn columns<'a, const N: usize>(line: &'a str, block: &Block) -> [&'a str; N] {
    let columns: Vec<&str> = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
    columns.try_into().unwrap_or_else(|_| panic!("{}: {N} columns: {line}", block.place))
}

fn patterns(block: &Block) -> usize {
    let mut compared = 0;
    for line in &block.lines {
        let [pattern, inside, outside] = columns(line, block);
        let mut home = Home::new();
        home.write("relayclients", &[pattern.to_owned()]);
        for (ips, answer) in [(inside, "250 relayclients:1"), (outside, "553 norelay")] {
            for ip in ips.split(' ') {
                let said = home.say(&Situation::read(ip, block));
                assert_eq!(said, answer, "{}: {pattern} and {ip}", block.place);
                let ignored = home.logged.iter().find(|line| line.ends_with("entry ignored"));
                assert_eq!(ignored, None, "{}", block.place);
                compared += 1;
            }
        }
    }
    compared
}

/// What qmail-cdb warns of is what smtpd logs.
fn malformed(block: &Block, list: &str) -> usize {
    let told = block.whole_lines();
    let lines: Vec<String> = told.iter().map(|line| line.split_once(": ").unwrap().0.to_owned()).collect();
    let home = Home::new();
    home.write(list, &lines);
    let output = home.command("qmail-cdb").arg(list).output().unwrap();
    let warned = String::from_utf8(output.stderr).unwrap();
    let expected =
        (1..).zip(&told).map(|(number, told)| format!("qmail-cdb: warning: {list}:{number}: {told}; entry ignored\n"));
    assert_eq!(warned, expected.collect::<String>(), "{}", block.place);
    told.len()
}
