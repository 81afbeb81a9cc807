//! The checker of passwords that the arguments of smtpd name: `hostname authpgm [authpgm ...] falsepgm`.

use std::fmt;

/// Who checks passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checker {
    /// This host's name in challenges.
    pub host: Vec<u8>,
    /// The first program and its arguments, which are the programs that it runs when it cannot tell.
    pub program: Vec<Vec<u8>>,
}

/// Arguments that would let everybody in (D65): AUTH is not offered then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misuse {
    /// The first argument is a path, as of those who have no argument for the name of the host.
    HostIsPath,
    /// The first program says yes to everybody.
    SaysAlwaysYes,
}

impl fmt::Display for Misuse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Misuse::HostIsPath => "AUTH is off: the first argument is a path: write smtpd HOSTNAME AUTHPGM... FALSEPGM",
            Misuse::SaysAlwaysYes => "AUTH is off: `true` as checker would accept every password",
        })
    }
}

impl Checker {
    /// What the first argument and those behind it say; none if they do not ask for AUTH.
    ///
    /// # Errors
    ///
    /// [`Misuse`] where everybody would be let in.
    pub fn of_arguments(host: &[u8], program: impl Iterator<Item = Vec<u8>>) -> Result<Option<Self>, Misuse> {
        if host.is_empty() {
            return Ok(None);
        }
        let program: Vec<Vec<u8>> = program.collect();
        match program.first().map(|first| base_name(first)) {
            None | Some(b"") => Ok(None),
            Some(_) if host.contains(&b'/') => Err(Misuse::HostIsPath),
            Some(b"true") => Err(Misuse::SaysAlwaysYes),
            Some(_) => Ok(Some(Self { host: host.to_vec(), program })),
        }
    }

    /// Whether a program of this chain has that name, wherever it lies.
    #[must_use]
    pub fn has(&self, is_named: impl Fn(&[u8]) -> bool) -> bool {
        self.program.iter().any(|program| is_named(base_name(program)))
    }
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|octet| *octet == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_name_a_checker_or_none() {
        let checker = |words: &[&str]| {
            let mut words = words.iter().map(|word| word.as_bytes().to_vec());
            Checker::of_arguments(&words.next().unwrap_or_default(), words)
        };
        for none in [&[][..], &["mx.test"], &["", "/bin/checker"], &["mx.test", ""], &["/bin/true"]] {
            assert_eq!(checker(none), Ok(None), "{none:?}");
        }
        let found = checker(&["mx.test", "/bin/checker", "/usr/bin/auth-cdb", "/bin/false"]).unwrap().unwrap();
        assert_eq!((found.host.as_slice(), found.program.len()), (b"mx.test".as_slice(), 3));
        assert!(found.has(|name| name == b"auth-cdb") && !found.has(|name| name == b"true"));
        assert_eq!(checker(&["/var/vpopmail/bin/vchkpw", "/bin/true"]), Err(Misuse::HostIsPath));
        assert_eq!(checker(&["mx.test", "/bin/true", "/bin/true"]), Err(Misuse::SaysAlwaysYes));
        assert_eq!(checker(&["mx.test", "true"]), Err(Misuse::SaysAlwaysYes));
    }
}
