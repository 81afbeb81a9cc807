//! `postern passwd`: the users of auth-cdb, in a cdb that is replaced in one step.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, Permissions};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

use crate::auth::users::{DECOY_KEY, Decoy, RECORD_OCTETS_MAX, record};
use crate::auth::{CramContext, Hash, PASSWORD_OCTETS_MAX, Secret, USER_OCTETS_MAX, Verifier};
use crate::cdb::make::Maker;
use crate::cdb::read::Cdb;
use crate::cdb::replace::{InstallError, Replacement};
use crate::control::environment::Environment;
use crate::operator::command::{Keeping, Passwd, PasswdAction};
use crate::operator::ended::{Ended, PERMANENT, TEMPORARY};
use crate::operator::surroundings::control_directory;

/// The longest line of standard input: a name, a colon, and a password or a verifier.
const LINE_OCTETS_MAX: usize = USER_OCTETS_MAX + PASSWORD_OCTETS_MAX + 2;
/// The file's mode when it is made; later its own, without access for others.
const MODE: u32 = 0o600;

type Result<T> = std::result::Result<T, Ended>;

/// Does what was asked, and tells users on `output`.
///
/// # Errors
///
/// Wrong usage, or a file that cannot be read or written.
pub fn run(options: &Passwd, output: &mut impl Write) -> Result<u8> {
    let path = file(options)?;
    if matches!(options.action, PasswdAction::List) {
        return list(&Users::read(&path)?, output);
    }
    // Before the old file is read: of two that change it at once, one is told to come again.
    let replacement = begin(&path)?;
    let mut users = Users::read(&path)?;
    match &options.action {
        PasswdAction::List => {}
        PasswdAction::Del { user } => {
            users.records.remove(user.as_bytes()).ok_or_else(|| Ended(1, format!("there is no user {user}")))?;
        }
        PasswdAction::Add { user, keeping } => {
            let password = ask_password()?;
            users.add(user.as_bytes(), &password, keeping)?;
        }
        PasswdAction::Import { keeping } => users.import(keeping)?,
    }
    users.write(replacement).map_err(|error| unwritten(&path, &error))?;
    Ok(0)
}

fn list(users: &Users, output: &mut impl Write) -> Result<u8> {
    let names = users.records.keys().map(|name| [name.as_slice(), b"\n"].concat()).collect::<Vec<_>>().concat();
    let written = output.write_all(&names).and_then(|()| output.flush());
    written.map(|()| 0).map_err(|error| Ended::unwritten(&error))
}

fn unwritten(path: &Path, error: &dyn Display) -> Ended {
    Ended(TEMPORARY, format!("{} cannot be written: {error}", path.display()))
}

/// The file that will take the place of the old one.
fn begin(path: &Path) -> Result<Replacement> {
    // Nobody else may open it, not even before its mode is set.
    umask(Mode::from_bits_truncate(0o077));
    let mut temporary = path.as_os_str().to_os_string();
    temporary.push(".tmp");
    let replacement = Replacement::create(path, Path::new(&temporary)).map_err(|error| unwritten(path, &error))?;
    keep_owner(path, &replacement).map_err(|error| unwritten(path, &error))?;
    Ok(replacement)
}

/// `--file`, else `AUTH_CDB`, else `auth.cdb`; a relative name of the variable is in the control directory, as for auth-cdb.
fn file(options: &Passwd) -> Result<PathBuf> {
    if let Some(path) = &options.file {
        return Ok(path.clone());
    }
    let environment = Environment::of_process();
    let named = environment.get(b"AUTH_CDB").filter(|named| !named.is_empty()).unwrap_or(b"auth.cdb");
    let name = PathBuf::from(String::from_utf8_lossy(named).into_owned());
    if name.is_absolute() { Ok(name) } else { Ok(control_directory(&options.place)?.join(name)) }
}

/// All users of a file.
struct Users {
    records: BTreeMap<Vec<u8>, Secret>,
    decoy: Option<Decoy>,
}

impl Users {
    /// None where there is no file yet.
    fn read(path: &Path) -> Result<Self> {
        let mut users = Self { records: BTreeMap::new(), decoy: None };
        let cdb = match Cdb::open(path) {
            Ok(cdb) => cdb,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(users),
            Err(error) => return Err(Ended::unreadable(path, &error)),
        };
        for record in cdb.iter(RECORD_OCTETS_MAX) {
            let (key, value) = record.map_err(|error| Ended::unreadable(path, &error))?;
            if key == DECOY_KEY {
                users.decoy = Decoy::parse(&value);
            } else {
                users.records.insert(key, Secret::new(value));
            }
        }
        Ok(users)
    }

    fn add(&mut self, user: &[u8], password: &[u8], keeping: &Keeping) -> Result<()> {
        check(user, password)?;
        let mut salt = [0; Verifier::SALT_OCTETS];
        random(&mut salt)?;
        let verifier = Verifier::of_password(password, &salt, keeping.iterations);
        let context = keeping.cram.then(|| CramContext::of_password(password));
        self.insert(user, &verifier, context.as_ref())
    }

