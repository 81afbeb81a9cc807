//! A session with smtpd in which a setting is set or not, and all that it shows.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use postern::cdb::make::Maker;

use crate::home::{Home, QueueEnd, QueueProgram};
use crate::secure::Secure;
use crate::smtp::Smtp;
use crate::support::program;
use crate::table::{Deed, Form};
use crate::world::World;

/// Replies, log, what the queue program was given, and whether it took long. Without a value the setting is not set.
pub fn session(deed: &Deed, form: &Form, value: Option<&str>, world: &World) -> String {
    let home = Home::new();
    let mut command = Command::new(program("smtpd"));
    command.current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin").env("QUEUE_HOME", home.path());
    command.env("CONTROLDIR", home.control()).env("QMAILQUEUE", home.queue()).env("PENALTY", "0");
    command.env("TCPREMOTEIP", "10.1.2.3").env("TCPREMOTEHOST", "client.example").env("TCPLOCALHOST", "mx.test");
    command.env("DISABLE_EXTRA_GREET", "");
    home.write("me", "mx.test\n");
    home.write("rcpthosts", "test\n");
    let mut play = Play { home, command, world };
    deed.needs.iter().for_each(|need| play.prepare(need));
    match value {
        Some(value) => play.set(form, value),
        None => play.unset(deed, form),
    }
    let mut shown = String::new();
    let mut says: Vec<String> = deed.says.iter().map(|line| world.filled(line, &play.home)).collect();
    while let Some(run) = says.first().and_then(|line| line.strip_prefix("[run ")?.strip_suffix(']')) {
        shown += &play.run(run);
        says.remove(0);
    }
    let began = Instant::now();
    shown += &match says.iter().position(|line| line.starts_with("[tls")) {
        Some(at) => play.secure(&says, at),
        None if says == ["[wait]"] => play.silent(value == Some(&deed.value)),
        None => play.clear(&says),
    };
    if began.elapsed() >= Duration::from_secs(2) {
        shown += "waited two seconds\n";
    }
    for delivery in play.home.deliveries() {
        let items = delivery.envelope_items().iter().map(|item| format!("queued {item}\n")).collect::<String>();
        shown += &(items + &delivery.environment.join("\n") + "\n" + &String::from_utf8_lossy(&delivery.message));
    }
    shown
}

struct Play<'w> {
    home: Home,
    command: Command,
    world: &'w World,
}

