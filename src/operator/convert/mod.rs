//! `postern convert`: what another mail system's configuration says about relaying, in our files.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use clap::ValueEnum;

mod clients;
mod first_hit;
mod imail;
mod into;
mod mac;
mod openvms;
mod postfix;
mod spamdyke;
mod sun;

pub use into::{IntoError, write_into};

/// The longest source that is read, in octets; the largest real one is a thousandth of it.
pub const SOURCE_OCTETS_MAX: u64 = 16 << 20;

/// A mail system whose configuration can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// Sun, iPlanet and Oracle Messaging Server: the `mappings` file
    Sun,
    /// Ipswitch IMail: mode, addresses and accept.txt
    Imail,
    /// Mac OS X Server AppleMailServer: restricted SMTP relay
    Mac,
    /// TCP/IP Services for OpenVMS: SMTP.CONFIG
    Openvms,
    /// Postfix: main.cf and its tables
    Postfix,
    /// spamdyke: its configuration file and lists
    Spamdyke,
}

/// A file of ours that a configuration may become. The order is that of the sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NativeFile {
    /// The name of this host; one line.
    Me,
    /// Domains delivered here.
    Locals,
    /// Domains that anyone may write to.
    RcptHosts,
    /// Who may relay at all; one word.
    RelayLevel,
    /// Clients that may relay.
    RelayClients,
    /// Names of clients that may relay.
    RelayDomains,
    /// Senders that may relay.
    RelayMailFrom,
    /// Hosts whose domains anyone may write to.
    RelayMx,
    /// What a refusal says; one line.
    RelayText,
    /// Senders that are refused.
    BadMailFrom,
    /// Rules of `tcprules`.
    TcpSmtp,
    /// `NAME=value`: what the environment of smtpd must have, whoever calls. Becomes part of every rule of tcp.smtp.
    Variables,
}

impl NativeFile {
    /// The name of the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            NativeFile::Me => "me",
            NativeFile::Locals => "locals",
            NativeFile::RcptHosts => "rcpthosts",
            NativeFile::RelayLevel => "relaylevel",
            NativeFile::RelayClients => "relayclients",
            NativeFile::RelayDomains => "relaydomains",
            NativeFile::RelayMailFrom => "relaymailfrom",
            NativeFile::RelayMx => "relaymx",
            NativeFile::RelayText => "relaytext",
            NativeFile::BadMailFrom => "badmailfrom",
            // The variables of every client are in the rules too, which is where tcpserver finds them.
            NativeFile::TcpSmtp | NativeFile::Variables => "tcp.smtp",
        }
    }

    /// Whether the first line is the value and all others are never read.
    fn is_one_line(self) -> bool {
        match self {
            NativeFile::Me | NativeFile::RelayLevel | NativeFile::RelayText => true,
            NativeFile::Locals
            | NativeFile::RcptHosts
            | NativeFile::RelayClients
            | NativeFile::RelayDomains
            | NativeFile::RelayMailFrom
            | NativeFile::RelayMx
            | NativeFile::BadMailFrom
            | NativeFile::TcpSmtp
            | NativeFile::Variables => false,
        }
    }
}

/// What a configuration of another mail system says, in our files, and what of it could not be said.
#[derive(Debug, Default)]
pub struct Conversion {
    contents: BTreeMap<NativeFile, Content>,
    left: Vec<Left>,
    /// The files that were read one behind the other, each with the number of its first line.
    sources: Vec<(usize, String)>,
}

#[derive(Debug, Default)]
struct Content {
    entries: Vec<Entry>,
    seen: HashSet<String>,
}

#[derive(Debug)]
enum Entry {
    Line(String),
    Comment(String),
}

/// A source line that could not be carried over.
#[derive(Debug)]
struct Left {
    line: usize,
    text: String,
    why: String,
}

/// Reads the configuration `text` of the mail system `from`.
///
/// Never fails: what is not understood grants nothing and is told by [`Conversion::is_complete`] and in the comments.
#[must_use]
pub fn convert(from: Source, text: &[u8]) -> Conversion {
    convert_files(from, &[(String::new(), text.to_vec())])
}

/// Reads several files, each a name for the comments and its octets, as if one stood behind the other.
#[must_use]
pub fn convert_files(from: Source, files: &[(String, Vec<u8>)]) -> Conversion {
    let mut conversion = Conversion::default();
    let mut text = Vec::new();
    let mut lines = 0;
    for (name, octets) in files {
        conversion.sources.push((lines + 1, name.clone()));
        text.extend_from_slice(octets);
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        lines = memchr::memchr_iter(b'\n', &text).count();
    }
    let text = String::from_utf8_lossy(&text);
    match from {
        Source::Sun => sun::read(&text, &mut conversion),
        Source::Imail => imail::read(&text, &mut conversion),
        Source::Mac => mac::read(&text, &mut conversion),
        Source::Openvms => openvms::read(&text, &mut conversion),
        Source::Postfix => postfix::read(&text, &mut conversion),
        Source::Spamdyke => spamdyke::read(&text, &mut conversion),
    }
    conversion
}

