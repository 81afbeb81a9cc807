//! A table in a directory: who is found, what the cleaner forgets, and writers at once.

use super::clean::FLAT_ADDRESSES_MAX;
use super::*;
use crate::control::environment::Environment;

const NOW: i64 = 1_700_000_000;

fn hour() -> Window {
    Window::of(&Environment::default()).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn table() -> (tempfile::TempDir, Directory) {
    let dir = tempfile::tempdir().unwrap();
    let table = Directory::new(dir.path().join("relay"));
    (dir, table)
}

fn login(user: &str, address: &str) -> Login {
    Login::parse(user.as_bytes(), address.as_bytes(), None).unwrap()
}

fn rows(table: &Directory) -> Vec<String> {
    let mut rows = Vec::new();
    let mut keep = |row: Row| {
        rows.push(format!("{} {} {}", row.user.unwrap(), row.address, row.time - NOW));
        Ok(())
    };
    table.rows(&mut keep).unwrap();
    rows.sort();
    rows
}

#[test]
fn who_has_read_mail_is_found_and_nobody_else() {
    let (_dir, table) = table();
    let address: IpAddr = "192.0.2.7".parse().unwrap();
    let contains = |user: &str, address: IpAddr| table.contains(user.as_bytes(), address, hour(), NOW);
    assert!(matches!(contains("joe@x.ex", address), Err(Trouble::Table(_))), "there is no directory");
    table.record(&login("joe@x.ex", "192.0.2.7"), NOW - 3599, soon()).unwrap();
    table.record(&login("old@x.ex", "192.0.2.7"), NOW - 3600, soon()).unwrap();
    assert_eq!(contains("JOE@x.EX", address), Ok(true));
    for (user, address) in [
        ("joe@x.e", "192.0.2.7"),
        ("joe@x.ex2", "192.0.2.7"),
        ("", "192.0.2.7"),
        ("old@x.ex", "192.0.2.7"),
        ("joe@x.ex", "192.0.2.8"),
        ("joe@x.ex", "::1"),
    ] {
        assert_eq!(contains(user, address.parse().unwrap()), Ok(false), "{user} {address}");
    }
    // A login again, and an older one that comes late.
    table.record(&login("old@x.ex", "192.0.2.7"), NOW, soon()).unwrap();
    table.record(&login("old@x.ex", "192.0.2.7"), NOW - 7200, soon()).unwrap();
    assert_eq!(rows(&table), ["joe@x.ex 192.0.2.7 -3599", "old@x.ex 192.0.2.7 0"]);
}

#[test]
fn what_is_no_row_grants_nothing() {
    let (_dir, table) = table();
    fs::create_dir(&table.path).unwrap();
    let text = format!(
        "a@x.ex {NOW}\nb@x.ex\t{NOW}x\nc@x.ex\t\n\t{NOW}\nd@x.ex\t9{NOW}\n\u{0}\t{NOW}\ne@x.ex\t{NOW}\r\nf@x.ex\t{NOW}"
    );
    fs::write(table.path.join("192.0.2.7"), text).unwrap();
    let contains = |user: &str| table.contains(user.as_bytes(), "192.0.2.7".parse().unwrap(), hour(), NOW).unwrap();
    let found: Vec<_> =
        ["a", "b", "c", "d", "e", "f"].into_iter().filter(|name| contains(&format!("{name}@x.ex"))).collect();
    assert_eq!(found, ["f"]);
    fs::remove_file(table.path.join("192.0.2.7")).unwrap();
    fs::create_dir(table.path.join("192.0.2.7")).unwrap();
    assert!(table.contains(b"f@x.ex", "192.0.2.7".parse().unwrap(), hour(), NOW).is_err(), "a directory in its place");
}

#[test]
fn the_cleaner_forgets_what_no_longer_counts_and_no_more() {
    let (_dir, table) = table();
    for (user, address, age) in [
        ("a@x.ex", "192.0.2.7", 3600),
        ("b@x.ex", "192.0.2.7", 3599),
        ("c@x.ex", "192.0.2.8", 9999),
        ("d@x.ex", "2001:db8::1", 0),
        ("e@x.ex", "2001:db8::2", -301),
    ] {
        table.record(&login(user, address), NOW - age, soon()).unwrap();
    }
    assert_eq!(table.count_expired(hour(), NOW), Ok(3));
    let mut told = Vec::new();
    assert_eq!(table.clean(hour(), NOW, &mut |count| told.push(count)), Ok(3));
    assert_eq!(told.last(), Some(&3));
    assert_eq!(rows(&table), ["b@x.ex 192.0.2.7 -3599", "d@x.ex 2001:db8::1 0"]);
    assert!(!table.path.join("192.0.2.8").exists());
}

#[test]
fn a_directory_that_has_grown_gets_two_levels_and_loses_nobody() {
    let (_dir, table) = table();
    fs::create_dir(&table.path).unwrap();
    let count = FLAT_ADDRESSES_MAX + 1;
    let address = |number: usize| IpAddr::from([10, 0, (number >> 8) as u8, number as u8]);
    for number in 0..count {
        fs::write(table.path.join(address(number).to_string()), format!("joe@x.ex\t{NOW}\n")).unwrap();
    }
    fs::set_permissions(&table.path, Permissions::from_mode(0o750)).unwrap();
    assert_eq!(table.clean(hour(), NOW, &mut |_| ()), Ok(0));
    let level = table.hashed(address(0)).parent().unwrap().to_path_buf();
    assert_eq!(fs::metadata(level).unwrap().mode() & 0o777, 0o750, "levels are as the directory itself");
    let is_there = |number| table.contains(b"joe@x.ex", address(number), hour(), NOW).unwrap();
    assert!((0..count).all(is_there));
    assert!(!table.flat(address(0)).exists() && table.hashed(address(0)).exists());
    // A hook of the operator's own still writes to the old place.
    let hooked: IpAddr = "192.0.2.7".parse().unwrap();
    fs::write(table.flat(hooked), format!("ann@x.ex\t{NOW}\n")).unwrap();
    table.record(&login("joe@x.ex", "192.0.2.7"), NOW, soon()).unwrap();
    for user in ["ann@x.ex", "joe@x.ex"] {
        assert_eq!(table.contains(user.as_bytes(), hooked, hour(), NOW), Ok(true), "{user}");
    }
    assert!(!table.flat(hooked).exists());
    assert_eq!(table.clean(hour(), NOW + 3600, &mut |_| ()), Ok(count as u64 + 2));
    assert!(rows(&table).is_empty());
}

#[test]
fn writers_at_once_lose_nothing() {
    let (_dir, table) = table();
    let writers = 8;
    thread::scope(|scope| {
        for writer in 0..writers {
            let table = &table;
            scope.spawn(move || {
                for number in 0..20 {
                    table.record(&login(&format!("u{writer}-{number}@x.ex"), "192.0.2.7"), NOW, soon()).unwrap();
                }
            });
        }
    });
    assert_eq!(rows(&table).len(), writers * 20);
    let _held = table.lock(soon()).unwrap();
    let refused = table.record(&login("joe@x.ex", "192.0.2.7"), NOW, Instant::now());
    assert!(refused.unwrap_err().to_string().ends_with("another program holds the lock"));
}

#[test]
fn what_cannot_be_read_does_not_keep_the_rest_from_being_cleaned() {
    let (_dir, table) = table();
    table.record(&login("a@x.ex", "192.0.2.7"), NOW - 9999, soon()).unwrap();
    fs::create_dir(table.path.join("192.0.2.8")).unwrap();
    fs::write(table.path.join("192.0.2.9"), "nonsense\n").unwrap();
    assert!(table.clean(hour(), NOW, &mut |_| ()).is_err());
    assert!(!table.path.join("192.0.2.7").exists() && !table.path.join("192.0.2.9").exists());
}
