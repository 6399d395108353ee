#!/bin/sh
# Start tmd on examples/demo.yaml, unless it runs, and open the shell.
cd "$(dirname "$0")/.." || exit
config=examples/demo.yaml
mkdir -p -m 700 .run

if ! bin/tmctl -c $config version >/dev/null 2>&1; then
	# tmd says on descriptor 3 that it serves clients, and then closes it; if
	# it dies before, that closes it too. So there is nothing to poll.
	ready=$(TM_NOTIFY_FD=3 setsid bin/tmd -c $config 3>&1 >.run/tmd.out 2>&1 </dev/null &)
	if [ "$ready" != ready ]; then
		cat .run/tmd.out >&2
		exit 111
	fi
fi

cat <<'END'

  A web server, four workers, one that crashes now and then, and one that
  cannot start. Try:

      status            what runs
      top               the same, live; q quits
      tail -f worker:0  its output; ^C ends it
      stop web          and: start web
      help              all commands
      quit              leave the shell; everything goes on
      shutdown          end everything

  The web server answers at http://127.0.0.1:8042/

END
exec bin/tmctl -c $config
