#!/bin/sh
# retry.sh TRIES CMD [ARG ...]
# Try a command until it exits 0, after 1, 2, 4 ... 60 seconds. The exit code is
# 0, or 111 when TRIES further tries have failed as well.
tries=$1
shift
# An end before -s is a failed start, which is tried again; exit code 0 is not.
exec tmsupervise -n retry -r unexpected -s 24h -R "$tries" -- "$@" </dev/null >/dev/null
