# The steps that people and CI run. "make help" lists them.
# Everything that takes more than a line stands in scripts/.

SHELL       := /bin/sh
GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 10s
SEED        ?= 1
RUNS        ?= 100
# The version depends on the commit alone, never on the time or the place of a build.
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
BUILD       := $(GO) build -buildvcs=false -trimpath -ldflags "-s -w -buildid= -X main.version=$(VERSION)"
ARM         := CGO_ENABLED=0 GOOS=linux GOARCH=arm GOARM=5
# A board's program leaves out what only servers need (-tags board), and spares
# the copies of small functions wherever no file's data goes through: a tenth of
# its size.
ROOM        := github.com/empegsync/empegsync
APART       := github.com/vishvananda/... regexp/... encoding/json go/... net/... reflect fmt \
	$(ROOM)/cmd/... $(ROOM)/pkg/verbs $(ROOM)/pkg/boot $(ROOM)/pkg/install $(ROOM)/pkg/console $(ROOM)/pkg/synk \
	$(ROOM)/pkg/rsync/options $(ROOM)/pkg/rsync/server $(ROOM)/pkg/rsync/conf $(ROOM)/pkg/rsync/daemon $(ROOM)/pkg/rsync/client
BOARD       := -tags board $(foreach p,$(APART),-gcflags=$(p)=-l)

export GO STATICCHECK FUZZTIME VERSION

.PHONY: all arm demo test unit deps lint vuln test-race test-386 test-arm fuzz-short reproducible fuzz bench compare s3test image vmtest packages clean help

all: ## build bin/empegsync for this machine
	CGO_ENABLED=0 $(BUILD) -o bin/empegsync ./cmd/empegsync

arm: ## build dist/empegsync-linux-armv5 for ARM boards
	$(ARM) $(BUILD) $(BOARD) -o dist/empegsync-linux-armv5 ./cmd/empegsync

demo: all ## show the whole job on this machine: two players, a pull, a report
	scripts/demo.sh

# One after the other, whatever -j says: they share the processors and the caches.
test: ## install what the tests need, then check and test everything
	+@for step in deps lint vuln test-race test-386 test-arm fuzz-short reproducible; do \
		echo "== $$step"; $(MAKE) --no-print-directory $$step || { echo "make test: $$step failed"; exit 1; }; \
	done
	@echo "== all passed: lint, tests (race detector, 32 bits, ARM), fuzzing, reproducible builds"

unit: ## run the tests once, without the race detector: quick, for work in progress
	$(GO) test ./...

deps: ## install what the tests need (as root on Debian and Ubuntu), else say what is missing
	scripts/deps.sh

lint: ## gofmt, go vet for three architectures, staticcheck, shellcheck
	scripts/lint.sh

vuln: ## look for known vulnerabilities in what is called
	scripts/vuln.sh

test-race: ## all tests with the race detector
	CGO_ENABLED=1 scripts/test.sh -race

test-386: ## all tests as a 32-bit program
	CGO_ENABLED=0 GOARCH=386 scripts/test.sh

test-arm: arm ## the ARM binary under an emulated ARMv5 processor
	scripts/test-arm.sh dist/empegsync-linux-armv5

reproducible: ## two builds in different folders are the same bytes
	scripts/reproducible.sh

fuzz-short: ## run every fuzz target for 2,000 inputs: does each still work and find nothing at hand?
	FUZZTIME=2000x scripts/fuzz.sh

fuzz: ## run every fuzz target for FUZZTIME (default 10s)
	scripts/fuzz.sh

bench: ## compare speed and memory with rsync and gokrazy/rsync: BENCH='-quick' for a short try, '-help' for more
	$(GO) run ./tools/bench $(BENCH)

compare: all ## look for random jobs that we do differently from rsync: SEED=1 RUNS=100 COMPARE='-v', '-help' for more
	$(GO) run ./tools/compare -ours bin/empegsync -seed $(SEED) -runs $(RUNS) $(COMPARE)

s3test: ## try the package cache's common store against a real S3 server, versitygw, which this builds first (over a minute, and 110 MB of modules)
	GOBIN=$(CURDIR)/dist/s3 $(GO) install github.com/versity/versitygw/cmd/versitygw@v1.8.0
	S3_SERVER=$(CURDIR)/dist/s3/versitygw $(GO) test -tags s3 ./pkg/pkgcache/tier

image: arm ## run an emulated ARM board on this terminal: port 873 is 8730 here; IMAGE='-fresh' makes it anew, '-help' for more
	scripts/board-packages.sh dist/board/packages
	$(ARM) $(GO) build -trimpath -ldflags '-s -w' -o dist/board/boardinit ./tools/mkboard/boardinit
	$(GO) run ./tools/mkboard -empegsync dist/empegsync-linux-armv5 $(IMAGE) dist/board

vmtest: arm ## boot emulated ARM boards and show from power-on what players go through; VMTEST='-run TestVM/TwoBoards' for one part
	scripts/vmtest.sh dist/empegsync-linux-armv5 $(VMTEST)

packages: ## build Debian packages for amd64, armhf and armel, and install each in a root of its own
	scripts/packages.sh

clean: ## remove what the other targets made
	rm -rf bin dist

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name about; do \
		printf '%-14s %s\n' "$$name" "$$about"; done
