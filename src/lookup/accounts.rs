//! Who is a local host and a local user: `=localhosts` and `=localusers` of relaymailfrom.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::control::Setup;
use crate::errno::words;
use crate::lookup::compiled::Compiled;
use crate::lookup::helper;
use crate::lookup::keyed::KeyedList;
use crate::lookup::list::{self, Found, List};
use crate::lookup::passwd;
use crate::lookup::recipients::{self, Rule, Source};
use crate::lookup::undecided::{Undecided, Unreadable};
use crate::policy::verdict::LookupFailed;
use crate::spawn;

/// Where the users of this host are.
const PASSWD: &str = "/etc/passwd";
/// How long the programs of `recipients` may take for an address, all together, in seconds.
const PROGRAM_SECONDS_MAX: u64 = 5;
/// The exit code of a program that cannot tell now.
const TEMPORARY: i32 = 111;
/// The most compiled lists of `recipients` kept open; a site may have one for each of its domains.
const OPEN_CDBS_MAX: usize = 16;
/// The most answers kept of either kind.
const ANSWERS_MAX: usize = 64;

/// The local hosts and users of this site, as far as files tell. Nothing is read before it is asked for; compiled lists stay
/// open and answers are kept for the session, failures are not.
pub struct Accounts<'s> {
    setup: &'s Setup,
    passwd: PathBuf,
    locals: List,
    virtual_domains: KeyedList,
    rcpthosts: List,
    cdbs: BTreeMap<PathBuf, Compiled>,
    hosts: Answers,
    users: Answers,
}

impl<'s> Accounts<'s> {
    /// The accounts that the control directory of `setup` and the system know.
    #[must_use]
    pub fn new(setup: &'s Setup) -> Self {
        Self::with_passwd(setup, PathBuf::from(PASSWD))
    }

    fn with_passwd(setup: &'s Setup, passwd: PathBuf) -> Self {
        let directory = &setup.control.directory;
        Self {
            setup,
            passwd,
            locals: List::new(directory.join("locals")),
            virtual_domains: KeyedList::new(directory.join("virtualdomains")),
            rcpthosts: List::new(directory.join("rcpthosts")),
            cdbs: BTreeMap::new(),
            hosts: Answers::default(),
            users: Answers::default(),
        }
    }

    /// Whether the domain is in `locals`, in `virtualdomains`, or in `rcpthosts` without a dot in front.
    ///
    /// # Errors
    ///
    /// [`LookupFailed`] when one of the files cannot be read and none of the others has the domain.
    pub fn is_local_host(&mut self, domain: &[u8]) -> Result<bool, LookupFailed> {
        let domain = domain.to_ascii_lowercase();
        // `.host.ex` would find the line for what is below host.ex, `joe@host.ex` the line for joe alone.
        if matches!(domain.first(), None | Some(b'.')) || domain.contains(&b'@') || !is_plain(&domain) {
            return Ok(false);
        }
        if let Some(known) = self.hosts.get(&domain) {
            return Ok(known);
        }
        let sources = [Self::is_in_locals, Self::is_virtual, Self::is_in_rcpthosts];
        let answer = any(sources.into_iter().map(|source| source(self, &domain)))?;
        self.hosts.keep(domain, answer);
        Ok(answer)
    }

    /// Whether there is an account of this name in exactly this domain, which must be a local host: in a list or by a
    /// program of `recipients`, or, where the domain is in `locals`, in `/etc/passwd`. The null sender is nobody.
    ///
    /// # Errors
    ///
    /// [`LookupFailed`] when a source fails and none of the others has the account.
    pub fn is_local_user(&mut self, address: &[u8]) -> Result<bool, LookupFailed> {
        let whole = address.to_ascii_lowercase();
        let Some(address) = Address::parse(&whole) else { return Ok(false) };
        if let Some(known) = self.users.get(&whole) {
            return Ok(known);
        }
        let sources = [Self::is_in_recipients, Self::is_in_passwd];
        let answer =
            self.is_local_host(address.domain)? && any(sources.into_iter().map(|source| source(self, &address)))?;
        self.users.keep(whole, answer);
        Ok(answer)
    }

