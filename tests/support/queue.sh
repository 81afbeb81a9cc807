#!/bin/sh
# The queue program of the tests: stores what it is given (the message from descriptor 0, the envelope from
# descriptor 1) in $QUEUE_HOME/queued/N and ends as $QUEUE_HOME/queue.settings says:
# reads=no reads nothing, text_fd=N writes $QUEUE_HOME/queue.text there, end is the last command.
reads=yes text_fd='' end='exit 0'
. "$QUEUE_HOME/queue.settings"
n=1
while [ -e "$QUEUE_HOME/queued/$n" ] || ! mkdir "$QUEUE_HOME/queued/$n"; do n=$((n + 1)); done
here=$QUEUE_HOME/queued/$n
pwd >"$here/directory"
env >"$here/environment"
ls -l /proc/$$/fd >"$here/descriptors"
while read -r name value; do echo "$name $value"; done </proc/$$/status >"$here/status"
for argument; do printf '%s\n' "$argument"; done >"$here/arguments"
: >"$here/envelope"
if [ $reads = yes ]; then
	cat >"$here/message"
	cat <&1 >"$here/envelope"
fi
if [ "$text_fd" ]; then cat "$QUEUE_HOME/queue.text" >&"$text_fd"; fi
# Told to discard: ends a moment later, so that a daemon that does not wait for it is seen.
[ -s "$here/envelope" ] || sleep 0.1
: >"$here/finished"
$end
