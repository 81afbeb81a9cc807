//! What the lists that refuse, except and drop hold, who has a mailbox or an account, and what rules give a transaction.

use std::fs;
use std::path::Path;

use postern::cdb::make::Maker;
use postern::control::Setup;
use postern::policy::listing::Listing;
use postern::policy::rules::{Applied, RuleFile};
use postern::policy::verdict::{Answer, Evidence, LookupFailed, Question, Unfit};
use proptest::prelude::*;

use crate::lists::LISTED;
use crate::rules::{self, Gives, Rules};
use crate::steps::{FROM, TO};
use crate::world::Is;

/// What there is of a list of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Absent,
    /// It cannot tell about any address.
    Damaged,
    /// It has these of [`LISTED`].
    Of([bool; LISTED.len()]),
}

/// The lists of addresses, by name and by what asks for them.
pub const LISTS: [(&str, Listing); 8] = [
    ("badmailfrom", Listing::BadMailFrom),
    ("blackholedsender", Listing::BlackholedSender),
    ("authdomains", Listing::AuthDomains),
    ("chksenderdomains", Listing::CheckedSenders),
    ("badrcptto", Listing::BadRcptTo),
    ("goodrcptto", Listing::GoodRcptTo),
    ("blackholedrcpt", Listing::BlackholedRcpt),
    ("chkrcptdomains", Listing::CheckedRecipients),
];

/// What no compiled list holds.
const DAMAGED: [u8; 4096] = [0xff; 4096];

/// All of them.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    lists: [Held; LISTS.len()],
    /// What a rule puts in the place of badrcptto.
    other_bad: Held,
    /// The senders that hostaccess refuses to this client.
    hosts: Held,
    /// The recipients that accesslist keeps from everybody.
    access: Held,
    /// CHECKRECIPIENT, and who has a mailbox.
    pub mailboxes: Option<Held>,
    /// CHECKSENDER, and who may send.
    pub accounts: Option<Held>,
    pub rules: Rules,
    pub require_auth: bool,
    /// MAX_RCPT_ERRCOUNT.
    pub invalid_max: u32,
}

const NONE: Checks = Checks {
    lists: [Held::Absent; LISTS.len()],
    other_bad: Held::Absent,
    hosts: Held::Absent,
    access: Held::Absent,
    mailboxes: None,
    accounts: None,
    rules: Rules::NONE,
    require_auth: false,
    invalid_max: 0,
};

/// Half of the worlds have none, and most of the others few.
pub fn checks() -> impl Strategy<Value = Checks> {
    let lists = prop::array::uniform::<_, { LISTS.len() }>(held());
    let others = prop::array::uniform3(held());
    let asked = || prop_oneof![1 => Just(None), 1 => held().prop_map(Some)];
    let require_auth = prop::bool::weighted(0.03);
    let some = (lists, others, asked(), asked(), rules::rules(), require_auth, 0u32..3).prop_map(
        |(lists, [other_bad, hosts, access], mailboxes, accounts, rules, require_auth, invalid_max)| Checks {
            lists,
            other_bad,
            hosts,
            access,
            mailboxes,
            accounts,
            rules,
            require_auth,
            invalid_max,
        },
    );
    prop_oneof![2 => Just(NONE), 3 => some]
}

fn held() -> impl Strategy<Value = Held> {
    let has = prop::array::uniform::<_, { LISTED.len() }>(prop::bool::weighted(0.3));
    prop_oneof![12 => Just(Held::Absent), 1 => Just(Held::Damaged), 6 => has.prop_map(Held::Of)]
}

impl Held {
    /// What it says about an address, if there is such a list: whole addresses and domains behind the last `@`, in any case.
    pub fn says(self, address: &str) -> Option<Is> {
        let address = address.to_lowercase();
        let domain = address.rsplit_once('@').map_or(String::new(), |(_, domain)| format!("@{domain}"));
        match self {
            Held::Absent => None,
            // Nobody looks for nothing.
            Held::Damaged if address.is_empty() => Some(Is::Never),
            Held::Damaged => Some(Is::Later),
            Held::Of(has) => {
                let has_it = LISTED.iter().zip(has).any(|(entry, has)| has && (*entry == address || *entry == domain));
                Some(if has_it { Is::Yes } else { Is::Never })
            }
        }
    }

