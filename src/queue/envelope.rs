//! Who a message is from and for, and the form of that on the pipe to the queue program, written and read.

use std::fmt;
use std::io::{self, BufWriter, Read, Write};
use std::mem;

/// Longest address on the pipe, in octets, as qmail-queue has it.
pub const ADDRESS_OCTETS_MAX: usize = 1003;

/// Most recipients that are read for one message: twice what smtpd accepts without `maxrecipients`.
pub const RECIPIENTS_MAX: usize = 100_000;

/// Octets of envelope read or written at once.
const CHUNK_OCTETS: usize = 4096;

/// Sender and recipients of one message. It has at least one recipient, and no address contains a NUL, because both
/// ways to get one see to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    sender: Vec<u8>,
    recipients: Vec<Vec<u8>>,
}

/// Why addresses are no [`Envelope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no recipient, and without one a message goes nowhere.
    NoRecipient,
    /// An address contains a NUL, which would end it on the pipe and begin something else.
    NulInAddress,
}

impl Envelope {
    /// An envelope of addresses in the order in which they were accepted. An address may be empty, as in `<>`.
    ///
    /// # Errors
    /// [`Refused`] tells why these addresses cannot be handed over. Their length is for the queue program to judge.
    pub fn new(sender: Vec<u8>, recipients: Vec<Vec<u8>>) -> Result<Envelope, Refused> {
        if recipients.is_empty() {
            return Err(Refused::NoRecipient);
        }
        if sender.contains(&0) || recipients.iter().any(|recipient| recipient.contains(&0)) {
            return Err(Refused::NulInAddress);
        }
        Ok(Envelope { sender, recipients })
    }

    /// The sender's address, empty for a bounce.
    #[must_use]
    pub fn sender(&self) -> &[u8] {
        &self.sender
    }

    /// The recipients' addresses in the order in which they were accepted, at least one.
    #[must_use]
    pub fn recipients(&self) -> &[Vec<u8>] {
        &self.recipients
    }

    /// Writes `F<sender>NUL`, `T<recipient>NUL` for each recipient, and a `NUL`, in as few writes as a small buffer
    /// allows.
    ///
    /// # Errors
    /// What the pipe reports.
    pub fn write(&self, pipe: &mut impl Write) -> io::Result<()> {
        let mut pipe = BufWriter::with_capacity(CHUNK_OCTETS, pipe);
        let written = self.write_pieces(&mut pipe).and_then(|()| pipe.flush());
        let _ = pipe.into_parts(); // Dropping it would try a pipe that failed once more.
        written
    }

    /// Reads an envelope up to the end of the pipe.
    ///
    /// # Errors
    /// [`Unusable`] tells why there is no envelope. A writer that gave up closes the pipe early: [`Unusable::Ended`].
    pub fn read(pipe: &mut impl Read) -> Result<Envelope, Unusable> {
        let mut parser = Parser::default();
        let mut chunk = [0; CHUNK_OCTETS];
        loop {
            match pipe.read(&mut chunk) {
                Ok(0) => return parser.end(),
                Ok(length) => parser.hear(chunk.get(..length).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Unusable::Read(error)),
            }
        }
    }

    fn write_pieces(&self, pipe: &mut impl Write) -> io::Result<()> {
        pipe.write_all(b"F")?;
        pipe.write_all(&self.sender)?;
        for recipient in &self.recipients {
            pipe.write_all(b"\0T")?;
            pipe.write_all(recipient)?;
        }
        pipe.write_all(b"\0\0")
    }
}

/// Why what came from the pipe is no [`Envelope`].
#[derive(Debug)]
pub enum Unusable {
    /// It ended before the last NUL: the writer changed its mind or died.
    Ended,
    /// The pipe could not be read.
    Read(io::Error),
    /// It does not have the form that [`Envelope::write`] writes.
    Form,
    /// An address is longer than [`ADDRESS_OCTETS_MAX`].
    AddressTooLong,
    /// There are more than [`RECIPIENTS_MAX`] recipients.
    TooManyRecipients,
    /// There is no memory for it.
    Memory,
}

