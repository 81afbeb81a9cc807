//! What goes wrong around queue-maildir: no permission, no room, a disk that fails, a kill at any moment.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::{ENVELOPE, HEADER, Home, LARGE_OCTETS, assert_delivered, run, start, support, text};

#[test]
fn where_no_maildir_can_be_is_trouble_in_the_home_directory() {
    let home = Home::new();
    fs::write(home.maildir(), b"a file").unwrap();
    home_is_trouble(&home, home.command());

    let mut command = Command::new(support::program("queue-maildir"));
    command.arg(home.0.path().join("missing/Maildir"));
    home_is_trouble(&home, command);
    assert!(!home.0.path().join("missing").exists());

    fs::remove_file(home.maildir()).unwrap();
    fs::create_dir(home.maildir()).unwrap();
    fs::write(home.maildir().join("new"), b"a file").unwrap();
    home_is_trouble(&home, home.command());
}

#[track_caller]
fn home_is_trouble(home: &Home, command: Command) {
    let (status, complaint) = run(command, b"message\n", ENVELOPE);
    assert_eq!(status.code(), Some(61), "{complaint}");
    assert!(complaint.contains(home.0.path().to_str().unwrap()), "{complaint}");
}

#[test]
fn what_may_not_be_written_has_its_code() {
    let every_part = ["Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"];
    let table = [
        ("", &every_part[..0], 61),
        ("Maildir", &every_part[..2], 61),
        ("Maildir/tmp", &every_part[..], 68),
        ("Maildir/new", &every_part[..], 67),
    ];
    for (closed, parts, exit_code) in table {
        let home = Home::new();
        let program = home.0.path().join("queue-maildir");
        // Not fs::copy: a program that another test starts meanwhile would hold the copy open for writing.
        let copied = Command::new("cp").arg(support::program("queue-maildir")).arg(&program).status().unwrap();
        assert!(copied.success());
        for part in parts {
            fs::create_dir(home.0.path().join(part)).unwrap();
            own(&home.0.path().join(part));
        }
        own(home.0.path());
        let closed = home.0.path().join(closed);
        fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();

        let mut command = as_nobody(&program);
        command.arg(home.maildir());
        home.assert_refused(command, b"message\n", ENVELOPE, exit_code);
        fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();

        let mut command = as_nobody(&program);
        command.arg(home.maildir());
        assert_delivered(command, b"message\n", ENVELOPE);
    }
}

/// Root may write anywhere, so root does this as somebody else.
fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new(program);
    if nix::unistd::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    command
}

fn own(path: &Path) {
    if nix::unistd::geteuid().is_root() {
        chown(path, Some(65_534), Some(65_534)).unwrap();
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_a_write_error() {
    let home = Home::new();
    for message in [text(20_000), text(LARGE_OCTETS)] {
        home.assert_refused(home.command_behind(&["prlimit", "--fsize=10000"]), &message, ENVELOPE, 53);
    }
    // Here the message fits, but not behind its header.
    home.assert_refused(home.command_behind(&["prlimit", "--fsize=100000"]), &text(100_000), ENVELOPE, 53);
    assert_delivered(home.command_behind(&["prlimit", "--fsize=10000"]), &text(5000), ENVELOPE);
}

#[test]
fn a_full_disk_is_a_write_error() {
    let home = Home::new();
    let private = |words: &[&str]| Command::new("unshare").arg("-m").args(words).arg(home.0.path()).status().unwrap();
    if !private(&["mount", "-t", "tmpfs", "none"]).success() {
        eprintln!("no file system can be mounted here; the limit on the size of files stands for a full disk");
        return;
    }
    let script = r#"mount -t tmpfs -o size=128k none "$1" || exit 120
        "$2" "$1/Maildir"; code=$?; find "$1" -type f >&2; exit $code"#;
    for (message, exit_code, left) in [
        (text(60_000), 0, "/Maildir/new/"),
        (text(80_000), 53, "No space left"),
        (text(LARGE_OCTETS), 53, "No space left"),
    ] {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]).arg(home.0.path()).arg(support::program("queue-maildir"));
        let (status, complaint) = run(command, &message, ENVELOPE);
        assert_eq!(status.code(), Some(exit_code), "{complaint}");
        assert!(complaint.contains(left) && complaint.lines().count() == 1, "{complaint}");
    }
}

