#!/bin/sh
# Installs Debian's packages of the commands that are missing, where this may
# be done: as root, with apt-get. Elsewhere it names them and leaves it to whoever
# needs them to fail. Debian starts what it installs; here it may not, since
# those who need it start their own.
#
# usage: test/debian.sh COMMAND:PACKAGE ...
set -u
PATH=$PATH:/usr/sbin:/sbin
missing=
for pair in "$@"; do
	command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "not installed:$missing" >&2
	exit 0
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
apt-get update -q >"$log" 2>&1
# One at a time: what cannot be installed must not keep out the others.
for package in $missing; do
	apt-get install -y -q --no-install-recommends "$package" >>"$log" 2>&1 && continue
	echo "unable to install $package:" >&2
	tail -n 5 "$log" >&2
done
rm -f "$log"
