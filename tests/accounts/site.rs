//! A site with accounts in a database: its control directory, users/cdb, and smtpd.

use std::fs::{self, File};
use std::process::{Command, Output};

use postern::cdb::make::Maker;

use crate::home::Home;
use crate::mariadb::{Database, MariaDb};
use crate::smtp::Smtp;
use crate::support::program;

/// Who is told that nobody can know.
pub const LATER: &str = "451 Sorry, I got a temporary database error (#4.3.2)";
pub const OK: &str = "250 ok";

/// The columns of an account, as IndiMail and vpopmail have them.
const ACCOUNT: &str = "pw_name char(40) not null, pw_domain char(67) not null, pw_passwd char(128) not null default '', pw_uid int, \
                       pw_gid int, pw_gecos char(48) not null default '', pw_dir char(156), pw_shell char(30), \
                       primary key (pw_name, pw_domain)";
const ALIAS: &str = "alias char(40) not null, domain char(67) not null, valias_line char(190) not null, \
                     unique (alias, domain, valias_line), index (alias, domain)";

pub struct Site {
    pub home: Home,
    variables: Vec<(String, String)>,
}

impl Site {
    /// CHECKRECIPIENT is 1, the domains are a.ex and b.ex; the server is that of this line of host.mysql.
    pub fn with_server(line: &str) -> Site {
        let site = Site { home: Home::new(), variables: Vec::new() };
        site.home.write("me", "mx.local.ex\n");
        site.home.write("rcpthosts", "a.ex\nb.ex\nalias.ex\nlink.ex\nunknown.ex\n");
        site.home.write("host.mysql", format!("{line}\n"));
        fs::create_dir(site.home.path().join("users")).unwrap();
        fs::create_dir_all(site.directory("a.ex")).unwrap();
        std::os::unix::fs::symlink("a.ex", site.directory("link.ex")).unwrap();
        site.assign(&[("a.ex", "a.ex"), ("b.ex", "b.ex"), ("alias.ex", "a.ex"), ("link.ex", "link.ex")]);
        site.with("CHECKRECIPIENT", "1").with("PENALTY", "0")
    }

    pub fn with_database(database: &Database) -> Site {
        Site::with_server(&database.host_mysql_line_socket()).with("MYSQL_DATABASE", &database.name)
    }

    pub fn with(mut self, name: &str, value: &str) -> Site {
        self.variables.retain(|(set, _)| set != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The variables, each as `NAME=value`.
    pub fn variables(&self) -> Vec<String> {
        self.variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Where the users of a domain are.
    pub fn directory(&self, domain: &str) -> std::path::PathBuf {
        self.home.path().join("domains").join(domain)
    }

    /// Makes users/cdb of domains and their real names.
    pub fn assign(&self, domains: &[(&str, &str)]) {
        let mut maker = Maker::new(File::create(self.home.path().join("users/cdb")).unwrap());
        for (domain, real) in domains {
            // The directory of IndiMail's alias domains is their own, a link.
            let directory = self.directory(if real == domain { domain } else { real });
            let record = format!("{real}\0{}\0{}\0{}\0-\0\0", 89, 89, directory.display());
            maker.add(format!("!{domain}-").as_bytes(), record.as_bytes()).unwrap();
        }
        maker.finish().unwrap();
    }

    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program(name));
        command.current_dir(self.home.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("CONTROLDIR", self.home.control());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A session, greeted.
    pub fn session(&self) -> Smtp {
        let mut command = self.command("smtpd");
        command
            .env("TCPREMOTEIP", "192.0.2.7")
            .env("QMAILQUEUE", self.home.queue())
            .env("QUEUE_HOME", self.home.path());
        let smtp = Smtp::start(&mut command);
        assert!(smtp.reply().pop().unwrap().starts_with("220 "));
        smtp
    }

    /// The word about a recipient: ok, absent, inactive, overquota, or what else was said.
    pub fn rcpt(&self, recipient: &str) -> String {
        let smtp = self.session();
        assert_eq!(smtp.ask("MAIL FROM:<s@far.ex>"), OK);
        let reply = smtp.ask(&format!("RCPT TO:<{recipient}>"));
        let state = reply.strip_prefix(&format!("550 sorry, s@far.ex mailbox <{recipient}> is "));
        let word = state.and_then(|state| state.split(' ').next()).map(str::to_owned);
        word.unwrap_or_else(|| if reply == OK { "ok".to_owned() } else { reply })
    }

    /// What a sender hears who may relay, and the log.
    pub fn mail(&self, sender: &str) -> (String, String) {
        let mut command = self.command("smtpd");
        command.env("TCPREMOTEIP", "192.0.2.7").env("RELAYCLIENT", "").env("CHECKSENDER", "");
        let smtp = Smtp::start(&mut command);
        assert!(smtp.reply().pop().unwrap().starts_with("220 "));
        let reply = smtp.ask(&format!("MAIL FROM:<{sender}>"));
        assert!(smtp.ask("QUIT").starts_with("221 "));
        (reply, smtp.log())
    }

    /// What `postern explain` says about the same recipient.
    pub fn explain(&self, recipient: &str) -> Output {
        let mut command = self.command("postern");
        command.args(["explain", "--ip", "192.0.2.7", "--from", "s@far.ex", "--rcpt", recipient, "--control"]);
        command.arg(self.home.control());
        for (name, value) in &self.variables {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        command.output().unwrap()
    }
}

/// The tables of an IndiMail site.
pub fn indimail(server: &MariaDb) -> Database {
    let database = server.database();
    for table in ["indimail", "indibak"] {
        database.sql(&format!("create table {table} ({ACCOUNT})"));
    }
    database.sql(&format!("create table valias ({ALIAS})"));
    database.sql(
        "insert into indimail (pw_name, pw_domain, pw_gid) values ('bob', 'a.ex', 0), ('nul', 'a.ex', null), ('full', 'a.ex', 16), \
         ('mel', 'a.ex', 0), ('0', 'a.ex', 0), ('locked', 'a.ex', 256), ('old', 'a.ex', 512), ('lost', 'a.ex', -1), \
         ('vip', 'b.ex', 8192), ('bob', 'b.ex', 0)",
    );
    database
        .sql("insert into indibak (pw_name, pw_domain, pw_gid) values ('gone', 'a.ex', 16), ('gonealias', 'a.ex', 0)");
    database.sql(
        "insert into valias values ('team', 'a.ex', '&x@far.ex'), ('team', 'a.ex', '&y@far.ex'), ('full', 'a.ex', '&z@far.ex'), \
         ('gonealias', 'a.ex', '&z@far.ex'), ('only', 'alias.ex', '&z@far.ex')",
    );
    database
}

/// The tables of a vpopmail site.
pub fn vpopmail(server: &MariaDb) -> Database {
    let database = server.database();
    database.sql(&format!("create table vpopmail ({ACCOUNT})"));
    database.sql(
        "insert into vpopmail (pw_name, pw_domain, pw_gid) values ('bob', 'a.ex', 0), ('full', 'a.ex', 16), ('locked', 'a.ex', 2048), \
         ('vip', 'a.ex', 8192)",
    );
    database
}

/// The line of vpopmail.mysql for a database.
pub fn vpopmail_line(server: &MariaDb, database: &Database) -> String {
    format!("localhost|{}|{}|{}|{}\n", server.socket().display(), database.user, database.password, database.name)
}