#[test]
fn each_step_that_fails_has_its_code() {
    let faults = [
        ("write:error=ENOSPC:when=1", 53),
        ("fsync:error=EIO:when=1", 64),
        ("linkat:error=EPERM:when=1", 67),
        ("fsync:error=EIO:when=2", 69),
    ];
    for (fault, exit_code) in faults {
        let home = Home::new();
        for part in ["", "tmp", "new", "cur"] {
            fs::create_dir(home.maildir().join(part)).unwrap();
        }
        let inject = format!("--inject={fault}");
        let command = home.command_behind(&["strace", "-qqq", "-o", "/dev/null", &inject]);
        home.assert_refused(command, b"message\n", ENVELOPE, exit_code);
    }
}

#[test]
fn success_is_told_only_when_file_and_name_are_on_the_disk() {
    for message in [text(100), text(LARGE_OCTETS)] {
        let home = Home::new();
        let trace = home.0.path().join("trace");
        let calls = "--trace=write,copy_file_range,sendfile,fsync,linkat,exit_group";
        let command = home.command_behind(&["strace", "-y", "-o", trace.to_str().unwrap(), calls]);
        assert_delivered(command, &message, ENVELOPE);

        let trace = fs::read_to_string(trace).unwrap();
        let lines: Vec<&str> = trace.lines().filter(|line| !line.starts_with("+++")).collect();
        let last_write = lines.iter().rposition(|line| line.starts_with("write(") || line.contains("sendfile("));
        let last_write = last_write.max(lines.iter().rposition(|line| line.starts_with("copy_file_range("))).unwrap();
        let [sync, link, sync_directory, exit] = &lines[last_write + 1..] else { panic!("{trace}") };
        let maildir = home.maildir().display().to_string();
        assert!(sync.starts_with("fsync(") && sync.contains(&format!("<{maildir}/tmp/")), "{trace}");
        assert!(link.starts_with("linkat(") && link.ends_with("= 0"), "{trace}");
        assert!(
            sync_directory.starts_with("fsync(") && sync_directory.contains(&format!("<{maildir}/new>)")),
            "{trace}"
        );
        assert!(exit.starts_with("exit_group(0)"), "{trace}");
    }
}

#[test]
fn killed_at_any_system_call_it_leaves_nothing_or_the_whole_message() {
    let calls = ["mkdir", "statx", "openat", "read", "write", "copy_file_range", "fsync", "linkat", "unlink", "close"];
    for message in [text(100), text(LARGE_OCTETS)] {
        let whole = [HEADER, &message].concat();
        let mut killed = 0;
        for call in calls {
            for when in 1..100 {
                let home = Home::new();
                let inject = format!("--inject={call}:signal=KILL:when={when}");
                let (status, _) =
                    run(home.command_behind(&["strace", "-qqq", "-o", "/dev/null", &inject]), &message, ENVELOPE);
                let new = home.contents("new");
                assert!(new.is_empty() || new == [whole.as_slice()], "{call} {when}: {} octets", new[0].len());
                if status.success() {
                    assert_eq!(new.len(), 1);
                    break;
                }
                assert_eq!(status.signal(), Some(9), "{call} {when}: {status}");
                killed += 1;
            }
        }
        assert!(killed > 20, "killed {killed} times only");
    }
}

#[test]
fn killed_at_random_moments_it_leaves_nothing_or_the_whole_message() {
    let home = Home::new();
    let messages = [text(3000), text(1_000_000)];
    let whole = messages.each_ref().map(|message| [HEADER, message].concat());
    let mut delivered = 0;
    for round in 0..60_u64 {
        let message = &messages[usize::from(round % 2 == 1)];
        let (mut child, mut message_pipe, mut envelope_pipe) = start(home.command());
        thread::scope(|scope| {
            scope.spawn(move || {
                let _ = message_pipe.write_all(message);
                drop(message_pipe);
                let _ = envelope_pipe.write_all(ENVELOPE);
            });
            thread::sleep(Duration::from_micros(round * 7919 % 4000));
            child.kill().unwrap();
        });
        delivered += usize::from(child.wait().unwrap().success());
    }
    let new = home.contents("new");
    assert!(new.iter().all(|content| whole.contains(content)));
    assert!(new.len() >= delivered, "{delivered} delivered, {} there", new.len());
}
