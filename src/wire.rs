//! Octets in and out: line limit, timeout, one flush before waiting.

mod auth_line;
mod descriptors;

use std::time::{Duration, Instant};

use nix::errno::Errno;
use zeroize::Zeroize;

use crate::control::Control;
use crate::message::Content;
use crate::smtp::command::AUTH_LINE_OCTETS_MAX;
use crate::smtp::reply::Reply;
use crate::tls::{Fault, Server, Stream, Taken};
use crate::wire::descriptors::Descriptors;

/// What is read at once at first: the commands before a message.
const BUFFER_OCTETS_FIRST: usize = 2000;
/// What is read at once when a lot comes.
const BUFFER_OCTETS_MAX: usize = 65_536;
/// What most replies need.
const PENDING_OCTETS_FIRST: usize = 512;
/// Replies that wait for one write are written when they reach this.
const PENDING_OCTETS_MAX: usize = 16_384;
/// How long the last words may take.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(5);

/// What of the content must come within the time that silence may take: a line of the longest kind (RFC 5321, 4.5.3.1.6).
const CONTENT_OCTETS_MIN: usize = 1000;

/// How long a handshake of TLS may take, unless `timeoutsmtpd` is shorter.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(60);
/// What is read and dropped at most of what a client has sent in clear behind STARTTLS.
const CLEAR_OCTETS_MAX: usize = 1 << 20;

/// Why the conversation cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// The client did nothing for too long.
    Timeout,
    /// The client closed the connection.
    Closed,
    /// Reading failed.
    Read(Errno),
    /// Writing failed.
    Write(Errno),
    /// SIGTERM.
    Terminated,
    /// A command line has no end within the limit.
    TooLong,
    /// What the client has sent is no TLS, or is not allowed in it.
    Tls(Fault),
}

/// What the next line of the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// A command.
    Command,
    /// The client's part of an exchange of AUTH.
    Response,
}

/// Both directions of the connection, on descriptors 0 and 1.
pub struct Wire {
    descriptors: Descriptors,
    timeout: Duration,
    line_octets_max: usize,
    /// Unread octets lie in `start..end`; in front of them there is always room for [`Content::HEADROOM`].
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// What is being read may be a password.
    may_be_secret: bool,
    pending: Vec<u8>,
    tls: Option<Box<Stream>>,
    /// Records on their way out.
    sealed: Vec<u8>,
}

/// How a client keeps up while it sends content.
#[derive(Debug)]
pub struct Pace {
    deadline: Instant,
    octets: usize,
}

impl Wire {
    /// The connection of this process. SIGTERM becomes [`Broken::Terminated`], SIGPIPE an error of the write.
    ///
    /// # Errors
    ///
    /// What the system says when it cannot give us a descriptor for signals.
    pub fn new(control: &Control) -> nix::Result<Self> {
        let timeout = Duration::from_secs(control.timeout_seconds.into());
        Ok(Self {
            descriptors: Descriptors::new(timeout)?,
            timeout,
            line_octets_max: control.command_octets_max,
            buffer: vec![0; BUFFER_OCTETS_FIRST],
            start: Content::HEADROOM,
            end: Content::HEADROOM,
            may_be_secret: false,
            pending: Vec::with_capacity(PENDING_OCTETS_FIRST),
            tls: None,
            sealed: Vec::new(),
        })
    }

    /// Says a reply; it is written before the next wait.
    ///
    /// # Errors
    ///
    /// [`Broken`] when so much is waiting that it must be written now, and cannot.
    pub fn say(&mut self, reply: &Reply) -> Result<(), Broken> {
        let code = reply.code();
        let mut lines = reply.lines().peekable();
        while let Some(line) = lines.next() {
            let digits = [code / 100 % 10, code / 10 % 10, code % 10].map(|digit| b'0' + digit as u8);
            self.pending.extend_from_slice(&digits);
            self.pending.push(if lines.peek().is_some() { b'-' } else { b' ' });
            self.pending.extend_from_slice(line);
            self.pending.extend_from_slice(b"\r\n");
        }
        if self.pending.len() > PENDING_OCTETS_MAX { self.flush() } else { Ok(()) }
    }

    /// Writes what was said.
    ///
    /// # Errors
    ///
    /// [`Broken::Write`] for a client that does not read in time, or is gone.
    pub fn flush(&mut self) -> Result<(), Broken> {
        if let Some(tls) = &mut self.tls {
            tls.seal(&self.pending, &mut self.sealed);
            self.pending.clear();
            std::mem::swap(&mut self.pending, &mut self.sealed);
        }
        let written = self.descriptors.write(&self.pending);
        self.pending.clear();
        written
    }

