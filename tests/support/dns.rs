//! A real name server (Debian: nsd) on a free port of 127.0.0.1, with whatever names a test gives it.
#![allow(dead_code)]

use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// By its path: it is not on the PATH of ordinary users.
const NSD: &str = "/usr/sbin/nsd";
/// How long a server may take to start before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many ports are tried when others are faster to take them.
const PORTS_MAX: usize = 20;
/// A name of each zone, as in a message: it shows that the server has read the zone.
const READY: (&str, &[u8]) = ("ready.postern.test.", b"\x05ready\x07postern\x04test\0");

/// A name server; it ends with the value. It owns the root, so a name that it was not told does not exist.
pub struct DnsServer {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl DnsServer {
    /// Starts a server with these lines of a zone file; names are absolute, of any domain: `mx.far.test. A 192.0.2.1`.
    /// It answers SERVFAIL for `broken.test`, REFUSED for `refused.test` and whatever is below them.
    pub fn start(zone: &str) -> DnsServer {
        DnsServer::start_with(zone, &["broken.test"], &["refused.test"])
    }

    /// The same; it answers SERVFAIL for the domains that are `broken`, REFUSED for those that are `refused`.
    pub fn start_with(zone: &str, broken: &[&str], refused: &[&str]) -> DnsServer {
        let mut started = (0..PORTS_MAX).filter_map(|_| DnsServer::start_once(zone, broken, refused));
        started.next().unwrap_or_else(|| panic!("none of {PORTS_MAX} free ports stayed free"))
    }

    /// `127.0.0.1:port`, as DNSCACHEIP takes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `None`: somebody else was faster to take the port.
    fn start_once(zone: &str, broken: &[&str], refused: &[&str]) -> Option<DnsServer> {
        let port = free_port()?;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let head = "$ORIGIN .\n$TTL 60\n. SOA localhost. root. 1 3600 900 86400 60\n. NS localhost.\n";
        fs::write(at("root.zone"), format!("{head}localhost. A 127.0.0.1\n{} A 127.0.0.1\n{zone}\n", READY.0)).unwrap();
        fs::write(at("nsd.conf"), configuration(directory.path(), port, broken, refused)).unwrap();
        let log = at("log");
        let mut command = Command::new(NSD);
        command.arg("-d").arg("-c").arg(at("nsd.conf")).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(File::create(&log).unwrap()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{NSD} (Debian: nsd): {error}"));
        let mut server = DnsServer { child, port, _directory: directory };
        server.is_ready(&log).then_some(server)
    }

    /// Waits until the server answers from its zone; false if it could not have its port.
    fn is_ready(&mut self, log: &Path) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            let said = fs::read_to_string(log).unwrap();
            if said.contains("Address already in use") {
                return false;
            }
            assert!(!said.contains("error: zone . file"), "the zone has a mistake:\n{said}");
            assert_eq!(self.child.try_wait().unwrap(), None, "nsd ended:\n{said}");
            assert!(Instant::now() < deadline, "nsd does not answer:\n{said}");
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Whether it has an address for READY.
    fn answers(&self) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let id = b"ok";
        let query = [id, &b"\0\0\0\x01\0\0\0\0\0\0"[..], READY.1, b"\0\x01\0\x01"].concat();
        let mut reply = [0; 512];
        let received = socket.send(&query).and_then(|_| socket.recv(&mut reply));
        // No error, and one answer.
        received.is_ok_and(|length| length > query.len()) && reply.starts_with(id) && reply[3] & 15 == 0 && reply[7] > 0
    }
}

impl Drop for DnsServer {
    /// Asks it to end, because the processes that it started end only with it.
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// A port on which nobody listens now, by UDP or TCP.
fn free_port() -> Option<u16> {
    let udp = UdpSocket::bind("127.0.0.1:0").ok()?;
    let port = udp.local_addr().ok()?.port();
    TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
}

fn configuration(directory: &Path, port: u16, broken: &[&str], refused: &[&str]) -> String {
    let directory = directory.display();
    // No user to become, nothing to remember, nobody to command it, as many answers a second as are asked for.
    let mut text = format!(
        "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n chroot: \"\"\n zonesdir: \"{directory}\"\n \
         xfrdir: \"{directory}\"\n zonelistfile: \"{directory}/zone.list\"\n database: \"\"\n pidfile: \"\"\n \
         xfrdfile: \"\"\n server-count: 1\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n\
         zone:\n name: \".\"\n zonefile: root.zone\n"
    );
    for name in broken {
        text += &format!("zone:\n name: \"{name}\"\n zonefile: none\n");
    }
    for name in refused {
        // Whoever asks from another address than this may.
        text += &format!("zone:\n name: \"{name}\"\n zonefile: none\n allow-query: 192.0.2.255 NOKEY\n");
    }
    text
}