impl Unusable {
    /// The exit code with which qmail-queue says so.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Unusable::AddressTooLong => 11,
            Unusable::TooManyRecipients | Unusable::Memory => 51,
            Unusable::Ended | Unusable::Read(_) => 54,
            Unusable::Form => 91,
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Ended => write!(f, "the envelope ended early"),
            Unusable::Read(error) => write!(f, "cannot read the envelope: {error}"),
            Unusable::Form => write!(f, "the envelope is malformed"),
            Unusable::AddressTooLong => {
                write!(f, "an address of the envelope is longer than {ADDRESS_OCTETS_MAX} octets")
            }
            Unusable::TooManyRecipients => write!(f, "the envelope has more than {RECIPIENTS_MAX} recipients"),
            Unusable::Memory => write!(f, "no memory for the envelope"),
        }
    }
}

/// Where in the envelope the next byte stands.
#[derive(Clone, Copy, Debug, Default)]
enum At {
    #[default]
    Start,
    Sender,
    FirstRecipient,
    Recipient,
    NextRecipient,
    End,
}

/// An envelope as it arrives, in pieces of any size.
#[derive(Debug, Default)]
struct Parser {
    at: At,
    sender: Vec<u8>,
    recipients: Vec<Vec<u8>>,
    address: Vec<u8>,
}

impl Parser {
    fn hear(&mut self, bytes: &[u8]) -> Result<(), Unusable> {
        bytes.iter().try_for_each(|&byte| self.hear_byte(byte))
    }

    fn end(self) -> Result<Envelope, Unusable> {
        match self.at {
            At::End => Ok(Envelope { sender: self.sender, recipients: self.recipients }),
            At::Start | At::Sender | At::FirstRecipient | At::Recipient | At::NextRecipient => Err(Unusable::Ended),
        }
    }

    fn hear_byte(&mut self, byte: u8) -> Result<(), Unusable> {
        self.at = match (self.at, byte) {
            (At::Start, b'F') => At::Sender,
            (At::Sender, 0) => {
                self.sender = mem::take(&mut self.address);
                At::FirstRecipient
            }
            (At::FirstRecipient | At::NextRecipient, b'T') => At::Recipient,
            (At::Recipient, 0) => {
                self.keep_recipient()?;
                At::NextRecipient
            }
            (At::NextRecipient, 0) => At::End,
            (At::Sender | At::Recipient, _) => {
                self.keep_byte(byte)?;
                self.at
            }
            (At::Start | At::FirstRecipient | At::NextRecipient | At::End, _) => return Err(Unusable::Form),
        };
        Ok(())
    }

    fn keep_byte(&mut self, byte: u8) -> Result<(), Unusable> {
        if self.address.len() >= ADDRESS_OCTETS_MAX {
            return Err(Unusable::AddressTooLong);
        }
        self.address.try_reserve(1).map_err(|_| Unusable::Memory)?;
        self.address.push(byte);
        Ok(())
    }

    fn keep_recipient(&mut self) -> Result<(), Unusable> {
        if self.recipients.len() >= RECIPIENTS_MAX {
            return Err(Unusable::TooManyRecipients);
        }
        self.recipients.try_reserve(1).map_err(|_| Unusable::Memory)?;
        self.recipients.push(mem::take(&mut self.address));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn envelope(sender: &str, recipients: &[&str]) -> Envelope {
        Envelope::new(sender.into(), recipients.iter().map(|recipient| (*recipient).into()).collect()).unwrap()
    }

    fn written(envelope: &Envelope) -> Vec<u8> {
        let mut pipe = Vec::new();
        envelope.write(&mut pipe).unwrap();
        pipe
    }

    fn exit_code(mut bytes: &[u8]) -> u8 {
        Envelope::read(&mut bytes).map_or_else(|unusable| unusable.exit_code(), |_| 0)
    }

    #[test]
    fn an_envelope_has_a_recipient_and_no_nul() {
        assert_eq!(Envelope::new(b"a@b".to_vec(), vec![]), Err(Refused::NoRecipient));
        assert_eq!(Envelope::new(b"a\0@b".to_vec(), vec![b"c@d".to_vec()]), Err(Refused::NulInAddress));
        assert_eq!(Envelope::new(b"a@b".to_vec(), vec![b"c@d".to_vec(), b"e\0T".to_vec()]), Err(Refused::NulInAddress));
    }

    #[test]
    fn the_form_on_the_pipe() {
        assert_eq!(written(&envelope("a@b", &["c@d", "e@f"])), b"Fa@b\0Tc@d\0Te@f\0\0");
        assert_eq!(written(&envelope("", &["c@d"])), b"F\0Tc@d\0\0");
    }

    #[test]
    fn a_small_envelope_is_one_write() {
        struct Writes(Vec<usize>);
        impl Write for Writes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.len());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writes = Writes(Vec::new());
        envelope("a@b", &["c@d", "e@f"]).write(&mut writes).unwrap();
        assert_eq!(writes.0, [16]);
    }

