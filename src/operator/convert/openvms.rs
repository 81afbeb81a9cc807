//! TCP/IP Services for OpenVMS: Good-Clients, Bad-Clients and Relay-Zones of SMTP.CONFIG.

use crate::client::network::Network;
use crate::operator::convert::clients::is_name;
use crate::operator::convert::{Conversion, NativeFile};
use fields::{Client, Entry, Field, VALUE_OCTETS_MAX, fields};

mod fields;

/// What the input looks like, for `postern convert --help`.
pub(super) const FORM: &str = "\
openvms: SMTP.CONFIG, `!` in column one for comments. The relay flag of the service is no field of all versions: add \
`Relay: ON` or `Relay: OFF`, as SHOW CONFIGURATION SMTP tells (option RELAY or NORELAY).

    Relay: ON
    Good-Clients: 192.0.2.0/24, 198.51.100.7,
        relay.abc.ex
    Relay-Zones: abc.ex
";

/// What a refusal says under `Security: SECURE`, which tells no reasons.
const SECURE_TEXT: &str = "refused";

/// Fields that are known and say nothing here, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("reject-mail-from", "refusing senders is for badmailfrom, which is not converted"),
    ("accept-mail-from", "refusing senders is for badmailfrom, which is not converted"),
    ("spam-action", "nothing to carry over: smtpd logs every decision"),
    ("rbls", "not about relaying: DNS lists of bad clients"),
    ("reject-mail-from-text", "the text of another refusal"),
    ("spam-mail-from-text", "the text of another refusal"),
    ("spam-rbl-text", "the text of another refusal"),
    ("unbacktranslatable-ip-text", "the text of another refusal"),
    ("bad-clients-text", "the text of another refusal"),
];

/// What the file says about relaying.
#[derive(Default)]
struct Config {
    relay: Option<bool>,
    good: Option<Vec<Entry>>,
    bad: Vec<Entry>,
    zones: Vec<Entry>,
    by_mx: bool,
    /// What a refusal says.
    text: Option<String>,
    is_secure: bool,
}

/// Reads SMTP.CONFIG.
pub(super) fn read(text: &str, conversion: &mut Conversion) {
    let mut config = Config::default();
    for field in fields(text, conversion) {
        config.take(field, conversion);
    }
    match &config.text {
        Some(text) => conversion.line(NativeFile::RelayText, &**text),
        None if config.is_secure => {
            conversion.comment(NativeFile::RelayText, "Security: SECURE, which tells no reason");
            conversion.line(NativeFile::RelayText, SECURE_TEXT);
        }
        None => {}
    }
    match (config.relay, &config.good) {
        (None, _) => {
            let why = "the file does not tell whether the relay flag is on, so nobody relays: add `Relay: ON` or \
                       `Relay: OFF`, as SHOW CONFIGURATION SMTP tells (option RELAY or NORELAY), and convert again";
            conversion.not_carried(0, "", why);
            nobody(conversion, "the relay flag is not known");
        }
        (Some(false), _) => nobody(conversion, "the relay flag is off: no list is consulted"),
        (Some(true), None) => open(&config, conversion),
        (Some(true), Some(good)) => lists(&config, good, conversion),
    }
}

fn nobody(conversion: &mut Conversion, why: &str) {
    conversion.line(NativeFile::RelayLevel, "none");
    conversion.comment(NativeFile::RelayLevel, why);
}

/// The flag is on and there are no Good-Clients: everyone may relay but the Bad-Clients, and zones are not consulted.
fn open(config: &Config, conversion: &mut Conversion) {
    let mut rules = Vec::new();
    let mut unsaid = false;
    for entry in &config.bad {
        match entry.client() {
            Client::Network(network) => rules.push(format!("{network}:deny")),
            Client::Name(_) | Client::Unreadable => {
                let why = "a rule of tcp.smtp needs an address or a network: nobody relays until this is one";
                conversion.not_carried(entry.line, &entry.text, why);
                unsaid = true;
            }
        }
    }
    if unsaid {
        nobody(conversion, "everyone relays but some Bad-Clients that could not be carried over");
    } else {
        conversion.line(NativeFile::RelayLevel, "open");
        let why = "the relay flag is on and there are no Good-Clients: an open relay, as it was there";
        conversion.comment(NativeFile::RelayLevel, why);
    }
    for rule in rules {
        conversion.line(NativeFile::TcpSmtp, rule);
    }
}

