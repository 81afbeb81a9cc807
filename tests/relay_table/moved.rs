//! Rows on their way between a directory and a database.

use crate::mariadb::{Layout, MariaDb};
use crate::site::{OK, REFUSED, Site, now};

#[test]
fn rows_move_from_a_directory_to_a_database_and_back() {
    let directory = Site::with_directory();
    for (user, ip) in [("joe@x.ex", "192.0.2.7"), ("ann@x.ex", "192.0.2.7"), ("jörg@x.ex", "2001:db8::1")] {
        directory.login(user, ip);
    }
    let exported = directory.run("opensmtp", &["--export"]).output;
    let mut rows = directory.rows();
    let database = MariaDb::shared().database();
    database.sql("alter database character set utf8mb4");
    database.table(Layout::IndiMail);
    let there = Site::with_database(&database);
    for _ in 0..2 {
        let said = there.run_with("opensmtp", &["--import"], exported.as_bytes());
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""));
    }
    assert_eq!(there.rows(), rows);
    assert_eq!(there.rcpt("joe@x.ex", "192.0.2.7"), OK);
    assert_eq!(there.rcpt("jörg@x.ex", "2001:db8::1"), OK);
    let back = Site::with_directory();
    let exported = there.run("opensmtp", &["--export"]).output;
    assert_eq!(back.run_with("opensmtp", &["--import"], exported.as_bytes()).code, Some(0));
    rows.sort();
    assert_eq!(back.rows(), rows);
    assert_eq!(back.rcpt("ann@x.ex", "192.0.2.7"), OK);
}

#[test]
fn a_newer_row_is_never_replaced_by_an_older_one() {
    let database = MariaDb::shared().database();
    database.table(Layout::IndiMail);
    let text_times = MariaDb::shared().database();
    text_times.table(Layout::VpopmailChar);
    for site in [Site::with_directory(), Site::with_database(&database), Site::with_database(&text_times)] {
        let rows = |age: u64| format!("joe@x.ex 192.0.2.7 {}\n\nann@x.ex\t192.0.2.8\t{}\n", now() - age, now() - age);
        for (age, expected) in [(4000, REFUSED), (60, OK), (5000, OK)] {
            assert_eq!(site.run_with("opensmtp", &["--import"], rows(age).as_bytes()).code, Some(0));
            assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), expected, "{age}");
        }
    }
}

#[test]
fn a_malformed_row_is_named() {
    let site = Site::with_directory();
    std::fs::create_dir(site.table()).unwrap();
    for bad in [
        "joe@x.ex",
        "joe@x.ex 192.0.2.7",
        "joe@x.ex 192.0.2.7 soon",
        "joe 192.0.2.7 5",
        "joe@x.ex nowhere 5",
        "joe@x.ex 192.0.2.7 -5",
        "a b c d",
    ] {
        let said = site.run_with("opensmtp", &["--import"], format!("\n{bad}\n").as_bytes());
        assert_eq!(said.code, Some(100), "{bad}");
        assert!(said.errors.starts_with("opensmtp: line 2: ") && said.errors.lines().count() == 1, "{said:?}");
    }
    let long = format!("{}@x.ex 192.0.2.7 5\n", "u".repeat(10_000));
    assert_eq!(site.run_with("opensmtp", &["--import"], long.as_bytes()).code, Some(100));
    assert!(site.rows().is_empty());
}

/// vpopmail's table authorises addresses: a row of it has no user, and no place where users relay.
#[test]
fn rows_without_a_user_stay_among_their_like() {
    let database = MariaDb::shared().database();
    database.table(Layout::VpopmailVarchar);
    let vpopmail = Site::with_database(&database);
    vpopmail.login("joe@x.ex", "192.0.2.7");
    let exported = vpopmail.run("opensmtp", &["--export"]).output;
    assert!(exported.starts_with("-\t192.0.2.7\t"), "{exported}");
    let said = Site::with_directory().run_with("opensmtp", &["--import"], exported.as_bytes());
    assert!(said.code == Some(111) && said.errors.contains("without a user"), "{said:?}");
    let other = MariaDb::shared().database();
    other.table(Layout::VpopmailChar);
    let other = Site::with_database(&other);
    assert_eq!(other.run_with("opensmtp", &["--import"], exported.as_bytes()).code, Some(0));
    assert_eq!(other.rcpt("anybody@x.ex", "192.0.2.7"), OK);
}

#[test]
fn many_rows_are_moved() {
    let rows: String =
        (0..3_000).map(|n: u32| format!("u{n}@x.ex\t10.0.{}.{}\t{}\n", n >> 8, n & 255, now())).collect();
    let database = MariaDb::shared().database();
    database.table(Layout::IndiMail);
    for site in [Site::with_directory(), Site::with_database(&database)] {
        assert_eq!(site.run_with("opensmtp", &["--import"], rows.as_bytes()).code, Some(0));
        assert_eq!(site.rows().len(), 3_000);
        assert_eq!(site.rcpt("u2999@x.ex", "10.0.11.183"), OK);
    }
}