    #[test]
    fn forms_and_their_exit_codes() {
        let table: [(&[u8], u8); 14] = [
            (b"Fa@b\0Tc@d\0\0", 0),
            (b"F\0T\0\0", 0),
            (b"", 54),
            (b"F", 54),
            (b"Fa@b\0", 54),
            (b"Fa@b\0Tc@d\0", 54),
            (b"\0", 91),
            (b"fa@b\0Tc@d\0\0", 91),
            (b"Ta@b\0Fc@d\0\0", 91),
            (b"Fa@b\0\0", 91),
            (b"Fa@b\0tc@d\0\0", 91),
            (b"Fa@b\0Tc@d\0Fe@f\0\0", 91),
            (b"Fa@b\0Tc@d\0\0\0", 91),
            (b"Fa@b\0Tc@d\0\0Fa@b\0Tc@d\0\0", 91),
        ];
        for (bytes, expected) in table {
            assert_eq!(exit_code(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn addresses_and_recipients_have_a_limit() {
        let longest = "x".repeat(ADDRESS_OCTETS_MAX);
        let longer = format!("{longest}x");
        assert_eq!(exit_code(&written(&envelope(&longest, &[&longest]))), 0);
        assert_eq!(exit_code(&written(&envelope(&longer, &["c@d"]))), 11);
        assert_eq!(exit_code(&written(&envelope("a@b", &["c@d", &longer]))), 11);

        assert_eq!(exit_code(&written(&envelope("a@b", &vec!["c"; RECIPIENTS_MAX]))), 0);
        assert_eq!(exit_code(&written(&envelope("a@b", &vec!["c"; RECIPIENTS_MAX + 1]))), 51);
    }

    #[test]
    fn a_pipe_that_fails_is_a_read_error_and_an_interruption_is_none() {
        struct Fails(Vec<io::ErrorKind>);
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                self.0.pop().map_or(Ok(0), |kind| Err(kind.into()))
            }
        }
        let broken = Envelope::read(&mut Fails(vec![io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted]));
        assert!(matches!(broken, Err(Unusable::Read(_))));
        assert!(matches!(Envelope::read(&mut Fails(vec![io::ErrorKind::Interrupted])), Err(Unusable::Ended)));
    }

    /// Bytes that are often nearly an envelope.
    fn nearly() -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![Just(0), Just(b'F'), Just(b'T'), Just(b'a'), any::<u8>()], 0..40)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_alike(
            sender in vec(1..=255u8, 0..50),
            recipients in vec(vec(1..=255u8, 0..50), 1..200),
        ) {
            let envelope = Envelope::new(sender, recipients).unwrap();
            prop_assert_eq!(Envelope::read(&mut written(&envelope).as_slice()).unwrap(), envelope);
        }

        #[test]
        fn only_the_one_form_is_read(bytes in prop_oneof![nearly(), nearly().prop_map(|tail| [b"Fa\0Tb\0", &tail[..]].concat())]) {
            if let Ok(envelope) = Envelope::read(&mut bytes.as_slice()) {
                prop_assert_eq!(written(&envelope), bytes);
            }
        }

        #[test]
        fn the_size_of_the_pieces_does_not_matter(bytes in nearly(), cut in 0..40usize) {
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            let pieces = Envelope::read(&mut one.chain(two)).map_err(|unusable| unusable.exit_code());
            prop_assert_eq!(pieces, Envelope::read(&mut bytes.as_slice()).map_err(|unusable| unusable.exit_code()));
        }
    }
}
