#!/bin/sh
# alarm.sh ADDRESS LOG PATTERN
# Mail ADDRESS when a line of LOG matches: lines become events, which tmmail groups
# and limits. MAILER may name a sendmail(8).
to=$1 log=$2 pattern=$3
name=$(basename "$log")

# A value of an event has no spaces, equal signs and control characters.
encode() { cut -c 1-300 | sed 's/%/%25/g; s/=/%3D/g; s/[[:cntrl:]]/?/g; s/[^ -~]/?/g; s/ /%20/g'; }

tail -n 0 -F "$log" | grep --line-buffered -E -e "$pattern" |
	while IFS= read -r line; do
		echo "$(date -u +%Y-%m-%dT%H:%M:%S.000Z) $name fatal reason=$(printf %s "$line" | encode)"
	done |
	tmmail -t "$to" -e fatal -g "${WAIT:-10}" -S "${SPOOL:-/var/spool/tmmail/alarm}" ${MAILER:+-sendmail "$MAILER"}
