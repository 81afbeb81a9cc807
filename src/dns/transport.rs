//! Brings a question to the servers and an answer back, by UDP and if need be by TCP, before the time is over.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::dns::failed::Cause;
use crate::dns::message::{Kind, Query, Reply, is_truncated};
use crate::dns::name::Name;
use crate::errno::words;

/// How long the first try waits for a server, at most; each round waits twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The most octets of a reply that are taken by UDP; more than anybody sends who was not asked to.
const DATAGRAM_OCTETS_MAX: usize = 4096;

/// The time that the questions of one decision share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    /// How much there is in all.
    pub(super) total: Duration,
    /// When it is over.
    pub(super) end: Instant,
}

impl Time {
    /// Begins now.
    pub(super) fn begin(total: Duration) -> Self {
        let now = Instant::now();
        Self { total, end: now.checked_add(total).unwrap_or(now) }
    }

    /// Whether nothing is left.
    pub(super) fn is_over(self) -> bool {
        left(self.end).is_none()
    }
}

/// Asks one server after the other until one answers, and those that said nothing again while there is time.
///
/// # Errors
/// What happened with each server that was asked.
pub(super) fn ask(
    servers: &[SocketAddr],
    time: Time,
    name: &Name,
    kind: Kind,
) -> Result<Reply, Vec<(SocketAddr, Cause)>> {
    // So that each server is asked once.
    let share = u32::try_from(servers.len()).ok().and_then(|servers| servers.checked_add(1));
    let mut wait = share.and_then(|share| time.total.checked_div(share)).unwrap_or(FIRST_WAIT).min(FIRST_WAIT);
    let mut causes: Vec<Option<Cause>> = vec![None; servers.len()];
    let is_open = |cause: &Option<Cause>| matches!(cause, None | Some(Cause::TimedOut(_)));
    while !time.is_over() && causes.iter().any(is_open) {
        for (server, cause) in servers.iter().zip(&mut causes).filter(|(_, cause)| is_open(cause)) {
            if time.is_over() {
                break;
            }
            let until = Instant::now().checked_add(wait).map_or(time.end, |until| until.min(time.end));
            *cause = match exchange(*server, until, name, kind) {
                Ok(reply) => return Ok(reply),
                Err(Failure::Silence) => Some(Cause::TimedOut(time.total)),
                Err(Failure::Final(cause)) => Some(cause),
            };
        }
        wait = wait.saturating_mul(2);
    }
    Err(servers.iter().zip(causes).filter_map(|(server, cause)| Some((*server, cause?))).collect())
}

/// Why a try brought nothing.
enum Failure {
    /// The next try may.
    Silence,
    /// Another try would not either.
    Final(Cause),
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self::Final(cause)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
            return Self::Silence;
        }
        Self::Final(Cause::System(words(&error).into_owned()))
    }
}

/// One try: a random id, and a port of its own that the system chooses at random, so that nobody can answer blindly.
fn exchange(server: SocketAddr, until: Instant, name: &Name, kind: Kind) -> Result<Reply, Failure> {
    let query = Query::new(random_id()?, name, kind)?;
    let own: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((own, 0))?;
    // The system passes on what comes from this server's address and port, nothing else.
    socket.connect(server)?;
    socket.send(query.octets())?;
    let mut buffer = [0; DATAGRAM_OCTETS_MAX];
    loop {
        socket.set_read_timeout(Some(left(until).ok_or(Failure::Silence)?))?;
        let length = match socket.recv(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            received => received?,
        };
        let reply = buffer.get(..length).unwrap_or_default();
        if !query.is_answered_by(reply) {
            continue;
        }
        return if is_truncated(reply) { by_tcp(server, until, &query) } else { Ok(query.read(reply)?) };
    }
}

/// The same question on a connection, where a reply may have 65,535 octets.
fn by_tcp(server: SocketAddr, until: Instant, query: &Query) -> Result<Reply, Failure> {
    let left_now = || left(until).ok_or(Failure::Silence);
    let mut stream = TcpStream::connect_timeout(&server, left_now()?)?;
    let octets = query.octets();
    let length = u16::try_from(octets.len()).map_err(|_| Cause::Malformed)?;
    stream.set_write_timeout(Some(left_now()?))?;
    stream.write_all(&[&length.to_be_bytes(), octets].concat())?;
    let mut length = [0; 2];
    read_all(&mut stream, until, &mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    read_all(&mut stream, until, &mut reply)?;
    if !query.is_answered_by(&reply) {
        return Err(Cause::Malformed.into());
    }
    Ok(query.read(&reply)?)
}

/// Fills the buffer. Each read has only the time that is left, so that a server cannot win time by single octets.
fn read_all(stream: &mut TcpStream, until: Instant, mut buffer: &mut [u8]) -> Result<(), Failure> {
    while !buffer.is_empty() {
        stream.set_read_timeout(Some(left(until).ok_or(Failure::Silence)?))?;
        let length = match stream.read(buffer) {
            Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        buffer = buffer.get_mut(length..).unwrap_or_default();
    }
    Ok(())
}

/// What a spoofer would have to guess.
fn random_id() -> Result<u16, Cause> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|error| Cause::System(error.to_string()))?;
    Ok(u16::from_be_bytes(id))
}

/// `None`, not zero, when it is over: zero would mean to wait without end.
fn left(until: Instant) -> Option<Duration> {
    until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}
