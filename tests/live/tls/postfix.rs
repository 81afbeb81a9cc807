//! Debian's postfix relays through us: STARTTLS and TLS from the first octet, our certificate verified, with a password.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::geteuid;

use super::{PASSWORD, Site, USER, run};

/// How long it may take to start, to send and to log.
const PATIENCE: Duration = Duration::from_secs(60);

/// A postfix of its own: nothing of the machine's configuration is read or written.
struct Postfix {
    directory: PathBuf,
}

impl Postfix {
    fn start(site: &Site) -> Postfix {
        let directory = site.home.path().join("postfix");
        for part in ["", "data", "spool"] {
            fs::create_dir(directory.join(part)).unwrap();
            fs::set_permissions(directory.join(part), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(site.home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let [ours, implicit] =
            [&site.submission, &site.submissions].map(|server| format!("[localhost]:{}", server.port));
        fs::write(directory.join("main.cf"), main_cf(&directory, &site.authority(), &ours, &implicit)).unwrap();
        fs::write(directory.join("master.cf"), MASTER_CF).unwrap();
        let passwords = format!("{ours} {USER}:{PASSWORD}\n{implicit} {USER}:{PASSWORD}\n");
        fs::write(directory.join("passwords"), passwords).unwrap();
        let (code, said) = run("chown", &["postfix", directory.join("data").to_str().unwrap()]);
        assert_eq!(code, 0, "{said}");
        let postfix = Postfix { directory };
        let (code, said) = run("/usr/sbin/postfix", &["-c", postfix.configuration(), "start"]);
        assert_eq!(code, 0, "{said}{}", postfix.log());
        postfix
    }

    fn configuration(&self) -> &str {
        self.directory.to_str().unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn send(&self, recipient: &str) {
        let (code, said) = run(
            "sh",
            &[
                "-c",
                "exec /usr/sbin/sendmail -C \"$0\" -f \"$1\" \"$2\" <\"$0/../message\"",
                self.configuration(),
                USER,
                recipient,
            ],
        );
        assert_eq!(code, 0, "{said}{}", self.log());
    }

    /// Waits until it has delivered to this recipient.
    fn wait_until_sent(&self, recipient: &str, port: u16) {
        let begin = format!("to=<{recipient}>, relay=localhost[127.0.0.1]:{port}, ");
        let is_it = |line: &str| line.contains(&begin) && line.contains("status=sent (250 ok ");
        let deadline = Instant::now() + PATIENCE;
        while !self.log().lines().any(is_it) {
            assert!(Instant::now() < deadline, "{begin:?} is not in its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = run("/usr/sbin/postfix", &["-c", self.configuration(), "stop"]);
    }
}

fn main_cf(directory: &Path, authority: &str, ours: &str, implicit: &str) -> String {
    let directory = directory.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {directory}/spool
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
myhostname = client.example
mydestination =
alias_maps =
alias_database =
inet_protocols = ipv4
smtp_host_lookup = native
default_transport = smtp:{ours}
transport_maps = inline:{{implicit.example=smtps:{implicit}}}
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:{directory}/passwords
smtp_sasl_security_options = noanonymous, noplaintext
smtp_sasl_tls_security_options = noanonymous
smtp_tls_security_level = secure
smtp_tls_secure_cert_match = hostname
smtp_tls_CAfile = {authority}
smtp_tls_loglevel = 1
"
    )
}

const MASTER_CF: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
smtps unix - - n - - smtp -o smtp_tls_wrappermode=yes
postlog unix-dgram n - n - 1 postlogd
";

#[test]
fn postfix_relays_with_a_password_over_verified_tls() {
    if !geteuid().is_root() || !Path::new("/usr/sbin/postfix").exists() {
        println!("left out: it needs postfix, which starts for root only");
        return;
    }
    let site = Site::start();
    let postfix = Postfix::start(&site);
    for (count, (recipient, server)) in
        [("you@far.example", &site.submission), ("you@implicit.example", &site.submissions)].into_iter().enumerate()
    {
        postfix.send(recipient);
        postfix.wait_until_sent(recipient, server.port);
        let verified = "Verified TLS connection established to localhost[127.0.0.1]";
        assert_eq!(postfix.log().matches(verified).count(), count + 1, "{}", postfix.log());
        server.wait_for_log(" AUTH USER [joe@our.example] status=[0] AUTH ");
        let deliveries = site.home.deliveries();
        assert_eq!(deliveries.len(), count + 1, "{}", postfix.log());
        assert_eq!(deliveries[count].envelope_items(), [format!("F{USER}"), format!("T{recipient}")]);
        let trace = String::from_utf8(deliveries[count].trace_and_content().0).unwrap();
        assert!(trace.contains("(HELO client.example) (joe@our.example@127.0.0.1)\n"), "{trace}");
        assert!(trace.contains(" with ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384 bits=256); "), "{trace}");
    }
    let log = postfix.log();
    let of_client = |line: &&str| line.contains("postfix/smtp[");
    assert!(!log.lines().filter(of_client).any(|line| line.contains("warning:")), "{log}");
    assert!(!log.contains("status=deferred"), "{log}");
}
