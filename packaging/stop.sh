#!/bin/sh
# stop UNIT: what systemd runs to stop tmd. A restart of the unit leaves the
# programs running for the next tmd, anything else stops them in order.
job=$(systemctl list-jobs --no-legend --plain | awk -v unit="$1" '$2 == unit { print $3 }')
if [ "$job" = restart ]; then
	exec @BINDIR@/tmctl -c /etc/taskmaster.yaml shutdown -k
fi
exec @BINDIR@/tmctl -c /etc/taskmaster.yaml shutdown
