# One verb per thing people do; `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Debian packages: what the build links against, and PostgreSQL for the local clusters.
PACKAGES := libpq-dev libssl-dev liblz4-dev zlib1g-dev pkg-config postgresql curl iproute2
# The drivers that the tests send through the read port: Java's is compiled by ecj, which needs no JDK.
DRIVERS := python3-psycopg2 python3-psycopg python3-asyncpg libpostgresql-jdbc-java default-jre-headless ecj
# What the benchmarks set Forebay beside.
RIVALS := nginx-light pgbouncer rsyslog rsyslog-pgsql python3-aiohttp python3-asyncpg python3-uvloop
RELEASE := .build/release
# Classes are checked for exclusive access at run time, SwiftNIO's too, which costs 3 to 4 % of what a request takes. The tests, which are
# built for debugging, keep the checks.
UNCHECKED := -Xswiftc -enforce-exclusivity=unchecked
# Swift's libraries are linked in: a call of theirs then takes no detour, and the program runs where no Swift is installed.
SWIFT_RELEASE := swift build -c release --static-swift-stdlib $(UNCHECKED)
SOURCES := Package.swift Sources Tests Benchmarks

.PHONY: help
help: ## List what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Debian's own cluster is not wanted: the local clusters are made, and removed, by us. Nor is any service to be started
# that comes with a package, which policy-rc.d forbids meanwhile.
.PHONY: deps bench-deps test-deps
bench-deps: PACKAGES += $(RIVALS)
test-deps: PACKAGES += $(DRIVERS)
bench-deps test-deps: deps
deps:
	@missing=(); for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' "$$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$$package"); \
	done; \
	if [ $${#missing[@]} -gt 0 ]; then \
	    as_root=(); [ "$$(id -u)" = 0 ] || as_root=(sudo); \
	    echo "Installing $${missing[*]}"; \
	    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then \
	        "$${as_root[@]}" mkdir -p /etc/postgresql-common; \
	        echo 'create_main_cluster = false' | "$${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null; \
	    fi; \
	    if [ ! -e /usr/sbin/policy-rc.d ]; then \
	        trap '"$${as_root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT; \
	        printf '#!/bin/sh\nexit 101\n' | "$${as_root[@]}" install -m 755 /dev/stdin /usr/sbin/policy-rc.d; \
	    fi; \
	    "$${as_root[@]}" apt-get update -qq; \
	    "$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	        -o Dpkg::Options::=--force-confold "$${missing[@]}" >/dev/null; \
	fi
	@command -v swift >/dev/null || { echo "Swift 6.3 is needed: see https://www.swift.org/install" >&2; exit 1; }

.PHONY: build
build: deps ## Build everything for use (release)
	$(SWIFT_RELEASE)

.PHONY: run
run: build ## Start a local cluster (a primary, two replicas) with Forebay in front of it
	@deploy/local/run.sh

.PHONY: stop
stop: ## Stop what `make run` started
	@deploy/local/stop.sh

.PHONY: test
# One test at a time: real clusters and proxies want the machine for themselves.
test: test-deps ## Build and run every test, real clusters included
	swift build --build-tests
	swift test --skip-build --no-parallel

