#!/bin/sh
# job.sh ADDRESS NAME CMD [ARG ...]
# Run a job once, as from cron, and mail ADDRESS when it fails: what exit code or
# signal it ended with, and how long it took. MAILER may name a sendmail(8).
to=$1 name=$2
shift 2
tmsupervise -n "$name" -r never -s 0 -- "$@" </dev/null |
	tmmail -t "$to" -e exited-unexpected,fatal -g 0 \
		-S "${SPOOL:-/var/spool/tmmail/jobs}" ${MAILER:+-sendmail "$MAILER"}
