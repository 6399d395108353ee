#!/bin/sh
# keep.sh NAME DIR CMD [ARG ...]
# Keep CMD running, whatever it exits with. Its output goes into DIR/NAME.log,
# stamped, in at most six files of 1 MB; what happens to it into DIR/NAME.events.
# SIGTERM to this script stops it.
name=$1 dir=$2
shift 2
mkdir -p "$dir"

# A pipe to tmlog. The parentheses make tmlog nobody's child: it ends when all
# that write to the pipe have gone.
mkfifo -m 600 "$dir/.$name.pipe"
(tmlog -t rfc3339 -s 1MB -n 5 "$dir/$name.log" <"$dir/.$name.pipe" &)
exec 2>"$dir/.$name.pipe"
rm "$dir/.$name.pipe"

# The program's output goes to the standard error of tmsupervise, events to its
# standard output.
exec tmsupervise -n "$name" -r always -- "$@" </dev/null >>"$dir/$name.events"
