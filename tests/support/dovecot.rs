//! A real Dovecot (Debian: dovecot-imapd, dovecot-pop3d) with one user and a program that runs after each login.
#![allow(dead_code)]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::{Group, User, chown, getegid, geteuid};
use tempfile::TempDir;

use crate::keeper::{Keeper, PATIENCE, free_ports, wait_until};

/// By its path: it is not on the PATH of ordinary users.
const DOVECOT: &str = "/usr/sbin/dovecot";
/// How many pairs of ports are tried when others are faster to take them.
const PORTS_MAX: usize = 20;
/// The only user, and the password.
pub const USER: &str = "joe@local.ex";
pub const PASSWORD: &str = "secret";

/// A server of IMAP and POP3 on free ports of 127.0.0.1; it ends with the value.
pub struct Dovecot {
    // Ends before its directory does.
    keeper: Keeper,
    imap: u16,
    pop3: u16,
    directory: TempDir,
}

impl Dovecot {
    /// After each login `opensmtp -- NEXT` runs, as the user of the test, with CONTROLDIR of this home and these
    /// variables.
    pub fn start(home: &Path, opensmtp: &Path, variables: &[(&str, &str)]) -> Dovecot {
        Dovecot::start_with(home, opensmtp, &[], variables)
    }

    /// The same with arguments before the `--`.
    pub fn start_with(home: &Path, opensmtp: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Dovecot {
        let script = post_login(home, opensmtp, arguments, variables);
        let mut started = (0..PORTS_MAX).filter_map(|_| Dovecot::start_once(&script));
        started.next().unwrap_or_else(|| panic!("none of {PORTS_MAX} pairs of free ports stayed free"))
    }

    /// `None`: somebody else was faster to take a port.
    fn start_once(script: &str) -> Option<Dovecot> {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        // Dovecot's processes for those who are not yet known run as another user when root starts it.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(at("mail")).unwrap();
        let owner = Owner::new();
        chown(&at("mail"), Some(owner.mail.uid), Some(owner.mail.gid)).unwrap();
        fs::write(at("users"), format!("{USER}:{{PLAIN}}{PASSWORD}\n")).unwrap();
        fs::write(at("post-login"), script).unwrap();
        let [imap, pop3] = free_ports();
        fs::write(at("dovecot.conf"), configuration(directory.path(), &owner, imap, pop3)).unwrap();
        let arguments = [Path::new("-F"), Path::new("-c"), &at("dovecot.conf")];
        let keeper = Keeper::start(directory.path(), &at("said"), DOVECOT, &arguments);
        let server = Dovecot { keeper, imap, pop3, directory };
        server.is_ready().then_some(server)
    }

    /// Waits until both ports take connections; false if it could not have one.
    fn is_ready(&self) -> bool {
        let mut is_taken = false;
        wait_until("dovecot is ready", || {
            let has_ended = self.keeper.has_ended();
            let said = self.log();
            is_taken = said.contains("Address already in use");
            assert!(!has_ended || is_taken, "{DOVECOT} (Debian: dovecot-imapd, dovecot-pop3d) ended:\n{said}");
            is_taken || said.contains(" starting up for imap, pop3")
        });
        !is_taken
    }

    pub fn imap_port(&self) -> u16 {
        self.imap
    }

    pub fn pop3_port(&self) -> u16 {
        self.pop3
    }

    /// Logs in and out again; gives all that the server has said.
    pub fn imap_login(&self, user: &str, password: &str) -> String {
        let login = format!("a LOGIN \"{user}\" \"{password}\"");
        conversation(self.imap, &[("", "* "), (&login, "a "), ("b LOGOUT", "b ")])
    }

    /// The same by POP3.
    pub fn pop3_login(&self, user: &str, password: &str) -> String {
        let (user, password) = (format!("USER {user}"), format!("PASS {password}"));
        conversation(self.pop3, &[("", ""), (&user, ""), (&password, ""), ("QUIT", "")])
    }

    /// What Dovecot has logged until now, also what the program has said on its standard error.
    pub fn log(&self) -> String {
        let text = |name: &str| fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
        text("said") + &text("log")
    }

    pub fn wait_for_log(&self, text: &str) {
        wait_until(&format!("{text:?} is in the log of Dovecot"), || self.log().contains(text));
    }
}

/// What the server says to these commands; the last line of each reply begins with the text beside it. An empty
/// command is not sent, but its reply is awaited.
fn conversation(port: u16, commands: &[(&str, &str)]) -> String {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = BufReader::new(stream);
    let mut said = String::new();
    for (command, last) in commands {
        if !command.is_empty() && stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).is_err() {
            break;
        }
        loop {
            let begin = said.len();
            match stream.read_line(&mut said) {
                Ok(0) => return said,
                Ok(_) if said[begin..].starts_with(last) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return said,
                Err(error) => panic!("no reply to {command:?} within {PATIENCE:?}: {error}; before it:\n{said}"),
            }
        }
    }
    said
}

