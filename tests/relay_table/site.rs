//! A site with a relay table: its control directory, smtpd, and the programs that write the table.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use postern::control::environment::Environment;

use crate::home::Home;
use crate::mariadb::Database;
use crate::smtp::Smtp;
use crate::support::program;

/// Who is told that nothing grants.
pub const REFUSED: &str =
    "553 sorry, that domain isn't allowed to be relayed thru this MTA without authentication #5.7.1";
/// Who is told that nobody can know.
pub const LATER: &str = "451 Sorry, I got a temporary database error (#4.3.2)";
pub const OK: &str = "250 ok";

pub struct Site {
    pub home: Home,
    variables: Vec<(String, String)>,
}

/// How a program ended, and what it said.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub code: Option<i32>,
    pub output: String,
    pub errors: String,
}

impl Site {
    /// CHECKRELAY is set; the table is nowhere yet.
    pub fn new() -> Site {
        let home = Home::new();
        home.write("me", "mx.local.ex\n");
        home.write("rcpthosts", "local.ex\n");
        let site = Site { home, variables: Vec::new() };
        // No rules but those that a test names, whatever lies on this machine.
        let rules = site.home.path().join("tcp.smtp").display().to_string();
        site.with("CHECKRELAY", "").with("TCP_FILE", &rules)
    }

    /// With a table in a directory.
    pub fn with_directory() -> Site {
        let site = Site::new();
        site.home.write("relaydb", "relay\n");
        site
    }

    /// With the server that this line of host.mysql names.
    pub fn with_server(line: &str) -> Site {
        let site = Site::new();
        site.home.write("host.mysql", format!("{line}\n"));
        site
    }

    /// With a table in this database, over its socket.
    pub fn with_database(database: &Database) -> Site {
        Site::with_server(&database.host_mysql_line_socket()).with("MYSQL_DATABASE", &database.name)
    }

    pub fn with(mut self, name: &str, value: &str) -> Site {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Site {
        self.variables.retain(|(set, _)| set != name);
        self
    }

    /// What the programs have in their environment.
    pub fn environment(&self) -> Environment {
        let pairs = self.variables.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes()));
        pairs.collect()
    }

    /// The directory with the small files.
    pub fn table(&self) -> PathBuf {
        self.home.control().join("relay")
    }

    /// The static rules.
    pub fn rules(&self) -> PathBuf {
        self.home.path().join("tcp.smtp")
    }

    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program(name));
        command.current_dir(self.home.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("CONTROLDIR", self.home.control());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn run(&self, name: &str, arguments: &[&str]) -> Said {
        self.run_with(name, arguments, b"")
    }

    pub fn run_with(&self, name: &str, arguments: &[&str], input: &[u8]) -> Said {
        let mut command = self.command(name);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who does not read does not matter here.
        let _ = child.stdin.take().unwrap().write_all(input);
        said(child.wait_with_output().unwrap())
    }

    /// Records a login, which has to work.
    pub fn login(&self, user: &str, ip: &str) {
        let said = self.run("opensmtp", &["--user", user, "--ip", ip]);
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""), "{user} {ip}");
    }

    /// A session with a client of this address, greeted.
    pub fn session(&self, ip: &str) -> Smtp {
        let mut command = self.command("smtpd");
        command.env("TCPREMOTEIP", ip).env("QMAILQUEUE", self.home.queue()).env("QUEUE_HOME", self.home.path());
        let smtp = Smtp::start(&mut command);
        assert!(smtp.reply().pop().unwrap().starts_with("220 "));
        smtp
    }

    /// What a sender hears who wants to send elsewhere from this address.
    pub fn rcpt(&self, sender: &str, ip: &str) -> String {
        let smtp = self.session(ip);
        assert_eq!(smtp.ask(&format!("MAIL FROM:<{sender}>")), OK);
        smtp.ask("RCPT TO:<you@far.ex>")
    }

    /// The same, with the log of the session.
    pub fn rcpt_and_log(&self, sender: &str, ip: &str) -> (String, String) {
        let smtp = self.session(ip);
        assert_eq!(smtp.ask(&format!("MAIL FROM:<{sender}>")), OK);
        let reply = smtp.ask("RCPT TO:<you@far.ex>");
        assert!(smtp.ask("QUIT").starts_with("221 "));
        (reply, smtp.log())
    }

    /// What `postern explain` exits with about the same.
    pub fn explain(&self, sender: &str, ip: &str) -> Said {
        let control = self.home.control().display().to_string();
        let mut arguments =
            vec!["explain", "--control", &control, "--ip", ip, "--from", sender, "--rcpt", "you@far.ex"];
        let variables: Vec<String> = self.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        arguments.extend(variables.iter().flat_map(|variable| ["--env", variable.as_str()]));
        self.run("postern", &arguments)
    }

    /// Every row of the table as `opensmtp --export` has it, without the times.
    pub fn rows(&self) -> Vec<String> {
        let said = self.run("opensmtp", &["--export"]);
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""));
        let mut rows: Vec<String> =
            said.output.lines().map(|line| line.rsplit_once('\t').unwrap().0.replace('\t', " ")).collect();
        rows.sort();
        rows
    }

    pub fn write_rules(&self, text: &str) {
        File::create(self.rules()).unwrap().write_all(text.as_bytes()).unwrap();
    }
}

pub fn said(output: Output) -> Said {
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    Said { code: output.status.code(), output: text(output.stdout), errors: text(output.stderr) }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
