//! Replays what was observed of the file recipients.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use postern::cdb::make::Maker;
use postern::control::{CheckRecipient, Setup};
use postern::lookup::Lookups;
use postern::policy::verdict::{Answer, LookupFailed, Question, Unfit};

use super::{Replay, plain};

/// What the observed list was compiled of.
const USERS: [&str; 5] =
    [":joe@a.example", ":list-@a.example", ":ann@sub.b.example", ":bob@b.example", ":root@localhost"];
const PROGRAM: &str =
    "#!/bin/sh\nread -r asked <&3\ncase $asked in ok@*) exit 0 ;; tmp@*) exit 111 ;; *) exit 1 ;; esac\n";

/// A working directory with the control directory and all that the lines name.
fn home(recipients: Option<&str>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("control")).unwrap();
    fs::create_dir(at("users")).unwrap();
    fs::write(at("control/me"), "mx.test\n").unwrap();
    fs::write(at("users/bad.cdb"), "xx").unwrap();
    fs::write(at("pav.sh"), PROGRAM).unwrap();
    fs::set_permissions(at("pav.sh"), Permissions::from_mode(0o755)).unwrap();
    let mut maker = Maker::new(File::create(at("users/r.cdb")).unwrap());
    USERS.iter().for_each(|key| maker.add(key.as_bytes(), b"").unwrap());
    maker.finish().unwrap();
    if let Some(text) = recipients {
        fs::write(at("control/recipients"), text).unwrap();
    }
    dir
}

fn setup(home: &Path) -> Setup {
    Setup::load([(b"PATH".to_vec(), b"/usr/bin:/bin".to_vec())].into_iter().collect(), &home.join("control"), None)
        .unwrap()
}

pub(super) fn recipients(replay: &mut Replay, number: usize, entry: &Value) {
    let home = home(entry["recipients"].as_str());
    let setup = setup(home.path());
    let mut lookups = Lookups::without_dns(&setup);
    for (address, original) in entry["results"].as_object().unwrap() {
        let question = Question::Mailbox { recipient: address.as_bytes(), check: CheckRecipient::Recipients };
        let original = plain(original);
        let ours = match lookups.answer(question) {
            Ok(Answer::Yes(evidence)) => {
                assert_eq!(evidence.file, "recipients");
                // Which kind of line it was does not matter to anybody.
                if original.starts_with("not") { "found in cdb" } else { original }
            }
            Ok(Answer::Unfit(Unfit::Absent)) => "not found",
            Ok(answer) => panic!("{answer:?}"),
            // The original told so too.
            Err(_) if original == "temporary error" => original,
            Err(LookupFailed::Recipients(error)) if error.contains("no control/recipients file") => "no control file",
            Err(_) => "cannot tell",
        };
        replay.compare(&format!("{number}: {address}"), original, ours);
    }
}
