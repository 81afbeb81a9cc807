//! queue-maildir: a message and its envelope become one file of a Maildir; tmp, fsync, link into new.
//!
//! The envelope comes after the message but is written before it. So a message is held back until the envelope is
//! there: a small one in memory, a larger one in a file without a name, which a killed program cannot leave behind.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use crate::queue::envelope::{Envelope, Unusable};

/// Octets of a message that are held in memory; also what is read and written at once of a larger one.
const HELD_OCTETS_MAX: usize = 65_536;

/// Unique names that are tried before giving up.
const NAMES_MAX: u32 = 100;

/// Permissions of a Maildir that is made here, and of a message: nobody else's business.
const DIRECTORY_MODE: u32 = 0o700;
const MESSAGE_MODE: u32 = 0o600;

/// Reads `message` to its end, then `envelope`, and puts both as one file into `new` of the Maildir at `path`, which
/// is made when it is missing but its parent is there. On `Ok` the file will survive a crash of the machine.
///
/// # Errors
/// [`Failure`] tells what went wrong; then nothing was delivered and nothing is left behind.
pub fn deliver(message: &mut impl Read, envelope: &mut impl Read, path: &Path) -> Result<(), Failure> {
    let maildir = Maildir::open(path)?;
    let message = maildir.hold(message)?;
    let envelope = Envelope::read(envelope).map_err(Failure::Envelope)?;

    let (name, file) = maildir.create()?;
    write(&file, &envelope, message).map_err(failed(Step::Write))?;
    file.sync_all().map_err(failed(Step::Sync))?;
    maildir.publish(&name)
}

/// Why a message was not delivered.
#[derive(Debug)]
pub enum Failure {
    /// There is no usable envelope.
    Envelope(Unusable),
    /// There is no memory, although a message needs only a little.
    Memory,
    /// The machine did not let us.
    Io(Step, io::Error),
}

/// What the machine did not let us do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the message.
    Read,
    /// Write the message: most often the disk is full.
    Write,
    /// Open the Maildir or make a missing one.
    Open,
    /// Bring the message to the disk.
    Sync,
    /// Link the message into `new`.
    Link,
    /// Create a file in `tmp`.
    Create,
    /// Bring a directory to the disk.
    SyncDirectory,
}

impl Failure {
    /// The exit code with which qmail-queue says so, or the nearest that it has.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Envelope(unusable) => unusable.exit_code(),
            Failure::Memory => 51,
            Failure::Io(Step::Write, _) => 53,
            Failure::Io(Step::Read, _) => 54,
            Failure::Io(Step::Open, _) => 61,
            Failure::Io(Step::Sync, _) => 64,
            Failure::Io(Step::Link, _) => 67,
            Failure::Io(Step::Create, _) => 68,
            Failure::Io(Step::SyncDirectory, _) => 69,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, error) = match self {
            Failure::Envelope(unusable) => return unusable.fmt(f),
            Failure::Memory => return write!(f, "no memory for the message"),
            Failure::Io(step, error) => (step, error),
        };
        let step = match step {
            Step::Read => "read the message",
            Step::Write => "write the message",
            Step::Open => "open or make the Maildir",
            Step::Sync => "bring the message to the disk",
            Step::Link => "link the message into new",
            Step::Create => "create a file in tmp",
            Step::SyncDirectory => "bring a directory to the disk",
        };
        write!(f, "cannot {step}: {error}")
    }
}

fn failed(step: Step) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::Io(step, error)
}

struct Maildir {
    tmp: PathBuf,
    new: PathBuf,
    /// `new` itself, open before anything is linked into it, because afterwards it must not fail to open.
    new_directory: File,
    host: Vec<u8>,
}

/// A message that waits for its envelope.
enum Held {
    Memory(Vec<u8>),
    File { file: File, size_octets: u64 },
}

/// The name of a file; the name goes when this goes, however that comes about.
struct Name(PathBuf);

