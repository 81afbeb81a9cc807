//! Plays a block of a row: prepares its files, runs its sessions through smtpd and `postern explain`, and compares.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, fs};

use serde_json::Value;

use crate::certificates::Authority;
use crate::client::{HELO, USER, talk};
use crate::dns::DnsServer;
use crate::home::Home;
use crate::notation::{Case, EACH, Row, Verdict};
use crate::secure::Secure;
use crate::support::program;
use crate::tools::input;
use crate::turn::{Turn, turns};

/// What was decided: the verdict, the reason, and the last line of the reply.
struct Decided {
    verdict: Verdict,
    reason: String,
    reply: String,
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}  {}", self.verdict, self.reason, self.reply)
    }
}

/// A prepared turn.
struct World<'a> {
    turn: &'a Turn<'a>,
    home: Home,
    rules: Option<PathBuf>,
    dns: Option<Dns>,
}

/// Who answers questions about names.
enum Dns {
    Server(DnsServer),
    /// Takes questions and never answers.
    Silent(UdpSocket),
}

/// Plays all blocks of a row; the sentences say what is wrong.
pub fn play(row: &Row) -> Vec<String> {
    let mut wrong = Vec::new();
    for block in &row.blocks {
        let mut failures = Vec::new();
        for turn in turns(block) {
            let world = World::prepare(&turn);
            world.log_in(&mut failures);
            world.lint(&mut failures);
            for session in &block.sessions {
                world.play(session, &mut failures);
            }
        }
        let (marked, unmarked): (Vec<_>, Vec<_>) = failures.into_iter().partition(|failure| failure.is_marked);
        wrong.extend(unmarked.into_iter().map(|failure| failure.text));
        if let (Some((issue, lacks)), true) = (&block.todo, marked.is_empty()) {
            let at = block.sessions.first().map_or("", |session| session[0].at.as_str());
            wrong.push(format!("{at}: passes now: take out `todo {issue} {lacks}`"));
        }
    }
    wrong
}

/// What went wrong; a marked one is what the issue of a `todo` will mend.
struct Failure {
    is_marked: bool,
    text: String,
}

