#!/bin/sh
# Runs every fuzz target of the module, one after the other, each for TIME
# (30s, 10m). What a target finds is kept under testdata/fuzz of its package,
# where `go test` tries it from then on.
#
# An input that reaches something new is minimized for 5 s, not the minute
# that is the default, which would be all of a short run.
#
# usage: test/security/fuzz.sh TIME [PATTERN], PATTERN of "./PACKAGE TARGET"
set -u
time=${1:?usage: fuzz.sh TIME [PATTERN]}
only=${2:-.}
bad=0
for file in $(grep -rl '^func Fuzz' --include='*_test.go' . | sort); do
	package=$(dirname "$file")
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' "$file"); do
		echo "$package $target" | grep -q "$only" || continue
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 5s "$package" || bad=1
	done
done
exit $bad