impl Play<'_> {
    /// Something that both sessions need.
    fn prepare(&mut self, need: &str) {
        let need = self.world.filled(need, &self.home);
        let (kind, rest) = need.split_once(' ').unwrap_or_else(|| panic!("{need}"));
        let pair = |mark| rest.split_once(mark).unwrap_or_else(|| panic!("{need}"));
        match kind {
            "env" => drop(self.command.env(pair("=").0, pair("=").1)),
            "unset" => drop(self.command.env_remove(rest)),
            "control" => self.home.write(pair(" = ").0, pair(" = ").1.to_owned() + "\n"),
            "file" => self.write(pair(" = ").0, pair(" = ").1),
            "assign" => self.assign(pair(" = ").0, pair(" = ").1),
            "argument" => drop(self.command.arg(rest)),
            "login" => self.log_in(rest),
            "user" => self.add_user(pair(" ").0, pair(" ").1),
            "queue" => {
                let (code, rest) = rest.split_once(' ').unwrap();
                let (descriptor, text) = rest.split_once(' ').unwrap();
                let text = Some((descriptor.parse().unwrap(), text.as_bytes().to_vec()));
                self.home.set_queue(&QueueProgram { end: QueueEnd::Exit(code.parse().unwrap()), text });
            }
            _ => panic!("{need}"),
        }
    }

    /// A file in the home.
    fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.to_owned() + "\n").unwrap();
    }

    /// users/cdb, which says that `test` is another name of a domain, or of itself.
    fn assign(&self, directory: &str, real: &str) {
        let path = self.home.path().join(directory).join("cdb");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut maker = Maker::new(File::create(path).unwrap());
        let domain = self.home.path().join("domains").join(real);
        fs::create_dir_all(&domain).unwrap();
        let record = format!("{real}\0{}\0{}\0{}\0-\0\0", 89, 89, domain.display());
        maker.add(b"!test-", record.as_bytes()).unwrap();
        maker.finish().unwrap();
    }

    /// Two minutes ago the user has read mail from the client's address.
    fn log_in(&self, user: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.home.control().join("logins")).unwrap();
        let line = format!("{user}\t10.1.2.3\t{}\n", now - 120);
        self.tell("opensmtp", &["--import"], &line);
    }

    /// A user of auth-cdb in a file, with the password `secret`.
    fn add_user(&self, file: &str, user: &str) {
        self.tell("postern", &["passwd", "--file", file, "add", user], "secret\n");
    }

    fn tell(&self, name: &str, arguments: &[&str], words: &str) {
        let mut command = Command::new(program(name));
        command.args(arguments).env_clear().env("CONTROLDIR", self.home.control()).stdin(Stdio::piped());
        let mut child = command.current_dir(self.home.path()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(words.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{name} {arguments:?}");
    }

    fn set(&mut self, form: &Form, value: &str) {
        let value = self.world.filled(value, &self.home);
        match form {
            Form::File(name) => self.home.write(name, value + "\n"),
            Form::Compiled(name @ ("relayclients" | "relaymx")) => self.compile(name, &value),
            Form::Compiled(name) => self.home.write_cdb(name, &[value]),
            Form::Variable(name) => drop(self.command.env(name, value)),
            Form::Named(name) => {
                self.home.write("other-name", value + "\n");
                self.command.env(name, "other-name");
            }
        }
    }

    /// Sees to it that it is not set.
    fn unset(&mut self, deed: &Deed, form: &Form) {
        match form {
            Form::File(name) => drop(fs::remove_file(self.home.control().join(name))),
            Form::Compiled(_) => {}
            Form::Variable(name) | Form::Named(name) => {
                if !deed.needs.iter().any(|need| *need == format!("env {name}=")) {
                    self.command.env_remove(name);
                }
            }
        }
    }

    /// Compiles a list of this one line, and puts the text that was there back into the very file, as if it were no change:
    /// only who reads the compiled list still finds the line.
    fn compile(&self, name: &str, line: &str) {
        let path = self.home.control().join(name);
        let before = fs::read(&path).unwrap();
        assert_eq!(before.len(), line.len() + 1, "the fingerprint has the length");
        self.home.write(name, line.to_owned() + "\n");
        let changed = fs::metadata(&path).unwrap().modified().unwrap();
        self.tell("qmail-cdb", &[name], "");
        self.home.write(name, before);
        File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
    }

    /// What a program says that is run with smtpd's variables: one of ours, else one of the system.
    fn run(&self, line: &str) -> String {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let ours = program(name);
        let mut command = Command::new(if ours.exists() { ours.as_path() } else { Path::new(name) });
        let variables = || self.command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.args(words).current_dir(self.home.path()).env_clear().envs(variables());
        if line.starts_with("postern lint") {
            let text = |(name, value): (&std::ffi::OsStr, &std::ffi::OsStr)| {
                format!("{}={}", name.to_str().unwrap(), value.to_str().unwrap())
            };
            variables().for_each(|variable| _ = command.arg("--env").arg(text(variable)));
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    fn clear(&mut self, says: &[String]) -> String {
        let mut smtp = Smtp::start(&mut self.command);
        let lines = says.iter().flat_map(|line| said(line)).chain(["QUIT".to_owned()]);
        smtp.send(lines.map(|line| line.replace("<CR>", "\r") + "\r\n").collect::<String>());
        rest(&mut smtp)
    }

    fn silent(&mut self, until_it_ends: bool) -> String {
        let mut smtp = Smtp::start(&mut self.command);
        if !until_it_ends {
            thread::sleep(Duration::from_millis(1500));
            smtp.end_input();
        }
        rest(&mut smtp)
    }

    /// A session that becomes one in TLS where `[tls]` stands, by STARTTLS, or `[tls at once]`. The log of one whose handshake
    /// fails is seen, too.
    fn secure(&mut self, says: &[String], at: usize) -> String {
        let mut secure = Secure::run(&mut self.command);
        let mut shown = String::new();
        let mut can_begin = true;
        if says[at] == "[tls]" {
            shown += &secure.lines().join("\n");
            for line in says[..at].iter().flat_map(|line| said(line)).chain(["STARTTLS".to_owned()]) {
                secure.send(line + "\r\n");
                let lines = secure.lines();
                can_begin = lines[0].starts_with("220 ");
                shown += &(lines.join("\n") + "\n");
            }
        }
        if can_begin && secure.encrypt(&self.world.client()).is_ok() {
            let lines = says[at + 1..].iter().flat_map(|line| said(line)).chain(["QUIT".to_owned()]);
            secure.send(lines.map(|line| line + "\r\n").collect::<String>());
            while let Ok(line) = secure.line() {
                shown += &(line + "\n");
            }
        }
        secure.end();
        shown + &secure.log()
    }
}

/// What is still said, and the log.
fn rest(smtp: &mut Smtp) -> String {
    let shown = smtp.rest().unwrap_or_else(|error| panic!("{error:?}"));
    smtp.end_input();
    smtp.exit();
    shown + &smtp.log()
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
