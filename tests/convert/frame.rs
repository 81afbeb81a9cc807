//! The command itself: sections, exit codes, and that nothing is overwritten.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::postern;
use crate::support::program;

#[test]
fn a_file_that_exists_is_never_replaced_and_then_nothing_is_written() {
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("accept.txt");
    fs::write(&source, "mode = localhosts\npartner.ex\n192.0.2.7\n").unwrap();
    let into = home.path().join("new");
    let arguments =
        ["convert", "--from", "imail", "--into", into.to_str().unwrap(), source.to_str().unwrap()].map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    fs::create_dir(&into).unwrap();
    fs::write(into.join("relaymailfrom"), "mine\n").unwrap();
    let output = postern(&arguments);
    assert_eq!(output.status.code(), Some(100));
    assert!(String::from_utf8_lossy(&output.stderr).contains("relaymailfrom exists"), "{output:?}");
    assert_eq!(fs::read_dir(&into).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(into.join("relaymailfrom")).unwrap(), "mine\n");
    fs::remove_file(into.join("relaymailfrom")).unwrap();
    assert_eq!(postern(&arguments).status.code(), Some(0));
    assert_eq!(fs::read_to_string(into.join("relayclients")).unwrap(), "192.0.2.7\n");
}

#[test]
fn exit_codes_tell_wrong_usage_from_a_file_that_cannot_be_read() {
    assert_eq!(postern(&["convert", "--from", "imail", "/nowhere/at/all"]).status.code(), Some(111));
    assert_eq!(postern(&["convert", "--from", "sendmail", "/dev/null"]).status.code(), Some(100));
    assert_eq!(postern(&["convert"]).status.code(), Some(100));
}

#[test]
fn standard_input_is_read_and_lines_are_told_by_file() {
    let home = tempfile::tempdir().unwrap();
    let (one, two) = (home.path().join("one"), home.path().join("two"));
    fs::write(&one, "mode = localhosts\nrelay = yes").unwrap();
    fs::write(&two, "# accept.txt\npartner.ex\nno = no\n").unwrap();
    let output = postern(&["convert", "--from", "imail", one.to_str().unwrap(), two.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let ours = "=localhosts\n@partner.ex\n";
    assert!(text.starts_with("# relaymailfrom\n") && text.contains(ours), "{text}");
    assert!(text.contains(&format!("{}:2: relay = yes\n", one.display())), "{text}");
    assert!(text.contains(&format!("{}:3: no = no\n", two.display())), "{text}");

    let (ended, text) = with_input(&["convert", "--from", "sun"], "INTERNAL_IP\n\n  127.0.0.1 $Y\n  1.2.3 $Y\n");
    assert_eq!(ended, Some(1));
    assert!(text.starts_with("# relayclients\n127.0.0.1\n\n# Not carried over:\n#   line 4: 1.2.3 $Y\n"), "{text}");
}

#[test]
fn a_configuration_that_says_nothing_is_carried_over() {
    assert_eq!(with_input(&["convert", "--from", "sun", "-"], ""), (Some(0), String::new()));
}

fn with_input(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut command = Command::new(program("postern"));
    let mut child = command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}
