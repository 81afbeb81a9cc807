//! The cdb format beside other implementations, and whatever bytes a file may have.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod support;
#[path = "support/tools.rs"]
mod tools;

use std::{
    fs::{self, File},
    io::Cursor,
    path::Path,
    process::Stdio,
};

use postern::cdb::{
    make::Maker,
    read::{Cdb, CdbError},
};
use proptest::{collection::vec, prelude::*};
use tools::*;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

const STOCK_CDB: &str = "/usr/bin/cdb";

fn made(records: &Pairs) -> Vec<u8> {
    let mut maker = Maker::new(Cursor::new(Vec::new()));
    records.iter().for_each(|(key, value)| maker.add(key, value).unwrap());
    maker.finish().unwrap().into_inner()
}

/// Keys and values of all lengths, keys often equal.
fn pairs() -> impl Strategy<Value = Pairs> {
    let key = prop_oneof![vec(any::<u8>(), 0..6), vec(b'a'..=b'c', 0..3), vec(any::<u8>(), 200..700)];
    let value = prop_oneof![vec(any::<u8>(), 0..6), vec(any::<u8>(), 100..3000)];
    vec((key, value), 0..60)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// What the first record with each key says.
fn first_values(records: &Pairs) -> Vec<(&[u8], &[u8])> {
    let mut firsts: Vec<(&[u8], &[u8])> = Vec::new();
    for (key, value) in records {
        if firsts.iter().all(|(known, _)| known != key) {
            firsts.push((key, value));
        }
    }
    firsts
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn the_cdb_crate_writes_the_same_and_reads_ours(records in pairs()) {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
        fs::write(&ours, made(&records)).unwrap();
        let mut maker = cdb::CDBMake::new(File::create(&theirs).unwrap()).unwrap();
        records.iter().for_each(|(key, value)| maker.add(key, value).unwrap());
        maker.finish().unwrap();
        prop_assert_eq!(fs::read(&ours).unwrap(), fs::read(&theirs).unwrap());

        let our_reader = Cdb::open(&theirs).unwrap();
        for (key, value) in first_values(&records) {
            prop_assert_eq!(our_reader.get(key, 3000).unwrap(), Some(value.to_vec()));
            prop_assert!(our_reader.contains(key).unwrap());
            if !value.is_empty() {
                let short = our_reader.get(key, value.len() - 1);
                prop_assert!(matches!(short, Err(CdbError::TooLong { .. })), "{:?}", short);
            }
        }
        prop_assert!(our_reader.get(b"never a key", 3000).unwrap().is_none());
        let walked: Result<Pairs, _> = our_reader.iter(3000).collect();
        prop_assert_eq!(&walked.unwrap(), &records);

        // The crate refuses an empty cdb, which the format allows.
        if !records.is_empty() {
            let their_reader = cdb::CDB::open(&ours).unwrap();
            for (key, value) in first_values(&records) {
                prop_assert_eq!(their_reader.get(key).unwrap().unwrap(), value);
            }
        }
    }
}

/// tinycdb, if installed: `cdb -c` from a list writes our bytes, and dumps our records.
#[test]
fn tinycdb_agrees() {
    if !Path::new(STOCK_CDB).exists() {
        println!("left out: {STOCK_CDB} is not installed");
        return;
    }
    let mut runner = proptest::test_runner::TestRunner::new(cases(16));
    runner
        .run(&pairs(), |records| {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("ours"), made(&records)).unwrap();
            let mut list = Vec::new();
            for (key, value) in &records {
                list.extend_from_slice(format!("+{},{}:", key.len(), value.len()).as_bytes());
                list.extend([key, b"->".as_slice(), value, b"\n"].concat());
            }
            list.push(b'\n');
            let dump = run_program(Path::new(STOCK_CDB), dir.path(), &["-d", "ours"], &[], Stdio::null());
            prop_assert_eq!(&dump.stdout, &list);
            let create = run_program(Path::new(STOCK_CDB), dir.path(), &["-c", "theirs"], &[], input(&list));
            prop_assert!(create.status.success());
            prop_assert_eq!(fs::read(dir.path().join("ours")).unwrap(), fs::read(dir.path().join("theirs")).unwrap());
            Ok(())
        })
        .unwrap();
}

/// IndiMail's tcprules puts keys with bytes above 127 where only its own hash looks.
#[test]
fn keys_are_found_under_indimails_hash_too() {
    let dir = tempfile::tempdir().unwrap();
    let sign_extended =
        |key: &[u8]| key.iter().fold(5381_u32, |h, octet| h.wrapping_mul(33) ^ (*octet as i8 as i32 as u32));
    let key = b"1.2.\xff";
    let hash = sign_extended(key);
    let mut file = vec![0; 2048];
    let records = [[5, 0, 0, 0, 0, 0, 0, 0].as_slice(), key].concat();
    for table in 0..256 {
        let at = 2048 + records.len() + if table > hash as usize % 256 { 16 } else { 0 };
        let slots = if table == hash as usize % 256 { 2 } else { 0 };
        file[table * 8..table * 8 + 4].copy_from_slice(&(at as u32).to_le_bytes());
        file[table * 8 + 4] = slots;
    }
    file.extend_from_slice(&records);
    let mut slots = [0; 16];
    let slot = hash as usize / 256 % 2 * 8;
    slots[slot..slot + 4].copy_from_slice(&hash.to_le_bytes());
    slots[slot + 4..slot + 8].copy_from_slice(&2048_u32.to_le_bytes());
    file.extend_from_slice(&slots);

    let case = observed("tcprules-observed.json", "tcprules_cases");
    let case = case.iter().find(|case| case["case"] == "highbit-address").unwrap();
    assert_eq!(sha256(&file), text(&case["results"]["indimail_ipv6"]["sha256"]), "not the file that IndiMail makes");
    fs::write(dir.path().join("f"), &file).unwrap();
    let cdb = Cdb::open(&dir.path().join("f")).unwrap();
    assert_eq!(cdb.get(key, 10).unwrap(), Some(Vec::new()));
    assert_eq!(cdb.get(b"1.2.\xfe", 10).unwrap(), None);
}