    /// A missing `locals` stands for the name in `me`.
    fn is_in_locals(&mut self, domain: &[u8]) -> Result<bool, LookupFailed> {
        match self.locals.find_any(&[domain]).map_err(|error| unreadable("locals", error))? {
            Found::Absent => Ok(self.setup.control.me.as_ref().is_some_and(|me| me.eq_ignore_ascii_case(domain))),
            Found::No => Ok(false),
            Found::Yes { .. } => Ok(true),
        }
    }

    /// The most specific line speaks; one without a prepend, or without a colon, makes an exception.
    fn is_virtual(&mut self, domain: &[u8]) -> Result<bool, LookupFailed> {
        let found = self.virtual_domains.find_keyed(&list::domain_keys(domain));
        match found.map_err(|error| unreadable("virtualdomains", error))? {
            Found::Absent | Found::No => Ok(false),
            Found::Yes { value, .. } => Ok(!value.is_empty()),
        }
    }

    fn is_in_rcpthosts(&mut self, domain: &[u8]) -> Result<bool, LookupFailed> {
        match self.rcpthosts.find_any(&[domain]).map_err(|error| unreadable("rcpthosts", error))? {
            Found::Absent | Found::No => Ok(false),
            Found::Yes { .. } => Ok(true),
        }
    }

    fn is_in_recipients(&mut self, address: &Address<'_>) -> Result<bool, LookupFailed> {
        let path = self.setup.control.directory.join("recipients");
        let rules = recipients::rules_for(&path, address.domain);
        let rules = rules.map_err(|error| unreadable("recipients", Unreadable { path, error }))?.unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(PROGRAM_SECONDS_MAX);
        any(rules.into_iter().map(|rule| self.ask(rule, address.whole, deadline)))
    }

    fn is_in_passwd(&mut self, address: &Address<'_>) -> Result<bool, LookupFailed> {
        Ok(self.is_in_locals(address.domain)?
            && passwd::is_user(&self.passwd, address.name)
                .map_err(|error| unreadable(PASSWD, Unreadable { path: self.passwd.clone(), error }))?)
    }

    fn ask(&mut self, Rule { line, source }: Rule, address: &[u8], deadline: Instant) -> Result<bool, LookupFailed> {
        let answer = match source {
            Source::Anybody => Ok(false), // A line that lets everybody pass knows no accounts.
            Source::Cdb(path) => {
                return self.is_in_cdb(self.working_directory().join(OsStr::from_bytes(&path)), address);
            }
            Source::Program(text) => self.ask_program(&text, address, deadline),
            Source::Unusable(why) => Err(why.to_owned()),
        };
        answer.map_err(|error| LookupFailed::BadEntry { file: "recipients".into(), line, error })
    }

    /// Only the whole address is a key: what an extension or a bounce address stands for is no account of that name.
    fn is_in_cdb(&mut self, path: PathBuf, address: &[u8]) -> Result<bool, LookupFailed> {
        if self.cdbs.len() >= OPEN_CDBS_MAX && !self.cdbs.contains_key(&path) {
            self.cdbs.clear();
        }
        let cdb = self.cdbs.entry(path.clone()).or_insert_with(|| Compiled::new(path.clone()));
        let error = match cdb.contains_any(&[&[b":", address].concat()]) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => words(&io::Error::from_raw_os_error(libc::ENOENT)).into_owned(),
            Err(Undecided::Unreadable(unreadable)) => words(&unreadable.error).into_owned(),
            Err(Undecided::Compiled { error, .. }) => error.to_string(),
            Err(Undecided::Expression { error, .. }) => error.to_string(),
        };
        self.cdbs.remove(&path); // It may have been replaced when it is asked again.
        Err(LookupFailed::Compiled { file: "recipients".into(), path, error })
    }

    fn ask_program(&self, text: &[u8], address: &[u8], deadline: Instant) -> Result<bool, String> {
        let environment = &self.setup.environment;
        let mut program = spawn::words(text, |name| environment.get(name).unwrap_or_default().to_vec());
        let Some(name) = program.first_mut() else { return Err("no program".to_owned()) };
        if name.contains(&b'/') {
            *name = self.working_directory().join(OsStr::from_bytes(name)).into_os_string().into_encoded_bytes();
        }
        let name = name.escape_ascii().to_string();
        let answer = helper::ask(&program, environment, &[address, b"\0\0\0"].concat(), deadline)
            .map_err(|error| format!("{name}: {error}"))?;
        match answer.code {
            0 => Ok(true),
            TEMPORARY if answer.said.is_empty() => Err(format!("{name}: exit code {TEMPORARY}")),
            TEMPORARY => Err(format!("{name}: exit code {TEMPORARY}: {}", answer.said)),
            _ => Ok(false),
        }
    }

    /// Where relative paths of `recipients` begin: SYSCONFDIR, else the directory above the control directory.
    fn working_directory(&self) -> &Path {
        let named = self.setup.environment.get(b"SYSCONFDIR").map(|name| Path::new(OsStr::from_bytes(name)));
        let above = self.setup.control.directory.parent().unwrap_or(Path::new(""));
        named.filter(|named| named.is_absolute()).unwrap_or(above)
    }
}

