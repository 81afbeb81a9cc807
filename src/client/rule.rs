//! One line of a `tcprules` file: an address, allow or deny, and what happens to the environment.

use crate::client::{
    address::Address,
    cause::{Cause, Doubt},
};
use crate::lines;

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Empty, or a comment: `#` is its first byte.
    Blank,
    /// No colon at all. The classic tool ignores such a line without a word.
    NoColon,
    /// A rule.
    Rule(Rule<'a>),
}

/// A rule for the clients that its address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// Whom it is about.
    pub address: Address<'a>,
    /// Whether they may connect.
    pub action: Action,
    /// What the program they reach finds in its environment, in order.
    pub changes: Vec<Change<'a>>,
}

/// Whether a client may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It may.
    Allow,
    /// Its connection is closed.
    Deny,
}

/// A change to the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// `NAME="value"`; any byte serves as the quote.
    Set {
        /// Everything up to the `=`.
        name: &'a [u8],
        /// Everything between the quotes.
        value: &'a [u8],
    },
    /// `!NAME`, an extension of IndiMail.
    Unset {
        /// Everything up to the next comma.
        name: &'a [u8],
    },
}

/// Reads a line, with or without its LF.
///
/// Every line that the classic `tcprules` reads as a rule is read as the same rule, except ranges and networks that
/// name nobody, and variables whose name begins with `!`. IPv6 addresses are an extension: for the classic tool the
/// address ends at the first colon, and only when that makes no rule is a later colon tried. Networks and more than one
/// range are an extension too (D41): for the classic tool they are keys that nobody asks for.
pub fn parse(line: &[u8]) -> Result<Line<'_>, Cause> {
    let line = lines::trimmed(line);
    if matches!(line.first(), None | Some(b'#')) {
        return Ok(Line::Blank);
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Ok(Line::NoColon);
    };
    let (address, after) = around(line, colon);
    let (address, (action, changes)) = match instruction(after) {
        Ok(read) => (Address::parse(address)?, read),
        Err(_) if line.trim_ascii_start().starts_with(b"#") => return Err(Cause::IndentedComment),
        Err(cause) => ipv6(line).unwrap_or(Err(cause))?,
    };
    Ok(Line::Rule(Rule { address, action, changes }))
}

impl Rule<'_> {
    /// Writes the value of the rule's records into `value`: items that end in NUL.
    pub fn write_value(&self, value: &mut Vec<u8>) {
        value.clear();
        match self.action {
            Action::Allow => {}
            Action::Deny => value.extend_from_slice(b"D\0"),
        }
        for change in &self.changes {
            match change {
                Change::Set { name, value: text } => {
                    value.push(b'+');
                    value.extend_from_slice(name);
                    value.push(b'=');
                    value.extend_from_slice(text);
                }
                Change::Unset { name } => {
                    value.push(b'-');
                    value.extend_from_slice(name);
                }
            }
            value.push(0);
        }
    }

    /// What is odd about a rule that can be read, if anything: it will hardly do what its author wants.
    pub fn doubt(&self) -> Option<Doubt> {
        self.address.doubt().or_else(|| self.changes.iter().find_map(Change::doubt))
    }
}

impl Change<'_> {
    fn doubt(&self) -> Option<Doubt> {
        let (Change::Set { name, .. } | Change::Unset { name }) = self;
        let plain = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        (!plain).then(|| Doubt::VariableName(name.to_vec()))
    }
}

/// What follows the colon of a rule.
type Instruction<'a> = (Action, Vec<Change<'a>>);

/// Reads the action, then changes, each after a comma.
fn instruction(text: &[u8]) -> Result<Instruction<'_>, Cause> {
    let (action, mut rest) = match text {
        [b'a', b'l', b'l', b'o', b'w', rest @ ..] => (Action::Allow, rest),
        [b'd', b'e', b'n', b'y', rest @ ..] => (Action::Deny, rest),
        _ => return Err(Cause::unknown_instruction(text)),
    };
    let mut changes = Vec::new();
    while let Some((&comma, after)) = rest.split_first() {
        if comma != b',' {
            return Err(Cause::junk(text, rest));
        }
        let (change, left) = change(text, after)?;
        changes.push(change);
        rest = left;
    }
    Ok((action, changes))
}

