//! A real MariaDB (Debian: mariadb-server) of its own on a socket and a free port, and the relay tables in it.
#![allow(dead_code)]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use nix::unistd::{User, chown, geteuid};
use tempfile::TempDir;

use crate::keeper::{Keeper, free_ports, wait_until};

/// By its path: it is not on the PATH of ordinary users.
const MARIADBD: &str = "/usr/sbin/mariadbd";
/// How many ports are tried when others are faster to take them.
const PORTS_MAX: usize = 20;
/// What it says when somebody else has one of its ports; the second is Galera, whose thread has ended too early to say.
const TAKEN: [&str; 2] = ["Address already in use", "Failed to set thread schedparams"];
/// Nothing has to outlive a crash of the machine, so nothing waits for the disk.
const QUICK: [&str; 7] = [
    "--innodb-flush-method=nosync",
    "--debug-no-sync",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=8M",
    "--skip-name-resolve",
    "--performance-schema=off",
];

/// A database server; it ends with the value.
pub struct MariaDb {
    // Ends before its directory does.
    keeper: Option<Keeper>,
    arguments: Vec<String>,
    port: u16,
    databases: AtomicUsize,
    directory: TempDir,
}

impl MariaDb {
    /// The one server of all tests of this program that neither stop nor configure it.
    pub fn shared() -> &'static MariaDb {
        static SHARED: OnceLock<MariaDb> = OnceLock::new();
        SHARED.get_or_init(MariaDb::start)
    }

    pub fn start() -> MariaDb {
        MariaDb::start_with(&[])
    }

    /// Starts a server with further options of mariadbd.
    pub fn start_with(arguments: &[&str]) -> MariaDb {
        MariaDb::start_where(|_| arguments.iter().map(|&argument| argument.to_owned()).collect())
    }

    /// Starts a server that offers TLS, with a certificate for `localhost`, 127.0.0.1 and ::1 that `ca` has signed.
    pub fn start_with_tls(arguments: &[&str]) -> MariaDb {
        MariaDb::start_where(|directory| {
            certify(directory);
            let file = |option: &str, name: &str| format!("--{option}={}", directory.join(name).display());
            let mut all = vec![file("ssl-ca", "ca.pem"), file("ssl-cert", "server.pem"), file("ssl-key", "server.key")];
            all.extend(arguments.iter().map(|&argument| argument.to_owned()));
            all
        })
    }

    /// The options are asked for anew when a port was taken; they may name files that they put into the directory.
    pub fn start_where(arguments: impl Fn(&Path) -> Vec<String>) -> MariaDb {
        let directory = data_directory();
        let databases = AtomicUsize::new(0);
        let mut server = MariaDb { keeper: None, arguments: Vec::new(), port: 0, databases, directory };
        let mut attempts = (0..PORTS_MAX).map(|_| {
            [server.port] = free_ports();
            server.arguments = arguments(server.directory.path());
            server.run()
        });
        assert!(attempts.any(|is_running| is_running), "none of {PORTS_MAX} free ports stayed free");
        server
    }

    /// After `stop` or `kill`: the same data, socket and port.
    pub fn start_again(&mut self) {
        assert!(self.run(), "somebody took port {}", self.port);
    }

    /// False if it could not have its ports.
    fn run(&mut self) -> bool {
        let at = |name: &str| self.directory.path().join(name).display().to_string();
        let mut all = options(self.directory.path());
        all.extend([format!("--socket={}", at("socket")), format!("--port={}", self.port)]);
        all.extend([format!("--bind-address={}", addresses()), format!("--pid-file={}", at("pid"))]);
        all.extend_from_slice(&self.arguments);
        let keeper = self.keeper.insert(Keeper::start(self.directory.path(), &self.log_file(), MARIADBD, &all));
        let log = self.directory.path().join("log");
        let mut is_taken = false;
        wait_until("mariadbd is ready", || {
            let has_ended = keeper.has_ended();
            let said = fs::read_to_string(&log).unwrap();
            is_taken = TAKEN.iter().any(|reason| said.contains(reason));
            assert!(!has_ended || is_taken, "{MARIADBD} (Debian: mariadb-server) ended:\n{said}");
            is_taken || said.contains("mariadbd: ready for connections.")
        });
        if is_taken {
            self.keeper = None;
        }
        !is_taken
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Of 127.0.0.1 and, where there is IPv6, ::1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of who signed the certificate of `start_with_tls`.
    pub fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The certificate of a client that the same one has signed (`pem`), or its key (`key`).
    pub fn client(&self, ending: &str) -> PathBuf {
        self.directory.path().join("client").with_extension(ending)
    }

    /// What the server has said since it was started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Says this as root; gives the rows, a line each with tabs between the columns, without the last line's end.
    pub fn sql(&self, database: Option<&str>, text: &str) -> String {
        say(&self.socket(), database, text)
    }

    /// A new database, with a user who may do everything in it and nothing elsewhere.
    pub fn database(&self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let (name, user) = (format!("postern_{number}"), format!("user_{number}"));
        let password = format!("Secret-{number}");
        let text = format!(
            "create database {name}; create user '{user}'@'%' identified by '{password}'; \
             grant all on {name}.* to '{user}'@'%'"
        );
        self.sql(None, &text);
        Database { socket: self.socket(), port: self.port, name, user, password }
    }

    /// Lets it shut down, and waits until it has.
    pub fn stop(&mut self) {
        self.keeper.take().expect("it runs").stop();
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        drop(self.keeper.take().expect("it runs"));
    }

    /// From now on its ports take connections, and nobody answers.
    pub fn freeze(&self) {
        self.keeper.as_ref().expect("it runs").signal(Signal::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.keeper.as_ref().expect("it runs").signal(Signal::SIGCONT);
    }
}

/// A database of its own on a server, and who may use it.
#[derive(Clone)]
pub struct Database {
    socket: PathBuf,
    port: u16,
    pub name: String,
    pub user: String,
    pub password: String,
}

impl Database {
    /// Says this in the database, as root.
    pub fn sql(&self, text: &str) -> String {
        say(&self.socket, Some(&self.name), text)
    }

    /// Creates the table `relay`.
    pub fn table(&self, layout: Layout) {
        self.table_named("relay", layout);
    }

    pub fn table_named(&self, name: &str, layout: Layout) {
        self.sql(&format!("create table {name} ({})", layout.columns()));
    }

    /// The same database and user on a server that follows this one.
    pub fn on(&self, server: &MariaDb) -> Database {
        Database { socket: server.socket(), port: server.port(), ..self.clone() }
    }

    /// For the control file host.mysql.
    pub fn host_mysql_line_socket(&self) -> String {
        format!("localhost:{}:{}:{}", self.user, self.password, self.socket.display())
    }

    pub fn host_mysql_line_tcp(&self) -> String {
        format!("127.0.0.1:{}:{}:{}", self.user, self.password, self.port)
    }

    pub fn host_mysql_line_tls(&self) -> String {
        self.host_mysql_line_tcp() + ":ssl"
    }
}

/// What a relay table looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    IndiMail,
    /// IndiMail's, by somebody who found its columns narrow: of varying and greater length.
    IndiMailWide,
    /// vpopmail 5.4 to 5.6.1: also the time is a text.
    VpopmailChar,
    /// vpopmail 5.6.4 and later.
    VpopmailVarchar,
}

