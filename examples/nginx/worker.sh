# A worker that ends its present job when it gets SIGUSR1, and no other way.
leave=
trap 'leave=yes' USR1
n=0
while [ -z "$leave" ]; do
	n=$((n + 1))
	sleep 1 &
	wait $!               # a signal ends the wait, not the job
	wait $! 2>/dev/null
	echo "$TM_NAME: job $n done"
done
echo "$TM_NAME: leaves after job $n"
