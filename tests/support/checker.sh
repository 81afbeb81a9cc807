#!/bin/sh
# A checker of passwords for tests: tells descriptor 2 what it was asked and which descriptors it has, then decides by
# the name. When it cannot tell it runs the next program of its arguments, as the checkers of IndiMail do.
record=$QUEUE_HOME/asked.$$
cat <&3 >"$record"
exec 3<"$record"
asked=$(cat -vT <"$record")
rm "$record"
echo "checker: asked $asked" >&2
case $asked in
'bob^@secret^@^@'*) exit 0 ;;
'bob@example.org^@tok123^@^@^Q^@') exit 0 ;;
'user^@^@^@^K^@' | 'user^@^@^@^L^@')
    echo '{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=' && exit 0 ;;
'joe@local.ex^@secret^@^@'*) exit 0 ;;
'a b^@<'*'.'*'@mx.test>^@b913a602c7eda7a495b4e6e7334d3890^@^C^@') exit 0 ;;
'tim^@b913a602c7eda7a495b4e6e7334d3890^@<'*'@mx.test>^@') exit 0 ;;
'descriptors^@'*) cd /proc/$$/fd && echo checker: descriptors * >&2 && exit 1 ;;
'killed^@'*) kill -9 $$ ;;
'inactive^@'*) printf '553-Sorry, this account is inactive (#5.7.1)\r\n250 ok\r\n' && exit 1 ;;
'loud^@'*) head -c 1048576 /dev/zero | tr '\0' x && exit 1 ;;
'exit'*) code=${asked%%^*} && exit "${code#exit}" ;;
esac
exec "$@"