/// An address, in lower case, that a mailbox may have.
struct Address<'a> {
    whole: &'a [u8],
    name: &'a [u8],
    domain: &'a [u8],
}

impl<'a> Address<'a> {
    /// Nobody has an address without a name or a domain, or with NUL, CR or LF, which have a meaning for programs.
    fn parse(whole: &'a [u8]) -> Option<Self> {
        let at = memchr::memrchr(b'@', whole).filter(|at| *at > 0 && is_plain(whole))?;
        Some(Self { whole, name: whole.get(..at)?, domain: whole.get(at + 1..)? })
    }
}

/// One yes is enough; without it a failure means that nobody knows.
fn any(answers: impl Iterator<Item = Result<bool, LookupFailed>>) -> Result<bool, LookupFailed> {
    let mut no = Ok(false);
    for answer in answers {
        match answer {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(failed) => no = no.and(Err(failed)),
        }
    }
    no
}

fn is_plain(text: &[u8]) -> bool {
    !text.iter().any(u8::is_ascii_control)
}

fn unreadable(file: &'static str, Unreadable { path, error }: Unreadable) -> LookupFailed {
    LookupFailed::Unreadable { file: file.into(), path, error: words(&error).into_owned() }
}

/// What was answered in this session.
#[derive(Default)]
struct Answers(BTreeMap<Vec<u8>, bool>);

impl Answers {
    fn get(&self, asked: &[u8]) -> Option<bool> {
        self.0.get(asked).copied()
    }

    fn keep(&mut self, asked: Vec<u8>, answer: bool) {
        if self.0.len() >= ANSWERS_MAX {
            self.0.clear();
        }
        self.0.insert(asked, answer);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use tempfile::TempDir;

    use crate::cdb::make::Maker;
    use crate::control::Control;
    use crate::control::environment::Environment;

    use super::*;

    /// A control directory `control` with these files, and beside it what they name.
    struct Site {
        dir: TempDir,
        setup: Setup,
    }

    impl Site {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let directory = dir.path().join("control");
            fs::create_dir(&directory).unwrap();
            let variables = [("LOG", "asked")];
            let environment: Environment =
                variables.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
            let control = Control { directory, me: Some(b"Me.ex".to_vec()), ..Control::default() };
            let site = Self { dir, setup: Setup { control, environment, ..Setup::default() } };
            files.iter().for_each(|(name, text)| site.write(name, text));
            site
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.dir.path().join(name), text).unwrap();
        }

        fn write_cdb(&self, name: &str, keys: &[&str]) {
            let mut maker = Maker::new(File::create(self.dir.path().join(name)).unwrap());
            keys.iter().for_each(|key| maker.add(key.as_bytes(), b"").unwrap());
            maker.finish().unwrap();
        }

        fn make_unreadable(&self, name: &str) {
            fs::create_dir(self.dir.path().join(name)).unwrap();
        }

