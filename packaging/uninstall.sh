#!/bin/sh
# uninstall.sh DESTDIR BINDIR LIBDIR SHAREDIR MANDIR: take away what install.sh
# put there. Configuration, logs and the state directory stay.
dest=$1 bindir=$2 libdir=$3 sharedir=$4 mandir=$5

for program in tmd tmsupervise tmctl tmlog tmmail; do
	rm -f "$dest$bindir/$program"
done
for page in man/*.[1-8]; do
	rm -f "$dest$mandir/man${page##*.}/${page#man/}"
done
rm -f "$dest$sharedir/bash-completion/completions/tmctl" \
	"$dest$sharedir/zsh/site-functions/_tmctl" \
	"$dest$sharedir/fish/vendor_completions.d/tmctl.fish" \
	"$dest$libdir/systemd/system/taskmaster.service" \
	"$dest$libdir/taskmaster/stop"
rmdir "$dest$libdir/taskmaster" 2>/dev/null || :
