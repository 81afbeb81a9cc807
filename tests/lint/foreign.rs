//! What a control directory and rules have of other smtpds, and of names that are nearly ours.

use std::process::Command;

use crate::support::program;
use crate::{check, home, rules};

#[test]
fn what_another_smtpd_reads_is_not_lost_in_silence() {
    let home = home(&[("badmailto", "old@ours.test\n"), ("morercpthosts", "more.test\n"), ("blacklists", "-r x\n")]);
    let of_files = [
        "warning: badmailto: is not read: write its lines into badrcptto",
        "warning: morercpthosts: is not read: only morercpthosts.cdb counts: make it with `qmail-cdb morercpthosts`",
    ];
    check(&home, &[], 1, &of_files);
    let rule = "10.:allow\n:allow,CHKUSER_START=\"ALWAYS\",CHKUSER_RCPTLIMIT=\"50\",BADMIMETYPE=\"\",DKSIGN=\"x\"\n";
    let cdb = rules(&home, rule);
    let recipients = format!("warning: {cdb}: rule ``: CHKUSER_START does nothing here: CHECKRECIPIENT looks whether");
    let types = format!("warning: {cdb}: rule ``: BADMIMETYPE does nothing here: VIRUSCHECK and the list signatures");
    check(&home, &["--rules", &cdb], 1, &[of_files[0], of_files[1], &recipients, &types]);
}

#[test]
fn a_compiled_morercpthosts_may_keep_its_text() {
    let home = home(&[("morercpthosts", "more.test\n")]);
    let mut command = Command::new(program("qmail-cdb"));
    assert!(command.arg("morercpthosts").env("CONTROLDIR", home.control()).status().unwrap().success());
    check(&home, &[], 0, &[]);
}

#[test]
fn variables_that_are_nearly_ours() {
    let home = home(&[]);
    for (name, meant) in [
        ("FORCETLS", "FORCE_TLS"),
        ("REQUIRE_AUTH", "REQUIREAUTH"),
        ("MAXRECIPIENT", "MAXRECIPIENTS"),
        ("BADMAILFROMPATTERNS", "BADMAILPATTERNS"),
    ] {
        let text = format!("warning: {name}: does nothing here: the variable is {meant}");
        check(&home, &["--env", &format!("{name}=1")], 1, &[&text]);
    }
    check(&home, &["--env", "DKSIGN=x", "--env", "PATH=/bin", "--env", "LOGNAME=joe", "--env", "S="], 0, &[]);
}