        fn accounts(&self) -> Accounts<'_> {
            Accounts::with_passwd(&self.setup, self.dir.path().join("passwd"))
        }

        /// `yes`, `no` or what failed.
        fn user(&self, address: &str) -> String {
            in_words(self.accounts().is_local_user(address.as_bytes()))
        }

        fn host(&self, domain: &str) -> String {
            in_words(self.accounts().is_local_host(domain.as_bytes()))
        }
    }

    fn in_words(answer: Result<bool, LookupFailed>) -> String {
        match answer {
            Ok(true) => "yes".to_owned(),
            Ok(false) => "no".to_owned(),
            Err(LookupFailed::BadEntry { file, line, error }) => format!("{file}:{line}: {error}"),
            Err(failed) => format!("temp:{}", failed.source_name()),
        }
    }

    const LOCALS: (&str, &str) = ("control/locals", "# our own\nHost.ex\nlocal.ex\n");
    const VIRTUAL: (&str, &str) = (
        "control/virtualdomains",
        "virtual.ex:joe\n.sub.ex:sub\nnot.sub.ex:\n.deep.not.sub.ex:deep\nuser@person.ex:p\nhalf.sub.ex\n:all\nvirtual.ex.:x\n",
    );
    const RCPTHOSTS: (&str, &str) = ("control/rcpthosts", "listed.ex\n.below.ex\nnot.sub.ex \n");
    const PASSWD_TEXT: (&str, &str) = ("passwd", "root:x:0:0::/:/bin/sh\njoe:x:7:7::/:/bin/sh\nBig:x:8:8::/:/bin/sh\n");

    #[test]
    fn a_local_host_stands_in_one_of_three_files() {
        let site = Site::new(&[LOCALS, VIRTUAL, RCPTHOSTS]);
        for domain in [
            "host.ex",
            "HOST.EX",
            "local.ex",
            "virtual.ex",
            "Virtual.Ex",
            "a.sub.ex",
            "a.b.sub.ex",
            "x.deep.not.sub.ex",
            "listed.ex",
            "not.sub.ex",
        ] {
            assert_eq!(site.host(domain), "yes", "{domain}");
        }
        for domain in [
            "",
            "me.ex",
            "x.host.ex",
            "ost.ex",
            "sub.ex",
            ".sub.ex",
            "half.sub.ex",
            "person.ex",
            "user@person.ex",
            "x.virtual.ex",
            "below.ex",
            "x.below.ex",
            ".below.ex",
            "# our own",
            "far.ex",
            "host.ex\0",
            "host.ex\nlocal.ex",
        ] {
            assert_eq!(site.host(domain), "no", "{domain:?}");
        }
    }

    #[test]
    fn a_missing_file_of_hosts_has_none_but_me() {
        let site = Site::new(&[]);
        assert_eq!(
            ["me.ex", "ME.ex", "x.me.ex", "host.ex"].map(|domain| site.host(domain)),
            ["yes", "yes", "no", "no"]
        );
        let site = Site::new(&[("control/locals", "")]);
        assert_eq!(site.host("me.ex"), "no");
    }

    #[test]
    fn a_file_of_hosts_that_cannot_be_read_decides_only_what_no_other_does() {
        for (name, domain) in [("locals", "listed.ex"), ("virtualdomains", "host.ex"), ("rcpthosts", "virtual.ex")] {
            let broken = format!("control/{name}");
            let files: Vec<_> = [LOCALS, VIRTUAL, RCPTHOSTS].into_iter().filter(|file| file.0 != broken).collect();
            let site = Site::new(&files);
            site.make_unreadable(&broken);
            assert_eq!(site.host(domain), "yes", "{name}");
            assert_eq!(site.host("far.ex"), format!("temp:{name}"));
            assert_eq!(site.user("joe@far.ex"), format!("temp:{name}"));
        }
    }

    #[test]
    fn a_user_of_the_system_is_one_in_each_domain_of_locals() {
        let site = Site::new(&[LOCALS, VIRTUAL, RCPTHOSTS, PASSWD_TEXT]);
        for address in ["joe@host.ex", "JOE@Local.ex"] {
            assert_eq!(site.user(address), "yes", "{address}");
        }
        for address in [
            "",
            "joe",
            "@host.ex",
            "joe@",
            "joe@virtual.ex",
            "joe@listed.ex",
            "joe@far.ex",
            "joe@x.host.ex",
            "joe@me.ex",
            "joe-list@host.ex",
            "joe+x@host.ex",
            "root@host.ex",
            "big@host.ex",
            "postmaster@host.ex",
            "joe@host.ex@far.ex",
            "x@joe@host.ex",
            "joe\0@host.ex",
            "joe\n@host.ex",
            "\rjoe@host.ex",
        ] {
            assert_eq!(site.user(address), "no", "{address:?}");
        }
    }

    #[test]
    fn without_a_file_of_users_nobody_knows_the_local_ones() {
        let site = Site::new(&[LOCALS, VIRTUAL, ("control/recipients", "@host.ex:users.cdb\n")]);
        site.write_cdb("users.cdb", &[":ann@host.ex"]);
        assert_eq!(site.user("ann@host.ex"), "yes");
        assert_eq!(site.user("joe@host.ex"), "temp:/etc/passwd");
        assert_eq!(site.user("joe@virtual.ex"), "no");
    }

    #[test]
    fn a_compiled_list_has_accounts_by_their_whole_address() {
        let recipients = "!virtual.ex\n!*\n@host.ex:users.cdb\n*:more.cdb\n";
        let site = Site::new(&[LOCALS, VIRTUAL, PASSWD_TEXT, ("control/recipients", recipients)]);
        site.write_cdb("users.cdb", &[":ann@host.ex", ":list-@host.ex", ":ann@virtual.ex", ":ann@far.ex"]);
        let absolute = site.dir.path().join("more.cdb");
        site.write_cdb("more.cdb", &[":bob@virtual.ex", ":bob@far.ex", "carl@host.ex"]);
        let cases = [
            ("Ann@Host.ex", "yes"),
            ("joe@host.ex", "yes"),
            ("bob@virtual.ex", "yes"),
            ("list-a@host.ex", "no"),
            ("ann-x@host.ex", "no"),
            ("ann@virtual.ex", "no"),
            ("joe@virtual.ex", "no"),
            ("bob@host.ex", "no"),
            ("carl@host.ex", "no"),
            ("ann@far.ex", "no"),
            ("bob@far.ex", "no"),
        ];
        for (address, expected) in cases {
            assert_eq!(site.user(address), expected, "{address}");
        }
        site.write("control/recipients", &format!("{}\n", absolute.display()));
        assert_eq!(site.user("bob@virtual.ex"), "yes");
    }

    #[test]
    fn a_source_that_fails_decides_only_what_no_other_does() {
        let site = Site::new(&[LOCALS, VIRTUAL, PASSWD_TEXT]);
        site.write_cdb("users.cdb", &[":ann@host.ex"]);
        site.write("damaged.cdb", "x");
        for (line, failed) in [
            ("missing.cdb", "temp:recipients"),
            ("damaged.cdb", "temp:recipients"),
            ("@host.ex:", "recipients:1: nothing behind the colon or bar"),
            ("*|", "recipients:1: nothing behind the colon or bar"),
            ("*| ", "recipients:1: nothing behind the colon or bar"),
            ("*|nonexistent-program", "recipients:1: nonexistent-program: file does not exist"),
        ] {
            site.write("control/recipients", &format!("{line}\nusers.cdb\n"));
            assert_eq!(site.user("ann@host.ex"), "yes", "{line}");
            assert_eq!(site.user("joe@host.ex"), "yes", "{line}");
            assert_eq!(site.user("bob@host.ex"), failed, "{line}");
            assert_eq!(site.user("bob@far.ex"), "no", "{line}");
        }
        fs::remove_file(site.dir.path().join("control/recipients")).unwrap();
        site.make_unreadable("control/recipients");
        assert_eq!(site.user("joe@host.ex"), "yes");
        assert_eq!(site.user("bob@host.ex"), "temp:recipients");
    }

    #[test]
    fn a_compiled_list_that_failed_is_opened_again() {
        let site = Site::new(&[LOCALS, VIRTUAL, ("control/recipients", "*:users.cdb\n"), ("users.cdb", "damaged")]);
        let mut accounts = site.accounts();
        assert_eq!(in_words(accounts.is_local_user(b"ann@virtual.ex")), "temp:recipients");
        fs::remove_file(site.dir.path().join("users.cdb")).unwrap();
        assert_eq!(in_words(accounts.is_local_user(b"ann@virtual.ex")), "temp:recipients");
        site.write_cdb("users.cdb", &[":ann@virtual.ex"]);
        assert_eq!(in_words(accounts.is_local_user(b"ann@virtual.ex")), "yes");
    }

    #[test]
    fn no_source_is_asked_for_what_is_no_address() {
        let site = Site::new(&[LOCALS, VIRTUAL, ("control/recipients", "*|true\n")]);
        assert_eq!(site.user("anybody@virtual.ex"), "yes");
        for address in
            ["a\0b@virtual.ex", "a\nb@virtual.ex", "a\rb@virtual.ex", "a@virtual.ex\n", "@virtual.ex", "a", ""]
        {
            assert_eq!(site.user(address), "no", "{address:?}");
        }
    }

    /// Descriptor 3 is the address and three NULs.
    const CHECKER: &str = "cd \"${0%/*}\"; echo asked >>\"$1\"