/// What becomes of the files.
const WHERE: &str = "\
The control directory takes every file but tcp.smtp, which is for tcprules. Variables that every client must have are in \
each of its rules, and in one for whoever has no other. rcpthosts has only what the configuration says: add the domains \
that are served here.
";

/// What the input of each system looks like, for the manual.
#[must_use]
pub fn forms() -> String {
    let forms = [sun::FORM, imail::FORM, mac::FORM, openvms::FORM, postfix::FORM, spamdyke::FORM];
    format!("What FILE holds:\n\n{}\n{WHERE}", forms.join("\n"))
}

impl Conversion {
    /// Adds a native line. A line that `file` has already is dropped; one that the file would read as something else
    /// (a comment, two lines, a second value) is not carried over.
    pub(super) fn line(&mut self, file: NativeFile, text: impl Into<String>) {
        let text = text.into();
        let content = self.contents.entry(file).or_default();
        let is_second = file.is_one_line() && content.has_lines() && !content.seen.contains(&text);
        let why = if text.contains(char::is_control) || text.starts_with('#') || text.trim() != text || text.is_empty()
        {
            format!("{} cannot hold such a line", file.name())
        } else if is_second {
            format!("{} has one value, and another came first", file.name())
        } else {
            if content.seen.insert(text.clone()) {
                content.entries.push(Entry::Line(text));
            }
            return;
        };
        self.not_carried(0, &text, why);
    }

    /// Adds a comment to `file`; it stands before the lines that follow it.
    pub(super) fn comment(&mut self, file: NativeFile, text: impl Into<String>) {
        let entry = Entry::Comment(one_line(&text.into()));
        self.contents.entry(file).or_default().entries.push(entry);
    }

    /// Says that the source line `text`, number `line` (from 1; 0 if there is none), could not be carried over.
    pub(super) fn not_carried(&mut self, line: usize, text: &str, why: impl Into<String>) {
        self.left.push(Left { line, text: one_line(text.trim()), why: one_line(&why.into()) });
    }

    /// Whether everything was carried over.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.left.is_empty()
    }

    /// The files, each with its name and text. A file that would hold no line is none.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.sections().into_iter().filter(|section| section.has_lines).map(|section| (section.name, section.text))
    }

    /// What could not be carried over and why, as comments; nothing if everything was.
    #[must_use]
    pub fn remarks(&self) -> String {
        let mut text = String::new();
        for Left { line, text: source, why } in &self.left {
            let place = self.place(*line);
            let separator = if place.is_empty() || source.is_empty() { "" } else { ": " };
            text += &format!("#   {place}{separator}{source}\n#     {why}\n");
        }
        if text.is_empty() { text } else { format!("# Not carried over:\n{text}") }
    }

    fn place(&self, line: usize) -> String {
        let source = self.sources.iter().rev().find(|(first, _)| *first <= line);
        match source {
            None => String::new(),
            Some((first, name)) if name.is_empty() => format!("line {}", line - first + 1),
            Some((first, name)) => format!("{name}:{}", line - first + 1),
        }
    }

    fn sections(&self) -> Vec<Section> {
        let plain = self.contents.iter().filter(|(file, _)| file.name() != NativeFile::TcpSmtp.name());
        let mut sections: Vec<Section> =
            plain.map(|(file, content)| content.section(file.name(), file.is_one_line())).collect();
        sections.extend(self.rules());
        sections
    }

    /// tcp.smtp: the rules, each with the variables that every client gets, and one for whoever has no rule. For
    /// tcpserver takes the variables of one rule only, so that a rule without them would lift what they demand.
    fn rules(&self) -> Option<Section> {
        let (rules, variables) = (self.contents.get(&NativeFile::TcpSmtp), self.contents.get(&NativeFile::Variables));
        let mut merged = Content::default();
        let additions: Vec<(String, String)> = variables.into_iter().flat_map(Content::lines).map(addition).collect();
        let comments = variables.into_iter().flat_map(|content| &content.entries);
        merged.entries.extend(comments.filter_map(|entry| match entry {
            Entry::Comment(text) => Some(Entry::Comment(text.clone())),
            Entry::Line(_) => None,
        }));
        for entry in rules.into_iter().flat_map(|content| &content.entries) {
            merged.entries.push(match entry {
                Entry::Comment(text) => Entry::Comment(text.clone()),
                Entry::Line(text) => Entry::Line(with_additions(text, &additions)),
            });
        }
        if !additions.is_empty() && !merged.lines().any(|line| line.starts_with(':')) {
            merged.entries.push(Entry::Line(with_additions(":allow", &additions)));
        }
        let is_there = rules.is_some() || variables.is_some();
        is_there.then(|| merged.section(NativeFile::TcpSmtp.name(), false))
    }
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in self.sections() {
            writeln!(f, "# {}\n{}", section.name, section.text)?;
        }
        f.write_str(&self.remarks())
    }
}

