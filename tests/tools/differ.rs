//! Which rule files our tcprules treats otherwise than the classic tool, and how.

/// What we do with a rule file instead of what the classic tool does.
pub enum Instead {
    /// The same cdb, and a warning with these words.
    Warn(&'static str),
    /// Exit 100, the old cdb stays; the second line has these words.
    Refuse(&'static str),
    /// Exit 0 with these records.
    Store(&'static [(&'static str, &'static str)]),
    /// Exit 0 with as many records, the first and last with these keys.
    Expand(usize, &'static str, &'static str),
    /// Likewise with a warning.
    ExpandAndWarn(usize, &'static str, &'static str),
}
use Instead::{Expand, ExpandAndWarn, Refuse, Store, Warn};

/// D37 and D41: every rule file that we treat otherwise than the classic tool, why, and how.
pub const RULES_DIFFER: &[(&str, &str, Instead)] = &[
    // A line without a colon is taken with a warning.
    ("indented-comment", "no colon", Warn("standard input:1: a line without a colon is ignored")),
    ("no-colon-line", "no colon", Warn("standard input:1: a line without a colon is ignored")),
    ("no-colon-deny-typo", "no colon", Warn("begin a comment with #: 1.2.3.4 deny\n")),
    ("cr-only-line", "no colon", Warn("begin a comment with #: ?\n")),
    // Rules that match nobody, or set a variable that nobody reads, are taken with a warning.
    ("leading-space", "matches nobody", Warn("no client ever matches \" 1.2.3.4\"")),
    ("space-before-colon", "matches nobody", Warn("no client ever matches \"1.2.3.4 \"")),
    ("nul-in-address", "matches nobody", Warn("no client ever matches \"1.2?.3.4\"")),
    ("highbit-address", "matches nobody", Warn("no client ever matches \"1.2.?\"")),
    ("bom-first", "matches nobody", Warn("no client ever matches")),
    ("empty-varname", "odd name", Warn("the variable is called \"\"")),
    ("varname-with-space", "odd name", Warn("the variable is called \"A B\"")),
    ("space-after-comma", "odd name", Warn("the variable is called \" A\"")),
    ("tab-inside", "odd name", Warn("the variable is called \"?A\"")),
    ("var-empty-middle", "odd name", Warn("the variable is called \",A\"")),
    // Ranges and networks that are none are refused.
    ("range-descending", "names nobody", Refuse("the range 9 to 7 in \"1.2.3.9-7\" is empty")),
    ("range-both-over-255", "names nobody", Refuse("the range 260 to 300 in \"1.2.3.260-300\" is empty")),
    ("range-open-high", "names nobody", Refuse("the range 4 to 0 in \"1.2.3.4-\" is empty")),
    // D41: networks become plain keys; malformed ones, which were keys that nobody asks for, are refused.
    ("ipv4-cidr-8", "network", Store(&[("10.", "")])),
    ("ipv4-cidr-24", "network", Store(&[("192.0.2.", "+A=1\0")])),
    ("ipv4-cidr-32", "network", Store(&[("192.0.2.1", "")])),
    ("ipv4-cidr-25", "network", Expand(128, "192.0.2.128", "192.0.2.255")),
    ("ipv4-cidr-0", "network", ExpandAndWarn(256, "0.", "255.")),
    ("ipv4-cidr-33", "malformed network", Refuse("the prefix length must be a number from 0 to 32")),
    ("ipv4-cidr-short", "malformed network", Refuse("fewer than four octets; did you mean 127.0.0.0/8?")),
    ("ipv4-cidr-dot", "malformed network", Refuse("an octet is missing")),
    ("ipv4-cidr-octet-300", "malformed network", Refuse("an octet above 255 (300)")),
    ("user-at-cidr", "too many keys", Refuse("more than 4096 keys")),
    ("range-two-dashes", "malformed ranges", Refuse("did you mean 1-2.3-4.*.*?")),
    (
        "ipv6-cidr-48",
        "network",
        Store(&[
            ("2001:db8:0:", "D\0"),
            ("2001:0db8:0000:", "D\0"),
            ("2001:0DB8:0000:", "D\0"),
            ("^00`000000000000a0000bc0de0fgh0000000000000000000", "D\0"),
            ("2001:db8::", "D\0"),
        ]),
    ),
    (
        "ipv6-cidr-128",
        "network",
        Store(&[
            ("2001:db8::1", ""),
            ("2001:0db8:0000:0000:0000:0000:0000:0001", ""),
            ("2001:0DB8:0000:0000:0000:0000:0000:0001", ""),
        ]),
    ),
    // !NAME removes a variable, as in IndiMail.
    ("unset-only", "IndiMail's !NAME", Store(&[("127.", "-GREYIP\0")])),
    ("unset-then-set", "IndiMail's !NAME", Store(&[("127.", "-A\0+B=1\0")])),
    ("set-then-unset", "IndiMail's !NAME", Store(&[("127.", "+A=1\0-B\0")])),
    ("unset-two", "IndiMail's !NAME", Store(&[("127.", "-A\0-B\0")])),
    ("unset-one-letter", "IndiMail's !NAME", Store(&[("127.", "-A\0")])),
    ("unset-bang-in-name", "IndiMail's !NAME", Store(&[("127.", "-A\0-B\0+C=1\0")])),
    // IPv6 addresses are stored in every form that some tcpserver asks for.
    ("ipv6-loopback", "IPv6", Store(&[("::1", ""), ("0000:0000:0000:0000:0000:0000:0000:0001", "")])),
    (
        "ipv6-full",
        "IPv6",
        Store(&[
            ("2001:db8::1", ""),
            ("2001:0db8:0000:0000:0000:0000:0000:0001", ""),
            ("2001:0DB8:0000:0000:0000:0000:0000:0001", ""),
        ]),
    ),
    (
        "ipv6-compact",
        "IPv6",
        Store(&[
            ("2001:db8::1", "+A=1\0"),
            ("2001:0db8:0000:0000:0000:0000:0000:0001", "+A=1\0"),
            ("2001:0DB8:0000:0000:0000:0000:0000:0001", "+A=1\0"),
        ]),
    ),
    (
        "ipv6-upper",
        "IPv6",
        Store(&[
            ("2001:db8::a", ""),
            ("2001:0db8:0000:0000:0000:0000:0000:000a", ""),
            ("2001:0DB8:0000:0000:0000:0000:0000:000A", ""),
        ]),
    ),
    (
        "ipv6-deny",
        "IPv6",
        Store(&[
            ("2001:db8::bad", "D\0"),
            ("2001:0db8:0000:0000:0000:0000:0000:0bad", "D\0"),
            ("2001:0DB8:0000:0000:0000:0000:0000:0BAD", "D\0"),
        ]),
    ),
    (
        "ipv6-ending-a",
        "IPv6",
        Store(&[
            ("2001:db8::a", ""),
            ("2001:0db8:0000:0000:0000:0000:0000:000a", ""),
            ("2001:0DB8:0000:0000:0000:0000:0000:000A", ""),
        ]),
    ),
    (
        "ipv6-prefix-colon",
        "IPv6",
        Store(&[("2001:db8:", ""), ("2001:0db8:", ""), ("2001:0DB8:", ""), ("^00`000000000000a0000bc0de0fgh000", "")]),
    ),
    (
        "ipv6-mapped",
        "IPv6",
        Store(&[
            ("::ffff:192.0.2.1", ""),
            ("0000:0000:0000:0000:0000:ffff:c000:0201", ""),
            ("0000:0000:0000:0000:0000:FFFF:C000:0201", ""),
        ]),
    ),
    (
        "ipv6-user",
        "IPv6",
        Store(&[
            ("joe@2001:db8::1", ""),
            ("joe@2001:0db8:0000:0000:0000:0000:0000:0001", ""),
            ("joe@2001:0DB8:0000:0000:0000:0000:0000:0001", ""),
        ]),
    ),
    (
        "indimail-doc-mapped",
        "IPv6, as IndiMail's guide writes it",
        Store(&[
            ("127.0.0.", "+RELAYCLIENT=\0"),
            ("::ffff:127.0.0.", "+RELAYCLIENT=\0"),
            ("::1", "+RELAYCLIENT=\0"),
            ("0000:0000:0000:0000:0000:0000:0000:0001", "+RELAYCLIENT=\0"),
        ]),
    ),
    (
        "vpopmail-long-ipv6",
        "IPv6: one such row no longer stops the rebuild",
        Store(&[
            ("127.", "+RELAYCLIENT=\0"),
            ("2001:db8:1111:2222:3333:4444:5555:6666", "+RELAYCLIENT=\0+RBLSMTPD=\0"),
            ("2001:0db8:1111:2222:3333:4444:5555:6666", "+RELAYCLIENT=\0+RBLSMTPD=\0"),
            ("2001:0DB8:1111:2222:3333:4444:5555:6666", "+RELAYCLIENT=\0+RBLSMTPD=\0"),
        ]),
    ),
];
