complete -c clearopensmtp -l batch -d 'Delete at most so many rows at a time; fewer when that takes longer than 50 ms' -r
complete -c clearopensmtp -s s -d 'Forget logins, and leave tcp.smtp.cdb alone: all that a site needs whose smtpd asks the table itself (CHECKRELAY)'
complete -c clearopensmtp -s t -d 'Make tcp.smtp.cdb anew, and forget nothing'
complete -c clearopensmtp -s C -d 'Forget logins in every database of the cluster, which mcdinfo names'
complete -c clearopensmtp -s V -l version -d 'Print the version'
complete -c clearopensmtp -l dry-run -d 'Print how many rows would go, and change nothing'
complete -c clearopensmtp -l verbose -d 'Tell what was done'
complete -c clearopensmtp -s h -l help -d 'Print help (see more with \'--help\')'
