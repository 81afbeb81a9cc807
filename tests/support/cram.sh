#!/bin/sh
# A checker of CRAM-MD5 for tests, of the IndiMail convention: everybody's password is pencil.
question=$QUEUE_HOME/question.$$
tr '\0' '\n' <&3 >"$question"
{ read -r _ && read -r challenge && read -r digest; } <"$question"
rm "$question"
[ "$digest" = "$(printf %s "$challenge" | openssl dgst -md5 -hmac pencil | sed 's/.*= //')" ]
