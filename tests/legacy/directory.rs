//! Random control directories of IndiMail, with lines that never had a meaning, and the forms that have one only now.

use proptest::prelude::*;
use proptest::sample::select;

use crate::lines::{OLD_CLIENTS, OLD_EXPRESSIONS, OLD_NAMES, OLD_RULES, OLD_SENDERS};

/// A control directory; a list that is none is no file.
#[derive(Clone, Debug)]
pub struct Directory {
    /// tcp.smtp.
    pub rules: Vec<String>,
    /// relayclients.
    pub clients: Option<Vec<String>>,
    /// relaydomains.
    pub names: Option<Vec<String>>,
    /// relaymailfrom.
    pub senders: Option<Vec<String>>,
    /// relaymailfrom.cdb, as the original's tool makes it.
    pub compiled_senders: Option<Vec<String>>,
    /// QREGEX.
    pub regular_expressions: bool,
}

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub ip: &'static str,
    pub name: Option<&'static str>,
    pub info: Option<&'static str>,
    pub sender: &'static str,
}

/// A form that never had a meaning and now has one: the only lines by which an old directory may change.
pub struct NewForm {
    /// What it is, for people.
    pub name: &'static str,
    list: List,
    /// Lines of this form, and a test that holds for these and for no old line.
    lines: &'static [&'static str],
    is_it: fn(&str) -> bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Rules,
    Clients,
    Senders,
}

pub const NEW_FORMS: &[NewForm] = &[
    NewForm {
        name: "relayclients: !exception, or a malformed line with !",
        list: List::Clients,
        lines: &["!192.0.2.7", "!192.0.2.", "!nonsense", " !192.0.2.7"],
        is_it: |line| line.contains('!'),
    },
    NewForm {
        name: "relayclients: =name, =.suffix, =me",
        list: List::Clients,
        lines: &["=host.client.ex", "=.ex", "=me"],
        is_it: |line| line.starts_with('='),
    },
    NewForm {
        name: "relayclients: @name",
        list: List::Clients,
        lines: &["@gw.ex", "@gw.ex:x"],
        is_it: |line| line.starts_with('@'),
    },
    NewForm {
        name: "relayclients: address/length",
        list: List::Clients,
        lines: &["192.0.2.0/24", "0.0.0.0/0:@gw.ex", "2001:db8::/32"],
        is_it: |line| line.contains('/') && !line.starts_with(['!', '$']) && !OLD_CLIENTS.contains(&line),
    },
    NewForm {
        name: "relayclients: octets in ranges",
        list: List::Clients,
        lines: &["192.0.0-3.*", "192.0.2.0-9:@gw.ex", "*.*.*.*"],
        is_it: |line| line.contains(['-', '*']) && !line.contains('/') && !OLD_CLIENTS.contains(&line),
    },
    NewForm {
        name: "relayclients: $(address/length), ${address/length}",
        list: List::Clients,
        lines: &["$(192.0.2.9/24)", "${2001:db8::7/32}"],
        is_it: |line| line.starts_with('$'),
    },
    NewForm {
        name: "relayclients: other spellings of an IPv6 address",
        list: List::Clients,
        lines: &["[2001:db8::1]", "2001:db8:0:0::1", "2001:0DB8::1"],
        is_it: |line| {
            line.contains(':')
                && line.starts_with(['[', '2'])
                && !line.contains(['/', '.'])
                && !OLD_CLIENTS.contains(&line)
        },
    },
    NewForm {
        name: "relaymailfrom: sender@host&client",
        list: List::Senders,
        lines: &["@d1.ex&192.0.2.", "joe@d1.ex&192.0.2.0/24", "@d2.ex&@gw.ex", "!@d1.ex&10."],
        // An `&` behind a domain: in an address it stands in the local part. `|` begins another expression.
        is_it: |line| match (line.find('@'), line.rfind('&')) {
            (Some(at), Some(sign)) => at < sign && !line[at..sign].contains('|'),
            _ => false,
        },
    },
    NewForm {
        name: "relaymailfrom: =localhosts, =localusers",
        list: List::Senders,
        lines: &["=localhosts", "=localusers", "=localhosts&192.0.2.", "=localusers&=me"],
        is_it: |line| (line.starts_with("=localhosts") || line.starts_with("=localusers")) && !line.contains('@'),
    },
    NewForm {
        name: "tcp.smtp: networks and ranges",
        list: List::Rules,
        lines: &[
            "192.0.2.0/24:allow,RELAYCLIENT=\"\"",
            "192.0.0-3.0-127:allow,RELAYCLIENT=\"@gw.ex\"",
            "$(192.0.2.9/25):deny",
            "2001:db8::/32:allow,RELAYCLIENT=\"\"",
        ],
        is_it: |line| !line.starts_with('#') && (line.contains('/') || line.contains("0-3.0-")),
    },
];

impl NewForm {
    /// For each of the lines a directory with it, and with a line that an exception can except from.
    pub fn directories(&self) -> Vec<Directory> {
        let directory = |line: &&str| {
            let of = |list: List| if list == self.list { vec![line.to_string()] } else { Vec::new() };
            let clients = [vec!["192.0.2.".to_string()], of(List::Clients)].concat();
            Directory {
                rules: of(List::Rules),
                clients: Some(clients),
                names: None,
                senders: Some(of(List::Senders)),
                compiled_senders: None,
                regular_expressions: false,
            }
        };
        self.lines.iter().map(directory).collect()
    }
}

