//! The checker of passwords that the arguments of smtpd name: `hostname authpgm [authpgm ...] falsepgm`.

use std::fmt;

use crate::control::environment::Environment;

/// Who checks passwords, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checker {
    /// This host's name in challenges.
    pub host: Vec<u8>,
    /// The first program and its arguments, which are the programs that it runs when it cannot tell.
    pub program: Vec<Vec<u8>>,
    /// `AUTH_CONVENTION`.
    pub convention: Convention,
    /// `AUTH_EXIT3`.
    pub exit3: Exit3,
    /// `AUTH_CHECKS`, or what the names of the programs tell.
    pub checks: Checks,
    /// `AUTH_LEGACY`.
    pub legacy: bool,
}

/// How a checker is asked, and what its exit code means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Convention {
    /// User, password or challenge, digest, number of the mechanism.
    #[default]
    IndiMail,
    /// vpopmail's: user, password or digest, challenge.
    Vpopmail,
}

/// What exit code 3 means where vpopmail's convention does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Exit3 {
    /// It is not the user.
    #[default]
    Refused,
    /// It is the user, who may not relay.
    WithoutRelay,
}

/// What the checkers can judge besides passwords.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checks {
    /// The digests of CRAM-MD5.
    pub cram_md5: bool,
    /// The digests of the other mechanisms of CRAM.
    pub cram_others: bool,
    /// The tokens of XOAUTH2.
    pub token: bool,
    /// They write verifiers of SCRAM-SHA-1.
    pub scram_sha_1: bool,
    /// They write verifiers of SCRAM-SHA-256.
    pub scram_sha_256: bool,
}

/// Arguments that would let everybody in (D65), or words that nobody understands: AUTH is not offered then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misuse {
    /// The first argument is a path, as of those who have no argument for the name of the host.
    HostIsPath,
    /// The first program says yes to everybody.
    SaysAlwaysYes,
    /// A variable has a word that it cannot have.
    Word {
        /// The variable.
        setting: &'static str,
        /// The word.
        word: String,
        /// What it could be.
        known: &'static str,
    },
}

impl fmt::Display for Misuse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("AUTH is off: ")?;
        match self {
            Misuse::HostIsPath => {
                out.write_str("the first argument is a path: write smtpd HOSTNAME AUTHPGM... FALSEPGM")
            }
            Misuse::SaysAlwaysYes => out.write_str("`true` as checker would accept every password"),
            Misuse::Word { setting, word, known } => write!(out, "{setting} cannot be `{word}`, only {known}"),
        }
    }
}

impl Checker {
    /// What the first argument, those behind it and the variables say; none if they do not ask for AUTH.
    ///
    /// # Errors
    ///
    /// [`Misuse`] where everybody would be let in, or nobody can say what is meant.
    pub fn of_arguments(
        host: &[u8],
        program: impl Iterator<Item = Vec<u8>>,
        environment: &Environment,
    ) -> Result<Option<Self>, Misuse> {
        if host.is_empty() {
            return Ok(None);
        }
        let program: Vec<Vec<u8>> = program.collect();
        match program.first().map(|first| base_name(first)) {
            None | Some(b"") => Ok(None),
            Some(_) if host.contains(&b'/') => Err(Misuse::HostIsPath),
            Some(b"true") => Err(Misuse::SaysAlwaysYes),
            Some(_) => Ok(Some(Self {
                host: host.to_vec(),
                convention: convention(environment)?,
                exit3: exit3(environment)?,
                checks: checks(environment, &program)?,
                legacy: environment.get(b"AUTH_LEGACY").is_some(),
                program,
            })),
        }
    }
}

/// What a variable says that nobody understands.
#[must_use]
pub fn unknown_word(environment: &Environment) -> Option<Misuse> {
    let words = [convention(environment).err(), exit3(environment).err(), checks(environment, &[]).err()];
    words.into_iter().flatten().next()
}

fn convention(environment: &Environment) -> Result<Convention, Misuse> {
    match environment.get(b"AUTH_CONVENTION") {
        None | Some(b"" | b"indimail") => Ok(Convention::IndiMail),
        Some(b"vpopmail") => Ok(Convention::Vpopmail),
        Some(word) => Err(Misuse::word("AUTH_CONVENTION", word, "indimail or vpopmail")),
    }
}

fn exit3(environment: &Environment) -> Result<Exit3, Misuse> {
    match environment.get(b"AUTH_EXIT3") {
        None | Some(b"") => Ok(Exit3::Refused),
        Some(b"norelay") => Ok(Exit3::WithoutRelay),
        Some(word) => Err(Misuse::word("AUTH_EXIT3", word, "norelay")),
    }
}

