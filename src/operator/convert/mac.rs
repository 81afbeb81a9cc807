//! Mac OS X Server AppleMailServer: its restricted SMTP relay.

use crate::client::pattern::Pattern;
use crate::operator::convert::clients::{grant, is_name};
use crate::operator::convert::{Conversion, NativeFile};

/// What the input looks like, for `postern convert --help`.
pub(super) const FORM: &str = "\
mac: the values of the directory node. A name and its values are parted by blanks, `:` or `=`. A list has its values in \
one line, in parentheses over several lines, or each alone in the lines that follow. Or an XML property list.

    open_relay_addr_flag 1
    open_relay_addr_list (192.168.40-43.*, 10.0.0.0/8, myserver.ex)
    smtp_plain_login_flag 0
    local_delivery_only 0
";

/// What the directory node says about relaying.
#[derive(Default)]
struct Node {
    relay: Switch,
    list: Vec<(usize, String)>,
    login: Switch,
    local_only: Switch,
}

/// A flag that several properties may set; the first line that did.
#[derive(Default)]
struct Switch {
    on: Option<usize>,
    off: Option<usize>,
}

/// `name value...`, each value with the number of its line.
struct Property {
    line: usize,
    name: String,
    values: Vec<(usize, String)>,
}

/// Reads the values of the directory node.
pub(super) fn read(text: &str, conversion: &mut Conversion) {
    let properties = if text.contains("<key>") { of_plist(text) } else { of_lines(text) };
    let node = Node::from(properties, conversion);
    if let Some(line) = node.local_only.on {
        conversion.line(NativeFile::RelayLevel, "none");
        conversion.comment(NativeFile::RelayLevel, "local_delivery_only: the list of addresses is not consulted");
        let why = "said with relaylevel none, which still lets those relay who authenticate: offer no AUTH";
        conversion.not_carried(line, "local_delivery_only", why);
    } else if node.login.on.is_some() {
        conversion.line(NativeFile::Variables, "REQUIREAUTH=1");
        let why = "smtp_plain_login_flag: the clients of the list must authenticate too, and who does may relay anyway";
        conversion.comment(NativeFile::RelayClients, why);
    } else if node.relay.on.is_none() || node.relay.off.is_some() {
        conversion.comment(NativeFile::RelayClients, "open_relay_addr_flag is not 1: the list is not consulted");
    } else {
        for (line, value) in &node.list {
            client(conversion, *line, value);
        }
    }
}

impl Node {
    /// What is doubtful closes: a relay flag that is no flag is off, the others are on.
    fn from(properties: Vec<Property>, conversion: &mut Conversion) -> Node {
        let mut node = Node::default();
        for property in properties {
            let flag = property.flag();
            let is_list = property.name.eq_ignore_ascii_case("open_relay_addr_list");
            match (property.name.to_ascii_lowercase().as_str(), flag) {
                (_, _) if is_list => node.list.extend(property.values),
                ("open_relay_addr_flag", Some(on)) => node.relay.set(on, property.line),
                ("smtp_plain_login_flag", Some(on)) => node.login.set(on, property.line),
                ("local_delivery_only", Some(on)) => node.local_only.set(on, property.line),
                (name @ ("open_relay_addr_flag" | "smtp_plain_login_flag" | "local_delivery_only"), None) => {
                    let (switch, reading) = match name {
                        "open_relay_addr_flag" => (&mut node.relay, false),
                        "smtp_plain_login_flag" => (&mut node.login, true),
                        _ => (&mut node.local_only, true),
                    };
                    switch.set(reading, property.line);
                    let why = format!("neither 0 nor 1: read as {}", u8::from(reading));
                    conversion.not_carried(property.line, &property.shown(), why);
                }
                (_, _) => conversion.not_carried(property.line, &property.shown(), "not about relaying"),
            }
        }
        node
    }
}

impl Switch {
    fn set(&mut self, on: bool, line: usize) {
        let first = if on { &mut self.on } else { &mut self.off };
        first.get_or_insert(line);
    }
}