case $(tr '\\0' , <&3) in
    bob@virtual.ex,,,) exit 0 ;;
    down@virtual.ex,,,) echo 'no database' >&2; exit 111 ;;
    busy@virtual.ex,,,) exit 111 ;;
    crash@virtual.ex,,,) kill -9 $$ ;;
    *) echo absent; exit 1 ;;
esac
";

    #[test]
    fn a_program_is_asked_for_the_whole_address() {
        let site = Site::new(&[LOCALS, VIRTUAL, ("checker", CHECKER)]);
        let checker = site.dir.path().join("checker");
        site.write("control/recipients", &format!("@virtual.ex|sh '{}' $LOG\n", checker.display()));
        let cases = [
            ("bob@virtual.ex", "yes"),
            ("BOB@Virtual.Ex", "yes"),
            ("bob-x@virtual.ex", "no"),
            ("busy@virtual.ex", "recipients:1: sh: exit code 111"),
            ("down@virtual.ex", "recipients:1: sh: exit code 111: no database"),
            ("crash@virtual.ex", "recipients:1: sh: it was killed by SIGKILL"),
            ("bob@a.sub.ex", "no"),
        ];
        for (address, expected) in cases {
            assert_eq!(site.user(address), expected, "{address}");
        }
        let asked = || fs::read_to_string(site.dir.path().join("asked")).unwrap().lines().count();
        assert_eq!(asked(), 6);

        let mut accounts = site.accounts();
        for _ in 0..3 {
            assert!(accounts.is_local_user(b"bob@virtual.ex").unwrap());
            assert!(!accounts.is_local_user(b"nobody@virtual.ex").unwrap());
        }
        assert_eq!(asked(), 8, "an answer is kept");
        for _ in 0..2 {
            assert!(accounts.is_local_user(b"down@virtual.ex").is_err());
        }
        assert_eq!(asked(), 10, "a failure is not");
    }

    #[test]
    fn a_program_with_a_slash_is_found_from_the_working_directory() {
        use std::os::unix::fs::symlink;
        let mut site = Site::new(&[LOCALS, VIRTUAL, ("control/recipients", "*|bin/yes\n")]);
        let bin = site.dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink("/bin/true", bin.join("yes")).unwrap();
        assert_eq!(site.user("joe@virtual.ex"), "yes");
        let elsewhere = tempfile::tempdir().unwrap();
        site.setup.environment =
            [(b"SYSCONFDIR".to_vec(), elsewhere.path().as_os_str().as_bytes().to_vec())].into_iter().collect();
        let missing = elsewhere.path().join("bin/yes");
        assert_eq!(site.user("joe@virtual.ex"), format!("recipients:1: {}: file does not exist", missing.display()));
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let lines: String = (0..40).map(|number| format!("@h{number}.ex:{number}.cdb\n")).collect();
        let hosts: String = (0..100).map(|number| format!("h{number}.ex\n")).collect();
        let site = Site::new(&[("control/rcpthosts", &hosts), ("control/recipients", &lines)]);
        let mut accounts = site.accounts();
        for number in 0..100 {
            let address = format!("joe@h{number}.ex");
            if number < 40 {
                site.write_cdb(&format!("{number}.cdb"), &[&format!(":{address}")]);
            }
            assert_eq!(accounts.is_local_user(address.as_bytes()).unwrap(), number < 40, "{address}");
            assert!(accounts.cdbs.len() <= OPEN_CDBS_MAX);
            assert!(accounts.users.0.len() <= ANSWERS_MAX && accounts.hosts.0.len() <= ANSWERS_MAX);
        }
    }
}
