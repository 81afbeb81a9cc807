//! Versions and cipher suites: what there is, under OpenSSL's names, and what `tlsservermethod` and the lists choose.

use rustls::crypto::ring::ALL_CIPHER_SUITES;
use rustls::{CipherSuite, ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion, version};

/// A cipher suite under the name that OpenSSL, and so every log and list, gives it.
struct Suite {
    id: CipherSuite,
    name: &'static str,
    bits: u16,
}

const SUITES: &[Suite] = &[
    Suite { id: CipherSuite::TLS13_AES_256_GCM_SHA384, name: "TLS_AES_256_GCM_SHA384", bits: 256 },
    Suite { id: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, name: "TLS_CHACHA20_POLY1305_SHA256", bits: 256 },
    Suite { id: CipherSuite::TLS13_AES_128_GCM_SHA256, name: "TLS_AES_128_GCM_SHA256", bits: 128 },
    Suite {
        id: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        bits: 256,
    },
    Suite {
        id: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        bits: 128,
    },
    Suite {
        id: CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        bits: 256,
    },
    Suite { id: CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, name: "ECDHE-RSA-AES256-GCM-SHA384", bits: 256 },
    Suite { id: CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, name: "ECDHE-RSA-AES128-GCM-SHA256", bits: 128 },
    Suite {
        id: CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        bits: 256,
    },
];

/// What stands for every suite in a list of ciphers.
const ALL: [&str; 3] = ["HIGH", "DEFAULT", "PROFILE=SYSTEM"];

/// The version and suite of a connection as logs and trace headers name them.
pub(super) fn names(
    version: Option<ProtocolVersion>,
    suite: Option<SupportedCipherSuite>,
) -> (&'static str, &'static str, u16) {
    let version = if version == Some(ProtocolVersion::TLSv1_2) { "TLSv1.2" } else { "TLSv1.3" };
    let known = SUITES.iter().find(|known| suite.is_some_and(|suite| suite.suite() == known.id));
    known.map_or((version, "unknown", 0), |known| (version, known.name, known.bits))
}

/// Which versions `tlsservermethod` permits, and a remark about what is read otherwise than it is written.
///
/// A single word is the newest version, `MIN:MAX` a range of which either side may be missing. Versions before 1.2 count
/// as 1.2 (RFC 8996).
///
/// # Errors
///
/// A word that is none, or a range without a version in it.
pub(super) fn versions(text: &[u8]) -> Result<(Vec<&'static SupportedProtocolVersion>, Option<String>), String> {
    let text = String::from_utf8_lossy(text);
    let (least, most) = text.split_once(':').unwrap_or(("", &text));
    let mut raised = false;
    let (least, most) = (number(least.trim(), 2, &mut raised)?, number(most.trim(), 3, &mut raised)?);
    let all = [(3, &version::TLS13), (2, &version::TLS12)];
    let permitted: Vec<_> =
        all.into_iter().filter(|(number, _)| (least..=most).contains(number)).map(|(_, version)| version).collect();
    if permitted.is_empty() {
        return Err(format!("`{text}` permits no version"));
    }
    let remark = raised.then(|| format!("tlsservermethod `{text}`: versions before TLSv1_2 count as TLSv1_2"));
    Ok((permitted, remark))
}

/// The minor version of a word; `raised` becomes true for one that is too old.
fn number(word: &str, otherwise: u8, raised: &mut bool) -> Result<u8, String> {
    match word {
        "" | "SSLv23" => Ok(otherwise),
        "TLSv1_3" => Ok(3),
        "TLSv1_2" => Ok(2),
        "TLSv1_1" | "TLSv1" | "SSLv3" => {
            *raised = true;
            Ok(2)
        }
        _ => Err(format!("`{word}` is no version: write TLSv1_2 or TLSv1_3")),
    }
}

/// The suites of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// TLS 1.2: `servercipherlist`.
    Tls12,
    /// TLS 1.3: `serverciphersuite`.
    Tls13,
}

