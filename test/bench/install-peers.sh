#!/bin/sh
# Installs Debian's packages of the peers that `make bench` measures, where one
# is missing and this may be done: as root, with apt-get. What cannot be had is
# named by the bench itself. Debian starts what it installs; here it may not,
# since the bench starts its own.
set -u
missing=
for pair in supervisord:supervisor s6-svscan:s6 svscan:daemontools runsvdir:runit; do
	command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "bench: not installed:$missing" >&2
	exit 0
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
{
	apt-get update -q
	# One at a time: what cannot be installed must not keep out the others.
	for package in $missing; do
		apt-get install -y -q --no-install-recommends "$package"
	done
} >/dev/null 2>&1
exit 0