    /// Writes what was said, and that nothing follows.
    ///
    /// # Errors
    ///
    /// [`Broken::Write`], as [`Self::flush`].
    pub fn finish(&mut self) -> Result<(), Broken> {
        if let Some(tls) = &mut self.tls {
            // After what waits, which has to be a record first.
            tls.seal(&self.pending, &mut self.sealed);
            self.pending.clear();
            tls.close();
        }
        self.flush()
    }

    /// Forgets what the client has sent and nobody has heard, also what waits in the socket; returns how many octets.
    ///
    /// # Errors
    ///
    /// [`Broken`], whatever happened; but not that nothing waits.
    pub fn forget_clear(&mut self) -> Result<usize, Broken> {
        let mut octets = self.end - self.start;
        self.buffer.zeroize();
        self.buffer = vec![0; BUFFER_OCTETS_FIRST];
        (self.start, self.end) = (Content::HEADROOM, Content::HEADROOM);
        while octets < CLEAR_OCTETS_MAX {
            match self.descriptors.read(&mut self.buffer, Duration::ZERO) {
                Ok(more) => octets += more,
                Err(Broken::Timeout) => break,
                Err(broken) => return Err(broken),
            }
        }
        Ok(octets)
    }

    /// The handshake. From here on nothing is said in clear, whatever becomes of it.
    ///
    /// # Errors
    ///
    /// [`Broken`], whatever happened.
    pub fn encrypt(&mut self, server: Server) -> Result<&Stream, Broken> {
        let deadline = Instant::now() + self.timeout.min(HANDSHAKE_PATIENCE);
        self.descriptors.send_at_once();
        let tls = self.tls.insert(Box::new(Stream::new(server)));
        loop {
            let shaken = tls.shake_hands();
            if shaken == Ok(true) {
                return Ok(tls);
            }
            tls.seal(b"", &mut self.sealed);
            let written = self.descriptors.write(&self.sealed);
            self.sealed.clear();
            shaken.map_err(Broken::Tls)?;
            written?;
            let left = deadline.saturating_duration_since(Instant::now());
            let octets = self.descriptors.read(tls.room(), left)?;
            tls.received(octets);
        }
    }