/// As whom the processes run.
struct Owner {
    internal: String,
    group: String,
    login: String,
    mail: User,
}

impl Owner {
    /// Users of Debian's packages, or the only user that an ordinary user can be.
    fn new() -> Owner {
        if geteuid().is_root() {
            let mail = User::from_name("nobody").unwrap().unwrap();
            return Owner { internal: "dovecot".into(), group: "dovecot".into(), login: "dovenull".into(), mail };
        }
        let mail = User::from_uid(geteuid()).unwrap().expect("the user of this test has a name");
        let group = Group::from_gid(getegid()).unwrap().expect("the group of this test has a name").name;
        Owner { internal: mail.name.clone(), group, login: mail.name.clone(), mail }
    }
}

/// Dovecot gives a program few variables and splits its arguments at blanks: this says what it does not.
fn post_login(home: &Path, opensmtp: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let control = home.join("control").display().to_string();
    let set = |(name, value): &(&str, &str)| format!("export {name}={}\n", quoted(value));
    let mut script = set(&("CONTROLDIR", &control));
    script.extend(variables.iter().map(set));
    let words = [&[opensmtp.to_str().unwrap()], arguments, &["--"]].concat();
    script += &format!("exec {} \"$@\"\n", words.into_iter().map(quoted).collect::<Vec<_>>().join(" "));
    script
}

fn configuration(directory: &Path, owner: &Owner, imap: u16, pop3: u16) -> String {
    let Owner { internal, group, login, mail } = owner;
    let (uid, gid) = (mail.uid, mail.gid);
    let directory = directory.display();
    // After a wrong password nobody has to wait, neither for the answer nor with the next login.
    let mut text = format!(
        "base_dir = {directory}/base\nlog_path = {directory}/log\nprotocols = imap pop3\nlisten = 127.0.0.1\n\
         ssl = no\ndisable_plaintext_auth = no\nauth_failure_delay = 0\ndefault_internal_user = {internal}\n\
         default_internal_group = {group}\ndefault_login_user = {login}\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n\
         mail_location = maildir:~/Maildir\n\
         passdb {{\n driver = passwd-file\n args = {directory}/users\n}}\n\
         userdb {{\n driver = static\n args = uid={uid} gid={gid} home={directory}/mail/%u\n}}\n\
         service anvil {{\n chroot =\n unix_listener anvil-auth-penalty {{\n  mode = 0\n }}\n}}\n"
    );
    for (name, port) in [("imap", imap), ("pop3", pop3)] {
        // The shell reads the script: a file that a test program has just written cannot always be started.
        text += &format!(
            "service {name}-login {{\n chroot =\n inet_listener {name} {{\n  port = {port}\n }}\n \
             inet_listener {name}s {{\n  port = 0\n }}\n}}\n\
             service {name} {{\n executable = {name} {name}-postlogin\n}}\n\
             service {name}-postlogin {{\n executable = script-login /bin/sh {directory}/post-login\n \
             unix_listener {name}-postlogin {{\n }}\n}}\n"
        );
    }
    text
}
