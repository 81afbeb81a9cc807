//! What the operator set and what the lists hold, chosen at random; as answers, and as files.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use postern::client::Client;
use postern::control::environment::Environment;
use postern::control::{Control, Setup};
use postern::policy::verdict::{Answer, Evidence, LookupFailed, Question};
use proptest::prelude::*;

/// What relaymailfrom may hold, and rcpthosts.
pub const SENDERS: [&str; 3] = ["a@one.example", "@two.example", "b@own.example"];
pub const DOMAINS: [&str; 3] = ["own.example", ".wild.example", "two.example"];

const CLIENT_IP: &str = "192.0.2.7";
const CLIENT_NAME: &str = "client.name.example";

/// What there is of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List<T> {
    /// No such file.
    Absent,
    /// A file that cannot be read.
    Broken,
    /// A file that holds this.
    Of(T),
}

/// A world in which sessions take place.
#[derive(Clone, Debug)]
pub struct World {
    /// RELAYCLIENT and its suffix.
    pub relay_client: Option<&'static str>,
    /// Whether relayclients lists the client's address.
    pub clients: List<bool>,
    /// Whether relaydomains lists the client's name.
    pub names: List<bool>,
    /// Which of [`SENDERS`] relaymailfrom lists.
    pub senders: List<[bool; 3]>,
    /// Which of [`DOMAINS`] rcpthosts lists.
    pub domains: List<[bool; 3]>,
    pub has_name: bool,
    pub auth_all: bool,
    pub cugmail: bool,
    pub recipients_max: usize,
}

/// Grants are rare enough that most worlds have none or one.
pub fn world() -> impl Strategy<Value = World> {
    let relay_client = prop_oneof![8 => Just(None), 1 => Just(Some("")), 1 => Just(Some(".relayed"))];
    let senders = list([any::<bool>(), any::<bool>(), any::<bool>()].boxed());
    let domains =
        prop_oneof![1 => Just(List::Absent), 1 => Just(List::Broken), 8 => any::<[bool; 3]>().prop_map(List::Of)];
    let seldom = || prop::bool::weighted(0.1);
    let lists = (list(seldom().boxed()), list(seldom().boxed()), senders, domains);
    let switches = (any::<bool>(), seldom(), seldom());
    let recipients_max = prop_oneof![Just(2usize), Just(50)];
    (relay_client, lists, switches, recipients_max).prop_map(|(relay_client, lists, switches, recipients_max)| {
        let (clients, names, senders, domains) = lists;
        let (has_name, auth_all, cugmail) = switches;
        World { relay_client, clients, names, senders, domains, has_name, auth_all, cugmail, recipients_max }
    })
}

fn list<T: Clone + std::fmt::Debug + 'static>(of: BoxedStrategy<T>) -> impl Strategy<Value = List<T>> {
    prop_oneof![6 => Just(List::Absent), 1 => Just(List::Broken), 6 => of.prop_map(List::Of)]
}

impl World {
    /// Whether a lookup can end the session.
    pub fn is_unreadable(&self) -> bool {
        self.clients == List::Broken
            || self.names == List::Broken
            || self.senders == List::Broken
            || self.domains == List::Broken
    }

    /// What is loaded when the connection starts, without files.
    pub fn setup(&self) -> Setup {
        let control = Control {
            greeting: vec![b"mx.test".to_vec()],
            auth_all: self.auth_all,
            closed_user_group: self.cugmail,
            recipients_max: self.recipients_max,
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

    /// What the lists say.
    pub fn answer(&self, question: Question<'_>) -> Result<Answer, LookupFailed> {
        let lists = |entries: [&str; 3], listed: &[bool; 3], matches: &dyn Fn(&str) -> bool| {
            entries.iter().zip(listed).any(|(entry, listed)| *listed && matches(entry))
        };
        match question {
            Question::RelayClients(_) => said("relayclients", &self.clients, |listed| *listed),
            Question::RelayDomains => said("relaydomains", &self.names, |listed| *listed),
            Question::RelayMailFrom(sender, _) => {
                let sender = String::from_utf8_lossy(sender).to_lowercase();
                let matches = |entry: &str| sender == entry || (entry.starts_with('@') && sender.ends_with(entry));
                said("relaymailfrom", &self.senders, |listed| lists(SENDERS, listed, &matches))
            }
            Question::OwnDomain(domain) => {
                let domain = String::from_utf8_lossy(domain).to_lowercase();
                let matches = |entry: &str| domain == entry || (entry.starts_with('.') && domain.ends_with(entry));
                said("rcpthosts", &self.domains, |listed| lists(DOMAINS, listed, &matches))
            }
            Question::RelayMx(_) => Ok(Answer::Absent),
            Question::OwnAddress(_) => Ok(Answer::No),
        }
    }

    /// The environment of a daemon in this world.
    pub fn environment(&self) -> Environment {
        let recipients_max = self.recipients_max.to_string();
        let variables = [
            ("TCPREMOTEIP", Some(CLIENT_IP)),
            ("TCPREMOTEHOST", self.has_name.then_some(CLIENT_NAME)),
            ("RELAYCLIENT", self.relay_client),
            ("AUTH_ALL", self.auth_all.then_some("")),
            ("CUGMAIL", self.cugmail.then_some("")),
            ("MAXRECIPIENTS", Some(recipients_max.as_str())),
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
        let entries = |entries: [&str; 3], listed: [bool; 3]| -> String {
            let listed = entries.iter().zip(listed).filter(|(_, listed)| *listed);
            listed.map(|(entry, _)| format!("# next\n{entry}\n")).collect()
        };
        let key =
            |key: &str, is_listed: bool| if is_listed { format!("{key}:.listed\n") } else { "x.y:\n".to_string() };
        fs::write(directory.join("me"), "mx.test\n").unwrap();
        write("relayclients", self.clients.map(|listed| key("192.0.2.", listed)));
        write("relaydomains", self.names.map(|listed| key(".name.example", listed)));
        write("relaymailfrom", self.senders.map(|listed| entries(SENDERS, listed)));
        write("rcpthosts", self.domains.map(|listed| entries(DOMAINS, listed)));
    }
}

impl<T: Copy> List<T> {
    fn map<U>(self, of: impl Fn(T) -> U) -> List<U> {
        match self {
            List::Absent => List::Absent,
            List::Broken => List::Broken,
            List::Of(content) => List::Of(of(content)),
        }
    }
}

fn said<T>(file: &'static str, list: &List<T>, says_yes: impl Fn(&T) -> bool) -> Result<Answer, LookupFailed> {
    match list {
        List::Absent => Ok(Answer::Absent),
        List::Broken => {
            Err(LookupFailed::Unreadable { file: file.into(), path: file.into(), error: "Is a directory".to_string() })
        }
        List::Of(content) if says_yes(content) => {
            let suffix = if file.starts_with("relayc") || file.starts_with("relayd") { ".listed" } else { "" };
            Ok(Answer::Yes(Evidence { file: file.into(), line: Some(1), suffix: suffix.into() }))
        }
        List::Of(_) => Ok(Answer::No),
    }
}