impl Property {
    fn flag(&self) -> Option<bool> {
        let [(_, value)] = self.values.as_slice() else { return None };
        match value.to_ascii_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => Some(true),
            "0" | "no" | "false" | "off" => Some(false),
            _ => None,
        }
    }

    fn shown(&self) -> String {
        let values: Vec<&str> = self.values.iter().map(|(_, value)| value.as_str()).collect();
        format!("{} {}", self.name, values.join(" "))
    }
}

/// One value of the list. A name may be that of a host or of a domain: both are said.
fn client(conversion: &mut Conversion, line: usize, value: &str) {
    let name = value.trim_end_matches('.');
    let domain = name.strip_prefix('.').unwrap_or(name);
    if is_name(domain) {
        if domain == name {
            conversion.line(NativeFile::RelayClients, format!("@{name}"));
        }
        // The name of a host without a domain is no domain: `=.com` would be half of the world.
        if domain.contains('.') {
            conversion.line(NativeFile::RelayClients, format!("=.{domain}"));
        }
    } else if value.ends_with('.') && Pattern::parse(value.as_bytes()).is_ok() {
        conversion.not_carried(
            line,
            value,
            "four octets are needed: AppleMailServer does not add such an entry either",
        );
    } else if value.bytes().all(|byte| byte.is_ascii_digit() || b".-*/".contains(&byte)) {
        grant(conversion, line, value, value);
    } else {
        let why = "neither an address, a range nor a name: AppleMailServer does not add such an entry either";
        conversion.not_carried(line, value, why);
    }
}

/// A property a line; a list may go on in lines of its own.
fn of_lines(text: &str) -> Vec<Property> {
    let mut properties: Vec<Property> = Vec::new();
    let mut in_parentheses = false;
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.split('#').next().unwrap_or_default().trim();
        let words = words(text);
        let is_new = !in_parentheses && !continues(properties.last(), text, &words);
        let values = if is_new { text.trim_start_matches(is_mark).split_once(is_separator) } else { Some(("", text)) };
        let (name, values) = values.unwrap_or((text, ""));
        if is_new && words.is_empty() {
            continue;
        }
        if is_new {
            let name = name.trim_matches(is_mark).to_owned();
            properties.push(Property { line, name, values: Vec::new() });
        }
        let values = values.trim_start_matches(is_separator);
        let (inner, ended) = values.split_once(')').map_or((values, false), |(inner, _)| (inner, true));
        in_parentheses = !ended && (in_parentheses || (is_new && values.starts_with('(')));
        if let Some(property) = properties.last_mut() {
            property.values.extend(self::words(inner).into_iter().map(|word| (line, word.to_owned())));
        }
    }
    properties
}

/// Whether a line is a value of the list above it: one word, and not the name of a property.
fn continues(last: Option<&Property>, text: &str, words: &[&str]) -> bool {
    let is_in_list = last.is_some_and(|last| last.name.eq_ignore_ascii_case("open_relay_addr_list"));
    is_in_list && words.len() == 1 && !text.contains(['=', ':', '_'])
}

fn is_separator(character: char) -> bool {
    character.is_whitespace() || character == '=' || character == ':'
}

fn is_mark(character: char) -> bool {
    "\"'{};,".contains(character)
}

fn words(text: &str) -> Vec<&str> {
    let parts = |character: char| character.is_whitespace() || is_mark(character) || "()".contains(character);
    text.split(parts).filter(|word| !word.is_empty()).collect()
}

/// `<key>name</key>` and what follows it up to the next key.
fn of_plist(text: &str) -> Vec<Property> {
    let mut properties: Vec<Property> = Vec::new();
    let mut line = 1;
    for piece in without_comments(text).split('<') {
        let (tag, content) = piece.split_once('>').unwrap_or(("", ""));
        let value = match tag.trim() {
            "key" => {
                properties.push(Property { line, name: content.trim().to_owned(), values: Vec::new() });
                None
            }
            "string" | "integer" => Some(content.trim()),
            "true/" => Some("1"),
            "false/" => Some("0"),
            _ => None,
        };
        if let (Some(value), Some(property)) = (value, properties.last_mut()) {
            property.values.push((line, value.to_owned()));
        }
        line += piece.matches('\n').count();
    }
    properties
}

