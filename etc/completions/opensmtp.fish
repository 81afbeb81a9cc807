complete -c opensmtp -l user -d 'The user, with or without a domain [default: AUTHENTICATED, else USER, of the environment]' -r
complete -c opensmtp -l ip -d 'The address he comes from [default: IP, TCP6REMOTEIP or TCPREMOTEIP of the environment]' -r
complete -c opensmtp -l export -d 'Print every row of the table: user, address and seconds since 1970, with tabs between them'
complete -c opensmtp -l import -d 'Put the rows on standard input into the table, each unless there is a newer one'
complete -c opensmtp -s h -l help -d 'Print help (see more with \'--help\')'
complete -c opensmtp -s V -l version -d 'Print version'