fn lists(config: &Config, good: &[Entry], conversion: &mut Conversion) {
    if let Some(entry) = config.bad.iter().find(|entry| matches!(entry.client(), Client::Unreadable)) {
        let why = "whom this excepts is not known, so nobody relays until it is an address, a network or a name";
        conversion.not_carried(entry.line, &entry.text, why);
        nobody(conversion, "some Bad-Clients could not be read");
        return;
    }
    let mut granted = Vec::new();
    for entry in good {
        match entry.client() {
            Client::Unreadable => {
                conversion.not_carried(entry.line, &entry.text, "neither an address, a network nor a name");
            }
            _ if entry.is_beyond => {
                let why = format!("behind the {VALUE_OCTETS_MAX} octets of a value");
                conversion.not_carried(entry.line, &entry.text, why);
            }
            Client::Network(network) => {
                conversion.line(NativeFile::RelayClients, network.to_string());
                granted.push(network);
            }
            Client::Name(name) => conversion.line(NativeFile::RelayClients, format!("@{name}")),
        }
    }
    bad_clients(config, good, &granted, conversion);
    conversion.comment(NativeFile::RcptHosts, "add the domains of this host (TCPIP$SMTP_LOCAL_ALIASES.TXT)");
    for entry in &config.zones {
        if is_name(&entry.text) && !entry.is_beyond {
            conversion.line(NativeFile::RcptHosts, &*entry.text);
            conversion.line(NativeFile::RcptHosts, format!(".{}", entry.text));
        } else {
            conversion.not_carried(entry.line, &entry.text, "not the name of a zone, or behind the octets of a value");
        }
    }
    if config.by_mx {
        conversion.line(NativeFile::RelayMx, "=me");
        conversion.line(NativeFile::Variables, "RELAYMX_ANYONE=1");
    }
}

/// Bad-Clients may not connect. Where a client is in both lists the more specific entry wins, so narrower Good-Clients
/// are let in again; and a Bad-Client does not relay, whether or not the rules are installed.
fn bad_clients(config: &Config, good: &[Entry], granted: &[Network], conversion: &mut Conversion) {
    let mut denied = Vec::new();
    for entry in &config.bad {
        match entry.client() {
            Client::Network(network) => {
                conversion.line(NativeFile::RelayClients, format!("!{network}"));
                conversion.line(NativeFile::TcpSmtp, format!("{network}:deny"));
                denied.push(network);
            }
            Client::Name(name) => {
                conversion.line(NativeFile::RelayClients, format!("!@{name}"));
                let why = "it does not relay, but may still write to the domains of this host: a rule of tcp.smtp \
                           needs an address";
                conversion.not_carried(entry.line, &entry.text, why);
            }
            Client::Unreadable => {}
        }
    }
    let narrower =
        |network: &&Network| denied.iter().any(|denied| denied.covers(**network)) && !denied.contains(*network);
    for network in granted.iter().filter(narrower) {
        conversion.line(NativeFile::TcpSmtp, format!("{network}:allow"));
    }
    for entry in good.iter().filter(|entry| !denied.is_empty() && matches!(entry.client(), Client::Name(_))) {
        let why = "relays, but a rule of tcp.smtp for Bad-Clients still keeps it out if its address is in one of their \
                   networks: name its address in place of it";
        conversion.not_carried(entry.line, &entry.text, why);
    }
}

