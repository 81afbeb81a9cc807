//! What the operator set and what the lists hold, chosen at random; as answers, and as files.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use postern::client::Client;
use postern::control::environment::Environment;
use postern::control::{CheckRecipient, Control, RelayLevel, Setup};
use postern::policy::Credentials;
use postern::policy::verdict::{Answer, Evidence, LookupFailed, Question, Using};
use proptest::prelude::*;

use crate::checks::{self, Checks};
use crate::lists::{self, Clients, DOMAINS, List, SENDERS};

const CLIENT_IP: &str = "192.0.2.7";
const CLIENT_NAME: &str = "client.name.example";

/// Whether a thing is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Is {
    Yes,
    Never,
    /// Only later can one know.
    Later,
}

/// What a list says before DNS is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    Absent,
    /// There it is: for all to see.
    Now(Is),
    /// What DNS says.
    Dns,
}

/// A world in which sessions take place.
#[derive(Clone, Debug)]
pub struct World {
    /// RELAYCLIENT and its suffix.
    pub relay_client: Option<&'static str>,
    /// The word in relaylevel.
    pub level: &'static str,
    /// RELAYTEXT.
    pub relay_text: Option<&'static str>,
    /// What relayclients says about the client.
    pub clients: List<Clients>,
    /// Whether relaydomains lists the client's name.
    pub names: List<bool>,
    /// Which of [`SENDERS`] relaymailfrom lists.
    pub senders: List<[bool; SENDERS.len()]>,
    /// relaymx lists [`lists::MX`]; whether it also has an exception that nobody can read.
    pub mx: List<bool>,
    /// Whether [`lists::READER`] has read mail from the client's address.
    pub logins: List<bool>,
    /// Which of [`DOMAINS`] rcpthosts lists.
    pub domains: List<[bool; 3]>,
    /// What DNS says, whoever asks.
    pub dns: Is,
    pub has_name: bool,
    pub auth_all: bool,
    pub cugmail: bool,
    /// The client has authenticated itself.
    pub is_user: bool,
    pub recipients_max: usize,
    /// What refuses, excepts and drops, and the rules.
    pub checks: Checks,
}

/// Grants are rare enough that most worlds have none or one.
pub fn world() -> impl Strategy<Value = World> {
    let seldom = || prop::bool::weighted(0.1);
    let relay_client = prop_oneof![8 => Just(None), 1 => Just(Some("")), 1 => Just(Some(".relayed"))];
    let level =
        prop_oneof![6 => Just(""), 2 => Just("normal"), 2 => Just("none"), 1 => Just("open"), 1 => Just("closed")];
    let text = prop_oneof![3 => Just(None), 1 => Just(Some("ask the operator"))];
    let line = || prop::bool::weighted(0.2);
    let senders = prop::array::uniform::<_, { SENDERS.len() }>(line());
    let domains =
        prop_oneof![1 => Just(List::Absent), 1 => Just(List::Broken), 8 => any::<[bool; 3]>().prop_map(List::Of)];
    let lists = (
        list(lists::clients().boxed()),
        list(seldom().boxed()),
        list(senders.boxed()),
        list(seldom().boxed()),
        list(prop::bool::weighted(0.8).boxed()),
        domains,
    );
    let dns = prop_oneof![2 => Just(Is::Yes), 2 => Just(Is::Never), 1 => Just(Is::Later)];
    let switches = (any::<bool>(), seldom(), seldom(), seldom());
    let recipients_max = prop_oneof![Just(2usize), Just(50)];
    (relay_client, level, text, lists, dns, switches, recipients_max, checks::checks()).prop_map(
        |(relay_client, level, relay_text, lists, dns, switches, recipients_max, checks)| {
            let (clients, names, senders, mx, logins, domains) = lists;
            let (has_name, auth_all, cugmail, is_user) = switches;
            World {
                relay_client,
                level,
                relay_text,
                clients,
                names,
                senders,
                mx,
                logins,
                domains,
                dns,
                has_name,
                auth_all,
                cugmail,
                is_user,
                recipients_max,
                checks,
            }
        },
    )
}

