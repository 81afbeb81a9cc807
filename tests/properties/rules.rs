//! The rule files: which settings a transaction has by its sender, by its recipients and by its client.

use std::fs;
use std::path::Path;

use postern::control::Setup;
use postern::policy::rules::RuleFile;
use proptest::prelude::*;

/// What rules give; it is the connection's again when the transaction ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gives {
    /// DATABYTES, by which settings can be told apart: no message has so many.
    pub databytes: u64,
    /// MAXRECIPIENTS=1.
    pub one_recipient: bool,
    /// AUTH_ALL.
    pub auth_all: bool,
    /// CUGMAIL.
    pub cugmail: bool,
    /// REQUIREAUTH.
    pub require_auth: bool,
    /// BADRCPTTO=otherbad.
    pub other_bad: bool,
}

/// The name of the list that a rule puts in the place of badrcptto.
const OTHER_BAD: &[u8] = b"otherbad";

/// A rule: its pattern, and what it gives. No two of a file are about the same subject.
struct Rule {
    pattern: &'static str,
    gives: Gives,
}

const NOTHING: Gives = Gives {
    databytes: 0,
    one_recipient: false,
    auth_all: false,
    cugmail: false,
    require_auth: false,
    other_bad: false,
};

const BY_SENDER: [Rule; 5] = [
    Rule { pattern: "<>", gives: Gives { databytes: 1001, cugmail: true, ..NOTHING } },
    Rule { pattern: "a@one*", gives: Gives { databytes: 1002, one_recipient: true, other_bad: true, ..NOTHING } },
    Rule { pattern: "*@two.example", gives: Gives { databytes: 1003, auth_all: true, ..NOTHING } },
    Rule { pattern: "local", gives: Gives { databytes: 1004, require_auth: true, ..NOTHING } },
    Rule { pattern: "b@own.example", gives: Gives { databytes: 1005, ..NOTHING } },
];
const BY_RECIPIENT: [Rule; 3] = [
    Rule { pattern: "own.example", gives: Gives { databytes: 2001, auth_all: true, ..NOTHING } },
    Rule { pattern: "*.wild.example", gives: Gives { databytes: 2002, one_recipient: true, ..NOTHING } },
    Rule { pattern: "far.example", gives: Gives { databytes: 2003, ..NOTHING } },
];
const OF_CLIENTS: [Rule; 1] = [Rule { pattern: "", gives: Gives { databytes: 3001, ..NOTHING } }];

/// What there is of a rule file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File<const N: usize> {
    Absent,
    Unreadable,
    /// It has these of its rules.
    Of([bool; N]),
}

/// The rule files of a control directory.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    by_sender: File<{ BY_SENDER.len() }>,
    by_recipient: File<{ BY_RECIPIENT.len() }>,
    of_clients: File<{ OF_CLIENTS.len() }>,
}

pub fn rules() -> impl Strategy<Value = Rules> {
    (file(), file(), file()).prop_map(|(by_sender, by_recipient, of_clients)| Rules {
        by_sender,
        by_recipient,
        of_clients,
    })
}

fn file<const N: usize>() -> impl Strategy<Value = File<N>> {
    let has = prop::array::uniform::<_, N>(any::<bool>());
    prop_oneof![30 => Just(File::Absent), 1 => Just(File::Unreadable), 30 => has.prop_map(File::Of)]
}

impl Rules {
    pub const NONE: Rules = Rules { by_sender: File::Absent, by_recipient: File::Absent, of_clients: File::Absent };

    /// What a file gives to a subject, if it gives anything.
    pub fn give(&self, file: RuleFile, subject: &str) -> Result<Option<Gives>, ()> {
        match file {
            RuleFile::BySender => give(&BY_SENDER, self.by_sender, subject),
            RuleFile::ByRecipient => give(&BY_RECIPIENT, self.by_recipient, subject),
            RuleFile::OfClients => give(&OF_CLIENTS, self.of_clients, subject),
        }
    }

    pub fn is_unreadable(&self) -> bool {
        self.by_sender == File::Unreadable
            || self.by_recipient == File::Unreadable
            || self.of_clients == File::Unreadable
    }