    fn insert(&mut self, user: &[u8], verifier: &Verifier, context: Option<&CramContext>) -> Result<()> {
        self.records.insert(user.to_vec(), record(verifier, context));
        // Who does not exist looks like who was added last.
        match &mut self.decoy {
            Some(decoy) => decoy.iterations = verifier.iterations(),
            None => {
                let mut secret = Secret::new(vec![0; Decoy::SECRET_OCTETS]);
                random(&mut secret)?;
                self.decoy = Some(Decoy { iterations: verifier.iterations(), secret });
            }
        }
        Ok(())
    }

    /// Lines `user:password` or `user:{SCRAM-SHA-256}...` of standard input.
    fn import(&mut self, keeping: &Keeping) -> Result<()> {
        let mut input = io::stdin().lock();
        for number in 1_u64.. {
            let line = line(&mut input)?;
            if line.is_empty() {
                return Ok(());
            }
            let text = without_end(&line);
            if text.is_empty() {
                continue;
            }
            let in_line = |Ended(code, sentence)| Ended(code, format!("line {number}: {sentence}"));
            let Some(colon) = text.iter().position(|octet| *octet == b':') else {
                return Err(in_line(Ended(PERMANENT, "no colon; nothing was changed".to_owned())));
            };
            let (user, secret) = text.split_at(colon);
            let secret = secret.get(1..).unwrap_or_default();
            match Verifier::parse(Hash::Sha256, secret) {
                Some(verifier) => {
                    check(user, b"-").and_then(|()| self.insert(user, &verifier, None)).map_err(in_line)?
                }
                None => self.add(user, secret, keeping).map_err(in_line)?,
            }
        }
        Ok(())
    }

    fn write(&self, replacement: Replacement) -> std::result::Result<(), Box<dyn Display>> {
        let mut maker = Maker::new(replacement.file());
        let mut add = |key: &[u8], value: &[u8]| maker.add(key, value).map_err(boxed);
        if let Some(decoy) = &self.decoy {
            add(DECOY_KEY, &decoy.to_text())?;
        }
        self.records.iter().try_for_each(|(user, record)| add(user, record))?;
        maker.finish().map_err(boxed)?;
        replacement.install().map_err(|error| match error {
            InstallError::Sync(error) | InstallError::Move(error) => boxed(error),
        })
    }
}

fn boxed(error: impl Display + 'static) -> Box<dyn Display> {
    Box::new(error)
}

/// The new file belongs to whom the old one did, and gives others no access.
fn keep_owner(path: &Path, replacement: &Replacement) -> io::Result<()> {
    let file = replacement.file();
    let mode = match fs::metadata(path) {
        Ok(old) => {
            let new = file.metadata()?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                fchown(file, Some(old.uid()), Some(old.gid()))?;
            }
            old.mode() & 0o770
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => MODE,
        Err(error) => return Err(error),
    };
    file.set_permissions(Permissions::from_mode(mode))
}

fn check(user: &[u8], password: &[u8]) -> Result<()> {
    let wrong = |sentence: &str| Err(Ended(PERMANENT, format!("{sentence}; nothing was changed")));
    if user.is_empty() || user.len() > USER_OCTETS_MAX || user.iter().any(u8::is_ascii_control) {
        return wrong("a name of a user has 1 to 255 octets and no control octets");
    }
    if password.is_empty() || password.len() > PASSWORD_OCTETS_MAX || password.contains(&0) {
        return wrong("a password has 1 to 1,024 octets and no NUL");
    }
    Ok(())
}

fn random(octets: &mut [u8]) -> Result<()> {
    getrandom::fill(octets).map_err(|error| Ended(TEMPORARY, format!("no random octets: {error}")))
}

/// The first line of standard input, or what is typed twice without being shown.
fn ask_password() -> Result<Secret> {
    let input = io::stdin();
    if !input.is_terminal() {
        return Ok(Secret::new(without_end(&line(&mut input.lock())?).to_vec()));
    }
    let terminal = |error: nix::errno::Errno| Ended(TEMPORARY, format!("the terminal: {error}"));
    let shown = tcgetattr(&input).map_err(terminal)?;
    let mut hidden = shown.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&input, SetArg::TCSAFLUSH, &hidden).map_err(terminal)?;
    let typed = ["Password: ", "Once more: "].map(|prompt| {
        eprint!("{prompt}");
        let typed = line(&mut input.lock());
        eprintln!();
        typed
    });
    tcsetattr(&input, SetArg::TCSAFLUSH, &shown).map_err(terminal)?;
    match typed {
        [Ok(first), Ok(second)] if *first == *second => Ok(Secret::new(without_end(&first).to_vec())),
        [Ok(_), Ok(_)] => Err(Ended(PERMANENT, "the two differ; nothing was changed".to_owned())),
        [Err(ended), _] | [_, Err(ended)] => Err(ended),
    }
}

/// A line with its end; empty at the end of the input. The buffer does not grow, so no copy is left behind.
fn line(input: &mut impl BufRead) -> Result<Secret> {
    let mut line = Secret::new(Vec::with_capacity(LINE_OCTETS_MAX + 1));
    let read = input.take(LINE_OCTETS_MAX as u64 + 1).read_until(b'\n', &mut line);
    read.map_err(|error| Ended(TEMPORARY, format!("standard input cannot be read: {error}")))?;
    if line.len() > LINE_OCTETS_MAX {
        return Err(Ended(PERMANENT, "a line of standard input is too long; nothing was changed".to_owned()));
    }
    Ok(line)
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
