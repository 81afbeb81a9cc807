//! Why a `tcprules` line cannot be read, or will hardly do what its author wants, in words an operator can act on.

use std::fmt;

use crate::client::{fault::Fault, key, network::Network};

/// Why a line with a colon is no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The line ends in CR: the file has DOS line ends.
    CarriageReturn,
    /// Quotes as word processors and web pages make them.
    TypographicQuotes,
    /// A comment behind blanks, with a colon in it.
    IndentedComment,
    /// Neither `allow` nor `deny` follows the colon; this does.
    UnknownInstruction(String),
    /// Text that is no change follows the action or a value.
    Junk(String),
    /// A variable without `=`.
    NoEquals(String),
    /// Nothing follows `NAME=`.
    NoQuote(String),
    /// The value of a variable has no closing quote.
    Unclosed(String, char),
    /// `!` without a name.
    UnsetNothing,
    /// `!NAME=`.
    UnsetWithValue(String),
    /// A dash between things that are no numbers.
    RangeWithoutNumbers(String),
    /// A range from a higher to a lower number, or beyond 255.
    EmptyRange(String, u64, u64),
    /// A malformed network or range of octets.
    Pattern(Fault),
    /// A network or range of octets that stands for more keys than [`key::PREFIXES_MAX`].
    TooManyKeys,
    /// An IPv6 network that has the IPv4-mapped addresses in it.
    HoldsMapped(Network),
    /// More than one colon before the instruction, but no IPv6 address.
    NotIpv6(String),
    /// Something that only a strict run refuses.
    Doubt(Doubt),
}

/// What is odd about a line that the classic tool takes without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A line without a colon: ignored.
    NoColon,
    /// Every IPv4 client, and no IPv6 client.
    AllOfIpv4,
    /// An IPv6 network whose clients cannot all be told by cutting their text back at colons.
    Zeros {
        /// The network.
        network: Network,
        /// One whose clients can be told.
        wider: Network,
    },
    /// `@name` or `=me`: what means addresses in other lists is a key as it stands here.
    NotLookedUp(Vec<u8>),
    /// Blanks or bytes above 127 in an address: a key that no client matches.
    OddAddress(Vec<u8>),
    /// A variable whose name no program asks for.
    VariableName(Vec<u8>),
}

impl Cause {
    /// For the text after the colon when it begins with neither action.
    pub(super) fn unknown_instruction(text: &[u8]) -> Cause {
        let word = text.split(|byte| *byte == b',').next().unwrap_or_default();
        Cause::deeper(text).unwrap_or_else(|| Cause::UnknownInstruction(shown(word)))
    }

    pub(super) fn junk(whole: &[u8], junk: &[u8]) -> Cause {
        Cause::deeper(whole).unwrap_or_else(|| Cause::Junk(shown(junk)))
    }

    pub(super) fn no_equals(whole: &[u8], name: &[u8]) -> Cause {
        Cause::deeper(whole).unwrap_or_else(|| Cause::NoEquals(shown(name)))
    }

    pub(super) fn no_quote(whole: &[u8], name: &[u8]) -> Cause {
        Cause::deeper(whole).unwrap_or_else(|| Cause::NoQuote(shown(name)))
    }

    pub(super) fn unclosed(whole: &[u8], name: &[u8], quote: u8) -> Cause {
        let quote = if quote.is_ascii_graphic() || quote == b' ' { char::from(quote) } else { '?' };
        Cause::deeper(whole).unwrap_or_else(|| Cause::Unclosed(shown(name), quote))
    }

    /// For `!` and what follows it.
    pub(super) fn unset(whole: &[u8], name: &[u8]) -> Cause {
        let name = name.split(|byte| *byte == b'=').next().unwrap_or_default();
        let cause = if name.is_empty() { Cause::UnsetNothing } else { Cause::UnsetWithValue(shown(name)) };
        Cause::deeper(whole).unwrap_or(cause)
    }

    pub(super) fn range_without_numbers(address: &[u8]) -> Cause {
        Cause::RangeWithoutNumbers(shown(address))
    }

    pub(super) fn empty_range(address: &[u8], low: u64, high: u64) -> Cause {
        Cause::EmptyRange(shown(address), low, high)
    }

    pub(super) fn not_ipv6(address: &[u8]) -> Cause {
        Cause::NotIpv6(shown(address))
    }

