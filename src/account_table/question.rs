//! The question that smtpd and postern ask checkaddress on its descriptor 0, and the answer on descriptor 1.

/// The longest question, in octets.
pub const QUESTION_OCTETS_MAX: usize = 4096;

/// The most flags that can be asked for at once.
const FLAGS_MAX: usize = 8;

/// What is asked about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Does it have a mailbox?
    Recipient,
    /// Does it have an account that may send?
    Sender,
    /// Is it in the list of this name, as `badmailfrom`?
    List(Vec<u8>),
    /// How many accounts carry each of these flags? This is about no address.
    Flags(Vec<u64>),
}

/// A question about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub asked: Asked,
    /// The address; empty where the question is about none.
    pub address: Vec<u8>,
}

/// How many accounts carry each of the flags that were asked for, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(pub Vec<u64>);

impl Counts {
    /// What stands before the numbers, so that a program of that name that only ends well has counted nothing.
    const WORD: &str = "counted";

    /// The answer in words; its exit code is 0.
    #[must_use]
    pub fn words(&self) -> String {
        self.0.iter().fold(Self::WORD.to_owned(), |words, count| format!("{words} {count}"))
    }

    /// What words and exit code say to so many flags; none unless there is a number for each.
    #[must_use]
    pub fn of(words: &str, exit_code: i32, flags: usize) -> Option<Self> {
        let numbers = words.strip_prefix(Self::WORD).filter(|_| exit_code == 0)?;
        let numbers =
            numbers.split_ascii_whitespace().map(|number| number.parse().ok()).collect::<Option<Vec<u64>>>()?;
        (numbers.len() == flags).then_some(Self(numbers))
    }
}

/// What is known of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has a mailbox, may send, or is in the list.
    Ok,
    /// It has none, or is not in the list.
    Absent,
    /// It is switched off.
    Inactive,
    /// It is full, or locked.
    OverQuota,
    /// It may not send.
    NoSmtp,
}

impl Status {
    /// All of them; the place is the exit code.
    pub const ALL: [Status; 5] = [Status::Ok, Status::Absent, Status::Inactive, Status::OverQuota, Status::NoSmtp];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Absent => "absent",
            Status::Inactive => "inactive",
            Status::OverQuota => "overquota",
            Status::NoSmtp => "nosmtp",
        }
    }

    /// The exit code that goes with the word.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        self as u8
    }

    /// What word and exit code say; none unless both say the same, so that a program of that name that only ends well says
    /// nothing.
    #[must_use]
    pub fn of(word: &str, exit_code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word && i32::from(status.exit_code()) == exit_code)
    }
}

impl Question {
    /// The kind, the address, and the list or the flags, each with a NUL behind it.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let (kind, rest): (&[u8], Vec<u8>) = match &self.asked {
            Asked::Recipient => (b"rcpt", Vec::new()),
            Asked::Sender => (b"sender", Vec::new()),
            Asked::List(list) => (b"list", list.clone()),
            Asked::Flags(flags) => (b"flags", flags.iter().map(u64::to_string).collect::<Vec<_>>().join(" ").into()),
        };
        [kind, &self.address, &rest, b""].join(&0)
    }

    /// The question that these octets are; none for anything else.
    #[must_use]
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let mut texts = octets.strip_suffix(b"\0")?.split(|octet| *octet == 0);
        let (kind, address, rest) = (texts.next()?, texts.next()?, texts.next()?);
        let asked = match (kind, address, rest) {
            (b"rcpt", _, b"") => Asked::Recipient,
            (b"sender", _, b"") => Asked::Sender,
            (b"list", _, list @ [_, ..]) => Asked::List(list.to_vec()),
            (b"flags", b"", flags) => Asked::Flags(numbers(flags)?),
            (_, _, _) => return None,
        };
        texts.next().is_none().then(|| Self { asked, address: address.to_vec() })
    }
}

/// Numbers with blanks between them: at least one, and no more than [`FLAGS_MAX`].
fn numbers(text: &[u8]) -> Option<Vec<u64>> {
    let numbers = str::from_utf8(text).ok()?.split(' ').map(|number| number.parse().ok());
    numbers.collect::<Option<Vec<u64>>>().filter(|numbers| numbers.len() <= FLAGS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_arrives_as_it_was_asked() {
        for asked in [Asked::Recipient, Asked::Sender, Asked::List(b"badmailfrom".to_vec())] {
            let asked = Question { asked, address: b"a'\\\"@b.ex".to_vec() };
            assert_eq!(Question::parse(&asked.to_octets()), Some(asked));
        }
        let flags = Question { asked: Asked::Flags(vec![0x100, 0x200]), address: Vec::new() };
        assert_eq!(Question::parse(&flags.to_octets()), Some(flags));
        for octets in [
            "",
            "\0",
            "rcpt\0a@b\0",
            "rcpt\0a@b\0x\0",
            "list\0a@b\0\0",
            "vrfy\0a@b\0\0",
            "rcpt\0a@b\0\0\0",
            "rcpt\0a@b\0",
            "flags\0\0\0",
            "flags\0a@b\x00256\0",
            "flags\0\x001 2 3 4 5 6 7 8 9\0",
            "flags\0\x001,2\0",
        ] {
            assert_eq!(Question::parse(octets.as_bytes()), None, "{octets:?}");
        }
    }

    #[test]
    fn an_answer_counts_only_with_its_exit_code() {
        for status in Status::ALL {
            assert_eq!(Status::of(status.word(), i32::from(status.exit_code())), Some(status));
        }
        for (word, code) in [("ok", 1), ("absent", 0), ("ok", 111), ("", 0), ("ok, of course", 0)] {
            assert_eq!(Status::of(word, code), None, "{word} {code}");
        }
        let counts = Counts(vec![3, 0]);
        assert_eq!(Counts::of(&counts.words(), 0, 2), Some(counts));
        for (words, code, flags) in [("counted 3 0", 111, 2), ("counted 3", 0, 2), ("3 0", 0, 2), ("", 0, 0)] {
            assert_eq!(Counts::of(words, code, flags), None, "{words} {code}");
        }
    }
}