impl<'a> World<'a> {
    fn prepare(turn: &'a Turn<'a>) -> World<'a> {
        let home = Home::new();
        let block = turn.block;
        for (name, line) in [("me", "mx.local.ex\n"), ("rcpthosts", "local.ex\n")] {
            if !block.removed.iter().any(|removed| removed == name) {
                home.write(name, line);
            }
        }
        for (name, lines) in &block.control {
            home.write(name, turn.lines(name, lines).replace("<home>", &home.path().display().to_string()));
        }
        for (name, keys) in &block.cdb {
            home.write_cdb(name, keys);
        }
        let rules = (!block.rules.is_empty()).then(|| {
            let text: String = block.rules.iter().map(|line| format!("{line}\n")).collect();
            crate::net::compile_rules(home.path(), &text)
        });
        let dns = match block.zone.as_slice() {
            [] => None,
            [word] if word == "silent" => Some(Dns::Silent(UdpSocket::bind("127.0.0.1:0").unwrap())),
            zone => Some(Dns::Server(DnsServer::start(&zone.join("\n")))),
        };
        World { turn, home, rules, dns }
    }

    /// Records the logins of mail readers.
    fn log_in(&self, failures: &mut Vec<Failure>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let row = |(age, user, address): &(u64, String, String)| format!("{user}\t{address}\t{}\n", now - age);
        let rows: String = self.turn.block.logins.iter().map(row).collect();
        if rows.is_empty() {
            return;
        }
        let mut command = Command::new(program("opensmtp"));
        command.arg("--import").env_clear().env("CONTROLDIR", self.home.control()).stdin(input(&rows));
        let failure = match command.output() {
            Ok(output) if output.status.success() => return,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        failures.push(Failure { is_marked: self.turn.block.todo.is_some(), text: format!("opensmtp: {failure}") });
    }

    /// Plays one connection through smtpd, and each of its transactions through explain.
    fn play(&self, session: &[Case], failures: &mut Vec<Failure>) {
        let todo = self.turn.block.todo.as_ref();
        let mut fail = |is_marked, text| failures.push(Failure { is_marked, text });
        if let Err(text) = self.smtpd(session) {
            fail(todo.is_some(), format!("{}: smtpd: {text}", session[0].at));
        }
        for case in session {
            if let Err(text) = self.explain(case) {
                fail(todo.is_some(), format!("{}: explain: {text}", case.at));
            }
        }
    }

    /// The variables that smtpd has, beyond those that its programs need; `None` when tcpserver would deny the client.
    fn variables(&self, case: &Case) -> Option<Vec<(String, String)>> {
        let mut variables: Vec<(String, String)> = Vec::new();
        if let Some(rules) = &self.rules {
            // What tcpserver does with a rule.
            let mut check = Command::new(program("tcprulescheck"));
            check.arg(rules).env_clear().env("TCPREMOTEIP", &case.ip);
            let output = check.envs(case.name.iter().map(|name| ("TCPREMOTEHOST", name))).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            if said.lines().any(|line| line == "deny connection") {
                return None;
            }
            let set = said.lines().filter_map(|line| line.strip_prefix("set environment variable "));
            let pair = |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            variables.extend(set.filter_map(pair));
        }
        variables.extend(self.turn.block.env.iter().cloned());
        if let Some(dns) = &self.dns {
            variables.push(("DNSCACHEIP".to_owned(), dns.address()));
        }
        Some(variables)
    }

    fn smtpd(&self, session: &[Case]) -> Result<(), String> {
        let Some(variables) = self.variables(&session[0]) else {
            let denied = Decided { verdict: Verdict::Deny, reason: "-".to_owned(), reply: String::new() };
            return self.compare(&session[0], &denied);
        };
        let case = &session[0];
        let mut all = vec![("TCPREMOTEIP", case.ip.as_str())];
        all.extend(case.name.iter().map(|name| ("TCPREMOTEHOST", name.as_str())));
        all.extend(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if session.iter().any(|case| case.tls) {
            all.push(("STARTTLS", ""));
            self.home.write("servercert.pem", Authority::shared_server());
        }
        // Its name, and a checker of passwords.
        let checker = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/checker.sh");
        let with_checker = ["mx.local.ex", checker, "/bin/false"];
        let arguments = if session.iter().any(|case| case.auth) { &with_checker[..] } else { &[] };
        let mut smtp = Secure::start(&self.home, &all, arguments);
        let replies = talk(&mut smtp, session);
        let log = smtp.log();
        let with_log = |error: String| format!("{error}\n  log:\n{}", indented(&log));
        self.judge(session, replies.map_err(with_log)?, &log).map_err(with_log)
    }

    fn judge(&self, session: &[Case], replies: Vec<String>, log: &str) -> Result<(), String> {
        // Not the lines that tell what became of a message.
        let decisions = log.lines().filter(|line| !line.contains("  HELO <"));
        let mut reasons = decisions.filter_map(|line| line.rsplit_once(" reason=")).map(|(_, reason)| reason);
        for (case, reply) in session.iter().zip(replies) {
            let reason = if case.reason == "-" { "-" } else { reasons.next().unwrap_or("none in the log") };
            self.compare(case, &Decided { verdict: verdict(&reply)?, reason: reason.to_owned(), reply })?;
            for text in self.turn.block.log.iter().chain(&case.log) {
                let pattern = self.turn.pattern(text);
                if !log.lines().any(|line| pattern.is_match(line)) {
                    return Err(format!("{}: not in the log\n  - {text}", case.at));
                }
            }
            for text in &case.nolog {
                let pattern = self.turn.pattern(text);
                if log.lines().any(|line| pattern.is_match(line)) {
                    return Err(format!("{}: should not be in the log\n  - {text}", case.at));
                }
            }
        }
        if let Some(more) = reasons.next() {
            return Err(format!("one decision more in the log, reason={more}"));
        }
        let expected: Vec<&String> = session.iter().flat_map(|case| &case.queued).collect();
        let queued: Vec<String> =
            self.home.deliveries().last().map(|delivery| delivery.envelope_items()).unwrap_or_default();
        if !expected.is_empty() && !queued.iter().skip(1).map(|item| &item[1..]).eq(expected.iter().copied()) {
            return Err(format!("not who was queued\n  - {expected:?}\n  + {queued:?}"));
        }
        Ok(())
    }

    fn explain(&self, case: &Case) -> Result<(), String> {
        let mut command = Command::new(program("postern"));
        command.env_clear().args(["explain", "--json", "--control"]).arg(self.home.control());
        command.args(["--ip", &case.ip, "--helo", HELO, "--from", &case.sender, "--rcpt", &case.recipient]);
        command.args(case.name.iter().flat_map(|name| ["--name", name]));
        if let Some(rules) = &self.rules {
            command.arg("--rules").arg(rules);
        }
        for (name, value) in &self.turn.block.env {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        if let Some(dns) = &self.dns {
            command.arg("--dns").arg("--env").arg(format!("DNSCACHEIP={}", dns.address()));
        }
        if case.auth {
            command.args(["--auth", USER]);
        }
        if case.tls {
            command.arg("--tls");
        }
        let output = command.output().unwrap();
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_str(&said).map_err(|_| format!("says {said:?} {errors:?}"))?;
        let steps = said["steps"].as_array().ok_or("no steps")?;
        let refused = steps.iter().find(|step| step["code"].as_u64() >= Some(400));
        let step = refused.or(steps.last()).ok_or("no step")?;
        if step["reason"].as_str().is_some_and(|reason| reason.starts_with("deny:")) {
            let denied = Decided { verdict: Verdict::Deny, reason: "-".to_owned(), reply: String::new() };
            return self.compare(case, &denied);
        }
        let reply = format!("{} {}", step["code"], step["reply"].as_str().unwrap_or_default());
        let reason = if case.reason == "-" { "-" } else { step["reason"].as_str().unwrap_or("none") };
        self.compare(case, &Decided { verdict: verdict(&reply)?, reason: reason.to_owned(), reply })
    }

    fn compare(&self, case: &Case, decided: &Decided) -> Result<(), String> {
        let verdict = case.verdict.unwrap();
        let reason = self.turn.reason(&case.reason);
        let is_so = decided.verdict == verdict && (decided.reason == reason || reason == "*");
        if is_so && case.reply.as_ref().is_none_or(|reply| *reply == decided.reply) {
            return Ok(());
        }
        let turn = self.turn.each.map(|line| format!(" with {line}")).unwrap_or_default();
        let reply = case.reply.clone().unwrap_or_default();
        let expected = Decided { verdict, reason, reply };
        Err(format!("{}{turn}: not what was decided\n  - {expected}\n  + {decided}", case.at))
    }

    /// What `postern lint` says of the control files.
    fn lint(&self, failures: &mut Vec<Failure>) {
        for lint in &self.turn.block.lint {
            let mut command = Command::new(program("postern"));
            // The default gateway of this machine may be an address of a row.
            command.env_clear().args(["lint", "--gateway", "203.0.113.254", "--control"]).arg(self.home.control());
            for (name, value) in &self.turn.block.env {
                command.arg("--env").arg(format!("{name}={value}"));
            }
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let text = lint.text.replace(EACH, self.turn.each.unwrap_or_default());
            if output.status.code() != Some(lint.exit) || !said.contains(&text) {
                let expected = format!("exit {} and {text:?}", lint.exit);
                let text = format!("lint: not {expected}, but {:?} and\n{}", output.status.code(), indented(&said));
                failures.push(Failure { is_marked: false, text });
            }
        }
    }
}

impl Dns {
    fn address(&self) -> String {
        match self {
            Dns::Server(server) => server.address(),
            Dns::Silent(socket) => socket.local_addr().unwrap().to_string(),
        }
    }
}

fn verdict(reply: &str) -> Result<Verdict, String> {
    match reply.as_bytes().first() {
        Some(b'2') => Ok(Verdict::Accept),
        Some(b'4') => Ok(Verdict::Temp),
        Some(b'5') => Ok(Verdict::Reject),
        Some(_) | None => Err(format!("no reply: {reply:?}")),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// The rows of a file of tests/rows.
pub fn file(name: &str) -> Vec<Row> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rows").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    crate::notation::read(name, &text).unwrap_or_else(|error| panic!("{error}"))
}
