//! What `postern convert` makes of other systems' configurations decides as they did, row by row.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

#[path = "support/dns.rs"]
mod dns;
mod support;

#[path = "convert/frame.rs"]
mod frame;
#[path = "convert/imail.rs"]
mod imail;
#[path = "convert/mac.rs"]
mod mac;
#[path = "convert/openvms.rs"]
mod openvms;
#[path = "convert/postfix.rs"]
mod postfix;
#[path = "convert/session.rs"]
mod session;
#[path = "convert/spamdyke.rs"]
mod spamdyke;
#[path = "convert/sun.rs"]
mod sun;

use std::fs;
use std::process::{Command, Output};

use session::session;
use support::program;
use tempfile::TempDir;

fn postern(arguments: &[&str]) -> Output {
    Command::new(program("postern")).args(arguments).env_clear().output().unwrap()
}

/// A configuration, converted into a control directory of its own beside `me` and `rcpthosts`.
struct Converted {
    home: TempDir,
    /// 0: everything was carried over; 1: something was not.
    code: Option<i32>,
    /// What was printed without `--into`.
    text: String,
}

impl Converted {
    /// Converts `text`; domains that the converted files do not name are not served here, but for `local.ex`.
    fn new(system: &str, text: &str) -> Converted {
        let home = tempfile::tempdir().unwrap();
        let (source, control) = (home.path().join("source"), home.path().join("control"));
        fs::write(&source, text).unwrap();
        let (source, into) = (source.display().to_string(), control.display().to_string());
        let shown = postern(&["convert", "--from", system, &source]);
        let written = postern(&["convert", "--from", system, "--into", &into, &source]);
        assert_eq!(shown.status.code(), written.status.code(), "{}", String::from_utf8_lossy(&written.stderr));
        for (file, line) in [("me", "mx.local.ex\n"), ("rcpthosts", "local.ex\n"), ("locals", "local.ex\n")] {
            let path = control.join(file);
            let before = fs::read_to_string(&path).unwrap_or_default();
            let both = if file == "me" && !before.is_empty() { before } else { before + line };
            fs::write(path, both).unwrap();
        }
        Converted { home, code: shown.status.code(), text: String::from_utf8(shown.stdout).unwrap() }
    }

    /// The lines of a converted file, without comments; none if the file was not made.
    fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.home.path().join("control").join(file)).unwrap_or_default();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    /// What smtpd answers: the code of the reply to RCPT, as `postern explain` tells. The rules of a converted
    /// tcp.smtp apply, built by `tcprules`.
    #[track_caller]
    fn asks(&self, client: &Client<'_>) -> Answer {
        self.supposing(client, &[])
    }

    /// The same of a client that has done what these options of explain say.
    #[track_caller]
    fn supposing(&self, client: &Client<'_>, options: &[&str]) -> Answer {
        let control = self.home.path().join("control");
        let mut arguments = vec!["explain".to_owned()];
        let mut option = |name: &str, value: &str| arguments.extend([name.to_owned(), value.to_owned()]);
        option("--control", &control.display().to_string());
        option("--ip", client.ip);
        option("--from", client.from);
        option("--rcpt", client.rcpt);
        if let Some(name) = client.name {
            option("--name", name);
        }
        if control.join("tcp.smtp").is_file() {
            option("--rules", &self.rules());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(options.iter().copied()).collect();
        let output = postern(&arguments);
        let told = String::from_utf8(output.stdout).unwrap();
        if told.contains("tcpserver closes the connection") {
            return Answer::NoConnection(told);
        }
        match output.status.code() {
            Some(0) => Answer::Accept(told),
            Some(1) => Answer::Reject(told),
            Some(111) => Answer::Temp(told),
            code => panic!("exit code {code:?}: {told}{}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// The cdb of tcp.smtp.
    fn rules(&self) -> String {
        let control = self.home.path().join("control");
        let (cdb, temporary) = (control.join("tcp.smtp.cdb"), control.join("tcp.smtp.tmp"));
        let rules = fs::File::open(control.join("tcp.smtp")).unwrap();
        let built = Command::new(program("tcprules")).arg(&cdb).arg(&temporary).stdin(rules).output().unwrap();
        assert!(built.status.success(), "tcprules: {}", String::from_utf8_lossy(&built.stderr));
        cdb.display().to_string()
    }

    fn control(&self) -> String {
        self.home.path().join("control").display().to_string()
    }

    /// What the rule of tcp.smtp for this client sets, as tcpserver would.
    fn variables(&self, ip: &str) -> Vec<(String, String)> {
        if !self.home.path().join("control/tcp.smtp").is_file() {
            return Vec::new();
        }
        let mut command = Command::new(program("tcprulescheck"));
        let output = command.arg(self.rules()).env_clear().env("TCPREMOTEIP", ip).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let assignment = |line: &str| {
            let (name, value) = line.strip_prefix("set environment variable ")?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        text.lines().filter_map(assignment).collect()
    }

    #[track_caller]
    fn accepts(&self, client: &Client<'_>) {
        let answer = self.asks(client);
        assert!(matches!(answer, Answer::Accept(_)), "{client:?}: {answer:?}\n{}", self.text);
    }

    /// Once AUTH has succeeded: smtpd has it later, the decision is there.
    #[track_caller]
    fn accepts_with_auth(&self, client: &Client<'_>) {
        let answer = self.supposing(client, &["--auth", "joe@local.ex"]);
        assert!(matches!(answer, Answer::Accept(_)), "{client:?}: {answer:?}\n{}", self.text);
    }

    #[track_caller]
    fn rejects(&self, client: &Client<'_>) {
        let answer = self.asks(client);
        assert!(matches!(answer, Answer::Reject(_)), "{client:?}: {answer:?}\n{}", self.text);
    }
}

/// Who asks for what.
#[derive(Debug, Clone, Copy)]
struct Client<'a> {
    ip: &'a str,
    name: Option<&'a str>,
    from: &'a str,
    rcpt: &'a str,
}

/// A stranger's mail from `ip` to a domain that is not served here.
fn from_ip(ip: &str) -> Client<'_> {
    Client { ip, name: None, from: "stranger@elsewhere.ex", rcpt: "r@far.ex" }
}

/// Mail of `sender` from an address that nobody lists.
fn from_sender(sender: &str) -> Client<'_> {
    Client { ip: "203.0.113.77", name: None, from: sender, rcpt: "r@far.ex" }
}

/// Who of the clients may relay, by `postern explain` and by smtpd itself.
#[track_caller]
fn check(converted: &Converted, clients: &[(&str, bool)]) {
    for (ip, grants) in clients {
        let client = from_ip(ip);
        if *grants {
            converted.accepts(&client)
        } else {
            converted.rejects(&client)
        }
        session(converted, &client, None).is(if *grants { "250 " } else { "553 " });
    }
}

/// The verdict, and what `postern explain` printed.
#[derive(Debug)]
enum Answer {
    Accept(String),
    Reject(String),
    Temp(String),
    /// A rule of tcp.smtp closes the connection.
    NoConnection(String),
}

impl Answer {
    /// What `postern explain` printed.
    fn told(&self) -> &str {
        let (Answer::Accept(told) | Answer::Reject(told) | Answer::Temp(told) | Answer::NoConnection(told)) = self;
        told
    }

    /// Whether the recipient is accepted; none without a verdict.
    fn accepted(&self) -> Option<bool> {
        match self {
            Answer::Accept(_) => Some(true),
            Answer::Reject(_) => Some(false),
            Answer::Temp(_) | Answer::NoConnection(_) => None,
        }
    }
}
