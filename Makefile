# taskmaster: make, make run, make test, make install. See INSTALL.

GO      = go
PREFIX  = /usr/local
BINDIR  = $(PREFIX)/bin
LIBDIR  = $(PREFIX)/lib
SHAREDIR = $(PREFIX)/share
MANDIR  = $(SHAREDIR)/man
VERSION = 0.1
PROGRAMS = tmd tmsupervise tmctl tmlog tmmail

LDFLAGS = -s -w -X main.version=$(VERSION)
BUILD   = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'

# What the programs are made of. Built once by a user, they are installed by a
# root who needs no Go.
SOURCES := Makefile go.mod go.sum $(shell find lib $(PROGRAMS) -name testdata -prune -o \
	\( -type d -o -name '*.go' ! -name '*_test.go' \) -print)

all: $(PROGRAMS:%=bin/%)

bin/%: $(SOURCES)
	@mkdir -p bin
	$(BUILD) -o $@ ./$*

# run shows what it can do: it starts tmd on an example and opens the shell.
run: all bin/webserver
	@sh examples/run.sh

bin/webserver: examples/webserver/main.go go.mod
	@mkdir -p bin
	$(BUILD) -o $@ ./examples/webserver

# install is safe over a running system: each file comes by rename. A running
# tmd stays the old one until `tmctl upgrade`.
PLACES = '$(DESTDIR)' '$(BINDIR)' '$(LIBDIR)' '$(SHAREDIR)' '$(MANDIR)'
install: all
	@sh packaging/install.sh $(PLACES)

uninstall:
	@sh packaging/uninstall.sh $(PLACES)

clean:
	rm -rf bin dist

# deb and dist make the same bytes of the same sources, into dist/.
deb: all
	@sh packaging/deb.sh $(VERSION)

dist:
	@sh packaging/dist.sh $(VERSION)

# systemd tries the unit under a real one, in namespaces; it needs root.
systemd: all
	@sh test/packages/systemd.sh

vet:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w'; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags pausepoints ./tmsupervise

# What the whole-system tests use; they fail without it.
TESTED_WITH = gcc:gcc git:git mandoc:mandoc nginx:nginx redis-server:redis-server redis-cli:redis-tools socat:socat \
	exim4:exim4-daemon-light ps:procps ip:iproute2 unshare:util-linux systemd-notify:systemd perl:perl-base

tested-with:
	@sh test/debian.sh $(TESTED_WITH)

test: all vet staticcheck tested-with manlint
	$(GO) test -race $(TESTFLAGS) ./...

# soak kills anything at any time for SECONDS, as SEED has it (none: any).
SECONDS = 60
soak:
	SECONDS='$(SECONDS)' SEED='$(SEED)' $(GO) test -count=1 -v -timeout 24h ./test/soak

# staticcheck is used where it is installed or can be.
staticcheck:
	@sh test/staticcheck.sh

manlint:
	@sh test/manlint.sh

# lint is what needs no test to run: style, suspicious code, and known
# vulnerabilities where the database of govulncheck can be reached.
lint: vet staticcheck
	@sh test/security/govulncheck.sh

# fuzz gives each fuzz target FUZZTIME; `make fuzz FUZZ=lib/proto` only some.
FUZZTIME = 30s
FUZZ     = .
fuzz:
	@sh test/security/fuzz.sh $(FUZZTIME) '$(FUZZ)'

# bench measures taskmaster beside its peers, which it installs where that may
# be done; RESULTS.md has what came of it.
bench: all
	@sh test/debian.sh supervisord:supervisor s6-svscan:s6 svscan:daemontools runsvdir:runit
	$(GO) build -o bin/bench ./test/bench
	bin/bench $(BENCHFLAGS)

.PHONY: bench lint fuzz tested-with
.PHONY: all run install uninstall deb dist systemd vet test soak staticcheck manlint clean
