#!/bin/sh
# Try packaging/taskmaster.service under a real systemd: as PID 1 of namespaces of
# its own, with no unit but ours. Needs root, systemd, and cgroups that may be
# written. `make systemd` runs it.
#
# systemctl restart must keep the programs, stop must end them.
set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'kill -9 "$init" 2>/dev/null || :; rm -rf "$dir"' EXIT
init=

sh packaging/install.sh "" "$dir/bin" "$dir/lib" "$dir/share" "$dir/man"
cat >"$dir/taskmaster.yaml" <<END
taskmaster: {listen: "127.0.0.1:0", state: $dir/state}
programs: {web: {cmd: sleep 1000000, numprocs: 3}}
END
mkdir "$dir/units"
sed "s|/etc/taskmaster.yaml|$dir/taskmaster.yaml|" "$dir/lib/systemd/system/taskmaster.service" >"$dir/units/taskmaster.service"
sed -i "s|/etc/taskmaster.yaml|$dir/taskmaster.yaml|" "$dir/lib/taskmaster/stop"
for unit in sysinit.target shutdown.target network.target dbus.socket dbus.service; do
	cp "/lib/systemd/system/$unit" "$dir/units/"
done
printf '[Unit]\nWants=dbus.socket taskmaster.service\n' >"$dir/units/default.target"

cat >"$dir/init" <<END
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd /run/lock
umount -l /sys/fs/cgroup 2>/dev/null
export container=test SYSTEMD_UNIT_PATH=$dir/units
echo \$\$ ready >&3
exec 3>&-
exec /lib/systemd/systemd --system --log-target=null --unit=default.target
END
mkfifo "$dir/ready"
unshare --fork --pid --mount --cgroup --uts --ipc --mount-proc --kill-child \
	sh "$dir/init" 3>"$dir/ready" >"$dir/init.out" 2>&1 &
unshare=$!
read -r _ <"$dir/ready"
init=$(cat "/proc/$unshare/task/$unshare/children")
init=${init%% *}
inside() { timeout 60 nsenter -t "$init" -p -m -i -u -C "$@"; }
ctl() { inside "$dir/bin/tmctl" -c "$dir/taskmaster.yaml" "$@"; }
manager() { inside systemctl --no-pager "$@"; }

# Wait until systemd can be asked, then until our unit, which the target wants,
# is up: Type=notify makes that mean that tmd serves clients.
tries=0
until manager start taskmaster 2>"$dir/error"; do
	tries=$((tries + 1))
	[ $tries -lt 100 ] || { cat "$dir/error" "$dir/init.out"; exit 1; }
	sleep 0.1
done
ctl wait -t 30 web running
before=$(ctl pid web) tmd=$(ctl pid)
for _ in 1 2 3 4 5; do manager restart taskmaster; done
[ "$(ctl pid)" != "$tmd" ] || { echo 'systemd: tmd was not restarted'; exit 1; }
[ "$(ctl pid web)" = "$before" ] || { echo 'systemd: a restart did not keep the programs'; exit 1; }
manager reload taskmaster
[ "$(ctl pid web)" = "$before" ] || { echo 'systemd: a reload did not keep the programs'; exit 1; }
manager stop taskmaster
for status in "$dir"/state/run/*/status; do
	[ ! -e "$status" ] || { echo 'systemd: a stop left a program'; exit 1; }
done
echo 'systemd: five restarts and a reload kept all programs, a stop ended them'
