# Every target works from a fresh clone; what it needs beyond Go is fetched by Go or, for the end-to-end tests, by Maven.

GO       ?= go
LINT     := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -X baton/internal/version.number=$(VERSION)
# The race detector makes a package several times slower; the limit is for a machine with two cores.
TIMEOUT  ?= 30m
# The Kafkas of make test-matrix, and the stories that are told on each.
KAFKAS   ?= 2.4.1 2.8.2 3.3.2 3.9.1
STORIES  ?= TestTakeoverAndHandback|TestBrokerKilledAndRestarted|TestRollingRestart|TestActiveKilled|TestZombie|TestArbitration|TestAutoCreatedTopicsLeaveBaton|TestClientsOnAnEmptyCluster|TestTopicDeletion|TestReassignment|TestElections|TestPartitionsAddedInZooKeeper|TestLogDirFailure|TestReplicasAreMeasuredAboveTheHighWatermark|TestRecoveryPage|TestLongerLogIsTheWrongOne|TestLossOfABusyLeader|TestReturnedLeader|TestRecoveryStrategies|TestEveryVerb
# The Baton that its rolling upgrade begins with: a tag or a commit. Empty is the last tag, or the oldest one that has to work.
OLD      ?= $(BATON_OLD)
# Seeds of the simulation in a soak.
SEEDS    ?= 20000
# How long each fuzz target looks for new input; a dozen of them.
FUZZTIME ?= 5s
# How the controllers are compared: flags of e2e/sidebyside.
BENCH    ?= -real 3000 -json bench.json -svg bench.svg
# Classes of Kafka's own tests for test-kafka, with commas between, with or without package; Class#method for one method.
CLASSES  ?=

.PHONY: run run-kafka test test-fast test-matrix test-kafka lint vet race whatif crash e2e fuzz bench bench-smoke bench-go soak bugs build clean help

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

build: ## bin/controller, a static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/controller ./cmd/controller

run: ## half a minute, with nothing but Go: a cluster in one process; breaks brokers and Batons, or asks what to break
	$(GO) run ./cmd/controller dev

run-kafka: ## the same on real Kafka 3.9.1, in some two minutes; needs Java 17 and Maven 3
	$(GO) run ./cmd/controller dev --kafka 3.9.1

test: vet lint race whatif crash fuzz e2e ## everything that has to pass

test-fast: ## no Java, no network, a minute at most; with the seeded simulation; four packages at a time, as some of them mostly wait
	$(GO) test -short -vet=off -count=1 -p 4 $$($(GO) list ./... | grep -v '^baton/e2e')

vet:
	$(GO) vet ./...

lint: ## golangci-lint, with the import rules of the core
	$(LINT) run --allow-parallel-runners --timeout 10m ./...

race:
	$(GO) test -race -count=1 -timeout $(TIMEOUT) $$($(GO) list ./... | grep -v '^baton/e2e')

crash: ## Baton killed, cut off, handing over or back at each step of what operators ask for; the race detector has time for a tenth
	$(GO) test -count=1 -timeout $(TIMEOUT) -v -run '^TestCrashPoints$$' ./sim

whatif: ## what whatif foretells of 200 seeded clusters, and what then becomes of them
	$(GO) test -count=1 -timeout $(TIMEOUT) -v -run '^TestWhatIf$$' ./sim

e2e: ## real ZooKeeper and Kafka on loopback ports; needs Java 17 and Maven
	@if $(GO) list ./e2e/... >/dev/null 2>&1 && [ -n "$$($(GO) list ./e2e/... 2>/dev/null)" ]; then \
		$(GO) test -count=1 -timeout 75m -p 1 -v ./e2e/...; \
	else echo 'e2e: no such packages'; exit 1; fi

fuzz: ## every fuzz target for FUZZTIME, over a minute in all; new input that fails is kept in testdata/fuzz
	@targets=$$($(GO) test -list '^Fuzz' $$($(GO) list ./... | grep -v '^baton/e2e')) || { echo "$$targets"; exit 1; }; \
	echo "$$targets" | awk '/^Fuzz/ { found[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, found[i]; n = 0 }' | \
	while read -r package target; do \
		echo "=== $$package $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
	done

test-matrix: ## the stories of operators on each Kafka from 2.4.1 to 3.9.1, and upgrades under load; an hour
	@failed=; for v in $(KAFKAS); do \
		echo "=== Kafka $$v"; \
		BATON_KAFKA=$$v $(GO) test -count=1 -timeout 40m -v -run '^($(STORIES))$$' ./e2e/stories || failed="$$failed $$v"; \
	done; \
	echo '=== upgrades'; \
	BATON_MATRIX=1 BATON_OLD=$(OLD) $(GO) test -count=1 -timeout 40m -v -run '^(TestOldestProtocolOnNewestKafka|TestRollingUpgrade|TestRollingUpgradeOfBaton)$$' ./e2e/stories || failed="$$failed upgrades"; \
	if [ -n "$$failed" ]; then echo "test-matrix: failed:$$failed"; exit 1; fi

test-kafka: ## Kafka's own integration tests with Baton as the controller; CLASSES=A,B for others than the usual ones
	$(GO) run ./e2e/kafkatests -classes '$(CLASSES)'

bench: bench-go ## Kafka's own controller and Baton at the same work, three times each: over an hour; BENCH='-partitions 10000 -runs 1' for less
	$(GO) run ./e2e/sidebyside $(BENCH)

bench-smoke: ## the same on a small cluster, once: both have to arrive at the same
	$(GO) test -count=1 -v ./e2e/sidebyside

bench-go: ## the benchmarks of every package
	$(GO) test -run '^$$' -bench . -benchmem $$($(GO) list ./... | grep -v '^baton/e2e')

soak: ## the end-to-end tests with more rounds, and the simulation with more seeds
	BATON_SOAK=1 BATON_SIM_SEEDS=$(SEEDS) $(GO) test -count=1 -timeout 6h $$($(GO) list ./... | grep -v '^baton/e2e')
	BATON_SOAK=1 $(GO) test -count=1 -timeout 12h -p 1 -v ./e2e/...

bugs: ## plant bugs in copies of the tree; which kind of test catches which (several minutes)
	$(GO) run ./internal/bugs

clean:
	rm -rf bin
