//! spamdyke: relay-level, its relay lists and local domains.

use std::net::Ipv4Addr;

use crate::client::network::Network;
use crate::operator::convert::clients::{grant, is_name};
use crate::operator::convert::{Conversion, NativeFile};

/// What the input looks like, for `postern convert --help`.
pub(super) const FORM: &str = "\
spamdyke: its configuration file, of version 4 or 5. Files that it names are not read: write their lines as \
ip-relay-entry, rdns-relay-entry or local-domains-entry.

    relay-level=normal
    ip-relay-entry=192.0.2
    rdns-relay-entry=.partner.ex
";

/// Options that have to do with relaying and cannot be carried over, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("ip-relay-file", "a file, which is not read: write its lines as ip-relay-entry=..."),
    ("rdns-relay-file", "a file, which is not read: write its lines as rdns-relay-entry=..."),
    ("local-domains-file", "a file, which is not read: it has the form of rcpthosts"),
    ("qmail-rcpthosts-file", "this file is rcpthosts, as smtpd reads it"),
    ("qmail-morercpthosts-cdb", "this file is morercpthosts.cdb, as smtpd reads it"),
    ("access-file", "this file has the form of tcp.smtp: build it with tcprules"),
    ("config-dir", "files for some clients, senders and recipients, which are not read"),
    ("smtp-auth-level", "AUTH is set up by other means"),
    ("smtp-auth-command", "AUTH is set up by other means"),
    ("ip-whitelist-entry", "only spamdyke 4 let such clients relay: write ip-relay-entry if they shall"),
    ("ip-whitelist-file", "only spamdyke 4 let such clients relay: write ip-relay-entry if they shall"),
    ("rdns-whitelist-entry", "only spamdyke 4 let such clients relay: write rdns-relay-entry if they shall"),
    ("rdns-whitelist-file", "only spamdyke 4 let such clients relay: write rdns-relay-entry if they shall"),
    ("rdns-whitelist-dir", "only spamdyke 4 let such clients relay: write rdns-relay-entry if they shall"),
    ("ip-blacklist-entry", "not about relaying: except whom it names from relayclients by `!`"),
    ("ip-blacklist-file", "not about relaying: except whom it names from relayclients by `!`"),
];

/// What the file says about relaying.
#[derive(Default)]
struct Config {
    level: Option<Option<Level>>,
    /// Why nobody relays whatever the level is.
    closed: Option<&'static str>,
    needs_auth: bool,
    refuses_all: bool,
    clients: Vec<Entry>,
    names: Vec<Entry>,
    domains: Vec<Entry>,
    /// A text of a refusal.
    text: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    BlockAll,
    /// `normal`, and `no-check`, which leaves it to qmail-smtpd.
    Normal,
    AllowAll,
}

struct Entry {
    line: usize,
    text: String,
}

/// Reads the configuration file.
pub(super) fn read(text: &str, conversion: &mut Conversion) {
    let mut config = Config::default();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.is_empty() && !text.starts_with('#')) {
        let (option, value) = text.split_once('=').unwrap_or((text, ""));
        config.take(line, option.trim(), value.trim(), conversion);
    }
    if let Some(text) = &config.text {
        conversion.line(NativeFile::RelayText, &**text);
    }
    if !config.refuses_all {
        domains(&config, conversion);
    }
    let level = config.level.unwrap_or(Some(Level::Normal));
    match (config.closed, level) {
        (Some(why), _) => nobody(conversion, why),
        (None, None) => nobody(conversion, "relay-level has a value that is not known"),
        (None, Some(Level::BlockAll)) => {
            nobody(conversion, "relay-level=block-all: no list is consulted");
            let why = "said with relaylevel none, which still lets those relay who authenticate: offer no AUTH";
            conversion.not_carried(0, "relay-level=block-all", why);
        }
        (None, Some(_)) if config.needs_auth => {
            let why = "filter-level=require-auth: who is listed must authenticate too, and who does may relay anyway";
            conversion.comment(NativeFile::RelayClients, why);
        }
        (None, Some(Level::AllowAll)) => {
            conversion.line(NativeFile::RelayLevel, "open");
            conversion.comment(NativeFile::RelayLevel, "relay-level=allow-all: an open relay, as it was there");
        }
        (None, Some(Level::Normal)) => lists(&config, conversion),
    }
}

fn nobody(conversion: &mut Conversion, why: &str) {
    conversion.line(NativeFile::RelayLevel, "none");
    conversion.comment(NativeFile::RelayLevel, why);
}

