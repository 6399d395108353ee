#!/bin/sh
# dist.sh VERSION: make dist/taskmaster-VERSION.tar.gz of the last commit. Its
# bytes depend on that alone. Run by `make dist`.
set -e
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
	echo 'dist: warning: what is not committed is not in it' >&2
fi
mkdir -p dist
git archive --format=tar --prefix="taskmaster-$1/" --output="dist/taskmaster-$1.tar" HEAD
gzip -9nf "dist/taskmaster-$1.tar"
echo "dist/taskmaster-$1.tar.gz"
