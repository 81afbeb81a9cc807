//! Rule files, such as `from.envrules`: `pattern:VARIABLE=value,...`, read line by line.

/// One line of a rule file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule<'a> {
    /// Whom it is about; it cannot have a colon.
    pub pattern: &'a [u8],
    text: &'a [u8],
}

/// One thing that a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: Vec<u8>,
    /// What it is set to; none unsets it.
    pub value: Option<Vec<u8>>,
}

impl<'a> Rule<'a> {
    /// Reads a line; without a colon it is no rule.
    #[must_use]
    pub fn parse(entry: &'a [u8]) -> Option<Self> {
        let colon = memchr::memchr(b':', entry)?;
        Some(Self { pattern: entry.get(..colon)?, text: entry.get(colon + 1..)? })
    }

    /// What the rule does, in order: `VARIABLE=value` sets, `VARIABLE=` unsets, `\,` is a comma of a value.
    ///
    /// A part without `=`, or without a name, does nothing (D73): it is given back as it is.
    pub fn assignments(&self) -> impl Iterator<Item = Result<Assignment, Vec<u8>>> {
        parts(self.text).filter(|part| !part.trim_ascii().is_empty()).map(|part| {
            let part = part.trim_ascii_start();
            match memchr::memchr(b'=', part) {
                None | Some(0) => Err(part.to_vec()),
                Some(at) => {
                    let (name, value) = part.split_at(at);
                    let value = Some(value.get(1..).unwrap_or_default()).filter(|value| !value.is_empty());
                    Ok(Assignment { name: name.to_vec(), value: value.map(<[u8]>::to_vec) })
                }
            }
        })
    }
}

/// The parts between commas, `\,` undone.
fn parts(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let mut part = Vec::new();
        let mut octets = rest?.iter();
        loop {
            match octets.next() {
                None => {
                    rest = None;
                    return Some(part);
                }
                Some(b',') => {
                    rest = Some(octets.as_slice());
                    return Some(part);
                }
                Some(b'\\') if octets.as_slice().first() == Some(&b',') => {
                    part.extend(octets.next());
                }
                Some(octet) => part.push(*octet),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_sets_and_unsets() {
        let shown = |line: &str| -> Vec<String> {
            let rule = Rule::parse(line.as_bytes()).unwrap();
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            let assignments = rule.assignments().map(|assignment| match assignment {
                Ok(Assignment { name, value: Some(value) }) => format!("{} is {}", text(&name), text(&value)),
                Ok(Assignment { name, value: None }) => format!("no {}", text(&name)),
                Err(part) => format!("bad {}", text(&part)),
            });
            assignments.collect()
        };
        let table: [(&str, &[&str]); 10] = [
            ("x:A=1,B=two", &["A is 1", "B is two"]),
            ("*@x:C=3,P=/x\\,y", &["C is 3", "P is /x,y"]),
            ("x:A=", &["no A"]),
            ("x:S1=1, S2=2,S3 =3, S4=", &["S1 is 1", "S2 is 2", "S3  is 3", "no S4"]),
            ("x:A=1 ,B=2", &["A is 1 ", "B is 2"]),
            ("x:NOEQ,A=1", &["bad NOEQ", "A is 1"]),
            ("x:=v", &["bad =v"]),
            ("x:A=b=c\\d", &["A is b=c\\d"]),
            ("x:, ,", &[]),
            (":N=null\\", &["N is null\\"]),
        ];
        for (line, expected) in table {
            assert_eq!(shown(line), expected, "{line}");
        }
        assert_eq!(Rule::parse(b"*@x:A=1:2").map(|rule| rule.pattern), Some(b"*@x".as_slice()));
        assert_eq!(Rule::parse(b"no rule"), None);
    }
}