fn list<T: Clone + std::fmt::Debug + 'static>(of: BoxedStrategy<T>) -> impl Strategy<Value = List<T>> {
    prop_oneof![6 => Just(List::Absent), 1 => Just(List::Broken), 6 => of.prop_map(List::Of)]
}

impl World {
    /// Who has authenticated himself, if anybody has.
    pub const USER: &'static str = "joe";

    /// Whether a lookup can end the session.
    pub fn is_unreadable(&self) -> bool {
        self.clients == List::Broken
            || self.names == List::Broken
            || self.senders == List::Broken
            || self.mx == List::Broken
            || self.domains == List::Broken
            || self.checks.is_unreadable()
    }

    pub fn credentials(&self) -> Credentials {
        Credentials { user: self.is_user.then(|| Self::USER.into()), ..Credentials::default() }
    }

    /// What is loaded when the connection starts, without files.
    pub fn setup(&self) -> Setup {
        let control = Control {
            greeting: vec![b"mx.test".to_vec()],
            auth_all: self.auth_all,
            closed_user_group: self.cugmail,
            recipients_max: self.recipients_max,
            require_auth: self.checks.require_auth,
            check_sender: self.checks.accounts.is_some(),
            check_recipient: self.checks.mailboxes.map(|_| CheckRecipient::Accounts),
            invalid_recipients_max: self.checks.invalid_max,
            relay_level: match self.level {
                "none" => RelayLevel::None,
                "open" => RelayLevel::Open,
                "" | "normal" => RelayLevel::Normal,
                word => RelayLevel::Unknown(word.into()),
            },
            relay_text: self.relay_text.map(Into::into),
            ..Control::default()
        };
        let client = Client {
            address: CLIENT_IP.parse::<IpAddr>().ok(),
            address_text: CLIENT_IP.into(),
            name: self.has_name.then(|| CLIENT_NAME.into()),
            relay_suffix: self.relay_client.map(Into::into),
            ..Client::default()
        };
        let mut setup = Setup::default();
        (setup.client, setup.control) = (client, control);
        setup
    }

