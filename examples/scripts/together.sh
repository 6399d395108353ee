#!/bin/sh
# together.sh COMMANDLINE COMMANDLINE
# Run two programs that are of no use without each other; when one ends, end the
# other. SIGTERM to this script ends both.
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
mkfifo "$dir/events"
tmsupervise -n one -r never -s 0 -- sh -c "$1" </dev/null >"$dir/events" &
one=$!
tmsupervise -n two -r never -s 0 -- sh -c "$2" </dev/null >"$dir/events" &
two=$!
trap 'kill $one $two' TERM INT

while read -r _ name event _; do
	case $event in
	exited | fatal | stopped)
		echo "$name $event"
		kill $one $two 2>/dev/null
		break
		;;
	esac
done <"$dir/events"
wait $one $two