    /// A cause that explains any mistake in `instruction`, however it showed itself.
    fn deeper(instruction: &[u8]) -> Option<Cause> {
        if has_typographic_quotes(instruction) {
            return Some(Cause::TypographicQuotes);
        }
        instruction.ends_with(b"\r").then_some(Cause::CarriageReturn)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::CarriageReturn => out.write_str(
                "the line ends in a carriage return, as in a file from DOS or Windows: \
                 remove the carriage returns, for instance with tr -d '\\r'",
            ),
            Cause::TypographicQuotes => out.write_str(
                "the quotes are typographic ones, as web pages and word processors make them: \
                 type plain quotes, as in RELAYCLIENT=\"\"",
            ),
            Cause::IndentedComment => out.write_str("a comment has its # at the very start of the line"),
            Cause::UnknownInstruction(word) if word.is_empty() => {
                out.write_str("nothing follows the colon: write allow or deny directly after it")
            }
            Cause::UnknownInstruction(word) => {
                write!(out, "\"{word}\" is no instruction: directly after the colon write allow or deny in lower case")
            }
            Cause::Junk(junk) => write!(
                out,
                "nothing but a comma and a variable may follow, not \"{junk}\"; a comment needs a line of its own"
            ),
            Cause::NoEquals(name) if name.is_empty() => {
                out.write_str("a comma ends the line: remove it, or write a variable after it, as in A=\"x\"")
            }
            Cause::NoEquals(name) => write!(
                out,
                "the variable \"{name}\" has no value: write {name}=\"\" to set it, or !{name} to remove it"
            ),
            Cause::NoQuote(name) => {
                write!(out, "the value of \"{name}\" has no quotes: write {name}=\"\" for an empty one")
            }
            Cause::Unclosed(name, quote) => {
                write!(out, "the value of \"{name}\" begins with {quote} as its quote and has no second one to end it")
            }
            Cause::UnsetNothing => out.write_str("! needs the name of the variable to remove, as in !RELAYCLIENT"),
            Cause::UnsetWithValue(name) => {
                write!(out, "a variable that is removed takes no value: write !{name}")
            }
            Cause::RangeWithoutNumbers(address) => write!(
                out,
                "the dash in \"{address}\" stands between things that are no numbers: write a range as in 10.0.0.1-5; \
                 a name begins with ="
            ),
            Cause::EmptyRange(address, low, high) => {
                write!(out, "the range {low} to {high} in \"{address}\" is empty: write the lower number first, ")?;
                out.write_str("none above 255")
            }
            Cause::Pattern(fault) => fault.fmt(out),
            Cause::TooManyKeys => write!(
                out,
                "this would become more than {} keys: write longer prefixes; IPv4 networks become prefixes of whole octets, \
                 IPv6 networks of whole groups, and behind info@ there are only whole addresses",
                key::PREFIXES_MAX
            ),
            Cause::HoldsMapped(network) => write!(
                out,
                "{network} has IPv4 clients in it, as ::ffff:192.0.2.7: write longer prefixes, \
                 or nothing in front of the colon for everybody"
            ),
            Cause::NotIpv6(address) => write!(
                out,
                "\"{address}\" is no IPv6 address; in front of the instruction stands one colon after any other address"
            ),
            Cause::Doubt(doubt) => doubt.fmt(out),
        }
    }
}

impl std::error::Error for Cause {}

impl fmt::Display for Doubt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::NoColon => out.write_str(
                "a line without a colon is ignored: write address:allow or address:deny, or begin a comment with #",
            ),
            Doubt::AllOfIpv4 => out.write_str(
                "every IPv4 client and no IPv6 client matches this: for everybody write nothing in front of the colon",
            ),
            Doubt::Zeros { network, wider } => write!(
                out,
                "a tcpserver that cuts addresses back at colons does not find {network} for a client whose address is \
                 written with :: for zeros of the prefix: {wider} can be found"
            ),
            Doubt::NotLookedUp(text) if text.starts_with(b"=") => {
                write!(out, "only a client whose name is \"me\" matches \"{}\": write the addresses", shown(text))
            }
            Doubt::NotLookedUp(text) => write!(
                out,
                "names are not looked up here, no client ever matches \"{}\": write its addresses, or = for a client's name",
                shown(text)
            ),
            Doubt::OddAddress(key) => {
                write!(out, "no client ever matches \"{}\": remove blanks and invisible bytes", shown(key))
            }
            Doubt::VariableName(name) => {
                write!(out, "the variable is called \"{}\": remove blanks and commas before its name", shown(name))
            }
        }
    }
}

/// Whether quotes of typography are in `text`, in UTF-8, in Windows code pages, or as HTML.
fn has_typographic_quotes(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return text.iter().any(|byte| matches!(byte, 0x91..=0x94));
    };
    text.contains("&quot;")
        || text.contains(['\u{ab}', '\u{bb}', '\u{2032}', '\u{2033}', '\u{ff02}', '\u{ff07}'])
        || text.contains(|letter| ('\u{2018}'..='\u{201f}').contains(&letter))
}

/// Most octets of a line that a message shows.
const SHOWN_OCTETS_MAX: usize = 200;

/// Text from a file as a message shows it: printable, and not without end.
pub fn shown(text: &[u8]) -> String {
    let start = text.get(..SHOWN_OCTETS_MAX).unwrap_or(text);
    let printable = |letter: char| if letter.is_control() || letter == '\u{fffd}' { '?' } else { letter };
    let mut shown: String = String::from_utf8_lossy(start).chars().map(printable).collect();
    if start.len() < text.len() {
        shown.push_str("...");
    }
    shown
}
