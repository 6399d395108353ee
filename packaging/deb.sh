#!/bin/sh
# deb.sh VERSION: make dist/taskmaster_VERSION_ARCH.deb of what `make install`
# installs. Its bytes depend on the sources alone. Run by `make deb`.
set -e
umask 022
version=$1
arch=$(dpkg --print-architecture)
root=dist/deb
rm -rf $root
sh packaging/install.sh "$PWD/$root" /usr/bin /usr/lib /usr/share /usr/share/man
for page in $root/usr/share/man/man*/*; do gzip -9n "$page"; done

install -D -m 644 packaging/taskmaster.yaml $root/etc/taskmaster.yaml
install -D -m 644 LICENSE $root/usr/share/doc/taskmaster/copyright
install -m 644 README.md INSTALL SECURITY.md $root/usr/share/doc/taskmaster/

# In KiB, and the same whatever file system this is made on.
size=$(find $root -type f -printf '%s\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }')
mkdir $root/DEBIAN
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/" packaging/control >$root/DEBIAN/control
echo /etc/taskmaster.yaml >$root/DEBIAN/conffiles
for script in postinst prerm; do install -m 755 packaging/$script $root/DEBIAN/$script; done

# One date for all files, that of the last commit, which every file of a
# tarball has.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Makefile)}
export SOURCE_DATE_EPOCH
find $root -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb -Zgzip --root-owner-group --build $root "dist/taskmaster_${version}_$arch.deb"
rm -rf $root
