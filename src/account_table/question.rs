//! The question that smtpd asks checkaddress on its descriptor 0, and the answer on descriptor 1.

/// The longest question, in octets.
pub const QUESTION_OCTETS_MAX: usize = 4096;

/// What is asked about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Does it have a mailbox?
    Recipient,
    /// Does it have an account that may send?
    Sender,
    /// Is it in the list of this name, as `badmailfrom`?
    List(Vec<u8>),
}

/// A question about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub asked: Asked,
    /// The address.
    pub address: Vec<u8>,
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
    /// The kind, the address and the list, each with a NUL behind it.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let (kind, list): (&[u8], &[u8]) = match &self.asked {
            Asked::Recipient => (b"rcpt", b""),
            Asked::Sender => (b"sender", b""),
            Asked::List(list) => (b"list", list),
        };
        [kind, &self.address, list, b""].join(&0)
    }

    /// The question that these octets are; none for anything else.
    #[must_use]
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let mut texts = octets.strip_suffix(b"\0")?.split(|octet| *octet == 0);
        let (kind, address, list) = (texts.next()?, texts.next()?, texts.next()?);
        let asked = match (kind, list) {
            (b"rcpt", b"") => Asked::Recipient,
            (b"sender", b"") => Asked::Sender,
            (b"list", list @ [_, ..]) => Asked::List(list.to_vec()),
            (_, _) => return None,
        };
        texts.next().is_none().then(|| Self { asked, address: address.to_vec() })
    }
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
        for octets in [
            "",
            "\0",
            "rcpt\0a@b\0",
            "rcpt\0a@b\0x\0",
            "list\0a@b\0\0",
            "vrfy\0a@b\0\0",
            "rcpt\0a@b\0\0\0",
            "rcpt\0a@b\0",
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
    }
}