    /// The same list after somebody has mended it: as in the other world, or everybody is in it.
    fn mended(self, other: Self) -> Self {
        match (self, other) {
            (Held::Damaged, Held::Of(_)) => other,
            (Held::Damaged, Held::Absent | Held::Damaged) => Held::Of([true; LISTED.len()]),
            (Held::Absent | Held::Of(_), _) => self,
        }
    }

    fn entries(self) -> impl Iterator<Item = &'static str> {
        let has = if let Held::Of(has) = self { has } else { [false; LISTED.len()] };
        LISTED.into_iter().zip(has).filter(|(_, has)| *has).map(|(entry, _)| entry)
    }
}

impl Checks {
    /// Whether a list has the address; one that is absent has nobody.
    pub fn has(&self, listing: Listing, address: &str) -> Is {
        self.held(listing).says(address).unwrap_or(Is::Never)
    }

    /// Whether a check is about the address: it is about everybody if there is no such list.
    pub fn is_in_scope(&self, listing: Listing, address: &str) -> Is {
        self.held(listing).says(address).unwrap_or(Is::Yes)
    }

    /// badrcptto, by the name that the transaction has for it.
    pub fn is_bad(&self, recipient: &str, gives: Gives) -> Is {
        let held = if gives.other_bad { self.other_bad } else { self.held(Listing::BadRcptTo) };
        held.says(recipient).unwrap_or(Is::Never)
    }

    /// hostaccess.
    pub fn is_strange(&self, sender: &str) -> Is {
        self.hosts_say(sender).unwrap_or(Is::Never)
    }

    /// hostaccess is about domains.
    fn hosts_say(&self, sender: &str) -> Option<Is> {
        if sender.contains('@') { self.hosts.says(sender) } else { Some(Is::Never) }
    }

    /// accesslist, which is not about bounces.
    pub fn is_denied(&self, sender: &str, recipient: &str) -> Is {
        if sender.is_empty() { Is::Never } else { self.access.says(recipient).unwrap_or(Is::Never) }
    }

    /// Whether a file, not only what it says, cannot be read.
    pub fn is_unreadable(&self) -> bool {
        self.rules.is_unreadable() || self.access == Held::Damaged
    }

    /// The same where what cannot tell says what it says in the other.
    pub fn mended(&self, other: &Self) -> Self {
        let mut lists = self.lists;
        lists.iter_mut().zip(other.lists).for_each(|(list, other)| *list = list.mended(other));
        let asked =
            |asked: Option<Held>, other: Option<Held>| asked.map(|held| held.mended(other.unwrap_or(Held::Absent)));
        Self {
            lists,
            other_bad: self.other_bad.mended(other.other_bad),
            hosts: self.hosts.mended(other.hosts),
            access: self.access.mended(other.access),
            mailboxes: asked(self.mailboxes, other.mailboxes),
            accounts: asked(self.accounts, other.accounts),
            rules: self.rules.mended(&other.rules),
            ..*self
        }
    }

    /// The same as far as it is in the files that are written here: accounts are not, and only domains have hosts.
    pub fn of_files(&self) -> Self {
        let mut hosts = self.hosts;
        if let Held::Of(has) = &mut hosts {
            LISTED.iter().zip(has).filter(|(entry, _)| !entry.starts_with('@')).for_each(|(_, has)| *has = false);
        }
        let mailboxes = self.mailboxes.filter(|held| *held != Held::Absent);
        Self { hosts, mailboxes, accounts: None, ..*self }
    }

    fn held(&self, listing: Listing) -> Held {
        LISTS.iter().zip(self.lists).find(|((_, asked), _)| *asked == listing).map_or(Held::Absent, |(_, held)| held)
    }

