//! Local hosts and users: which file, list or program knows them, and what one that fails decides.

use std::fs::{self, File};

use tempfile::TempDir;

use crate::cdb::make::Maker;
use crate::control::environment::Environment;
use crate::control::{CheckRecipient, Control};

use super::*;
use crate::policy::verdict::Answer;

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
    assert_eq!(["me.ex", "ME.ex", "x.me.ex", "host.ex"].map(|domain| site.host(domain)), ["yes", "yes", "no", "no"]);
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
    for address in ["a\0b@virtual.ex", "a\nb@virtual.ex", "a\rb@virtual.ex", "a@virtual.ex\n", "@virtual.ex", "a", ""] {
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

#[test]
fn one_source_that_knows_a_recipient_is_enough() {
    let site = Site::new(&[LOCALS]);
    let recipient = |address: &str, check| {
        let answer = site.accounts().recipient(address.as_bytes(), check);
        in_words(answer.map(|answer| matches!(answer, Answer::Yes(_))))
    };
    use CheckRecipient::{Accounts as One, Both as Two, Recipients as Three};
    // Neither the users of the system nor recipients can be read.
    assert_eq!(recipient("joe@host.ex", One), "temp:passwd");
    assert_eq!(recipient("joe@host.ex", Two), "temp:recipients");
    assert_eq!(recipient("joe@host.ex", Three), "temp:recipients");
    site.write(PASSWD_TEXT.0, PASSWD_TEXT.1);
    for (check, expected) in [(One, "yes"), (Two, "yes"), (Three, "temp:recipients")] {
        assert_eq!(recipient("Joe@host.ex", check), expected, "{check:?}");
    }
    assert_eq!(recipient("root@host.ex", One), "yes");
    assert_eq!(recipient("jo@host.ex", One), "no");
    assert_eq!(recipient("jo@host.ex", Two), "temp:recipients");
    assert_eq!(recipient("joe@listed.ex", One), "temp:recipients");
    site.write("control/recipients", "!listed.ex\n");
    for check in [One, Two, Three] {
        assert_eq!(recipient("joe@listed.ex", check), "yes", "{check:?}");
        assert_eq!(recipient("jo@host.ex", check), "no", "{check:?}");
        assert_eq!(recipient("a\nb@listed.ex", check), "no", "{check:?}");
        assert_eq!(recipient("@listed.ex", check), "no", "{check:?}");
    }
}
