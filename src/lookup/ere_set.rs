//! Bracket expressions of POSIX regular expressions, in the C locale and without regard to case.

use crate::lookup::ere::{self, BadExpression};

/// The longest name between `[:` and `:]`, in octets.
const NAME_OCTETS_MAX: usize = 32;

const UNMATCHED: BadExpression = BadExpression("Unmatched [, [^, [:, [., or [=");
const BAD_RANGE: BadExpression = BadExpression("Invalid range end");

/// A set of octets. Lower case does not matter: subjects have none.
pub(super) struct Set([bool; 256]);

impl Set {
    /// The octets for which it is true.
    pub(super) fn of(contains: impl Fn(u8) -> bool) -> Self {
        let mut set = Self([false; 256]);
        set.add(contains);
        set
    }

    fn add(&mut self, contains: impl Fn(u8) -> bool) {
        for (byte, member) in (0..=u8::MAX).zip(&mut self.0) {
            *member |= contains(byte);
        }
    }

    fn complement(&mut self) {
        for member in &mut self.0 {
            *member = !*member;
        }
    }

    /// Writes the set as ranges in brackets; the empty set as what nothing matches.
    pub(super) fn write(&self, output: &mut String) {
        let mut members = (0..=u8::MAX).zip(&self.0).filter_map(|(byte, member)| member.then_some(byte)).peekable();
        if members.peek().is_none() {
            output.push_str("(?:\\z\\x00)");
            return;
        }
        output.push('[');
        while let Some(first) = members.next() {
            let mut last = first;
            while let Some(next) = members.next_if(|&next| Some(next) == last.checked_add(1)) {
                last = next;
            }
            ere::push_byte(output, first);
            if last > first {
                output.push('-');
                ere::push_byte(output, last);
            }
        }
        output.push(']');
    }
}

/// Reads a bracket expression behind its first bracket: the set, and what follows it.
pub(super) fn parse(expression: &[u8]) -> Result<(Set, &[u8]), BadExpression> {
    let (negated, mut rest) = match expression {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if rest.is_empty() {
        return Err(BadExpression("Invalid regular expression"));
    }
    let mut set = Set([false; 256]);
    let mut first = true;
    loop {
        match rest {
            [b']', behind @ ..] if !first => {
                if negated {
                    set.complement();
                }
                return Ok((set, behind));
            }
            // A hyphen that is neither first nor last nor in a range.
            [b'-', next, ..] if !first && *next != b']' => return Err(BAD_RANGE),
            elements => rest = add_element(&mut set, elements)?,
        }
        first = false;
    }
}

/// Adds an element or a range to the set; what follows it.
fn add_element<'e>(set: &mut Set, expression: &'e [u8]) -> Result<&'e [u8], BadExpression> {
    let (low, rest) = element(expression)?;
    let [b'-', end @ ..] = rest else {
        return add_single(set, &low).map(|()| rest);
    };
    if end.first() == Some(&b']') {
        return add_single(set, &low).map(|()| rest);
    }
    let (high, rest) = element(end)?;
    let (Element::Byte(low), Element::Byte(high)) = (low, high) else { return Err(BAD_RANGE) };
    if low > high {
        return Err(BAD_RANGE);
    }
    set.add(|byte| (low..=high).contains(&byte));
    Ok(rest)
}

enum Element<'e> {
    /// An octet, in upper case, by itself or as `[.x.]`.
    Byte(u8),
    /// `[=x=]`
    Equivalents(&'e [u8]),
    /// `[:name:]`
    Class(&'e [u8]),
}

fn element(expression: &[u8]) -> Result<(Element<'_>, &[u8]), BadExpression> {
    match expression {
        [] => Err(UNMATCHED),
        [b'[', delimiter @ (b'.' | b'=' | b':'), rest @ ..] => {
            let end =
                rest.windows(2).take(NAME_OCTETS_MAX).position(|pair| pair == [*delimiter, b']']).ok_or(UNMATCHED)?;
            let (name, rest) = rest.split_at_checked(end).ok_or(UNMATCHED)?;
            let element = match (delimiter, name) {
                (b':', name) => Element::Class(name),
                (b'=', name) => Element::Equivalents(name),
                (_, [one]) => Element::Byte(one.to_ascii_uppercase()),
                (_, _) => return Err(BadExpression("Invalid collation character")),
            };
            Ok((element, rest.get(2..).unwrap_or_default()))
        }
        [one, rest @ ..] => Ok((Element::Byte(one.to_ascii_uppercase()), rest)),
    }
}

fn add_single(set: &mut Set, element: &Element<'_>) -> Result<(), BadExpression> {
    match element {
        Element::Byte(one) => set.add(|byte| byte == *one),
        Element::Equivalents([one]) => set.add(|byte| byte == one.to_ascii_uppercase()),
        Element::Equivalents(_) => return Err(BadExpression("Invalid collation character")),
        Element::Class(name) => set.add(class(name).ok_or(BadExpression("Invalid character class name"))?),
    }
    Ok(())
}

fn class(name: &[u8]) -> Option<fn(u8) -> bool> {
    Some(match name {
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" | b"upper" | b"lower" => |byte| byte.is_ascii_alphabetic(),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => is_space,
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

/// White space in the C locale.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}
