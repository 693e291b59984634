# What each target does is in CONTRIBUTING.md.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
SBOM = github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
# What is built is the same bytes wherever it is built by the same Go: no paths, and no state of a version control.
BUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false
FUZZTIME ?= 10m
FUZZ ?= .
BENCH ?= .
HISTORIES ?= 1000
SEED ?= 1

.PHONY: build test check cross bench bench-engine fuzz

build:
	$(BUILD) -o bin/kith ./cmd/kith

# The second and third lines are for the tests that are built without the race detector alone: 100,000 evaluations, and more
# comparisons with circl. The fourth is for the code of processors without AVX-512.
test:
	go test -race -timeout 600s ./...
	go test -timeout 300s -run 'Operator|SizesTellNothing' ./cmd/kith
	go test -timeout 300s ./crypto/ristretto/...
	go test -timeout 300s -tags purego ./crypto/ristretto/... ./crypto/voprf

check:
	go mod verify
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted"; exit 1; fi
	go vet ./...
	go vet -tags large ./server/snapshot ./cmd/kith ./client ./crypto/ristretto
	go vet -tags purego ./crypto/ristretto/...
	go vet -tags timing ./server/bucket ./crypto/ristretto ./crypto/voprf
	go run $(STATICCHECK) ./...

cross:
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o /dev/null ./cmd/kith
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -o /dev/null ./cmd/kith
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 go build -o /dev/null ./cmd/kith
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 go build -o /dev/null ./cmd/kith
	CGO_ENABLED=0 GOOS=js GOARCH=wasm go build ./client ./crypto/ristretto
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go vet ./crypto/ristretto/...

bench:
	go test -run '^$$' -bench '$(BENCH)' ./...

# Beside circl, by the fastest engine that this machine has and by the portable one: a minute, and a quiet machine.
bench-engine: build
	bin/kith bench engine
	bin/kith bench engine --engine portable

# Fails where a ratio to circl, or of the server to its engine, is more than a tenth below the one in bench/figures.json: two
# minutes, and a quiet machine.
.PHONY: bench-check
bench-check: build
	bin/kith bench check

# FUZZ chooses targets by a regular expression, over lines such as ./normalize:FuzzParse. One that fails does not stop the others.
# Making inputs smaller that are kept as interesting takes a minute each where nothing is said, and most of the time with it.
fuzz:
	@targets=$$(for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
		grep -ho '^func Fuzz[A-Za-z0-9]*' $$dir/*_test.go | sed "s|^func |$$dir:|"; done | grep -E '$(FUZZ)'); \
	n=$$(echo "$$targets" | wc -l); i=0; failed=; \
	for target in $$targets; do \
		i=$$((i+1)); echo "$$i of $$n: $$target, $(FUZZTIME)"; \
		go test -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s $${target%:*} || failed="$$failed $$target"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi

# Loads ten million users into a Redis of its own and builds their snapshot: some minutes, 2 GB of memory.
.PHONY: snapshot-10m
snapshot-10m:
	go test -tags large -run TestBuildTenMillion -v -timeout 60m ./server/snapshot

# Rotates the key of a million users under load on two servers and a Redis of its own, and then that of 50,000 while servers
# are killed: about a quarter of an hour, 2 GB of memory.
.PHONY: rotation-1m
rotation-1m:
	go test -count=1 -tags large -run 'TestRotateAMillion|TestRotateKilled' -v -timeout 60m ./cmd/kith

# Imports a million users into a Redis of its own, and says what that took and what bounds it: two minutes, 1 GB of memory.
.PHONY: import-1m
import-1m:
	go test -count=1 -tags large -run TestImportAMillion -v -timeout 60m ./cmd/kith

# Imports ten million users into a Redis of its own, and looks up tags as fast as it goes and at 70 % of that: five to ten minutes,
# 4 GB of memory, and a quiet machine.
.PHONY: lookup-10m
lookup-10m:
	go test -count=1 -tags large -run TestLookupTenMillion -v -timeout 60m ./cmd/kith

# Holds the model of kith bench size to what imports of one and five million users take: ten minutes, 3 GB of memory.
.PHONY: size-check
size-check: build
	bin/kith bench size --check --users 1M,5M

# Looks up a million tags on clusters of one, two and three masters, and prints what each master did: half a minute.
.PHONY: cluster-scale
cluster-scale:
	go test -count=1 -tags large -run TestClusterScale -v -timeout 20m ./cmd/kith

# Runs random histories of registrations, rotations, kills and pauses on processes of their own, from a seed on: about
# half a second each.
.PHONY: chaos
chaos:
	go test -count=1 -run TestHistories -v -timeout 120m ./server/chaos -chaos.histories=$(HISTORIES) -chaos.seed=$(SEED)

# Offers a server three times what it can evaluate, by clients that retry as apps do: a minute, and a quiet machine.
.PHONY: overload
overload:
	go test -count=1 -tags large -run TestOverload -v -timeout 10m ./client

# Compares by statistics the times of answers, and those of arithmetic on secrets, which wants a quiet machine: ten minutes.
.PHONY: timing
timing:
	go test -count=1 -tags timing -run 'TestTime|TestScalarsAreStraight' -v -p 1 -timeout 60m ./server/bucket ./crypto/ristretto ./crypto/voprf

# Builds in two folders, one of them from nothing and without what was built before, and compares the bytes.
.PHONY: reproducible
reproducible:
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && set -e && \
	mkdir "$$dir/one" && tar --exclude=./.git --exclude=./bin -cf - . | tar -xf - -C "$$dir/one" && cp -R "$$dir/one" "$$dir/another" && \
	(cd "$$dir/one" && $(BUILD) -o "$$dir/one.kith" ./cmd/kith) && \
	(cd "$$dir/another" && GOCACHE="$$dir/cache" $(BUILD) -o "$$dir/another.kith" ./cmd/kith) && \
	sha256sum "$$dir/one.kith" "$$dir/another.kith" && cmp "$$dir/one.kith" "$$dir/another.kith"

# Lists the modules that the built command is made of, with their versions and hashes, as CycloneDX in JSON.
.PHONY: sbom
sbom: build
	go run $(SBOM) bin -json -noserial -notimestamp -output bin/kith.cdx.json bin/kith

# Compares a million evaluations with circl's: some minutes.
.PHONY: ristretto-1m
ristretto-1m:
	go test -count=1 -tags large -run EqualsCircl -v -timeout 60m ./crypto/ristretto

# Tests the arithmetic as on other processors, emulated: arm64, and amd64 without AVX-512. Debian: apt-get install qemu-user-static.
.PHONY: emulated
emulated:
	CGO_ENABLED=0 GOARCH=arm64 KITH_TEST_EMULATOR=qemu-aarch64-static go test -count=1 -exec qemu-aarch64-static -timeout 30m ./crypto/...
	CGO_ENABLED=0 GOARCH=amd64 KITH_TEST_EMULATOR=qemu-x86_64-static go test -count=1 -exec qemu-x86_64-static -timeout 30m ./crypto/...
