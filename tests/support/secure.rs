//! A client of STARTTLS and SMTPS: smtpd on a socket pair, and a session with it in clear, then in TLS.
#![allow(dead_code)]

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};

use crate::home::Home;
use crate::support::program;

/// No honest answer takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client of TLS has and wants.
#[derive(Clone)]
pub struct Client {
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// None is every suite.
    pub suite: Option<CipherSuite>,
    /// The authority of the server's certificate.
    pub authority: Vec<u8>,
    /// A certificate with its key.
    pub own: Option<Vec<u8>>,
    /// The name that the server is asked for, and whether the certificate must be of that name is for the test.
    pub name: &'static str,
    /// Made when it is first used: a session is resumed only by a client that has not changed since.
    pub config: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Client {
    pub fn new(authority: &[u8]) -> Client {
        Client {
            versions: vec![&version::TLS13, &version::TLS12],
            suite: None,
            authority: authority.to_vec(),
            own: None,
            name: "mx.test",
            config: Arc::default(),
        }
    }

    pub fn with(own: Vec<u8>, authority: &[u8]) -> Client {
        Client { own: Some(own), ..Client::new(authority) }
    }

    fn make_config(&self) -> Arc<ClientConfig> {
        let mut provider = ring::default_provider();
        provider.cipher_suites.retain(|suite| self.suite.is_none_or(|wanted| suite.suite() == wanted));
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&self.authority));
        let builder = ClientConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_protocol_versions(&self.versions).unwrap().with_root_certificates(roots);
        Arc::new(match &self.own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(own).unwrap();
                builder.with_client_auth_cert(certificates(own), key).unwrap()
            }
        })
    }

    pub fn connection(&self) -> ClientConnection {
        ClientConnection::new(
            self.config.get_or_init(|| self.make_config()).clone(),
            ServerName::try_from(self.name).unwrap(),
        )
        .unwrap()
    }
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().unwrap()
}

/// smtpd and a client that talks to it.
pub struct Secure {
    child: Child,
    socket: UnixStream,
    pub tls: Option<ClientConnection>,
    unread: Vec<u8>,
}

impl Secure {
    /// smtpd of a home with these variables and arguments. Nothing is read yet.
    pub fn start(home: &Home, variables: &[(&str, &str)], arguments: &[&str]) -> Secure {
        let mut command = Command::new(program("smtpd"));
        command.current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin").env("CONTROLDIR", home.control());
        command.env("QMAILQUEUE", home.queue()).env("QUEUE_HOME", home.path()).env("TCPREMOTEIP", "192.0.2.7");
        command.env("PENALTY", "0").env("DISABLE_EXTRA_GREET", "").envs(variables.iter().copied()).args(arguments);
        Secure::run(&mut command)
    }

    /// The same of any such command.
    pub fn run(command: &mut Command) -> Secure {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let theirs = OwnedFd::from(theirs);
        command.stdin(theirs.try_clone().unwrap()).stdout(theirs).stderr(Stdio::piped());
        Secure { child: command.spawn().unwrap(), socket: ours, tls: None, unread: Vec::new() }
    }

    /// A session up to its greeting, in clear.
    pub fn greeted(home: &Home, variables: &[(&str, &str)], arguments: &[&str]) -> Secure {
        let mut secure = Secure::start(home, variables, arguments);
        assert_eq!(secure.reply(), "220 mx.test");
        secure
    }

    /// The same after STARTTLS.
    pub fn encrypted(home: &Home, client: &Client, variables: &[(&str, &str)], arguments: &[&str]) -> Secure {
        let mut secure = Secure::greeted(home, &[&[("STARTTLS", "")], variables].concat(), arguments);
        secure.starttls(client).unwrap();
        secure
    }

    pub fn starttls(&mut self, client: &Client) -> io::Result<()> {
        assert_eq!(self.ask("STARTTLS"), "220 ready for tls");
        self.encrypt(client)
    }

    /// The handshake.
    pub fn encrypt(&mut self, client: &Client) -> io::Result<()> {
        let mut tls = client.connection();
        while tls.is_handshaking() {
            tls.complete_io(&mut self.socket)?;
        }
        self.tls = Some(tls);
        Ok(())
    }

    /// Sends octets, in TLS if that has begun.
    pub fn send(&mut self, octets: impl AsRef<[u8]>) {
        let sent = match &mut self.tls {
            Some(tls) => rustls::Stream::new(tls, &mut self.socket).write_all(octets.as_ref()),
            None => self.socket.write_all(octets.as_ref()),
        };
        let _ = sent; // smtpd may be gone: its last words tell.
    }

    /// Sends octets past TLS.
    pub fn send_raw(&mut self, octets: &[u8]) {
        let _ = self.socket.write_all(octets);
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 8192];
        let octets = match &mut self.tls {
            Some(tls) => rustls::Stream::new(tls, &mut self.socket).read(&mut buffer)?,
            None => self.socket.read(&mut buffer)?,
        };
        self.unread.extend_from_slice(&buffer[..octets]);
        Ok(octets)
    }

    /// The next line without CR LF; what is said when the connection ends instead.
    pub fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.unread.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(line.strip_suffix(b"\r\n").unwrap()).into_owned());
            }
            match self.receive() {
                Ok(0) => return Err("the end".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// The lines of the next reply.
    pub fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().unwrap_or_else(|error| panic!("{error} after {lines:?}; log:\n{}", self.log()));
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line);
            if !more {
                return lines;
            }
        }
    }

    /// The last line of the next reply.
    pub fn reply(&mut self) -> String {
        self.lines().pop().unwrap()
    }

    pub fn ask(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n"));
        self.reply()
    }

    /// Sends a message from `sender` to `recipient`; the last reply, which is the first refusal if there is one.
    pub fn deliver(&mut self, sender: &str, recipient: &str) -> String {
        let commands = [format!("MAIL FROM:<{sender}>"), format!("RCPT TO:<{recipient}>"), "DATA".to_owned()];
        for command in commands {
            let reply = self.ask(&command);
            if reply.starts_with(['4', '5']) {
                return reply;
            }
        }
        self.ask("Subject: hello\r\n\r\nhello\r\n.")
    }

    /// Says QUIT and hears the end.
    pub fn quit(&mut self) -> ExitStatus {
        assert_eq!(self.ask("QUIT"), "221 mx.test closing connection");
        self.exit()
    }

    /// Everything that smtpd still sends, as it is on the wire.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.socket.read_to_end(&mut rest);
        rest
    }

    /// Sends nothing more.
    pub fn end(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    pub fn exit(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// The log, after the end.
    pub fn log(&mut self) -> String {
        let _ = self.socket.shutdown(Shutdown::Both);
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