/// One change, and what follows it. `whole` is the instruction, for the cause.
fn change<'a>(whole: &[u8], text: &'a [u8]) -> Result<(Change<'a>, &'a [u8]), Cause> {
    if let Some(name) = text.strip_prefix(b"!") {
        let (name, rest) = name.split_at(memchr::memchr(b',', name).unwrap_or(name.len()));
        if name.is_empty() || name.contains(&b'=') {
            return Err(Cause::unset(whole, name));
        }
        return Ok((Change::Unset { name }, rest));
    }
    let Some(equals) = memchr::memchr(b'=', text) else {
        return Err(Cause::no_equals(whole, text));
    };
    let (name, quoted) = around(text, equals);
    let Some((&quote, quoted)) = quoted.split_first() else {
        return Err(Cause::no_quote(whole, name));
    };
    let Some(end) = memchr::memchr(quote, quoted) else {
        return Err(Cause::unclosed(whole, name, quote));
    };
    let (value, rest) = around(quoted, end);
    Ok((Change::Set { name, value }, rest))
}

/// Most colons that an IPv6 address and the colon after it have.
const IPV6_COLONS_MAX: usize = 9;

/// Reads a line whose address may be IPv6: it ends at a colon that an instruction follows. `None` when there is no
/// such colon beyond the first.
fn ipv6(line: &[u8]) -> Option<Result<(Address<'_>, Instruction<'_>), Cause>> {
    let mut last = None;
    for colon in memchr::memchr_iter(b':', line).take(IPV6_COLONS_MAX).skip(1) {
        let (address, after) = around(line, colon);
        if address.contains(&b',') {
            break;
        }
        match instruction(after) {
            Ok(read) => return Some(Address::parse_ipv6(address).map(|address| (address, read))),
            // What stands after the last colon of an address is what its author meant as instruction.
            Err(cause) if may_be_ipv6(address) => last = Some(Err(cause)),
            Err(_) => break,
        }
    }
    last
}

fn may_be_ipv6(address: &[u8]) -> bool {
    let address = address.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    address
        .iter()
        .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'/' | b'[' | b']' | b'$' | b'{' | b'}'))
}

/// What stands before and after the byte at `at`.
fn around(text: &[u8], at: usize) -> (&[u8], &[u8]) {
    let (before, rest) = text.split_at(at.min(text.len()));
    (before, rest.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::key::PREFIXES_MAX;

    fn rule(line: &str) -> Rule<'_> {
        match parse(line.as_bytes()) {
            Ok(Line::Rule(rule)) => rule,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_rule_has_address_action_and_changes() {
        let read = rule("10.2-3.:deny,A=\"x,y\",!B,C=/:allow/\n");
        assert_eq!(read.address, Address::Range { head: b"10.", low: 2, high: 3, tail: b"." });
        assert_eq!(read.action, Action::Deny);
        let changes = [
            Change::Set { name: b"A", value: b"x,y" },
            Change::Unset { name: b"B" },
            Change::Set { name: b"C", value: b":allow" },
        ];
        assert_eq!(read.changes, changes);
        let mut value = Vec::new();
        read.write_value(&mut value);
        assert_eq!(value, b"D\0+A=x,y\0-B\0+C=:allow\0");
    }

    #[test]
    fn the_address_ends_at_the_first_colon_that_makes_a_rule() {
        assert_eq!(rule("a:deny,V=\"x:allow\"").address, Address::Text(b"a"));
        assert_eq!(rule("::1:deny,V=\"x:allow\"").address, Address::Ipv6 { info: b"", ip: "::1".parse().unwrap() });
        assert_eq!(rule("=h:allow,A=:x:").changes, [Change::Set { name: b"A", value: b"x" }]);
    }

    #[test]
    fn lines_without_rules_are_told_apart() {
        for (line, expected) in
            [("", Line::Blank), (" \t\n", Line::Blank), ("# a:b", Line::Blank), ("x", Line::NoColon)]
        {
            assert_eq!(parse(line.as_bytes()), Ok(expected), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(line in prop::collection::vec(prop::sample::select(&b":;,=!-./@*$(){}[] \"#allowdeny0129f\0\xe2\x80\x9d"[..]), 0..40)) {
            match parse(&line) {
                Ok(Line::Rule(rule)) => {
                    let mut keys = 0;
                    let counted = rule.address.keys(&mut Vec::new(), |_, _| { keys += 1; Ok::<_, ()>(()) });
                    // Each of the prefixes in up to four spellings, and for each of the networks a string of bits.
                    prop_assert!(counted.is_ok() && (1..=5 * PREFIXES_MAX).contains(&keys));
                    prop_assert!(line.contains(&b':'));
                }
                Ok(Line::NoColon) => prop_assert!(!line.contains(&b':')),
                Ok(Line::Blank) => {}
                Err(cause) => prop_assert!(!cause.to_string().contains('\n')),
            }
        }
    }
}