/// Without what stands between `<!--` and `-->`, but for its line ends. A comment that does not end hides the rest.
fn without_comments(text: &str) -> String {
    let mut pieces = text.split("<!--");
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (comment, rest) = piece.split_once("-->").unwrap_or((piece, ""));
        result.extend(comment.matches('\n'));
        result += rest;
    }
    result
}

#[cfg(test)]
mod tests {
    use crate::operator::convert::{Source, convert};

    /// The lines of relayclients.
    fn clients(text: &str) -> Vec<String> {
        let conversion = convert(Source::Mac, text.as_bytes());
        let text = conversion.files().find(|(name, _)| *name == "relayclients").map(|(_, text)| text);
        text.unwrap_or_default().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn every_form_of_the_node_is_read() {
        let expected = ["192.168.40.*", "10.0.0.1"];
        for text in [
            "open_relay_addr_flag 1\nopen_relay_addr_list 192.168.40.* 10.0.0.1\nother x.ex\n",
            "open_relay_addr_list: 192.168.40.* 10.0.0.1\nopen_relay_addr_flag: 1\n",
            "open_relay_addr_flag = 1\nopen_relay_addr_list (192.168.40.*, 10.0.0.1)\nother = x.ex\n",
            "{\n \"open_relay_addr_flag\" = ( \"1\" );\n \"open_relay_addr_list\" = (\n  \"192.168.40.*\",\n  \"10.0.0.1\"\n );\n \"name\" = ( \"x.ex\" );\n}\n",
            "open_relay_addr_flag 1\nopen_relay_addr_list\n192.168.40.*\n  10.0.0.1\nhostname x.ex\nx.ex\n",
            "<plist><dict><key>open_relay_addr_flag</key><integer>1</integer>\n<key>open_relay_addr_list</key>\n<array>\n<string>192.168.40.*</string>\n<string>10.0.0.1</string></array>\n<!-- <string>x.ex</string> --><key>other</key><string>x.ex</string></dict></plist>\n",
        ] {
            assert_eq!(clients(text), expected, "{text}");
        }
    }

    #[test]
    fn a_doubtful_flag_closes() {
        for flag in
            ["open_relay_addr_flag 2", "open_relay_addr_flag", "open_relay_addr_flag 1 0", "", "open_relay_addr_flag 0"]
        {
            assert!(clients(&format!("{flag}\nopen_relay_addr_list 10.0.0.1\n")).is_empty(), "{flag}");
        }
        for flag in ["smtp_plain_login_flag x", "smtp_plain_login_flag", "local_delivery_only 1"] {
            let text = format!("open_relay_addr_list 10.0.0.1\nopen_relay_addr_flag 1\n{flag}\n");
            assert!(clients(&text).is_empty(), "{flag}");
        }
        assert_eq!(
            clients("open_relay_addr_flag 1\nopen_relay_addr_list 10.0.0.1\nsmtp_plain_login_flag 0\n"),
            ["10.0.0.1"]
        );
    }

    #[test]
    fn names_are_hosts_and_domains() {
        let node = |value: &str| format!("open_relay_addr_flag 1\nopen_relay_addr_list {value}\n");
        assert_eq!(clients(&node("myserver.ex")), ["@myserver.ex", "=.myserver.ex"]);
        assert_eq!(clients(&node("myserver")), ["@myserver"]);
        assert_eq!(clients(&node(".example.com")), ["=.example.com"]);
    }

    #[test]
    fn what_is_malformed_is_not_added_and_told() {
        for value in [
            "192.168.43-40.*",
            "192.168.300.*",
            "192.168.40",
            "192.168.40.",
            "192.168.40-.1",
            "192.168.41.0/21",
            "192.168.040.1",
            "2001:db8::1",
            "*.example.com",
            "0.0.0.0/33",
            "a_b!",
        ] {
            let text = format!("open_relay_addr_flag 1\nopen_relay_addr_list ({value})\n");
            assert!(clients(&text).is_empty(), "{value}");
            let remarks = convert(Source::Mac, text.as_bytes()).remarks();
            assert!(remarks.contains(&format!("line 2: {value}\n")), "{remarks}");
        }
    }
}