impl Config {
    fn take(&mut self, line: usize, option: &str, value: &str, conversion: &mut Conversion) {
        let told = format!("{option}={value}");
        let is_option = option.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        match (option, value) {
            (_, _) if !is_option => {
                self.closed = Some("a line is no option");
                conversion.not_carried(line, &told, "no option, so nobody relays until it is one or is gone");
            }
            ("relay-level", "block-all") => self.level = Some(Some(Level::BlockAll)),
            ("relay-level", "normal" | "no-check") => self.level = Some(Some(Level::Normal)),
            ("relay-level", "allow-all") => self.level = Some(Some(Level::AllowAll)),
            ("relay-level", _) => {
                self.level = Some(None);
                conversion.not_carried(line, &told, "no level that is known: nobody relays");
            }
            ("ip-relay-entry", _) => set(&mut self.clients, line, value),
            ("rdns-relay-entry", _) => set(&mut self.names, line, value),
            ("local-domains-entry", _) => set(&mut self.domains, line, value),
            ("filter-level", "require-auth") => {
                self.needs_auth = true;
                conversion.line(NativeFile::Variables, "REQUIREAUTH=1");
            }
            ("filter-level", "reject-all") => {
                self.closed = Some("filter-level=reject-all");
                let why = "nobody relays, and no domain is listed; those that rcpthosts has already still get mail";
                conversion.not_carried(line, &told, why);
                self.refuses_all = true;
            }
            ("filter-level", "normal" | "allow-all") => {}
            ("config-file", _) => {
                self.closed = Some("config-file names a file that is not read");
                conversion.not_carried(line, &told, "not read, so nobody relays: put its lines in place of this one");
            }
            ("rejection-text-relaying-denied", _) if !value.is_empty() => self.text = Some(value.to_owned()),
            (_, _) => {
                let known = ELSEWHERE.iter().find(|(known, _)| *known == option);
                conversion.not_carried(line, &told, known.map_or("not about relaying", |(_, why)| why));
            }
        }
    }
}

/// Adds a value to a list; `!value` takes it away, `!!!` takes all away.
fn set(list: &mut Vec<Entry>, line: usize, value: &str) {
    match value.strip_prefix('!') {
        Some("!!") => list.clear(),
        Some(value) => list.retain(|entry| entry.text != value),
        None => list.push(Entry { line, text: value.to_owned() }),
    }
}

fn domains(config: &Config, conversion: &mut Conversion) {
    for Entry { line, text } in &config.domains {
        let domain = text.strip_prefix('.').unwrap_or(text);
        if is_name(domain) {
            conversion.line(NativeFile::RcptHosts, &**text);
        } else {
            conversion.not_carried(*line, text, "not the name of a domain");
        }
    }
}

fn lists(config: &Config, conversion: &mut Conversion) {
    for Entry { line, text } in &config.clients {
        match pattern(text) {
            Ok(pattern) => grant(conversion, *line, text, &pattern),
            Err(why) => conversion.not_carried(*line, text, why),
        }
    }
    for Entry { line, text } in &config.names {
        let name = text.strip_prefix('.').unwrap_or(text);
        if is_name(name) {
            // There a domain is one of its own.
            conversion.line(NativeFile::RelayDomains, name);
            if name != text {
                conversion.line(NativeFile::RelayDomains, &**text);
            }
        } else {
            conversion.not_carried(*line, text, "not a name, nor the end of one with its dot");
        }
    }
}

/// Why an address is not read.
const MALFORMED: &str = "not an address, its first octets, ranges, or a network with its mask";

/// What stands in an IP address file: `11.22.33.44`, `11.22.33`, `11.22.`, `11.22.33-44.55`, `11.22-44`, `11.22.33.0/24`,
/// `11.22.33.0/255.255.255.0`. Zeros before an octet mean nothing.
fn pattern(text: &str) -> Result<String, String> {
    if let Some((address, mask)) = text.split_once('/') {
        return network(address, mask);
    }
    let octets: Vec<String> =
        text.strip_suffix('.').unwrap_or(text).split('.').map(octet).collect::<Option<_>>().ok_or(MALFORMED)?;
    let has_ranges = octets.iter().any(|octet| octet.contains('-'));
    let whole = octets.join(".");
    match (octets.len(), has_ranges) {
        (4, _) if text.ends_with('.') => Err(MALFORMED.to_owned()),
        (4, _) => Ok(whole),
        (1..=3, false) => Ok(format!("{whole}.")),
        (count @ 1..=3, true) => Ok(whole + &".*".repeat(4 - count)),
        (_, _) => Err(MALFORMED.to_owned()),
    }
}

/// `33` or `33-44`, without leading zeros.
fn octet(text: &str) -> Option<String> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u8>().ok()).flatten()
    };
    let (low, high) = (number(low)?, number(high)?);
    Some(if text.contains('-') { format!("{low}-{high}") } else { low.to_string() })
}