/// Who notices the new forms.
pub const CALLERS_OF_FORMS: [Caller; 3] = [
    Caller { ip: "192.0.2.7", name: None, info: None, sender: "joe@d1.ex" },
    Caller { ip: "192.0.0.7", name: Some("host.client.ex"), info: None, sender: "joe@own.ex" },
    Caller { ip: "2001:db8::1", name: None, info: None, sender: "joe@d2.ex" },
];

impl Directory {
    /// The same without the lines of new forms.
    pub fn without_new_forms(&self) -> Self {
        let keep = |list: List, lines: &Vec<String>| -> Vec<String> {
            let mut lines = lines.clone();
            lines.retain(|line| !NEW_FORMS.iter().any(|form| form.list == list && (form.is_it)(line)));
            lines
        };
        Self {
            rules: keep(List::Rules, &self.rules),
            clients: self.clients.as_ref().map(|lines| keep(List::Clients, lines)),
            senders: self.senders.as_ref().map(|lines| keep(List::Senders, lines)),
            ..self.clone()
        }
    }

    /// The names of the new forms in it.
    pub fn new_forms(&self) -> Vec<&'static str> {
        let lines = |list: List| match list {
            List::Rules => self.rules.iter(),
            List::Clients => self.clients.as_deref().unwrap_or_default().iter(),
            List::Senders => self.senders.as_deref().unwrap_or_default().iter(),
        };
        let has = |form: &&NewForm| lines(form.list).any(|line| (form.is_it)(line));
        NEW_FORMS.iter().filter(has).map(|form| form.name).collect()
    }
}

pub fn directory() -> impl Strategy<Value = Directory> {
    (lines(OLD_RULES, List::Rules), any::<bool>()).prop_flat_map(|(rules, regular_expressions)| {
        let senders = if regular_expressions { OLD_EXPRESSIONS } else { OLD_SENDERS };
        let lists = (
            prop::option::of(lines(OLD_CLIENTS, List::Clients)),
            prop::option::of(prop::collection::vec(select(OLD_NAMES).prop_map(str::to_string), 0..4)),
            prop::option::of(lines(senders, List::Senders)),
            prop::option::weighted(0.2, prop::collection::vec(select(OLD_SENDERS).prop_map(str::to_string), 0..4)),
        );
        lists.prop_map(move |(clients, names, senders, compiled_senders)| Directory {
            rules: rules.clone(),
            clients,
            names,
            senders,
            compiled_senders,
            regular_expressions,
        })
    })
}

/// A few old lines, and in every fourth list one of a new form.
fn lines(old: &'static [&'static str], list: List) -> impl Strategy<Value = Vec<String>> {
    let new: Vec<&str> =
        NEW_FORMS.iter().filter(|form| form.list == list).flat_map(|form| form.lines.iter().copied()).collect();
    let new = prop::option::weighted(0.25, (select(new), any::<prop::sample::Index>()));
    (prop::collection::vec(select(old), 0..4), new).prop_map(|(mut lines, new)| {
        if let Some((line, place)) = new {
            lines.insert(place.index(lines.len() + 1), line);
        }
        lines.into_iter().map(str::to_string).collect()
    })
}

pub fn caller() -> impl Strategy<Value = Caller> {
    let ips =
        &["192.0.2.7", "192.0.2.7", "192.0.2.70", "192.0.20.7", "10.0.0.1", "2001:db8::1", "::ffff:192.0.2.7"][..];
    let names = &[
        None,
        Some("host.client.ex"),
        Some("Host.Client.EX"),
        Some("client.ex"),
        Some("unknown"),
        Some("evilclient.ex"),
    ][..];
    let senders = &[
        "",
        "joe@d1.ex",
        "JOE@D1.EX",
        "joe@d2.ex",
        "joe@sub.d1.ex",
        "joe@d1.ex.evil.ex",
        "a&b@d1.ex",
        "a&b@d2.ex",
        "x=y@d1.ex",
        "=x@d1.ex",
        "w!z@d2.ex",
        "p%q@d1.ex",
        "u+v@d2.ex",
        "=localhosts@d1.ex",
        "joe@own.ex",
        "root@mx.test",
        "joe",
        "local",
    ][..];
    (select(ips), select(names), select(&[None, Some("joe")][..]), select(senders))
        .prop_map(|(ip, name, info, sender)| Caller { ip, name, info, sender })
}

/// The table is what it says: its lines are of their forms, and no old line is.
#[test]
fn the_table_of_new_forms_knows_its_own() {
    let old = [
        (List::Clients, OLD_CLIENTS),
        (List::Senders, OLD_SENDERS),
        (List::Senders, OLD_EXPRESSIONS),
        (List::Rules, OLD_RULES),
    ];
    for form in NEW_FORMS {
        let own = form.lines.iter().filter(|line| !(form.is_it)(line));
        assert_eq!(own.collect::<Vec<_>>(), Vec::<&&str>::new(), "{}", form.name);
        for (_, lines) in old.iter().filter(|(list, _)| *list == form.list) {
            let others = lines.iter().filter(|line| (form.is_it)(line));
            assert_eq!(others.collect::<Vec<_>>(), Vec::<&&str>::new(), "{}", form.name);
        }
    }
}
