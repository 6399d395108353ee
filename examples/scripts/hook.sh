#!/bin/sh
# hook.sh HOOK NAME CMD [ARG ...]
# Keep CMD running, and run `HOOK NAME EVENT KEY=VALUE ...` at each of its events:
# to tell a chat, a load balancer, a lamp. tm-event(5) lists the events.
hook=$1 name=$2
shift 2
tmsupervise -n "$name" -- "$@" </dev/null |
	while read -r _ name event pairs; do
		# Values hold no spaces, so this splits into words as it should.
		"$hook" "$name" "$event" $pairs </dev/null
	done