impl Config {
    fn take(&mut self, field: Field, conversion: &mut Conversion) {
        let value = field.value();
        let told = format!("{}: {value}", field.name);
        let switch = boolean(&value);
        match (field.name.to_ascii_lowercase().as_str(), switch) {
            ("good-clients", _) => self.good.get_or_insert_default().extend(field.entries()),
            ("bad-clients", _) => self.bad.extend(field.entries()),
            ("relay-zones", _) => self.zones.extend(field.entries()),
            ("relay", Some(on)) => self.relay = Some(on && self.relay != Some(false)),
            ("option" | "options", _) => self.options(&value),
            ("relay-based-on-mx", Some(on)) => self.by_mx = on,
            ("security", _) if value.eq_ignore_ascii_case("secure") => self.is_secure = true,
            ("security", _) if value.eq_ignore_ascii_case("friendly") => self.is_secure = false,
            ("spam-relay-text", _) if !value.is_empty() => self.text = Some(value),
            ("reject-unbacktranslatable-ip", Some(true)) => conversion.line(NativeFile::Variables, "REQPTR="),
            // What these would let in is let in here anyway.
            ("reject-unbacktranslatable-ip", Some(false)) => {}
            ("accept-unqualified-senders" | "accept-unresolvable-domains", Some(true)) => {}
            ("accept-unqualified-senders" | "accept-unresolvable-domains", _) => {
                conversion.not_carried(field.line, &told, "not about relaying: a check of senders");
            }
            ("relay" | "relay-based-on-mx" | "reject-unbacktranslatable-ip", None) => {
                conversion.not_carried(field.line, &told, "neither ON nor OFF: read as OFF");
                if field.name.eq_ignore_ascii_case("relay") {
                    self.relay = Some(false);
                }
            }
            (name, _) => {
                let known = ELSEWHERE.iter().find(|(known, _)| *known == name);
                conversion.not_carried(field.line, &told, known.map_or("not about relaying", |(_, why)| why));
            }
        }
    }

    /// What SHOW CONFIGURATION SMTP calls options.
    fn options(&mut self, value: &str) {
        for word in value.split(|character: char| !character.is_alphanumeric()) {
            if word.eq_ignore_ascii_case("norelay") {
                self.relay = Some(false);
            } else if word.eq_ignore_ascii_case("relay") && self.relay.is_none() {
                self.relay = Some(true);
            }
        }
    }
}

fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "1" | "yes" => Some(true),
        "off" | "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::operator::convert::{Conversion, Source, convert};

    fn converted(text: &str) -> Conversion {
        convert(Source::Openvms, text.as_bytes())
    }

    fn lines(conversion: &Conversion, file: &str) -> Vec<String> {
        let text = conversion.files().find(|(name, _)| *name == file).map(|(_, text)| text);
        text.unwrap_or_default().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn a_list_goes_on_behind_a_comma_and_masks_its_networks() {
        let conversion = converted(
            "! comment\nRelay: on\nGOOD-clients: 1.2.9.0/16, 2.3.0.0/16,\n! in between\n  2.3.4.5, relay.abc.ex\nstray\n",
        );
        assert_eq!(lines(&conversion, "relayclients"), ["1.2.0.0/16", "2.3.0.0/16", "2.3.4.5", "@relay.abc.ex"]);
        assert!(conversion.remarks().contains("line 6: stray"), "{}", conversion.remarks());
        // The next field is no part of the list, whatever ended the line.
        let conversion = converted("Relay: on\nGood-Clients: 1.2.3.4,\nRelay-Zones: abc.ex\n");
        assert_eq!(lines(&conversion, "relayclients"), ["1.2.3.4"]);
        assert_eq!(lines(&conversion, "rcpthosts"), ["abc.ex", ".abc.ex"]);
    }

    #[test]
    fn the_relay_flag_decides() {
        for (flag, level) in [
            ("Relay: ON\n", "open"),
            ("Relay: 1\n", "open"),
            ("Options: TOP RELAY\n", "open"),
            ("Relay: OFF\n", "none"),
            ("Relay: ON\nRelay: OFF\n", "none"),
            ("Relay: OFF\nRelay: ON\n", "none"),
            ("Relay: maybe\n", "none"),
            ("Options: NORELAY\n", "none"),
            ("Relay: ON\nRelay OFF\n", "none"),
            ("Relay: ON\nBad-Clients 1.2.3.4\n", "none"),
            ("", "none"),
        ] {
            assert_eq!(lines(&converted(flag), "relaylevel"), [level], "{flag}");
            let listed = converted(&format!("{flag}Good-Clients: 1.2.3.4\n"));
            assert_eq!(!lines(&listed, "relayclients").is_empty(), level == "open", "{flag}");
        }
        assert!(!converted("").is_complete());
    }

    #[test]
    fn a_list_that_is_empty_or_unreadable_opens_nothing() {
        for list in ["Good-Clients:\n", "Good-Clients: 1.2.3.0/33, 1.2.3\n", "Good-Clients: 2001:db8::1\n"] {
            let conversion = converted(&format!("Relay: ON\n{list}"));
            assert!(lines(&conversion, "relaylevel").is_empty(), "{list}");
            assert!(lines(&conversion, "relayclients").is_empty(), "{list}");
        }
    }

    #[test]
    fn what_stands_behind_the_longest_value_grants_nothing() {
        let many: Vec<String> = (0..60).map(|last| format!("10.0.0.{last}")).collect();
        let conversion = converted(&format!("Relay: ON\nGood-Clients: {}\n", many.join(",")));
        let granted = lines(&conversion, "relayclients");
        assert!(granted.len() < 60 && granted.join(",").len() <= 500, "{granted:?}");
        assert!(conversion.remarks().contains("10.0.0.59"));
    }

    #[test]
    fn bad_clients_are_excepted_and_denied() {
        let text =
            "Relay: ON\nBad-Clients: 1.2.0.0/16, bad.ex, 9.9.9.9\nGood-Clients: 1.2.3.0/24, 1.0.0.0/8, 9.9.9.9\n";
        let conversion = converted(text);
        assert_eq!(
            lines(&conversion, "relayclients"),
            ["1.2.3.0/24", "1.0.0.0/8", "9.9.9.9", "!1.2.0.0/16", "!@bad.ex", "!9.9.9.9"]
        );
        assert_eq!(lines(&conversion, "tcp.smtp"), ["1.2.0.0/16:deny", "9.9.9.9:deny", "1.2.3.0/24:allow"]);
        // Who is excepted must be known.
        for (text, level) in [
            ("Relay: ON\nGood-Clients: 1.2.3.4\nBad-Clients: 1.2.3.0/33\n", "none"),
            ("Relay: ON\nBad-Clients: bad.ex\n", "none"),
            ("Relay: ON\nBad-Clients: 1.2.3.4\n", "open"),
        ] {
            let conversion = converted(text);
            assert_eq!(lines(&conversion, "relaylevel"), [level], "{text}");
            assert!(lines(&conversion, "relayclients").is_empty(), "{text}");
        }
    }

    #[test]
    fn texts_and_gates_are_carried_over() {
        let conversion = converted(
            "Relay: OFF\nSPAM-Relay-Text: No relaying here\nSecurity: FRIENDLY\nReject-Unbacktranslatable-IP: TRUE\n\
             Reject-Mail-From: *.spam.ex\nRelay-Based-On-MX: TRUE\n",
        );
        assert_eq!(lines(&conversion, "relaytext"), ["No relaying here"]);
        assert_eq!(lines(&conversion, "tcp.smtp"), [":allow,REQPTR=\"\""]);
        assert!(lines(&conversion, "relaymx").is_empty(), "the flag is off");
        assert!(conversion.remarks().contains("badmailfrom"));
        let secure = "Relay: OFF\nSecurity: SECURE\n";
        assert_eq!(lines(&converted(secure), "relaytext"), ["refused"]);
        assert_eq!(lines(&converted(&format!("{secure}SPAM-Relay-Text: No\n")), "relaytext"), ["No"]);
    }
}