#[test]
fn the_first_candidate_with_a_record_wins() {
    let dir = tempfile::tempdir().unwrap();
    let records = [("b", "second"), ("c", "third")].map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec()));
    fs::write(dir.path().join("f"), made(&records.to_vec())).unwrap();
    let cdb = Cdb::open(&dir.path().join("f")).unwrap();
    assert_eq!(cdb.first(["a", "c", "b"], 10).unwrap(), Some(("c", b"third".to_vec())));
    assert_eq!(cdb.first(["a", "d"], 10).unwrap(), None);
}

/// A small generator, so that every run damages the same files the same way.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Numbers that positions and lengths break at.
const EDGES: [u32; 10] = [0, 1, 7, 2047, 2048, 0x7fff_ffff, 0x8000_0000, 0xffff_fff7, 0xffff_fff8, 0xffff_ffff];

fn damage(whole: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut file = whole.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(file.len().max(1));
        match dice.below(4) {
            0 => file.truncate(at),
            1 if !file.is_empty() => file[at] ^= 1 << dice.below(8),
            // The fields of a pair are aligned to the header, the records begin there.
            2 => {
                let field = if dice.below(2) == 0 { (at % 2048) & !3 } else { at };
                if let Some(field) = file.get_mut(field..field + 4) {
                    field.copy_from_slice(&EDGES[dice.below(EDGES.len())].to_le_bytes());
                }
            }
            _ => file.extend_from_within(at / 2..at),
        }
    }
    file
}

#[test]
fn no_damage_makes_the_reader_panic_or_find_what_is_not_there() {
    let records: Pairs = (0..40)
        .map(|n: u8| (format!("key number {n:04}").into_bytes(), vec![n; usize::from(n) * 20]))
        .chain([(Vec::new(), b"default".to_vec()), (vec![0xff; 300], b"long".to_vec())])
        .collect();
    let whole = made(&records);
    let absent: Vec<_> =
        (0..40).map(|n| format!("{n} is a key that no file ever had, and a long one").into_bytes()).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let mut dice = Dice(0x5eed);
    let (mut found, mut missed, mut failed) = (0, 0, 0);
    for _ in 0..3000 {
        let file = damage(&whole, &mut dice);
        fs::write(&path, &file).unwrap();
        let cdb = Cdb::open(&path).unwrap();
        for (key, _) in &records {
            match cdb.get(key, 1000) {
                // What is found stands in the file, behind its key.
                Ok(Some(value)) => {
                    let record = [key.as_slice(), &value].concat();
                    assert!(record.is_empty() || file.windows(record.len()).any(|part| part == record));
                    found += 1;
                }
                Ok(None) => missed += 1,
                Err(_) => failed += 1,
            }
        }
        for key in &absent {
            assert!(!matches!(cdb.get(key, 1000), Ok(Some(_))), "{}", key.escape_ascii());
        }
        let mut walk = cdb.iter(1000);
        while let Some(record) = walk.next() {
            if record.is_err() {
                assert!(walk.next().is_none(), "goes on after an error");
            }
        }
    }
    assert!(found > 1000 && missed > 1000 && failed > 1000, "{found} {missed} {failed}");
    println!("3000 damaged files: {found} found, {missed} missed, {failed} errors, no panic");
}

/// A cut file says only what the whole one said, also through tcprulescheck.
#[test]
fn a_cut_file_gives_the_old_answer_or_none() {
    let dir = tempfile::tempdir().unwrap();
    assert!(tcprules(dir.path(), b"192.0.2.1:deny\n192.0.2.:allow,A=\"1\"\n").status.success());
    let path = dir.path().join("rules.cdb");
    let whole = fs::read(&path).unwrap();
    let mut failed = 0;
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        match Cdb::open(&path).unwrap().get(b"192.0.2.1", 10) {
            Ok(value) => assert_eq!(value.as_deref(), Some(b"D\0".as_slice()), "{length}"),
            Err(_) => failed += 1,
        }
    }
    assert!(failed >= 2048);
    for length in (0..whole.len()).step_by(40) {
        fs::write(&path, &whole[..length]).unwrap();
        let output = run(dir.path(), &["tcprulescheck", "rules.cdb"], &[("TCPREMOTEIP", "192.0.2.1")], Stdio::null());
        match output.status.code() {
            Some(0) => assert_eq!(output.stdout, b"rule 192.0.2.1:\ndeny connection\n"),
            exit => assert_eq!((exit, output.stdout.as_slice()), (Some(111), b"".as_slice())),
        }
    }
}

/// A file cut while it is open is an error, not a signal.
#[test]
fn a_file_cut_while_open_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, made(&vec![(b"k".to_vec(), b"v".to_vec())])).unwrap();
    let cdb = Cdb::open(&path).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(2050).unwrap();
    assert!(matches!(cdb.get(b"k", 10), Err(CdbError::Damaged)));
    assert!(matches!(cdb.iter(10).next(), Some(Err(CdbError::Damaged))));
}
