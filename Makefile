# One verb per thing people do; `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Debian packages: what the build links against, and PostgreSQL for the local clusters.
PACKAGES := libpq-dev libssl-dev liblz4-dev zlib1g-dev pkg-config postgresql curl
# What the benchmarks set Forebay beside.
RIVALS := nginx-light rsyslog rsyslog-pgsql python3-aiohttp python3-asyncpg python3-uvloop
RELEASE := .build/release
SOURCES := Package.swift Sources Tests Benchmarks

.PHONY: help
help: ## List what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Debian's own cluster is not wanted: the local clusters are made, and removed, by us. Nor is any service to be started
# that comes with a package, which policy-rc.d forbids meanwhile.
.PHONY: deps bench-deps
bench-deps: PACKAGES += $(RIVALS)
bench-deps: deps
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
	swift build -c release

.PHONY: run
run: build ## Start a local cluster (a primary, two replicas) with Forebay in front of it
	@deploy/local/run.sh

.PHONY: stop
stop: ## Stop what `make run` started
	@deploy/local/stop.sh

.PHONY: test
# One test at a time: real clusters and proxies want the machine for themselves.
test: deps ## Build and run every test, real clusters included
	swift build --build-tests
	swift test --skip-build --no-parallel

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

# The measuring package is fetched for this verb alone, into a build folder of its own.
MICRO := FOREBAY_MICRO=1 swift package --scratch-path .build-micro --allow-writing-to-package-directory benchmark
.PHONY: bench-micro bench-micro-update
bench-micro: deps ## Measure the steps of an event's way to the disk, and hold them against Benchmarks/Thresholds
	$(MICRO) thresholds check --path Benchmarks/Thresholds --target Micro

bench-micro-update: deps ## Measure them, and make the figures the new thresholds
	$(MICRO) thresholds update --path Benchmarks/Thresholds --target Micro

.PHONY: drill
drill: build ## Break something under load and count the rows (NAME=proxy-kill ROUNDS=100, or ARGS='--help')
	$(RELEASE)/drill $(NAME) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(GIB),--gib $(GIB)) $(ARGS)

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
	rm -rf .build .build-micro .forebay