/// A mask as a number of bits or as an address. Its documents do not say what bits behind the mask do, so there must be
/// none.
fn network(address: &str, mask: &str) -> Result<String, String> {
    let octets: Vec<u8> =
        address.split('.').map(|part| octet(part)?.parse().ok()).collect::<Option<_>>().ok_or(MALFORMED)?;
    let address = Ipv4Addr::from(<[u8; 4]>::try_from(octets).map_err(|_| MALFORMED)?);
    let length = match mask.parse::<Ipv4Addr>() {
        Ok(mask) => {
            let bits = mask.to_bits();
            let is_one_run = bits.leading_ones() + bits.trailing_zeros() >= 32;
            if !is_one_run {
                return Err("a mask with gaps".to_owned());
            }
            bits.leading_ones()
        }
        Err(_) if mask.bytes().all(|byte| byte.is_ascii_digit()) => mask.parse().map_err(|_| MALFORMED)?,
        Err(_) => return Err(MALFORMED.to_owned()),
    };
    let network =
        u8::try_from(length).ok().and_then(|length| Network::around(address.into(), length)).ok_or(MALFORMED)?;
    if network.first() != address {
        return Err(format!("bits behind the mask: did you mean `{network}`?"));
    }
    Ok(format!("{address}/{length}"))
}

#[cfg(test)]
mod tests {
    use super::pattern;
    use crate::operator::convert::{Conversion, Source, convert};

    fn converted(text: &str) -> Conversion {
        convert(Source::Spamdyke, text.as_bytes())
    }

    fn lines(conversion: &Conversion, file: &str) -> Vec<String> {
        let text = conversion.files().find(|(name, _)| *name == file).map(|(_, text)| text);
        text.unwrap_or_default().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        for (text, expected) in [
            ("11.22.33.44", "11.22.33.44"),
            ("011.022.033.044", "11.22.33.44"),
            ("11.22.33", "11.22.33."),
            ("11.22.", "11.22."),
            ("11", "11."),
            ("11.22.33-44.55", "11.22.33-44.55"),
            ("11.22-44", "11.22-44.*.*"),
            ("11.22.33.0/24", "11.22.33.0/24"),
            ("11.22.0.0/255.255.0.0", "11.22.0.0/16"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("11.22.33.44/32", "11.22.33.44/32"),
        ] {
            assert_eq!(pattern(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "11.22.33.44.",
            "11.22.33.44.55",
            "11..33",
            "",
            ".",
            "11.22.*",
            "11.256",
            "11.22.33.44/24",
            "11.22.0.0/255.0.255.0",
            "11.22.0.0/33",
            "11.22.0.0/",
            "11.22/16",
            "11.22-23.0.0/16",
            "11.22.-",
            "2001:db8::1",
            "host.ex",
            "11.22.0.0/+8",
        ] {
            assert!(pattern(text).is_err(), "{text}: {:?}", pattern(text));
        }
        // A range the other way round is for the grammar to refuse.
        let conversion = converted("ip-relay-entry=11.44-22\n");
        assert!(lines(&conversion, "relayclients").is_empty() && conversion.remarks().contains("reversed"));
    }

    #[test]
    fn the_level_decides_whether_lists_are_read() {
        let list = "ip-relay-entry=11.22.33.44\nrdns-relay-entry=.partner.ex\n";
        for (level, word, clients) in [
            ("", &[][..], 1),
            ("relay-level=normal\n", &[], 1),
            ("relay-level=no-check\n", &[], 1),
            ("relay-level=block-all\n", &["none"], 0),
            ("relay-level=allow-all\n", &["open"], 0),
            ("relay-level=allow-all\nrelay-level=normal\n", &[], 1),
            ("relay-level=x\n", &["none"], 0),
            ("relay-level\n", &["none"], 0),
            ("filter-level=require-auth\nrelay-level=allow-all\n", &[], 0),
            ("filter-level=reject-all\nrelay-level=allow-all\n", &["none"], 0),
            ("config-file=/etc/more.conf\n", &["none"], 0),
            ("relay-level block-all\n", &["none"], 0),
            ("Relay-Level=block-all\n", &["none"], 0),
        ] {
            let conversion = converted(&format!("{level}{list}"));
            assert_eq!(lines(&conversion, "relaylevel"), word, "{level}");
            assert_eq!(lines(&conversion, "relayclients").len(), clients, "{level}");
            assert_eq!(lines(&conversion, "relaydomains").len(), 2 * clients, "{level}");
        }
    }

    #[test]
    fn values_can_be_taken_away() {
        let conversion = converted(
            "ip-relay-entry=1.1.1.1\nip-relay-entry=!!!\nip-relay-entry=2.2.2.2\nip-relay-entry=3.3.3.3\nip-relay-entry=!2.2.2.2\n\
             local-domains-entry=local.ex\nlocal-domains-entry=.sub.ex\nlocal-domains-entry=a b\n\
             rejection-text-relaying-denied=Not here\n# ip-relay-entry=4.4.4.4\ngraylist-level=none\nip-relay-file=/x\n",
        );
        assert_eq!(lines(&conversion, "relayclients"), ["3.3.3.3"]);
        assert_eq!(lines(&conversion, "rcpthosts"), ["local.ex", ".sub.ex"]);
        assert_eq!(lines(&conversion, "relaytext"), ["Not here"]);
        let remarks = conversion.remarks();
        for told in
            ["line 8: a b", "line 11: graylist-level=none\n#     not about relaying", "line 12: ip-relay-file=/x"]
        {
            assert!(remarks.contains(told), "{told}: {remarks}");
        }
    }
}
