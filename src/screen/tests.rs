//! What is found, and that no cut of the text makes a difference.

use proptest::prelude::*;

use super::*;
use crate::screen::rules::{List, Lists};

/// What is refused of a text that comes in pieces of such lengths: file, line and description.
fn found(signatures: &str, bodycheck: &str, text: &[u8], cuts: &[usize]) -> Option<String> {
    found_with_place(signatures, bodycheck, text, cuts).map(|(found, _)| found)
}

/// The same, and the line of the text.
fn found_with_place(signatures: &str, bodycheck: &str, text: &[u8], cuts: &[usize]) -> Option<(String, usize)> {
    let list = |file: &'static str, text: &str| Some(List { file: file.into(), text: Some(text.into()) });
    let lists = Lists { signatures: list("signatures", signatures), bodycheck: list("bodycheck", bodycheck) };
    let mut screening = Screening::new(Rules::of(&lists).unwrap().unwrap());
    let mut rest = text;
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at((*cut).clamp(1, rest.len()));
        screening.take(piece);
        rest = behind;
    }
    screening.end();
    let (banned, at) = (screening.found()?, usize::try_from(screening.found_at()?).unwrap());
    let line = 1 + text[..at].iter().filter(|octet| **octet == b'\n').count();
    Some((format!("{} {}", banned.evidence, String::from_utf8_lossy(&banned.description)), line))
}

const SIGNATURES: &str = "TVqQAA:a program\nSubject\\: bad:bad subject:-header\nPK:zip:-body\n";
const BODYCHECK: &str = "cheap +pills:pills\n^from\\:.*evil:evil:-header\nonly[0-9]+:number:-body\n";

#[test]
fn content_is_found_where_it_is_looked_for() {
    let parts = "Content-Type: multipart/mixed;\n boundary=b\n\npre\n--b\nA: b\n\n";
    let table: [(String, Option<&str>); 14] = [
        ("Subject: x\n\nTVqQAAMAAA\n".into(), Some("signatures:1 a program")),
        ("Subject: x\n\nTVqQAA\n".into(), None), // No longer than the signature.
        ("Subject: x\n\nhi\nTVqQAAMAAA\n".into(), None),
        (format!("{parts}TVqQAAMAAA\n"), Some("signatures:1 a program")),
        (format!("{parts}hi\n--b\n\nPKxx\n--b--\n"), Some("signatures:3 zip")),
        ("Subject: bad thing\n\nhi\n".into(), Some("signatures:2 bad subject")),
        ("Subject: x\n\nCheap   PILLS\n".into(), Some("bodycheck:1 pills")),
        ("Subject: cheap\n pills\n\nhi\n".into(), Some("bodycheck:1 pills")),
        (format!("A: {0}\n {0}\n cheap pills\n\nhi\n", "x".repeat(900)), Some("bodycheck:1 pills")),
        ("From: an EVIL one\n\nhi\n".into(), Some("bodycheck:2 evil")),
        ("A: b\n\nfrom: evil\n".into(), None),
        ("A: only7\n\ntext\nonly7\n".into(), Some("bodycheck:3 number")),
        (format!("A: b\n\n{}cheap pills\n", "x".repeat(LINE_OCTETS_MAX)), None),
        (format!("A: b\n\nhi\n{}cheap pills\n", "x".repeat(LINE_OCTETS_MAX)), None),
    ];
    for (text, expected) in table {
        for cuts in [[usize::MAX], [1], [7]] {
            assert_eq!(found(SIGNATURES, BODYCHECK, text.as_bytes(), &cuts).as_deref(), expected, "{text} by {cuts:?}");
        }
    }
}

#[test]
fn an_earlier_line_is_told_whatever_the_order_of_the_rules() {
    let text = b"A: b\n\ntext\nsecond\nfirst\n";
    assert_eq!(found("", "first:1\nsecond:2\n", text, &[usize::MAX]).as_deref(), Some("bodycheck:2 2"));
    assert_eq!(found("", "nd:1\nse.*:2\n", text, &[usize::MAX]).as_deref(), Some("bodycheck:1 1"));
}

#[test]
fn the_line_is_told_where_it_begins() {
    let table = [
        ("A: b\n\ntext\ncheap pills\n", 4),
        ("A: b\nC: cheap\n pills\nD: e\n\n", 2),
        ("A: b\nFrom: evil", 2),
        ("A: b\n\nTVqQAAMAAA\n", 3),
    ];
    for (text, line) in table {
        let found = found_with_place(SIGNATURES, BODYCHECK, text.as_bytes(), &[usize::MAX]);
        assert_eq!(found.map(|(_, line)| line), Some(line), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn no_cut_makes_a_difference(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "\n", "\n\n", "--b\n", "--b--\n", "Content-Type: multipart/x; boundary=b\n", "Content-Type: message/rfc822\n",
                "Hi. This is the x\n", "--- x\n", "TVqQAAM", "PKx\n", "cheap", " pills", "\nonly1", " ", "x", "Subject: bad",
            ]),
            0..24,
        ),
        cuts in prop::collection::vec(1usize..40, 1..6),
    ) {
        let text = pieces.concat();
        let whole = found_with_place(SIGNATURES, BODYCHECK, text.as_bytes(), &[usize::MAX]);
        prop_assert_eq!(found_with_place(SIGNATURES, BODYCHECK, text.as_bytes(), &cuts), whole.clone());
        prop_assert_eq!(found_with_place(SIGNATURES, BODYCHECK, text.as_bytes(), &[1]), whole);
    }
}
