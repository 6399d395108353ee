# worker.sh PORT: do the jobs that others push onto the list `jobs`, for ever.
while :; do
	# BLPOP answers with the list's name and the job, a line each.
	job=$(redis-cli -p "$1" blpop jobs 0 | sed -n 2p)
	[ -n "$job" ] || exit 1 # the database is gone; tmd starts us again
	echo "did $job"
done