# libFuzzer without its main comes with the compiler; the package builds its fuzzers when it is told where.
LIBFUZZER = $(firstword $(wildcard $(dir $(realpath $(shell command -v swift)))../lib/clang/*/lib/linux/libclang_rt.fuzzer_no_main-$(shell uname -m).a))
FUZZ := .build-fuzz
FUZZ_INPUTS := Tests/FuzzTests
SECONDS := 60

.PHONY: fuzz
fuzz: ## Search a decoder for inputs that break its promises (TARGET=json SECONDS=60); lists the targets without one
	@if [ -z "$(TARGET)" ]; then \
	    echo "Targets, for make fuzz TARGET=json SECONDS=60:"; \
	    sed -n 's/^ *case \.\([a-z]*\): "\(.*\)"$$/\1|\2/p' Sources/FuzzTargets/FuzzTarget.swift \
	        | awk -F'|' '{ printf "  %-14s%s\n", $$1, $$2 }'; \
	    echo "  json-postgres what json accepts, against a PostgreSQL server of its own"; exit 0; \
	fi; \
	[ -n "$(LIBFUZZER)" ] || { echo "libFuzzer is not beside this swift; the toolchain of swift.org has it" >&2; exit 1; }; \
	name=fuzz-$(TARGET); product=fuzz; [ "$(TARGET)" != json-postgres ] || product=$$name; \
	FOREBAY_LIBFUZZER="$(LIBFUZZER)" swift build -c release --scratch-path $(FUZZ) --product $$product 2>&1 \
	    | { grep -v 'Cannot export local symbol' || true; }; \
	corpus=$(FUZZ)/corpus/$(TARGET); findings=$(FUZZ)/findings/$(TARGET); mkdir -p $$corpus $$findings; \
	if [ $$product = fuzz ]; then \
	    ln -f $(FUZZ)/release/fuzz $(FUZZ)/$$name; \
	    run() { SWIFT_BACKTRACE=enable=no $(FUZZ)/$$name "$$@"; }; \
	    run -max_total_time=$(SECONDS) -timeout=20 -malloc_limit_mb=256 -print_final_stats=1 \
	        -dict=$(FUZZ_INPUTS)/Dictionaries/$(TARGET).dict -artifact_prefix=$$findings/ $(ARGS) \
	        $$corpus $(FUZZ_INPUTS)/Seeds/$(TARGET) || { \
	        found=$$(ls -t $$findings | head -1); \
	        echo "Again: SWIFT_BACKTRACE=enable=no $(FUZZ)/$$name $$findings/$$found" >&2; \
	        echo "Smaller: the same with -minimize_crash=1 -runs=100000" >&2; \
	        echo "Once mended: cp $$findings/$$found $(FUZZ_INPUTS)/Findings/$(TARGET)/what-it-showed" >&2; exit 1; }; \
	else \
	    mkdir -p $(FUZZ)/corpus/json; \
	    $(FUZZ)/release/$$name --seconds=$(SECONDS) --corpus=$(FUZZ)/corpus/json $(ARGS); \
	fi

# Pure and unit suites: those with real clusters measure PostgreSQL more than us, and take an hour under a sanitizer.
SANITIZED := Records|Instruments|IngestFormats|DirectSockets|SegmentedLog|Delivery|Topology|DurableQueue|IngestServer|OpsServer|AgentKit|ForebayRuntime|Simulation|PostgresWire|ReadProxy

.PHONY: sanitize
sanitize: ## Run the pure and unit suites under the thread sanitizer, then the address sanitizer (ONLY=thread)
	@for sanitizer in $(or $(ONLY),thread address); do \
	    echo "== $$sanitizer sanitizer"; \
	    TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/thread.supp \
	    ASAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/address.supp \
	    LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/leak.supp \
	    swift test --sanitize=$$sanitizer --scratch-path .build-$$sanitizer --no-parallel --filter '^($(SANITIZED))Tests\.'; \
	done

.PHONY: lint
lint: ## Hold the sources against the house style
	swift format lint --strict --recursive --parallel $(wildcard $(SOURCES))
	@for script in $$(git ls-files '*.sh' .ci/run); do bash -n "$$script"; done

.PHONY: format
format: ## Bring the sources into the house style
	swift format --in-place --recursive --parallel $(wildcard $(SOURCES))

.PHONY: seed
seed: build ## Send a million made-up API requests through the running Forebay (COUNT=…)
	@$(RELEASE)/forebay seed --config .forebay/forebay.yaml --via-api --count $(or $(COUNT),1000000)

.PHONY: bench
bench: bench-deps build ## Measure Forebay beside its limits (ONLY=single,drain CONTENDERS=forebay ROUNDS=5 DURATION=… RECORD=1)
	$(RELEASE)/bench $(if $(ONLY),--only $(ONLY)) $(if $(CONTENDERS),--contenders '$(CONTENDERS)') \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(DURATION),--duration $(DURATION)) \
	    $(if $(RECORD),--results Benchmarks/results) --command '$(strip make bench $(foreach name,ONLY CONTENDERS ROUNDS DURATION,$(if $($(name)),$(name)="$($(name))")))'

# The measuring package is fetched for this verb alone, into a build folder of its own. The code is checked as little as that of `make build`.
MICRO := FOREBAY_MICRO=1 swift package --scratch-path .build-micro $(UNCHECKED) --allow-writing-to-package-directory benchmark
.PHONY: bench-micro bench-micro-update
bench-micro: deps ## Measure the steps of an event's way to the disk, and hold them against Benchmarks/Thresholds
	$(MICRO) thresholds check --path Benchmarks/Thresholds --target Micro

bench-micro-update: deps ## Measure them, and make the figures the new thresholds
	$(MICRO) thresholds update --path Benchmarks/Thresholds --target Micro

.PHONY: drill
drill: build ## Break something under load and count the rows (NAME=proxy-kill ROUNDS=100 SEED=1, or ARGS='--help')
	$(RELEASE)/drill $(NAME) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(GIB),--gib $(GIB)) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: drills
drills: build ## Run every drill of the cluster and the disk, with a table at the end (ONLY=primary, ARGS='--help')
	$(RELEASE)/drill all $(if $(ONLY),--only $(ONLY)) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: simulate
simulate: deps ## Run the write path in seeded worlds of faults (SEEDS=10000, or SEED=n for one and its history)
	$(SWIFT_RELEASE) --product simulate
	$(RELEASE)/simulate $(if $(SEED),--seed $(SEED) --trace,--seeds $(or $(SEEDS),10000) --progress) $(ARGS)

.PHONY: docs
docs: ## Build the pages of the .docc catalogues into .build/docs
	@mkdir -p .build/docs; for catalogue in Sources/*/*.docc; do \
	    name=$$(basename "$$catalogue" .docc); \
	    "$$(dirname "$$(readlink -f "$$(command -v swift)")")/docc" convert "$$catalogue" \
	        --fallback-display-name "$$name" --fallback-bundle-identifier "forebay.$$name" \
	        --output-path ".build/docs/$$name" && echo ".build/docs/$$name"; \
	done

.PHONY: clean
clean: ## Stop what runs and remove everything that was built or started here
	@if [ -e .forebay ]; then deploy/local/stop.sh; fi
	rm -rf .build .build-micro .build-fuzz .build-thread .build-address .forebay