    /// The answer to a question about them, for a transaction with these settings.
    pub fn answer(&self, setup: &Setup, question: Question<'_>) -> Result<Answer, LookupFailed> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let gives = Gives::of_setup(setup);
        let says = match question {
            Question::Listed(Listing::BadRcptTo, address) if gives.other_bad => self.other_bad.says(&text(address)),
            Question::Listed(listing, address) => self.held(listing).says(&text(address)),
            Question::HostAccess(sender) => self.hosts_say(&text(sender)),
            Question::AccessList { sender, recipient } => {
                self.access.says(&text(recipient)).map(|is| if sender.is_empty() { Is::Never } else { is })
            }
            Question::Mailbox { recipient, .. } => self.mailboxes.and_then(|held| held.says(&text(recipient))),
            Question::Sender(sender) => self.accounts.and_then(|held| held.says(&text(sender))),
            Question::Rules(file, subject) => return self.rules_of(setup, file, &text(subject)),
            Question::OwnDomain(_)
            | Question::TlsClients(_)
            | Question::OwnCertificate
            | Question::RelayClients(_)
            | Question::RelayDomains
            | Question::RelayMailFrom(_, _)
            | Question::RelayTable(_)
            | Question::RelayMx(_)
            | Question::BadHost
            | Question::SameDomain(_, _)
            | Question::OwnAddress(_) => unreachable!("the world answers"),
        };
        let file = question.source_name();
        match says {
            None => Ok(Answer::Absent),
            Some(Is::Yes) => Ok(Answer::Yes(Evidence { file: file.into(), line: Some(1), suffix: Vec::new() })),
            Some(Is::Never) if matches!(question, Question::Sender(_)) => Ok(Answer::Unfit(Unfit::NoSmtp)),
            Some(Is::Never) => Ok(Answer::No),
            Some(Is::Later) => {
                Err(LookupFailed::Compiled { file: file.into(), path: file.into(), error: "damaged".to_string() })
            }
        }
    }

    fn rules_of(&self, setup: &Setup, file: RuleFile, subject: &str) -> Result<Answer, LookupFailed> {
        let names = file.names();
        match self.rules.give(file, subject) {
            Ok(None) => Ok(Answer::No),
            Ok(Some(gives)) => {
                let evidence = Evidence { file: names.file.into(), line: Some(1), suffix: Vec::new() };
                let setup = gives.put_into(setup.clone());
                Ok(Answer::Applied(Box::new(Applied { evidence, number: 1, names: Vec::new(), setup })))
            }
            Err(()) => Err(LookupFailed::Unreadable {
                file: names.file.into(),
                path: names.file.into(),
                error: "it is broken".to_string(),
            }),
        }
    }

    /// The files of a control directory.
    pub fn write(&self, directory: &Path) {
        let lists = LISTS.iter().map(|(name, _)| *name).chain(["otherbad"]);
        for (name, held) in lists.zip(self.lists.into_iter().chain([self.other_bad])) {
            match held {
                Held::Absent => {}
                Held::Damaged => fs::write(directory.join(format!("{name}.cdb")), DAMAGED).unwrap(),
                Held::Of(_) => {
                    let text: String = held.entries().map(|entry| format!("# next\n{entry}\n")).collect();
                    fs::write(directory.join(name), text).unwrap();
                }
            }
        }
        self.rules.write(directory);
        self.write_hosts(&directory.join("hostaccess"));
        self.write_access(&directory.join("accesslist"));
        self.write_mailboxes(directory);
    }

    /// Where PARANOID is set, a domain has no other hosts than those of its lines.
    fn write_hosts(&self, path: &Path) {
        let domains = FROM.iter().filter_map(|(_, sender)| sender.rsplit_once('@')).map(|(_, domain)| domain);
        let text: String = match self.hosts {
            Held::Absent => return,
            Held::Damaged => domains.map(|domain| format!("{domain}:300.1.1.1\n")).collect(),
            Held::Of(_) => self.hosts.entries().map(|entry| format!("{}:198.51.100.1\n", &entry[1..])).collect(),
        };
        fs::write(path, text).unwrap();
    }

    fn write_access(&self, path: &Path) {
        let pattern = |entry: &str| if entry.starts_with('@') { format!("*{entry}") } else { entry.to_string() };
        let line = |entry| format!("rcpt:nobody@nowhere.example:{}\n", pattern(entry));
        match self.access {
            Held::Absent => {}
            Held::Damaged => fs::create_dir(path).unwrap(),
            Held::Of(_) => fs::write(path, self.access.entries().map(line).collect::<String>()).unwrap(),
        }
    }

    fn write_mailboxes(&self, directory: &Path) {
        let Some(mailboxes) = self.mailboxes else { return };
        let path = directory.join("mailboxes.cdb");
        fs::write(directory.join("recipients"), format!("*:{}\n", path.display())).unwrap();
        if mailboxes == Held::Damaged {
            return fs::write(path, DAMAGED).unwrap();
        }
        let mut maker = Maker::new(fs::File::create(path).unwrap());
        for (_, recipient) in TO.iter().filter(|(_, recipient)| mailboxes.says(recipient) == Some(Is::Yes)) {
            let host = if recipient.contains('@') { "" } else { "@localhost" };
            maker.add(format!(":{}{host}", recipient.to_lowercase()).as_bytes(), b"").unwrap();
        }
        maker.finish().unwrap();
    }
}
