//! opensmtp in a chain of programs: what it takes the user and address from, whom it skips, and that it always goes on.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use crate::site::{Site, said};

#[test]
fn the_environment_tells_who_has_logged_in() {
    let cases: [(&[(&str, &str)], &[&str], &str); 9] = [
        (&[("USER", "joe@x.ex"), ("IP", "192.0.2.1")], &[], "joe@x.ex 192.0.2.1"),
        (&[("USER", "joe"), ("IP", "192.0.2.1")], &[], "joe@mx.local.ex 192.0.2.1"),
        (&[("AUTHENTICATED", "ann@x.ex"), ("USER", "joe"), ("TCPREMOTEIP", "192.0.2.2")], &[], "ann@x.ex 192.0.2.2"),
        (
            &[("USER", "joe@x.ex"), ("TCP6REMOTEIP", "::ffff:192.0.2.3"), ("TCPREMOTEIP", "192.0.2.9")],
            &[],
            "joe@x.ex 192.0.2.3",
        ),
        (&[("USER", "joe@x.ex"), ("IP", "2001:db8::1"), ("TCPREMOTEIP", "192.0.2.9")], &[], "joe@x.ex 2001:db8::1"),
        (&[("USER", "joe@x.ex"), ("IP", "192.0.2.1")], &["--user", "a@b.ex", "--ip", "::1"], "a@b.ex ::1"),
        (
            &[("AUTHENTICATED", ""), ("USER", "joe@x.ex"), ("IP", ""), ("TCPREMOTEIP", "192.0.2.4")],
            &[],
            "joe@x.ex 192.0.2.4",
        ),
        (&[("USER", "joe@x.ex"), ("IP", "192.0.2.1"), ("NORELAY", "")], &[], ""),
        (&[("USER", "joe@x.ex"), ("IP", "192.0.2.1")], &["--", "true"], "joe@x.ex 192.0.2.1"),
    ];
    for (variables, arguments, expected) in cases {
        let site = variables.iter().fold(Site::with_directory(), |site, (name, value)| site.with(name, value));
        std::fs::create_dir(site.table()).unwrap();
        let said = site.run("opensmtp", arguments);
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""), "{variables:?}");
        assert_eq!(site.rows().join(","), expected, "{variables:?}");
    }
}

#[test]
fn the_program_runs_whatever_came_of_the_login() {
    let site = Site::with_directory().with("KEPT", "as it is");
    let unusable: [&[&str]; 4] = [
        &["--user", "", "--ip", "192.0.2.1"],
        &["--user", "joe@x.ex"],
        &["--user", "j oe@x.ex", "--ip", "192.0.2.1"],
        &["--user", "joe@x.ex", "--ip", "unknown"],
    ];
    for login in unusable.iter().chain(&[&["--user", "joe@x.ex", "--ip", "192.0.2.1"][..]]) {
        let script = "cat; echo $KEPT $0 $1 $2; test -t 0 || exit 42";
        let arguments = [login, &["--", "sh", "-c", script, "imap", "--user", "-x"][..]].concat();
        let said = site.run_with("opensmtp", &arguments, b"through\n");
        assert_eq!((said.code, said.output.as_str()), (Some(42), "through\nas it is imap --user -x\n"), "{login:?}");
        let is_good = login.last() == Some(&"192.0.2.1") && login[1] == "joe@x.ex";
        assert_eq!(said.errors.lines().count(), usize::from(!is_good), "{said:?}");
    }
    assert_eq!(site.rows(), ["joe@x.ex 192.0.2.1"]);
    // Without a double dash options end at the first word that is none.
    let said = site.run("opensmtp", &["--user", "a@x.ex", "--ip", "192.0.2.2", "echo", "--ip", "x"]);
    assert_eq!((said.code, said.output.as_str()), (Some(0), "--ip x\n"));
    // Without a program the exit code tells.
    assert_eq!(site.run("opensmtp", &["--user", "a@x.ex", "--ip", "none"]).code, Some(100));
    assert_eq!(site.run("opensmtp", &["--user", "a@x.ex", "--ip", "192.0.2.2"]).code, Some(0));
    assert_eq!(
        site.run("opensmtp", &["--user", "a@x.ex", "--ip", "192.0.2.2", "/nonexistent/program"]).code,
        Some(111)
    );
    assert_eq!(site.run("opensmtp", &["--usr", "x"]).code, Some(100));
}