    /// What the lists say, for a transaction with these settings.
    pub fn answer(&self, setup: &Setup, question: Question<'_>) -> Result<Answer, LookupFailed> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let (file, says, using, suffix) = match question {
            Question::RelayClients(using) => ("relayclients", self.client(), using, ".listed"),
            Question::RelayDomains => ("relaydomains", self.name(), Using::Dns, ".listed"),
            Question::RelayMailFrom(sender, using) => ("relaymailfrom", self.sender(&text(sender)), using, ""),
            Question::OwnDomain(domain) => ("rcpthosts", self.own_domain(&text(domain)), Using::Dns, ""),
            Question::RelayTable(sender) => ("relaydb", self.login(&text(sender)), Using::Dns, ""),
            Question::RelayMx(domain) => ("relaymx", self.mx(&text(domain)), Using::Dns, ".mx"),
            Question::OwnAddress(_) => return Ok(Answer::No),
            Question::TlsClients(_) | Question::OwnCertificate => return Ok(Answer::Absent),
            Question::BadHost | Question::SameDomain(_, _) => return Ok(Answer::Absent),
            Question::HostAccess(_)
            | Question::AccessList { .. }
            | Question::Listed(_, _)
            | Question::Mailbox { .. }
            | Question::Sender(_)
            | Question::Rules(_, _) => return self.checks.answer(setup, question),
        };
        let error = "it is broken".to_string();
        let failed = match says {
            Says::Dns => LookupFailed::Dns { file: file.into(), line: Some(1), error },
            Says::Absent | Says::Now(_) if file == "relaydb" => LookupFailed::RelayTable(error),
            Says::Absent | Says::Now(_) if self.is_unreadable() => {
                LookupFailed::Unreadable { file: file.into(), path: file.into(), error }
            }
            Says::Absent | Says::Now(_) => LookupFailed::Exception { file: file.into(), line: 1, error },
        };
        let evidence = Evidence { file: file.into(), line: Some(1), suffix: suffix.into() };
        match says {
            Says::Absent => Ok(Answer::Absent),
            Says::Dns if using == Using::Files => Ok(Answer::NeedsDns),
            // An exception that wins is told as such.
            Says::Now(Is::Never) if self.clients == List::Of(Clients::Excepted) && file == "relayclients" => {
                Ok(Answer::Excepted(evidence))
            }
            says @ (Says::Now(_) | Says::Dns) => match self.decided(says) {
                Is::Yes => Ok(Answer::Yes(evidence)),
                Is::Never => Ok(Answer::No),
                Is::Later => Err(failed),
            },
        }
    }

    /// With DNS's help.
    pub fn decided(&self, says: Says) -> Is {
        match says {
            Says::Absent => Is::Never,
            Says::Now(is) => is,
            Says::Dns => self.dns,
        }
    }

    /// relayclients about the client.
    pub fn client(&self) -> Says {
        self.clients.says(|clients| match clients {
            Clients::Unlisted | Clients::Excepted | Clients::DoubtfulUnlisted => Says::Now(Is::Never),
            Clients::Listed => Says::Now(Is::Yes),
            Clients::Doubtful => Says::Now(Is::Later),
            Clients::ByDns => Says::Dns,
        })
    }

    /// relaydomains about the client's name.
    pub fn name(&self) -> Says {
        self.names.says(|listed| Says::Now(if listed { Is::Yes } else { Is::Never }))
    }

    /// relaymailfrom about a sender.
    pub fn sender(&self, sender: &str) -> Says {
        self.senders.says(|listed| lists::sender(listed, sender, |domain| self.local_host(domain)))
    }

    /// The relay table about a sender.
    pub fn login(&self, sender: &str) -> Says {
        let is_reader = sender.eq_ignore_ascii_case(lists::READER);
        self.logins.says(|has_read| Says::Now(if has_read && is_reader { Is::Yes } else { Is::Never }))
    }

    /// relaymx about a domain.
    pub fn mx(&self, domain: &str) -> Says {
        self.mx.says(|is_doubtful| match (domain.to_lowercase().as_str(), self.dns) {
            (lists::MX, _) => Says::Now(if is_doubtful { Is::Later } else { Is::Yes }),
            (literal, _) if literal.starts_with('[') => Says::Now(Is::Never),
            ("far.example", Is::Yes) if is_doubtful => Says::Now(Is::Later),
            ("far.example", _) | (_, Is::Later) => Says::Dns,
            (_, Is::Yes | Is::Never) => Says::Now(Is::Never),
        })
    }

    /// rcpthosts about a domain.
    pub fn own_domain(&self, domain: &str) -> Says {
        let domain = domain.to_lowercase();
        let is_own = |entry: &str| domain == entry || (entry.starts_with('.') && domain.ends_with(entry));
        self.domains.says(|listed| {
            let is_listed = DOMAINS.iter().zip(listed).any(|(entry, listed)| listed && is_own(entry));
            Says::Now(if is_listed { Is::Yes } else { Is::Never })
        })
    }

    /// Whether mail for the domain is delivered here.
    fn local_host(&self, domain: &str) -> Is {
        match self.domains {
            List::Broken => Is::Later,
            List::Absent => Is::Never,
            List::Of(listed) if DOMAINS.iter().zip(listed).any(|(entry, listed)| listed && domain == *entry) => Is::Yes,
            List::Of(_) => Is::Never,
        }
    }

    /// The same after somebody has mended what cannot tell: then it says what it says in the other.
    pub fn mended(&self, other: &World) -> World {
        let without_doubt_of_clients = |clients| match clients {
            Clients::Doubtful if other.has_name => Clients::Listed,
            Clients::Doubtful => Clients::Excepted,
            Clients::DoubtfulUnlisted => Clients::Unlisted,
            clear @ (Clients::Unlisted | Clients::Listed | Clients::Excepted | Clients::ByDns) => clear,
        };
        // The last line of relaymailfrom is the exception that nobody can read.
        let without_doubt = |mut listed: [bool; SENDERS.len()]| {
            listed[SENDERS.len() - 1] = false;
            listed
        };
        World {
            level: if self.level == "closed" { other.level } else { self.level },
            clients: self.clients.map(without_doubt_of_clients).mended(other.clients),
            names: self.names.mended(other.names),
            senders: self.senders.map(without_doubt).mended(other.senders),
            mx: self.mx.map(|_| false).mended(other.mx),
            logins: self.logins.mended(other.logins),
            domains: self.domains.mended(other.domains),
            dns: if self.dns == Is::Later { other.dns } else { self.dns },
            checks: self.checks.mended(&other.checks),
            ..self.clone()
        }
    }

    /// The environment of a daemon in this world.
    pub fn environment(&self) -> Environment {
        let recipients_max = self.recipients_max.to_string();
        let invalid_max = self.checks.invalid_max.to_string();
        let variables = [
            ("TCPREMOTEIP", Some(CLIENT_IP)),
            ("TCPREMOTEHOST", self.has_name.then_some(CLIENT_NAME)),
            ("RELAYCLIENT", self.relay_client),
            ("RELAYTEXT", self.relay_text),
            ("AUTH_ALL", self.auth_all.then_some("")),
            ("CUGMAIL", self.cugmail.then_some("")),
            ("CHECKRELAY", (self.logins != List::Absent).then_some("")),
            ("MAXRECIPIENTS", Some(recipients_max.as_str())),
            ("REQUIREAUTH", self.checks.require_auth.then_some("")),
            ("PARANOID", Some("")),
            ("CHECKRECIPIENT", self.checks.mailboxes.map(|_| "3")),
            ("MAX_RCPT_ERRCOUNT", Some(invalid_max.as_str())),
        ];
        variables.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into()))).collect()
    }

    /// Its control directory; a directory in the place of a list cannot be read.
    pub fn write(&self, directory: &Path) {
        let write = |file: &str, list: List<String>| match list {
            List::Absent => {}
            List::Broken => fs::create_dir(directory.join(file)).unwrap(),
            List::Of(text) => fs::write(directory.join(file), text).unwrap(),
        };
        let entries = |entries: &[&str], listed: &[bool]| -> String {
            let listed = entries.iter().zip(listed).filter(|(_, listed)| **listed);
            listed.map(|(entry, _)| format!("# next\n{entry}\n")).collect()
        };
        let name = |is_listed: bool| if is_listed { ".name.example:.listed\n" } else { "x.y:\n" }.to_string();
        fs::write(directory.join("me"), "mx.test\n").unwrap();
        if !self.level.is_empty() {
            fs::write(directory.join("relaylevel"), format!("{}\n", self.level)).unwrap();
        }
        write("relayclients", self.clients.map(|clients| clients.text().to_string()));
        write("relaydomains", self.names.map(name));
        write("relaymailfrom", self.senders.map(|listed| entries(&SENDERS.map(|line| line.text), &listed)));
        write("relaymx", self.mx.map(|is_doubtful| lists::mx_text(is_doubtful).to_string()));
        // Where there is no directory the table is missing.
        write("relaydb", List::Of("relay\n".to_string()));
        if let List::Of(has_read) = self.logins {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            fs::create_dir(directory.join("relay")).unwrap();
            let time = if has_read { now } else { now - 3_600 };
            fs::write(directory.join("relay").join(CLIENT_IP), format!("{}\t{time}\n", lists::READER)).unwrap();
        }
        write("rcpthosts", self.domains.map(|listed| entries(&DOMAINS, &listed)));
        self.checks.write(directory);
    }
}
