//! The command itself: sections, exit codes, and that nothing is overwritten.

use std::fs;

use crate::postern;

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