struct Section {
    name: &'static str,
    text: String,
    has_lines: bool,
}

impl Content {
    fn lines(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Line(text) => Some(text.as_str()),
            Entry::Comment(_) => None,
        })
    }

    fn has_lines(&self) -> bool {
        self.lines().next().is_some()
    }

    fn section(&self, name: &'static str, is_one_line: bool) -> Section {
        // The first line of such a file is its value, so comments stand below.
        let (first, rest): (Vec<&Entry>, Vec<&Entry>) =
            self.entries.iter().partition(|entry| is_one_line && matches!(entry, Entry::Line(_)));
        let mut text = String::new();
        for entry in first.into_iter().chain(rest) {
            text += &match entry {
                Entry::Line(line) => format!("{line}\n"),
                Entry::Comment(comment) => format!("# {comment}\n"),
            };
        }
        Section { name, text, has_lines: self.has_lines() }
    }
}

/// The name of a variable, and what sets it in a rule.
fn addition(assignment: &str) -> (String, String) {
    let (name, value) = assignment.split_once('=').unwrap_or((assignment, ""));
    (name.to_owned(), set(name, value))
}

/// `,NAME="value"` for a rule of tcp.smtp, with a quote that the value does not have.
pub(super) fn set(name: &str, value: &str) -> String {
    let quote = ['"', '\'', '/', '|', '%', '~', '^'].into_iter().find(|quote| !value.contains(*quote)).unwrap_or('"');
    format!(",{name}={quote}{value}{quote}")
}

fn with_additions(rule: &str, additions: &[(String, String)]) -> String {
    let mut rule = rule.to_owned();
    if !rule.ends_with(":deny") {
        for (name, text) in additions {
            if !rule.contains(&format!(",{name}=")) {
                rule += text;
            }
        }
    }
    rule
}

/// Text on one line, whatever stood in it.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(conversion: &Conversion) -> Vec<(&'static str, String)> {
        conversion.files().collect()
    }

    #[test]
    fn every_rule_gets_the_variables_of_everyone() {
        let mut conversion = Conversion::default();
        conversion.line(NativeFile::TcpSmtp, "192.0.2.:allow,RELAYCLIENT=\"\"");
        conversion.line(NativeFile::TcpSmtp, "192.0.3.:allow,REQUIREAUTH=\"0\"");
        conversion.line(NativeFile::TcpSmtp, "192.0.4.:deny");
        conversion.line(NativeFile::Variables, "REQUIREAUTH=1");
        conversion.line(NativeFile::Variables, "RELAYTEXT=say \"hello\"");
        let text = "192.0.2.:allow,RELAYCLIENT=\"\",REQUIREAUTH=\"1\",RELAYTEXT='say \"hello\"'\n\
                    192.0.3.:allow,REQUIREAUTH=\"0\",RELAYTEXT='say \"hello\"'\n\
                    192.0.4.:deny\n\
                    :allow,REQUIREAUTH=\"1\",RELAYTEXT='say \"hello\"'\n";
        assert_eq!(files(&conversion), [("tcp.smtp", text.to_owned())]);
    }

    #[test]
    fn lines_are_what_the_file_reads() {
        let mut conversion = Conversion::default();
        conversion.comment(NativeFile::RelayLevel, "the\nlevel");
        for level in ["none", "none"] {
            conversion.line(NativeFile::RelayLevel, level);
        }
        conversion.comment(NativeFile::RelayMx, "nothing below");
        assert!(conversion.is_complete());
        assert_eq!(files(&conversion), [("relaylevel", "none\n# the level\n".to_owned())]);
        assert_eq!(conversion.to_string(), "# relaylevel\nnone\n# the level\n\n# relaymx\n# nothing below\n\n");
        for (file, line) in [
            (NativeFile::RelayLevel, "open"),
            (NativeFile::RcptHosts, "#local.ex"),
            (NativeFile::RcptHosts, "a.ex\nb.ex"),
            (NativeFile::RcptHosts, " a.ex"),
            (NativeFile::RcptHosts, ""),
        ] {
            conversion.line(file, line);
            assert!(!conversion.is_complete(), "{line}");
            conversion.left.clear();
        }
        assert_eq!(files(&conversion).len(), 1);
    }
}
