#!/bin/sh
# install.sh DESTDIR BINDIR LIBDIR SHAREDIR MANDIR: put everything in its place,
# each file by rename(2), so that a program that runs at this moment is either
# the old or the new one. Run by `make install`.
set -e
umask 022
dest=$1 bindir=$2 libdir=$3 sharedir=$4 mandir=$5

# put MODE FILE TARGET
put() {
	mkdir -p "$(dirname "$dest$3")"
	new=$(dirname "$dest$3")/.$(basename "$3").new
	sed_or_copy "$2" >"$new"
	chmod "$1" "$new"
	mv -f "$new" "$dest$3"
}

# Scripts and units are told where the programs are.
sed_or_copy() {
	case $1 in
	packaging/*) sed "s|@BINDIR@|$bindir|g; s|@LIBDIR@|$libdir|g" "$1" ;;
	*) cat "$1" ;;
	esac
}

for program in tmd tmsupervise tmctl tmlog tmmail; do
	put 755 bin/$program "$bindir/$program"
done
for page in man/*.[1-8]; do
	put 644 "$page" "$mandir/man${page##*.}/${page#man/}"
done
put 644 completions/tmctl.bash "$sharedir/bash-completion/completions/tmctl"
put 644 completions/_tmctl "$sharedir/zsh/site-functions/_tmctl"
put 644 completions/tmctl.fish "$sharedir/fish/vendor_completions.d/tmctl.fish"
put 644 packaging/taskmaster.service "$libdir/systemd/system/taskmaster.service"
put 755 packaging/stop.sh "$libdir/taskmaster/stop"