impl Drop for Name {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Maildir {
    fn open(path: &Path) -> Result<Maildir, Failure> {
        let [tmp, new, cur] = ["tmp", "new", "cur"].map(|name| path.join(name));
        if !(tmp.is_dir() && new.is_dir() && cur.is_dir()) {
            for directory in [path, &tmp, &new, &cur] {
                make_directory(directory).map_err(failed(Step::Open))?;
            }
            sync_directory(path).map_err(failed(Step::SyncDirectory))?;
            sync_directory(parent(path)).map_err(failed(Step::SyncDirectory))?;
        }
        let new_directory = File::open(&new).map_err(failed(Step::Open))?;
        Ok(Maildir { tmp, new, new_directory, host: host() })
    }

    fn hold(&self, message: &mut impl Read) -> Result<Held, Failure> {
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(HELD_OCTETS_MAX).map_err(|_| Failure::Memory)?;
        message.take(HELD_OCTETS_MAX as u64).read_to_end(&mut buffer).map_err(failed(Step::Read))?;
        if buffer.len() < HELD_OCTETS_MAX {
            return Ok(Held::Memory(buffer));
        }

        let (name, mut file) = self.create()?;
        drop(name);
        file.write_all(&buffer).map_err(failed(Step::Write))?;
        loop {
            match message.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    let piece = buffer.get(..length).unwrap_or_default();
                    file.write_all(piece).map_err(failed(Step::Write))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(Step::Read)(error)),
            }
        }
        let size_octets = file.stream_position().map_err(failed(Step::Write))?;
        file.rewind().map_err(failed(Step::Write))?;
        Ok(Held::File { file, size_octets })
    }

    fn create(&self) -> Result<(Name, File), Failure> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(MESSAGE_MODE);
        let (path, file) = self.under_a_new_name(&self.tmp, |path| options.open(path)).map_err(failed(Step::Create))?;
        Ok((Name(path), file))
    }

    /// Gives the finished message a name in `new`. A link never takes the place of another file, and is whole or absent.
    fn publish(&self, name: &Name) -> Result<(), Failure> {
        let link = |path: &Path| fs::hard_link(&name.0, path);
        let (path, ()) = self.under_a_new_name(&self.new, link).map_err(failed(Step::Link))?;
        self.new_directory.sync_all().map_err(|error| {
            drop(Name(path)); // It will be sent again, so it must not be here already.
            Failure::Io(Step::SyncDirectory, error)
        })
    }

    fn under_a_new_name<T>(
        &self,
        directory: &Path,
        attempt: impl Fn(&Path) -> io::Result<T>,
    ) -> io::Result<(PathBuf, T)> {
        for count in 0..NAMES_MAX {
            let path = directory.join(unique_name(count, &self.host));
            match attempt(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result.map(|made| (path, made)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// Makes a directory unless it is there. Several programs may be making the same one.
fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// This machine's name as a file name can hold it; `localhost` where the machine does not tell.
fn host() -> Vec<u8> {
    let mut host = Vec::new();
    for &byte in nix::unistd::gethostname().unwrap_or_default().as_bytes() {
        match byte {
            b'/' => host.extend(br"\057"),
            b':' => host.extend(br"\072"),
            byte if byte.is_ascii_graphic() => host.push(byte),
            _ => host.push(b'_'),
        }
    }
    if host.is_empty() { b"localhost".to_vec() } else { host }
}

/// A name that no other message of this Maildir has: time, process, count of attempts, machine.
fn unique_name(count: u32, host: &[u8]) -> OsString {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut name = format!("{}.M{}P{}Q{count}.", now.as_secs(), now.subsec_micros(), process::id()).into_bytes();
    name.extend(host);
    OsString::from_vec(name)
}

fn write(mut file: &File, envelope: &Envelope, message: Held) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(HELD_OCTETS_MAX, file);
    write_header(&mut out, envelope)?;
    match message {
        Held::Memory(message) => out.write_all(&message)?,
        Held::File { file: mut message, size_octets } => {
            out.flush()?;
            if io::copy(&mut message, &mut file)? != size_octets {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
    out.flush()
}

/// Writes the envelope as header lines. An address is whatever the client sent, but it stays on its line.
fn write_header(out: &mut impl Write, envelope: &Envelope) -> io::Result<()> {
    out.write_all(b"Return-Path: <")?;
    out.write_all(&printable(&quoted(envelope.sender())))?;
    out.write_all(b">\n")?;
    for recipient in envelope.recipients() {
        out.write_all(b"Delivered-To: ")?;
        out.write_all(&printable(recipient))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// An address as it stands between `<` and `>`: the envelope has a local part without its quotes, RFC 5321 wants them
/// around whatever is more than letters, digits and a few signs.
fn quoted(address: &[u8]) -> Vec<u8> {
    let at = address.iter().rposition(|&byte| byte == b'@').unwrap_or(address.len());
    let (local, domain) = address.split_at_checked(at).unwrap_or_default();
    let mut quoted = Vec::with_capacity(address.len());
    if local.iter().all(|&byte| is_plain(byte)) {
        quoted.extend(local);
    } else {
        quoted.push(b'"');
        for &byte in local {
            if matches!(byte, b'"' | b'\\') {
                quoted.push(b'\\');
            }
            quoted.push(byte);
        }
        quoted.push(b'"');
    }
    quoted.extend(domain.iter().map(|&byte| if matches!(byte, b'<' | b'>') { b'?' } else { byte }));
    quoted
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

fn printable(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|&byte| if byte.is_ascii_control() { b'?' } else { byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sender: &[u8], recipients: &[&[u8]]) -> String {
        let recipients = recipients.iter().map(|recipient| recipient.to_vec()).collect();
        let mut out = Vec::new();
        write_header(&mut out, &Envelope::new(sender.to_vec(), recipients).unwrap()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_address_stays_on_its_line_and_between_its_brackets() {
        let table: [(&[u8], &str); 11] = [
            (b"", "<>"),
            (b"alice", "<alice>"),
            (b"alice+x=y@example.org", "<alice+x=y@example.org>"),
            ("björn@example.org".as_bytes(), "<björn@example.org>"),
            (b"a b@example.org", "<\"a b\"@example.org>"),
            (b"a>b@example.org", "<\"a>b\"@example.org>"),
            (b"a\"\\b@example.org", "<\"a\\\"\\\\b\"@example.org>"),
            (b"list-@host-@[]", "<\"list-@host-\"@[]>"),
            (b"a@b> <c", "<a@b? ?c>"),
            (b"a@b\nX-Spam: no\r", "<a@b?X-Spam: no?>"),
            (b"a\nb\t\x7f@c", "<\"a?b??\"@c>"),
        ];
        for (sender, expected) in table {
            assert_eq!(
                header(sender, &[b"bob@example.org"]),
                format!("Return-Path: {expected}\nDelivered-To: bob@example.org\n")
            );
        }
        assert_eq!(
            header(b"", &[b"a b@c", b"", b"d\r\n\r\nbody"]),
            "Return-Path: <>\nDelivered-To: a b@c\nDelivered-To: \nDelivered-To: d????body\n"
        );
    }

    #[test]
    fn a_name_is_taken_only_once() {
        let home = tempfile::tempdir().unwrap();
        let maildir = Maildir::open(home.path()).unwrap();
        let taken: Vec<_> = (0..50).map(|_| maildir.create().unwrap().0).collect();
        assert_eq!(fs::read_dir(&maildir.tmp).unwrap().count(), taken.len());

        // However often a name is taken already, nothing is overwritten, and the tries have an end.
        let full =
            maildir.under_a_new_name(&maildir.new, |_| -> io::Result<()> { Err(io::ErrorKind::AlreadyExists.into()) });
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::AlreadyExists);

        drop(taken);
        assert_eq!(fs::read_dir(&maildir.tmp).unwrap().count(), 0);
    }

    #[test]
    fn a_message_that_cannot_be_read_is_not_delivered() {
        struct Fails(usize);
        impl Read for Fails {
            fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
                let length = self.0.min(bytes.len());
                self.0 -= length;
                if length == 0 { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(length) }
            }
        }
        let home = tempfile::tempdir().unwrap();
        for size_octets in [10, 3 * HELD_OCTETS_MAX] {
            let failure = deliver(&mut Fails(size_octets), &mut &b"Fa\0Tb\0\0"[..], home.path()).unwrap_err();
            assert_eq!(failure.exit_code(), 54);
            assert_eq!(failure.to_string(), "cannot read the message: connection reset");
        }
        for part in ["tmp", "new", "cur"] {
            assert_eq!(fs::read_dir(home.path().join(part)).unwrap().count(), 0);
        }
    }
}