/// What a list of ciphers chooses, in its order; without a list all of that version. `unknown` gets the words that name
/// nothing here.
pub(super) fn chosen(list: Option<&[u8]>, of: Of, unknown: &mut Vec<String>) -> Vec<SupportedCipherSuite> {
    let all = || ALL_CIPHER_SUITES.iter().copied().filter(|suite| is_of(*suite, of));
    let Some(list) = list else { return all().collect() };
    let mut chosen: Vec<SupportedCipherSuite> = Vec::new();
    let list = String::from_utf8_lossy(list);
    for word in list.split([':', ',', ' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
        let (bare, takes_away) = word.strip_prefix(['!', '-']).map_or((word, false), |bare| (bare, true));
        if ALL.contains(&bare) && !takes_away {
            let more: Vec<_> = all().filter(|suite| !chosen.contains(suite)).collect();
            chosen.extend(more);
            continue;
        }
        let named = SUITES.iter().find(|known| known.name.eq_ignore_ascii_case(bare));
        match named.and_then(|known| all().find(|suite| suite.suite() == known.id)) {
            Some(suite) if takes_away => chosen.retain(|other| *other != suite),
            Some(suite) if !chosen.contains(&suite) => chosen.push(suite),
            Some(_) => {}
            None => unknown.push(word.to_owned()),
        }
    }
    chosen
}

fn is_of(suite: SupportedCipherSuite, of: Of) -> bool {
    (suite.tls13().is_some()) == (of == Of::Tls13)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_word_is_the_newest_version_and_a_colon_makes_a_range() {
        let permitted = |text: &str| -> Result<(Vec<ProtocolVersion>, bool), String> {
            versions(text.as_bytes())
                .map(|(versions, remark)| (versions.iter().map(|version| version.version).collect(), remark.is_some()))
        };
        use ProtocolVersion::{TLSv1_2, TLSv1_3};
        for (text, expected, remarked) in [
            ("", vec![TLSv1_3, TLSv1_2], false),
            ("TLSv1_3", vec![TLSv1_3, TLSv1_2], false),
            ("TLSv1_2", vec![TLSv1_2], false),
            ("TLSv1", vec![TLSv1_2], true),
            ("SSLv23", vec![TLSv1_3, TLSv1_2], false),
            ("TLSv1_3:", vec![TLSv1_3], false),
            (":TLSv1_2", vec![TLSv1_2], false),
            ("TLSv1_1:TLSv1_3", vec![TLSv1_3, TLSv1_2], true),
            ("TLSv1_3:TLSv1_3", vec![TLSv1_3], false),
        ] {
            assert_eq!(permitted(text), Ok((expected, remarked)), "{text}");
        }
        assert_eq!(permitted("TLSv1.2").unwrap_err(), "`TLSv1.2` is no version: write TLSv1_2 or TLSv1_3");
        assert_eq!(permitted("TLSv1_3:TLSv1_2").unwrap_err(), "`TLSv1_3:TLSv1_2` permits no version");
    }

    #[test]
    fn lists_of_ciphers_choose_by_openssl_names_in_their_order() {
        let named = |list: Option<&str>, of: Of| {
            let mut unknown = Vec::new();
            let chosen = chosen(list.map(str::as_bytes), of, &mut unknown);
            let names: Vec<_> = chosen.into_iter().map(|suite| names(None, Some(suite)).1).collect();
            (names, unknown)
        };
        assert_eq!(named(None, Of::Tls13).0.len() + named(None, Of::Tls12).0.len(), SUITES.len());
        assert_eq!(named(Some("HIGH"), Of::Tls12).0, named(None, Of::Tls12).0);
        let (chosen, unknown) =
            named(Some("ECDHE-RSA-CHACHA20-POLY1305:AES128-SHA:ecdhe-rsa-aes128-gcm-sha256"), Of::Tls12);
        assert_eq!(chosen, ["ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256"]);
        assert_eq!(unknown, ["AES128-SHA"]);
        let (chosen, unknown) = named(Some("DEFAULT:!TLS_AES_128_GCM_SHA256\n!aNULL"), Of::Tls13);
        assert_eq!((chosen.len(), chosen.contains(&"TLS_AES_128_GCM_SHA256")), (2, false));
        assert_eq!(unknown, ["!aNULL"]);
        // A suite of the other version is none here.
        assert_eq!(
            named(Some("TLS_AES_128_GCM_SHA256"), Of::Tls12),
            (vec![], vec!["TLS_AES_128_GCM_SHA256".to_owned()])
        );
    }
}
