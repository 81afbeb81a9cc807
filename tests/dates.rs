//! Dates agree with those of the C library, in each zone of this host and at the moments when clocks change.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used, missing_docs)]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use postern::control::zone::Zone;
use postern::message::date::rfc5322;

const ZONES: &str = "/usr/share/zoneinfo";

/// What `date` says of the moments, but `+0000` where it is `-0000`, because nobody lived in the zone yet.
fn dates(zone: &str, moments: &[u64]) -> Vec<String> {
    let mut command = Command::new("date");
    command.args(["-f", "-", "+%a, %-d %b %Y %H:%M:%S %z"]).env_clear().env("TZ", zone).env("LC_ALL", "C");
    let mut date = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let asked: String = moments.iter().map(|moment| format!("@{moment}\n")).collect();
    // It answers as it reads; these few fit into the pipe.
    date.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    let output = date.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().replace("-0000", "+0000").lines().map(str::to_owned).collect()
}

/// Names of zones below a directory, without those that count leap seconds, which no time of this system does.
fn zones(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !["right", "posix"].iter().any(|name| path.ends_with(name)) {
                zones(&path, found);
            }
        } else if fs::read(&path).unwrap().starts_with(b"TZif") {
            found.push(path.strip_prefix(ZONES).unwrap().to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn every_zone_has_the_dates_of_the_c_library() {
    let mut names: Vec<String> = ["CET-1CEST,M3.5.0,M10.5.0/3", ":UTC", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"]
        .into_iter()
        .chain([
            "EST5EDT,J60/0,300/25:30",
            "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
            ":/usr/share/zoneinfo/Europe/Rome",
        ])
        .map(str::to_owned)
        .collect();
    zones(Path::new(ZONES), &mut names);
    assert!(names.len() > 300, "only {} zones: is tzdata installed?", names.len());
    // From 1990 on, each about ten days; then the two seconds around each change that they lie beside.
    let regular: Vec<u64> = (0..2_000).map(|step| 631_152_000 + step * 863_977).collect();
    let mut changes = 0;
    for name in &names {
        let zone = Zone::of(&[(b"TZ".to_vec(), name.clone().into_bytes())].into_iter().collect()).unwrap();
        let mut moments = Vec::new();
        for (&before, &after) in regular.iter().zip(regular.iter().skip(1)) {
            if zone.offset_seconds(before) != zone.offset_seconds(after) {
                let change = change(&zone, before, after);
                moments.extend([change - 1, change]);
                changes += 1;
            }
        }
        moments.extend(regular.iter().step_by(7));
        for (moment, date) in moments.iter().zip(dates(name, &moments)) {
            assert_eq!(rfc5322(*moment, &zone), date, "{name} at {moment}");
        }
    }
    println!("{} zones, {changes} changes of their clocks", names.len());
    assert!(changes > 10_000);
}

/// The first moment that has the offset of `after`.
fn change(zone: &Zone, before: u64, after: u64) -> u64 {
    let offset = zone.offset_seconds(before);
    let (mut before, mut after) = (before, after);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if zone.offset_seconds(middle) == offset { before = middle } else { after = middle }
    }
    after
}

#[test]
fn what_names_no_zone_is_told() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("text"), "no zone").unwrap();
    fs::write(directory.path().join("damaged"), &fs::read("/usr/share/zoneinfo/Europe/Berlin").unwrap()[..500])
        .unwrap();
    fs::copy("/usr/share/zoneinfo/Asia/Tokyo", directory.path().join("here")).unwrap();
    fs::create_dir(directory.path().join("below")).unwrap();
    let of = |name: &str| {
        let pairs = [("TZ", name), ("TZDIR", directory.path().to_str().unwrap())];
        Zone::of(
            &pairs.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).into_iter().collect(),
        )
    };
    assert_eq!(of("here").unwrap().offset_seconds(0), 9 * 3600);
    assert_eq!([of(""), of(":")], [Ok(Zone::default()), Ok(Zone::default())]);
    for name in
        ["text", "damaged", "below", "missing", "Asia/Tokyo", "below/../here", "../x", " ", "CET", "CET-25", "CET-1,"]
    {
        let told = of(name).expect_err(name).to_string();
        assert_eq!(told, format!("TZ={} names no time zone: dates are UTC", name.escape_default()));
    }
}