impl Layout {
    pub const ALL: [Layout; 4] =
        [Layout::IndiMail, Layout::IndiMailWide, Layout::VpopmailChar, Layout::VpopmailVarchar];

    pub fn columns(self) -> &'static str {
        match self {
            Layout::IndiMail => {
                "email char(96) not null, ipaddr char(46) not null, timestamp int, \
                 unique (email, ipaddr), index (ipaddr), index (timestamp)"
            }
            Layout::IndiMailWide => {
                "email varchar(255) not null, ipaddr varchar(255) not null, timestamp bigint, \
                 unique (email, ipaddr), index (ipaddr), index (timestamp)"
            }
            Layout::VpopmailChar => "ip_addr char(18) not null, timestamp char(12), primary key (ip_addr)",
            Layout::VpopmailVarchar => "ip_addr varchar(39) not null, timestamp int, primary key (ip_addr)",
        }
    }
}

/// What a new server has: nobody but root, who comes by the socket, and no database of ours.
fn data_directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    if geteuid().is_root() {
        // mariadbd becomes this user, as Debian's does.
        let user = User::from_name("mysql").unwrap().expect("there is a user mysql (Debian: mariadb-server)");
        chown(directory.path(), Some(user.uid), Some(user.gid)).unwrap();
    }
    let further = directory.path().join("further.sql");
    fs::write(&further, "delete from mysql.global_priv where host <> 'localhost';\n").unwrap();
    let mut command = Command::new("mariadb-install-db");
    command.args(options(directory.path())).args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
    run(command.arg(format!("--extra-file={}", further.display())));
    directory
}

/// What both who makes the data directory and the server are told. No option may come before the first one. A server
/// that starts deletes what others have in a common directory of temporary files.
fn options(directory: &Path) -> Vec<String> {
    let mut options = vec!["--no-defaults".to_owned(), format!("--datadir={}", directory.join("data").display())];
    options.push(format!("--tmpdir={}", directory.display()));
    options.extend(geteuid().is_root().then(|| "--user=mysql".to_owned()));
    options.extend(QUICK.map(str::to_owned));
    options
}

/// The addresses of this machine to listen on.
fn addresses() -> &'static str {
    TcpListener::bind("[::1]:0").map_or("127.0.0.1", |_| "127.0.0.1,::1")
}

/// Makes ca.pem, server.pem and server.key, client.pem and client.key.
fn certify(directory: &Path) {
    let made = |name: &str, subject: &str, extensions: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
        command.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem"), "-subj", subject]);
        extensions.iter().for_each(|extension| _ = command.args(["-addext", extension]));
        command.current_dir(directory);
        command
    };
    run(&mut made("ca", "/CN=Authority", &["keyUsage=critical,keyCertSign"]));
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1";
    let mut server = made("server", "/CN=localhost", &[names, "basicConstraints=critical,CA:FALSE"]);
    run(server.args(["-CA", "ca.pem", "-CAkey", "ca.key"]));
    let mut client = made("client", "/CN=client", &["basicConstraints=critical,CA:FALSE"]);
    run(client.args(["-CA", "ca.pem", "-CAkey", "ca.key"]));
    if geteuid().is_root() {
        let user = User::from_name("mysql").unwrap().unwrap();
        chown(&directory.join("server.key"), Some(user.uid), None).unwrap();
    }
}

/// Says this as root; gives what came back without the end of its last line.
fn say(socket: &Path, database: Option<&str>, text: &str) -> String {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--user=root", "--skip-column-names", "--batch", "--socket"]).arg(socket);
    let rows = run(command.arg(format!("--execute={text}")).args(database));
    rows.strip_suffix('\n').map(str::to_owned).unwrap_or(rows)
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{}\n{errors}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}