/// `auth-cdb` keeps verifiers of SCRAM-SHA-256, of other programs we suppose that they have passwords and tokens.
fn checks(environment: &Environment, program: &[Vec<u8>]) -> Result<Checks, Misuse> {
    let Some(words) = environment.get(b"AUTH_CHECKS") else {
        let has = |is_named: fn(&[u8]) -> bool| program.iter().any(|program| is_named(base_name(program)));
        let is_other = has(|name| !matches!(name, b"auth-cdb" | b"false"));
        let scram_sha_256 = has(|name| name == b"auth-cdb");
        let others = Checks { cram_md5: is_other, cram_others: is_other, token: is_other, ..Checks::default() };
        return Ok(Checks { scram_sha_256, ..others });
    };
    let mut checks = Checks::default();
    for word in words.split(|octet| matches!(octet, b' ' | b',')).filter(|word| !word.is_empty()) {
        match word {
            b"cram" => (checks.cram_md5, checks.cram_others) = (true, true),
            b"cram-md5" => checks.cram_md5 = true,
            b"token" => checks.token = true,
            b"scram-sha-1" => checks.scram_sha_1 = true,
            b"scram-sha-256" => checks.scram_sha_256 = true,
            word => {
                return Err(Misuse::word("AUTH_CHECKS", word, "cram, cram-md5, token, scram-sha-1 and scram-sha-256"));
            }
        }
    }
    Ok(checks)
}

impl Misuse {
    fn word(setting: &'static str, word: &[u8], known: &'static str) -> Self {
        Self::Word { setting, word: word.escape_ascii().to_string(), known }
    }
}

impl Checker {
    /// Whether a program of this chain has that name, wherever it lies.
    #[must_use]
    pub fn has(&self, name: &[u8]) -> bool {
        self.program.iter().any(|program| base_name(program) == name)
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
        let environment = Environment::default();
        let checker = |words: &[&str]| {
            let mut words = words.iter().map(|word| word.as_bytes().to_vec());
            Checker::of_arguments(&words.next().unwrap_or_default(), words, &environment)
        };
        for none in [&[][..], &["mx.test"], &["", "/bin/checker"], &["mx.test", ""], &["/bin/true"]] {
            assert_eq!(checker(none), Ok(None), "{none:?}");
        }
        let found = checker(&["mx.test", "/bin/checker", "/usr/bin/auth-cdb", "/bin/false"]).unwrap().unwrap();
        assert_eq!((found.host.as_slice(), found.program.len()), (b"mx.test".as_slice(), 3));
        assert_eq!(checker(&["/var/vpopmail/bin/vchkpw", "/bin/true"]), Err(Misuse::HostIsPath));
        assert_eq!(checker(&["mx.test", "/bin/true", "/bin/true"]), Err(Misuse::SaysAlwaysYes));
        assert_eq!(checker(&["mx.test", "true"]), Err(Misuse::SaysAlwaysYes));
    }

    /// The words of what these programs can judge with this text of `AUTH_CHECKS`, or the error.
    fn judged(text: Option<&str>, program: &[&str]) -> String {
        let pair = text.map(|text| (b"AUTH_CHECKS".to_vec(), text.as_bytes().to_vec()));
        let environment: Environment = pair.into_iter().collect();
        let program = program.iter().map(|word| word.as_bytes().to_vec());
        match Checker::of_arguments(b"mx.test", program, &environment) {
            Ok(checker) => {
                let Checks { cram_md5, cram_others, token, scram_sha_1, scram_sha_256 } = checker.unwrap().checks;
                let words = [(cram_md5, "md5"), (cram_others, "others"), (token, "token"), (scram_sha_1, "sha-1")];
                let words = [words.as_slice(), &[(scram_sha_256, "sha-256")]].concat();
                words.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
            }
            Err(misuse) => misuse.to_string(),
        }
    }

    #[test]
    fn the_programs_or_a_setting_tell_what_can_be_judged() {
        let (own, other) = (["/usr/bin/auth-cdb", "/bin/false"], ["/bin/checker", "/bin/false"]);
        assert_eq!(judged(None, &own), "sha-256");
        assert_eq!(judged(None, &other), "md5 others token");
        assert_eq!(judged(None, &["/bin/checker", "/usr/bin/auth-cdb"]), "md5 others token sha-256");
        assert_eq!(judged(Some("cram-md5 scram-sha-256"), &own), "md5 sha-256");
        assert_eq!(judged(Some(" cram,scram-sha-1,, token"), &own), "md5 others token sha-1");
        assert_eq!(judged(Some(""), &other), "");
        assert_eq!(
            judged(Some("cram CRAM"), &other),
            "AUTH is off: AUTH_CHECKS cannot be `CRAM`, only cram, cram-md5, token, scram-sha-1 and scram-sha-256"
        );
    }

    #[test]
    fn a_word_that_nobody_understands_turns_auth_off() {
        for (setting, word, said) in [
            ("AUTH_CONVENTION", "", None),
            ("AUTH_CONVENTION", "indimail", None),
            ("AUTH_CONVENTION", "vpopmail", None),
            ("AUTH_CONVENTION", "Vpop\n", Some("AUTH_CONVENTION cannot be `Vpop\\n`, only indimail or vpopmail")),
            ("AUTH_EXIT3", "", None),
            ("AUTH_EXIT3", "norelay", None),
            ("AUTH_EXIT3", "no-relay", Some("AUTH_EXIT3 cannot be `no-relay`, only norelay")),
        ] {
            let pair = (setting.as_bytes().to_vec(), word.as_bytes().to_vec());
            let environment: Environment = [pair].into_iter().collect();
            let found = Checker::of_arguments(b"mx.test", [b"/bin/checker".to_vec()].into_iter(), &environment);
            let found = found.err().map(|misuse| misuse.to_string());
            assert_eq!(found, said.map(|said| format!("AUTH is off: {said}")), "{setting}={word}");
        }
    }
}