    /// The next line, without LF and without one CR before it; none for a line of AUTH that is too long, which is skipped.
    ///
    /// # Errors
    ///
    /// [`Broken`], whatever happened.
    pub fn line(&mut self, awaited: Awaited) -> Result<Option<&[u8]>, Broken> {
        let mut searched = 0;
        let mut deadline = None;
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let found = memchr::memchr(b'\n', unread.get(searched..).unwrap_or_default());
            let octets = found.map_or(unread.len(), |at| searched + at);
            // D39: a client that sends an octet now and then may not keep us for ever.
            let timeout = self.timeout;
            let mut until = || *deadline.get_or_insert_with(|| Instant::now() + timeout);
            if octets > self.line_octets_max.min(AUTH_LINE_OCTETS_MAX) {
                let is_of_auth = awaited == Awaited::Response || auth_line::begins(unread);
                if is_of_auth && auth_line::is_too_long(unread.get(..octets).unwrap_or_default()) {
                    self.skip_line(until())?;
                    return Ok(None);
                }
                if !is_of_auth && octets > self.line_octets_max {
                    return Err(Broken::TooLong);
                }
            }
            if found.is_some() {
                let line = self.start..self.start + octets;
                self.start = line.end + 1;
                let line = self.buffer.get(line).unwrap_or_default();
                return Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)));
            }
            searched = octets;
            self.may_be_secret = awaited == Awaited::Response || auth_line::begins(unread);
            self.read_within(until().saturating_duration_since(Instant::now()))?;
        }
    }

    /// Drops everything up to the end of the line.
    fn skip_line(&mut self, deadline: Instant) -> Result<(), Broken> {
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unread) {
                self.start += at + 1;
                return Ok(());
            }
            self.start = self.end;
            self.read_within(deadline.saturating_duration_since(Instant::now()))?;
        }
    }

    /// Overwrites what was read and used: a line of AUTH may have been a password.
    pub fn forget_used(&mut self) {
        self.buffer.get_mut(self.end..).unwrap_or_default().zeroize();
        self.buffer.get_mut(..self.start).unwrap_or_default().zeroize();
    }

    /// Whether a whole line has been read already, so that [`Self::line`] need not wait.
    #[must_use]
    pub fn has_line(&self) -> bool {
        memchr::memchr(b'\n', self.buffer.get(self.start..self.end).unwrap_or_default()).is_some()
    }

    /// The octets that were read and not used, with [`Content::HEADROOM`] in front.
    pub fn window(&mut self) -> &mut [u8] {
        let start = self.start - Content::HEADROOM;
        self.buffer.get_mut(start..self.end).unwrap_or_default()
    }

    /// Says how much of the [`Self::window`] was used, headroom included.
    pub fn use_up(&mut self, octets: usize) {
        self.start = (self.start + octets - Content::HEADROOM).min(self.end);
    }

    /// Reads more, after writing what was said; waits as long as the client may keep us waiting.
    ///
    /// # Errors
    ///
    /// [`Broken`], whatever happened.
    pub fn read_more(&mut self) -> Result<(), Broken> {
        self.read_within(self.timeout)
    }

    /// The beginning of content.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace { deadline: Instant::now() + self.timeout, octets: 0 }
    }

    /// Reads more content. D39: a client that only drips is not waited for; `CONTENT_OCTETS_MIN` must come in time.
    ///
    /// # Errors
    ///
    /// [`Broken`], whatever happened.
    pub fn read_content(&mut self, pace: &mut Pace) -> Result<(), Broken> {
        let before = self.end - self.start;
        self.read_within(pace.deadline.saturating_duration_since(Instant::now()))?;
        pace.octets += self.end - self.start - before;
        if pace.octets >= CONTENT_OCTETS_MIN {
            *pace = self.pace();
        }
        Ok(())
    }

    fn read_within(&mut self, patience: Duration) -> Result<(), Broken> {
        self.flush()?;
        self.make_room();
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        self.end += match &mut self.tls {
            None => self.descriptors.read(room, patience)?,
            Some(tls) => read_records(tls, &mut self.descriptors, room, patience)?,
        };
        Ok(())
    }

    /// Says a reply to a connection that ends, and does not wait long for a client that may be gone.
    pub fn say_last(&mut self, reply: &Reply) {
        self.descriptors.timeout = self.timeout.min(LAST_WORDS_PATIENCE);
        // Nobody may be listening: then nobody hears, and we exit all the same.
        let _ = self.say(reply).and_then(|()| self.finish());
    }

    /// Waits, whatever the client does.
    ///
    /// # Errors
    ///
    /// [`Broken::Terminated`], or that what was said cannot be written.
    pub fn pause(&mut self, duration: Duration) -> Result<(), Broken> {
        self.flush()?;
        self.descriptors.pause(duration)
    }

    /// Waits for the client to speak too early; says whether it did.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the client is gone, or on SIGTERM.
    pub fn is_early_talker(&mut self, patience: Duration) -> Result<bool, Broken> {
        match self.read_within(patience) {
            Ok(()) => Ok(true),
            Err(Broken::Timeout) => Ok(false),
            Err(broken) => Err(broken),
        }
    }

    /// Moves unread octets to the front when the buffer is full, and doubles it when reads fill it: small messages never pay
    /// for a large buffer.
    fn make_room(&mut self) {
        let was_full = self.end == self.buffer.len();
        if self.start == self.end {
            (self.start, self.end) = (Content::HEADROOM, Content::HEADROOM);
        } else if was_full {
            self.buffer.copy_within(self.start..self.end, Content::HEADROOM);
            (self.start, self.end) = (Content::HEADROOM, self.end - self.start + Content::HEADROOM);
        }
        // Without room for more a line of the longest permitted length would never fit; that length bounds the growth.
        if (was_full && self.buffer.len() < BUFFER_OCTETS_MAX) || self.end == self.buffer.len() {
            let octets = self.buffer.len() * 2;
            if self.may_be_secret {
                auth_line::reserve(&mut self.buffer, octets);
            }
            self.buffer.resize(octets, 0);
        }
    }
}

/// Reads until there is plain text. Records that hold none do not make the wait longer.
fn read_records(
    tls: &mut Stream,
    descriptors: &mut Descriptors,
    into: &mut [u8],
    patience: Duration,
) -> Result<usize, Broken> {
    let deadline = Instant::now() + patience;
    loop {
        match tls.take(into).map_err(Broken::Tls)? {
            Taken::Octets(octets) => return Ok(octets),
            Taken::End => return Err(Broken::Closed),
            Taken::WantsMore => {
                // An answer of TLS itself, as to a client that would renegotiate: it waits for one.
                let mut answer = Vec::new();
                tls.to_send(&mut answer);
                descriptors.write(&answer)?;
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let octets = descriptors.read(tls.room(), left)?;
        tls.received(octets);
    }
}
