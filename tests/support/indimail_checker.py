"""A checker of passwords in IndiMail's convention, for tests: it has the password of one user, and runs the next program else."""

import base64
import hashlib
import hmac
import os
import sys

USER, PASSWORD, TOKEN = b"joe@our.example", b"pencil", b"tok123"
CRAM = {3: "md5", 4: "sha1", 5: "sha224", 6: "sha256", 7: "sha384", 8: "sha512"}
SCRAM = {11: ("SHA-1", "sha1"), 12: ("SHA-256", "sha256")}


def verifier(name, digest):
    """The record of RFC 5802 that smtpd judges the client's proof by."""
    salt, iterations = b"salt of the test", 4096
    salted = hashlib.pbkdf2_hmac(digest, PASSWORD, salt, iterations)
    client, server = (hmac.digest(salted, what, digest) for what in (b"Client Key", b"Server Key"))
    fields = [base64.b64encode(part).decode() for part in (salt, hashlib.new(digest, client).digest(), server)]
    return "{SCRAM-%s}%d,%s,%s,%s" % (name, iterations, *fields)


def is_user(user, second, third, number):
    if user != USER:
        return False
    if number in CRAM:
        return hmac.compare_digest(hmac.new(PASSWORD, second, CRAM[number]).hexdigest().encode(), third)
    if number in SCRAM:
        print(verifier(*SCRAM[number]))
        return True
    return hmac.compare_digest(second, TOKEN if number == 17 else PASSWORD)


def main():
    record = b""
    while chunk := os.read(3, 4096):
        record += chunk
    user, second, third, number = record.split(b"\0")[:4]
    if is_user(user, second, third, number[0]):
        return 0
    reader, writer = os.pipe()
    os.write(writer, record)
    os.close(writer)
    os.dup2(reader, 3)
    os.execv(sys.argv[1], sys.argv[1:])


sys.exit(main())
