//! A real tcpserver with smtpd behind it, and the client's side of a TCP connection to it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

use crate::home::Home;
use crate::smtp::PATIENCE;
use crate::support::program;

/// A tcpserver on a free port of every loopback address; it ends with the test.
pub struct TcpServer {
    child: Child,
    pub port: u16,
    log: Arc<Mutex<String>>,
}

impl TcpServer {
    /// `smtpd` with the control directory of `home`, behind the rules of this cdb, with these variables.
    pub fn start(home: &Home, rules: &Path, variables: &[(&str, &str)]) -> TcpServer {
        Self::start_with(home, rules, variables, &[])
    }

    /// The same with arguments for `smtpd`.
    pub fn start_with(home: &Home, rules: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> TcpServer {
        let mut command = Command::new("tcpserver");
        // -1 prints the port that 0 became; nothing is asked of the DNS or of the client's ident server.
        command.args(["-1", "-R", "-H", "-c", "100", "-l", "mx.test", "-x"]).arg(rules).args(["0.0.0.0", "0"]);
        command.arg(program("smtpd")).args(arguments).current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("CONTROLDIR", home.control()).env("QUEUE_HOME", home.path()).env("QMAILQUEUE", home.queue());
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("tcpserver (Debian: ucspi-tcp) is installed");
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (kept, mut errors) = (Arc::clone(&log), child.stderr.take().unwrap());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = errors.read(&mut buffer) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        TcpServer { child, port: port.trim().parse().expect("tcpserver prints its port"), log }
    }

    /// Waits until the log of the sessions has a line with this text.
    pub fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log.lock().unwrap().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} is not in the log:\n{}", self.log.lock().unwrap());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compiles these rules with our tcprules to `directory/tcp.smtp.cdb` and gives its path.
pub fn compile_rules(directory: &Path, rules: &str) -> PathBuf {
    let cdb = directory.join("tcp.smtp.cdb");
    let mut command = Command::new(program("tcprules"));
    command.arg(&cdb).arg(directory.join("tcp.smtp.tmp")).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "tcprules: {}", String::from_utf8_lossy(&output.stderr));
    cdb
}

/// The client's side of a connection.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn new(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client { reader: BufReader::new(stream) }
    }

    /// Connects from this address of the loopback network.
    pub fn connect_from(from: Ipv4Addr, port: u16) -> Client {
        let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(from, 0))).unwrap();
        connect(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))).unwrap();
        Client::new(TcpStream::from(fd))
    }

    pub fn connect(port: u16) -> Client {
        Client::new(TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap())
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    /// The next reply, lines joined by LF; empty when the server has closed.
    pub fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let begin = reply.len();
            match self.reader.read_line(&mut reply) {
                Ok(0) => return reply,
                Ok(_) => assert!(reply.ends_with("\r\n"), "{reply:?}"),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return reply,
                Err(error) => panic!("no reply within {PATIENCE:?}: {error}"),
            }
            if reply.as_bytes().get(begin + 3) != Some(&b'-') {
                return reply.replace("\r\n", "\n").trim_end().to_owned();
            }
        }
    }

    pub fn ask(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes());
        self.reply()
    }
}
