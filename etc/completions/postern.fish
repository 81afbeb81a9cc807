# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_postern_global_optspecs
    string join \n h/help V/version
end

function __fish_postern_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_postern_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_postern_using_subcommand
    set -l cmd (__fish_postern_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c postern -n "__fish_postern_needs_command" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_needs_command" -s V -l version -d 'Print version'
complete -c postern -n "__fish_postern_needs_command" -f -a "settings" -d 'Show every control file and variable that smtpd knows'
complete -c postern -n "__fish_postern_needs_command" -f -a "explain" -d 'Tell what smtpd would decide about a client, a sender, recipients and a message, and why'
complete -c postern -n "__fish_postern_needs_command" -f -a "shadow" -d 'Judge situations, or lines of smtpd\'s log, by two control directories and tell where the verdicts differ'
complete -c postern -n "__fish_postern_needs_command" -f -a "match" -d 'Tell whether a pattern, as in relayclients, matches an address or a name'
complete -c postern -n "__fish_postern_needs_command" -f -a "lint" -d 'Find mistakes in a control directory'
complete -c postern -n "__fish_postern_needs_command" -f -a "selftest" -d 'Play every open-relay probe through the live configuration'
complete -c postern -n "__fish_postern_needs_command" -f -a "convert" -d 'Say in our control files what the configuration of another mail system says about relaying'
complete -c postern -n "__fish_postern_needs_command" -f -a "passwd" -d 'Add, remove and list the users of auth-cdb'
complete -c postern -n "__fish_postern_needs_command" -f -a "ticket-keys" -d 'Make the keys of session tickets, or rotate them'
complete -c postern -n "__fish_postern_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c postern -n "__fish_postern_needs_command" -f -a "generate" -d 'Write man pages, completions and control/README below a directory'
complete -c postern -n "__fish_postern_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand settings" -l control -d 'The control directory [default: as smtpd finds it: CONTROLDIR, SYSCONFDIR/control, /etc/indimail/control, /var/qmail/control]' -r -F
complete -c postern -n "__fish_postern_using_subcommand settings" -l json -d 'Print JSON'
complete -c postern -n "__fish_postern_using_subcommand settings" -l markdown -d 'Print a Markdown table'
complete -c postern -n "__fish_postern_using_subcommand settings" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand explain" -l control -d 'The control directory [default: as smtpd finds it: CONTROLDIR, SYSCONFDIR/control, /etc/indimail/control, /var/qmail/control]' -r -F
complete -c postern -n "__fish_postern_using_subcommand explain" -l ip -d 'The client\'s address' -r
complete -c postern -n "__fish_postern_using_subcommand explain" -l name -d 'The client\'s name from DNS (TCPREMOTEHOST)' -r
complete -c postern -n "__fish_postern_using_subcommand explain" -l helo -d 'What the client says in EHLO [default: its name or address]' -r
complete -c postern -n "__fish_postern_using_subcommand explain" -l from -d 'The sender, as in MAIL FROM' -r
complete -c postern -n "__fish_postern_using_subcommand explain" -l rcpt -d 'A recipient, as in RCPT TO; may be given more than once' -r
complete -c postern -n "__fish_postern_using_subcommand explain" -l auth -d 'Suppose that the client has authenticated itself as this user (AUTH)' -r
complete -c postern -n "__fish_postern_using_subcommand explain" -l cert -d 'Suppose that it is, and that the client has shown a certificate of this mail address, which is in order' -r
complete -c postern -n "__fish_postern_using_subcommand explain" -l at -d 'Suppose this moment: 2026-11-21T19:21:46Z, or seconds since 1970 [default: now]' -r
complete -c postern -n "__fish_postern_using_subcommand explain" -l message -d 'Look through this message; `-`: standard input. Lines end as they do on the wire, or all in LF' -r -F
complete -c postern -n "__fish_postern_using_subcommand explain" -l env -d 'A variable of smtpd\'s environment, as RELAYCLIENT= from tcp.smtp; may be given more than once' -r
complete -c postern -n "__fish_postern_using_subcommand explain" -l rules -d 'Take RELAYCLIENT and so on from the rule for the client in a cdb made by tcprules' -r -F
complete -c postern -n "__fish_postern_using_subcommand explain" -l tls -d 'Suppose that the connection is encrypted (TLS)'
complete -c postern -n "__fish_postern_using_subcommand explain" -l batch -d 'Explain the situations on standard input, one a line'
complete -c postern -n "__fish_postern_using_subcommand explain" -l dns -d 'Ask DNS where smtpd would; without this, what only DNS can tell is told so'
complete -c postern -n "__fish_postern_using_subcommand explain" -l json -d 'Print JSON: one object, with --batch one a line'
complete -c postern -n "__fish_postern_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postern -n "__fish_postern_using_subcommand shadow" -l control -d 'The control directory [default: as smtpd finds it: CONTROLDIR, SYSCONFDIR/control, /etc/indimail/control, /var/qmail/control]' -r -F
complete -c postern -n "__fish_postern_using_subcommand shadow" -l with -d 'The control directory that is compared with the live one' -r -F
complete -c postern -n "__fish_postern_using_subcommand shadow" -l env -d 'A variable of smtpd\'s environment, on both sides; may be given more than once' -r
complete -c postern -n "__fish_postern_using_subcommand shadow" -l rules -d 'Take RELAYCLIENT and so on from the rule for the client in a cdb made by tcprules' -r -F
complete -c postern -n "__fish_postern_using_subcommand shadow" -l with-rules -d 'The same for the other side [default: what --rules says]' -r -F
complete -c postern -n "__fish_postern_using_subcommand shadow" -l dns -d 'Ask DNS where smtpd would, for both sides'
complete -c postern -n "__fish_postern_using_subcommand shadow" -l json -d 'Print JSON: an object for each difference, and one for the sums'
complete -c postern -n "__fish_postern_using_subcommand shadow" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postern -n "__fish_postern_using_subcommand match" -l control -d 'The control directory [default: as smtpd finds it: CONTROLDIR, SYSCONFDIR/control, /etc/indimail/control, /var/qmail/control]' -r -F
complete -c postern -n "__fish_postern_using_subcommand match" -l networks -d 'Print the networks that the pattern stands for, the widest possible, instead of matching'
complete -c postern -n "__fish_postern_using_subcommand match" -l dns -d 'Ask DNS for the addresses of `@name`; else nobody can tell'
complete -c postern -n "__fish_postern_using_subcommand match" -l json -d 'Print JSON, one object a line'
complete -c postern -n "__fish_postern_using_subcommand match" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postern -n "__fish_postern_using_subcommand lint" -l control -d 'The control directory [default: as smtpd finds it: CONTROLDIR, SYSCONFDIR/control, /etc/indimail/control, /var/qmail/control]' -r -F
complete -c postern -n "__fish_postern_using_subcommand lint" -l env -d 'A variable of smtpd\'s environment to examine too; may be given more than once' -r
complete -c postern -n "__fish_postern_using_subcommand lint" -l rules -d 'Examine the variables that this cdb made by tcprules sets, and whether it is older than its source' -r -F
complete -c postern -n "__fish_postern_using_subcommand lint" -l gateway -d 'Look for grants to these addresses, which stand for many clients; may be given more than once [default: this host\'s default gateways, and its own addresses on bridges]' -r
complete -c postern -n "__fish_postern_using_subcommand lint" -l dns -d 'Ask DNS whether the names in lists have addresses; without this no name server is asked'
complete -c postern -n "__fish_postern_using_subcommand lint" -l json -d 'Print JSON, an array of findings'
complete -c postern -n "__fish_postern_using_subcommand lint" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postern -n "__fish_postern_using_subcommand selftest" -l control -d 'The control directory [default: as smtpd finds it: CONTROLDIR, SYSCONFDIR/control, /etc/indimail/control, /var/qmail/control]' -r -F
complete -c postern -n "__fish_postern_using_subcommand selftest" -l ip -d 'A client from outside; may be given more than once [default: addresses that are for documentation only]' -r
complete -c postern -n "__fish_postern_using_subcommand selftest" -l from -d 'Another sender to forge; may be given more than once' -r
complete -c postern -n "__fish_postern_using_subcommand selftest" -l env -d 'A variable of smtpd\'s environment, whoever calls; may be given more than once' -r
complete -c postern -n "__fish_postern_using_subcommand selftest" -l rules -d 'Take RELAYCLIENT and so on from the rule for each client in this cdb made by tcprules' -r -F
complete -c postern -n "__fish_postern_using_subcommand selftest" -l dns -d 'Ask DNS where smtpd would; else what depends on it is not judged'
complete -c postern -n "__fish_postern_using_subcommand selftest" -l json -d 'Print JSON, one object'
complete -c postern -n "__fish_postern_using_subcommand selftest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postern -n "__fish_postern_using_subcommand convert" -l from -d 'The mail system that the files are from' -r -f -a "sun\t'Sun, iPlanet and Oracle Messaging Server: the `mappings` file'
imail\t'Ipswitch IMail: mode, addresses and accept.txt'
mac\t'Mac OS X Server AppleMailServer: restricted SMTP relay'
openvms\t'TCP/IP Services for OpenVMS: SMTP.CONFIG'
postfix\t'Postfix: main.cf and its tables'
spamdyke\t'spamdyke: its configuration file and lists'"
complete -c postern -n "__fish_postern_using_subcommand convert" -l into -d 'Write the files into DIR, which is made if need be; a file that exists is never replaced, nothing is written then' -r -F
complete -c postern -n "__fish_postern_using_subcommand convert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postern -n "__fish_postern_using_subcommand passwd; and not __fish_seen_subcommand_from add del list import help" -l control -d 'The control directory [default: as smtpd finds it: CONTROLDIR, SYSCONFDIR/control, /etc/indimail/control, /var/qmail/control]' -r -F
complete -c postern -n "__fish_postern_using_subcommand passwd; and not __fish_seen_subcommand_from add del list import help" -l file -d 'The file [default: AUTH_CDB, else auth.cdb in the control directory]' -r -F
complete -c postern -n "__fish_postern_using_subcommand passwd; and not __fish_seen_subcommand_from add del list import help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postern -n "__fish_postern_using_subcommand passwd; and not __fish_seen_subcommand_from add del list import help" -f -a "add" -d 'Add a user, or give one another password: the first line of standard input, or what is typed'
complete -c postern -n "__fish_postern_using_subcommand passwd; and not __fish_seen_subcommand_from add del list import help" -f -a "del" -d 'Remove a user'
complete -c postern -n "__fish_postern_using_subcommand passwd; and not __fish_seen_subcommand_from add del list import help" -f -a "list" -d 'Print the users, one a line'
complete -c postern -n "__fish_postern_using_subcommand passwd; and not __fish_seen_subcommand_from add del list import help" -f -a "import" -d 'Add users from standard input, a line each: `user:password`, or `user:{SCRAM-SHA-256}...` with a verifier'
complete -c postern -n "__fish_postern_using_subcommand passwd; and not __fish_seen_subcommand_from add del list import help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from add" -l iterations -d 'How often the password is hashed, 4096 or more' -r
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from add" -l file -d 'The file [default: AUTH_CDB, else auth.cdb in the control directory]' -r -F
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from add" -l cram -d 'Let the user do CRAM-MD5 too, for old clients: whoever can read the file can then do it as this user'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from del" -l file -d 'The file [default: AUTH_CDB, else auth.cdb in the control directory]' -r -F
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from del" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from list" -l file -d 'The file [default: AUTH_CDB, else auth.cdb in the control directory]' -r -F
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from import" -l iterations -d 'How often the password is hashed, 4096 or more' -r
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from import" -l file -d 'The file [default: AUTH_CDB, else auth.cdb in the control directory]' -r -F
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from import" -l cram -d 'Let the user do CRAM-MD5 too, for old clients: whoever can read the file can then do it as this user'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a user, or give one another password: the first line of standard input, or what is typed'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from help" -f -a "del" -d 'Remove a user'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from help" -f -a "list" -d 'Print the users, one a line'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from help" -f -a "import" -d 'Add users from standard input, a line each: `user:password`, or `user:{SCRAM-SHA-256}...` with a verifier'
complete -c postern -n "__fish_postern_using_subcommand passwd; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand ticket-keys" -l control -d 'The control directory [default: as smtpd finds it: CONTROLDIR, SYSCONFDIR/control, /etc/indimail/control, /var/qmail/control]' -r -F
complete -c postern -n "__fish_postern_using_subcommand ticket-keys" -l certdir -d 'The directory of certificates [default: CERTDIR, else the control directory]' -r -F
complete -c postern -n "__fish_postern_using_subcommand ticket-keys" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postern -n "__fish_postern_using_subcommand completions" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand generate" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "settings" -d 'Show every control file and variable that smtpd knows'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "explain" -d 'Tell what smtpd would decide about a client, a sender, recipients and a message, and why'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "shadow" -d 'Judge situations, or lines of smtpd\'s log, by two control directories and tell where the verdicts differ'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "match" -d 'Tell whether a pattern, as in relayclients, matches an address or a name'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "lint" -d 'Find mistakes in a control directory'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "selftest" -d 'Play every open-relay probe through the live configuration'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "convert" -d 'Say in our control files what the configuration of another mail system says about relaying'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "passwd" -d 'Add, remove and list the users of auth-cdb'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "ticket-keys" -d 'Make the keys of session tickets, or rotate them'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "generate" -d 'Write man pages, completions and control/README below a directory'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from settings explain shadow match lint selftest convert passwd ticket-keys completions generate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from passwd" -f -a "add" -d 'Add a user, or give one another password: the first line of standard input, or what is typed'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from passwd" -f -a "del" -d 'Remove a user'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from passwd" -f -a "list" -d 'Print the users, one a line'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from passwd" -f -a "import" -d 'Add users from standard input, a line each: `user:password`, or `user:{SCRAM-SHA-256}...` with a verifier'
