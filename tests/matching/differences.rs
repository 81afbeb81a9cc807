//! The answers that differ from the original's on purpose.

/// An answer that is not the original's, and why.
pub struct Difference {
    pub group: &'static str,
    pub case: &'static str,
    pub original: &'static str,
    pub ours: &'static str,
    pub why: &'static str,
}

const fn differs(
    group: &'static str,
    case: &'static str,
    [original, ours]: [&'static str; 2],
    why: &'static str,
) -> Difference {
    Difference { group, case, original, ours, why }
}

const SATURATES: &str = "a number out of range becomes the nearest in range instead of wrapping around";
const SUFFIX: &str = "D02: a value is what follows the key's own colon, and a line needs none";
const BAD_EXPRESSION: &str = "D05: an expression that does not compile matches nothing and is reported";
const COMPILED_DOMAIN: &str = "D30: @domain in a compiled list matches";
const HIGH_OCTETS: &str = "the cdb hash takes octets as unsigned, as the format says";
const CASE: &str = "D18: comparisons ignore case";
const EVERY_LINE: &str = "D63: every line counts, and none silences another";
const CANNOT_TELL: &str = "D76: a source that cannot tell refuses nobody for good, and accepts nobody";
const WITHIN: &str = "D76: a line is about the domain and what is below it, in either case of letters";
const RULES: &str =
    "D73: a blank is no part of a name, a word is no assignment, an empty expression is not about everybody";
const NO_RCPTHOSTS: &str = "D20: without rcpthosts nothing is allowed by it";

pub const DIFFERENCES: &[Difference] = &[
    differs("control_numbers", "4294967297 signed", ["1", "2147483647"], SATURATES),
    differs("control_numbers", "99999999999999999999 signed", ["1661992959", "2147483647"], SATURATES),
    differs(
        "control_numbers",
        "99999999999999999999 unsigned",
        ["7766279631452241919", "18446744073709551615"],
        SATURATES,
    ),
    differs("control_numbers", "2147483648 signed", ["-2147483648", "2147483647"], SATURATES),
    differs("keyed_list_lookup", "0: 192.168.0.1", ["absent", "value "], SUFFIX),
    differs("keyed_list_lookup", "0: 192.168.0.1:", ["value 192.168.1.", "absent"], SUFFIX),
    differs("keyed_list_lookup", "0: 192.168.1.", ["value Z", "value "], SUFFIX),
    differs("keyed_list_lookup", "0: 10.", ["value 192.168.1.", "value "], SUFFIX),
    differs("keyed_list_lookup", "1: 10.", ["absent", "value "], SUFFIX),
    differs("keyed_list_lookup", "2: c", ["absent", "value "], SUFFIX),
    differs("keyed_list_lookup", "2: ", ["value d", "absent"], "D28: an empty key never matches"),
    differs(
        "address_match",
        "a bad regular expression counts as a match: anything@x",
        ["match", "undecided: LIST:1: Invalid regular expression"],
        BAD_EXPRESSION,
    ),
    differs(
        "address_match",
        "a negated bad regular expression counts as no match: anything@x",
        ["no match", "undecided: LIST:1: Invalid regular expression"],
        BAD_EXPRESSION,
    ),
    differs(
        "address_match",
        "cdb only: no @domain and no wildcard lookup: bob@b.example",
        ["no match", "match"],
        COMPILED_DOMAIN,
    ),
    differs(
        "address_match",
        "cdb only: bytes above 127 are never found (signed hash): ü@x.example",
        ["no match", "match"],
        HIGH_OCTETS,
    ),
    differs(
        "rcpthosts",
        "no rcpthosts: everything allowed, the cdb is not consulted: u@anything",
        ["allowed", "no file"],
        NO_RCPTHOSTS,
    ),
    differs("hostaccess", "8", ["accept", "reject"], CASE),
    differs(
        "hostaccess",
        "a later rule with * clears the IP-hit flag, so the rejection is lost",
        ["accept", "reject"],
        EVERY_LINE,
    ),
    differs("hostaccess", "a later *:ip rule clears the domain-hit flag", ["accept", "reject"], EVERY_LINE),
    differs("hostaccess", "a line without colon disables every later rule", ["accept", "reject"], EVERY_LINE),
    differs(
        "hostaccess",
        "IPv6 client against a range rule",
        ["memory-safety error: stack-buffer-overflow", "accept"],
        "an IPv6 address is none of a range of IPv4 addresses",
    ),
    differs(
        "hostaccess",
        "short dotted form is an address to inet_addr, so only the same text matches",
        ["reject", "undecided"],
        "D63: a line that cannot be read refuses nobody for good",
    ),
    differs("recipients", "2: joe@a.example", ["not found", "found in cdb"], WITHIN),
    differs("recipients", "3: bob@b.example", ["not found", "found in cdb"], WITHIN),
    differs(
        "recipients",
        "8: nobody@a.example",
        ["found in cdb", "not found"],
        "D76: an address of a mailing list makes nobody else known",
    ),
    differs(
        "recipients",
        "8: nobody@q.example",
        ["found in cdb", "not found"],
        "D76: an address of a mailing list makes nobody else known",
    ),
    differs("recipients", "9: joe@a.example", ["not found", "cannot tell"], CANNOT_TELL),
    differs("recipients", "10: joe@a.example", ["found in cdb", "cannot tell"], CANNOT_TELL),
    differs("recipients", "12: ok@x.example", ["not found", "cannot tell"], CANNOT_TELL),
    differs("recipients", "15: joe@a.example", ["not found", "cannot tell"], CANNOT_TELL),
    differs("accesslist", "9: 0", ["deny", "allow"], CASE),
    differs("accesslist", "11: 1", ["allow", "deny"], "D64: a line stays as it is, whomever it let through"),
    differs("accesslist", "12: 1", ["allow", "deny"], "D64: a line stays as it is, whomever it let through"),
    differs("envrules", "1: JOE@a.example", ["0 A=orig B=orig S4=orig", "1 A=1 B=two S4=orig"], CASE),
    differs(
        "envrules",
        "5: w@sp.example",
        ["7 A=orig B=orig S1=1 S2=2 S3 =3 S4=orig", "7 A=orig B=orig S1=1 S2=2 S3 =3"],
        RULES,
    ),
    differs("envrules", "6: q@q.example", ["8 A=orig B=orig NOEQ S4=orig", "8 A=orig B=orig S4=orig"], RULES),
    differs("envrules", "9: none@none", ["5 A=orig B=orig N=null S4=orig", "0 A=orig B=orig S4=orig"], RULES),
    differs("envrules", "11: joe@a.example", ["5 A=1 B=two N=null S4=orig", "1 A=1 B=two S4=orig"], RULES),
    differs("envrules", "12: u@b.example", ["5 A=orig B=orig N=null S4=orig", "0 A=orig B=orig S4=orig"], RULES),
    differs(
        "domainqueue",
        "1: YAHOO.example",
        ["0 A=orig B=orig S4=orig", "1 A=orig B=orig QUEUEDIR=/q/queue6 S4=orig"],
        CASE,
    ),
];
