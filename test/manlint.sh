#!/bin/sh
# Lints the manual pages. A machine without mandoc is told so and fails: a
# page that nobody checked is not checked.
set -eu
cd "$(dirname "$0")/.."
if ! command -v mandoc >/dev/null; then
	echo 'manlint: mandoc is missing: apt-get install mandoc' >&2
	exit 1
fi
mandoc -T lint -W warning man/*.[1-9]