/// What the program gets is what it would have got: no signal is ignored or blocked, no descriptor is open that was not.
#[test]
fn the_program_inherits_nothing() {
    let site = Site::with_directory();
    let script = "grep -E 'SigBlk|SigIgn' /proc/self/status; ls /proc/self/fd | tr '\\n' ' '; kill -PIPE $$";
    let mut command = site.command("opensmtp");
    let output = command.args(["--user", "joe@x.ex", "--ip", "192.0.2.1", "sh", "-c", script]).output().unwrap();
    assert_eq!(output.status.signal(), Some(13), "SIGPIPE ends it");
    let plain = said(std::process::Command::new("sh").args(["-c", script]).output().unwrap()).output;
    let through = said(output).output;
    // The C library has the signals above 31 for itself.
    let signals = |text: &str| -> Vec<u64> {
        let masks = text.lines().filter(|line| line.starts_with("Sig"));
        masks
            .map(|line| u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap() & 0x7fff_ffff)
            .collect()
    };
    assert_eq!(signals(&through), [0, 0], "{through}");
    assert_eq!(through.lines().last(), plain.lines().last(), "descriptors");
}

/// Who may relay by the static rules needs no row; the rules count exactly as tcpserver reads them.
#[test]
fn who_may_relay_anyway_is_not_recorded() {
    let cases = [
        ("10.1.2.3", true),
        ("1.2.3.4", false),
        ("1.2.3.45", true),
        ("192.168.40.9", true),
        ("192.168.44.9", false),
        ("198.51.100.1", false),
        ("2001:db8::5", true),
        ("203.0.113.9", false),
    ];
    let site = Site::with_directory();
    std::fs::create_dir(site.table()).unwrap();
    site.write_rules(
        "# allow RELAYCLIENT in a comment\n10.:allow,RELAYCLIENT=\"\"\n1.2.3.45:allow,RELAYCLIENT=\"\"\n\
         192.168.40.0/22:allow,RELAYCLIENT=\"\"\n198.51.100.:deny\n2001:db8::/32:allow,RELAYCLIENT=\"\"\n\
         203.0.113.9:allow,!RELAYCLIENT\n:allow\n",
    );
    for (ip, _) in cases {
        site.login("joe@x.ex", ip);
    }
    let mut expected: Vec<String> =
        cases.iter().filter(|(_, skipped)| !skipped).map(|(ip, _)| format!("joe@x.ex {ip}")).collect();
    expected.sort();
    assert_eq!(site.rows(), expected);
    // Rules that nobody can read let nobody relay: the login is recorded.
    site.write_rules("10.:allow,RELAYCLIENT=\"\"\nnonsense:dney\n");
    site.login("joe@x.ex", "10.9.9.9");
    assert!(site.rows().contains(&"joe@x.ex 10.9.9.9".to_owned()));
}

/// Dovecot runs it with umask 077; smtpd, which is another user, has to read what it writes.
#[test]
fn others_may_read_what_is_written_whatever_the_umask() {
    let site = Site::with_directory();
    let opensmtp = crate::support::program("opensmtp").display().to_string();
    let script = format!("umask 077; exec {opensmtp} --user joe@x.ex --ip 192.0.2.1");
    let mut command = std::process::Command::new("sh");
    command.env_clear().env("CONTROLDIR", site.home.control()).args(["-c", &script]);
    assert!(command.status().unwrap().success());
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(site.table()), mode(site.table().join("192.0.2.1"))), (0o755, 0o644));
}

/// What root makes in somebody's directory is that user's.
#[test]
fn levels_that_root_makes_belong_to_the_owner_of_the_directory() {
    if !nix::unistd::geteuid().is_root() {
        println!("left out: only root can make what belongs to others");
        return;
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let site = Site::with_directory();
    std::fs::create_dir(site.table()).unwrap();
    std::os::unix::fs::chown(site.table(), Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
    for number in 0..10_001_u32 {
        let path = site.table().join(format!("10.0.{}.{}", number >> 8, number & 255));
        std::fs::write(path, format!("joe@x.ex\t{}\n", crate::site::now())).unwrap();
    }
    assert_eq!(site.run("clearopensmtp", &["-s"]).code, Some(0));
    let owners: Vec<u32> = std::fs::read_dir(site.table())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap())
        .filter(std::fs::Metadata::is_dir)
        .map(|level| std::os::unix::fs::MetadataExt::uid(&level))
        .collect();
    assert_eq!(owners, vec![nobody.uid.as_raw(); 16]);
}