    /// The same where what cannot be read is what it is in the other.
    pub fn mended(&self, other: &Self) -> Self {
        Self {
            by_sender: mended(self.by_sender, other.by_sender),
            by_recipient: mended(self.by_recipient, other.by_recipient),
            of_clients: mended(self.of_clients, other.of_clients),
        }
    }

    pub fn write(&self, directory: &Path) {
        write(&directory.join("from.envrules"), &BY_SENDER, self.by_sender);
        write(&directory.join("domainqueue"), &BY_RECIPIENT, self.by_recipient);
        write(&directory.join("auth.envrules"), &OF_CLIENTS, self.of_clients);
    }
}

fn give<const N: usize>(rules: &[Rule; N], file: File<N>, subject: &str) -> Result<Option<Gives>, ()> {
    match file {
        File::Absent => Ok(None),
        File::Unreadable => Err(()),
        File::Of(has) => {
            let mut those = rules.iter().zip(has).filter(|(rule, has)| *has && is_about(rule.pattern, subject));
            Ok(those.next().map(|(rule, _)| rule.gives))
        }
    }
}

fn is_about(pattern: &str, subject: &str) -> bool {
    let subject = subject.to_lowercase();
    match (pattern, pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        ("" | "<>", _, _) => subject.is_empty(),
        (_, Some(end), _) => subject.ends_with(end),
        (_, _, Some(beginning)) => subject.starts_with(beginning),
        (whole, None, None) => subject == whole,
    }
}

fn mended<const N: usize>(file: File<N>, other: File<N>) -> File<N> {
    if file == File::Unreadable { other } else { file }
}

/// A directory in the place of a file cannot be read.
fn write<const N: usize>(path: &Path, rules: &[Rule; N], file: File<N>) {
    match file {
        File::Absent => {}
        File::Unreadable => fs::create_dir(path).unwrap(),
        File::Of(has) => {
            let those = rules.iter().zip(has).filter(|(_, has)| *has);
            let text: String = those.map(|(rule, _)| format!("{}:{}\n", rule.pattern, rule.gives.text())).collect();
            fs::write(path, text).unwrap();
        }
    }
}

impl Gives {
    /// What these rules give on top of what those before them gave.
    pub fn and(self, more: Gives) -> Gives {
        Gives {
            databytes: more.databytes,
            one_recipient: self.one_recipient || more.one_recipient,
            auth_all: self.auth_all || more.auth_all,
            cugmail: self.cugmail || more.cugmail,
            require_auth: self.require_auth || more.require_auth,
            other_bad: self.other_bad || more.other_bad,
        }
    }

    fn text(self) -> String {
        let assignments = [
            (self.one_recipient, "MAXRECIPIENTS=1"),
            (self.auth_all, "AUTH_ALL=1"),
            (self.cugmail, "CUGMAIL=1"),
            (self.require_auth, "REQUIREAUTH=1"),
            (self.other_bad, "BADRCPTTO=otherbad"),
        ];
        let given = assignments.iter().filter(|(is_given, _)| *is_given).map(|(_, text)| format!(",{text}"));
        format!("DATABYTES={}", self.databytes) + &given.collect::<String>()
    }

    /// The same as settings.
    pub fn put_into(self, mut setup: Setup) -> Setup {
        let control = &mut setup.control;
        control.databytes = self.databytes;
        control.auth_all |= self.auth_all;
        control.closed_user_group |= self.cugmail;
        control.require_auth |= self.require_auth;
        if self.one_recipient {
            control.recipients_max = 1;
        }
        if self.other_bad {
            let others = setup.environment.iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
            setup.environment = others.chain([(b"BADRCPTTO".to_vec(), OTHER_BAD.to_vec())]).collect();
        }
        setup
    }

    /// What a list of the settings can see of it.
    pub fn of_setup(setup: &Setup) -> Gives {
        Gives { other_bad: setup.environment.get(b"BADRCPTTO") == Some(OTHER_BAD), ..NOTHING }
    }
}
