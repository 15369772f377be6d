# What one does with this repository. `make` alone lists it. Needs Rust (rustup) and a C compiler;
# bench, demo, show, truth and test-* also Python 3, fuzz a C++ compiler, test all of them.
# test, test-page, test-deploy, test-monitoring, test-compose and test-image install what they need by apt-get.

CARGO ?= cargo
PYTHON ?= python3
BENCH = target/release/proxy-bench
.DEFAULT_GOAL := help
.PHONY: help run quickstart install uninstall demo test test-api test-attacks test-crash test-faults test-cluster test-page test-deploy test-monitoring test-compose test-image deb test-deb test-quickstart lint fuzz fuzz-smoke show bench soak truth supply sbom coverage release test-models loom asan miri fuzz-corpus
DEB_PROFILE ?= release
# Where cargo puts what it builds with that profile.
DEB_FOLDER = $(if $(filter dev,$(DEB_PROFILE)),debug,$(DEB_PROFILE))
# The program that is installed.
BIN ?= target/release/proxy-checker
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 600
FUZZ_JOBS ?= 2
PICTURES ?= target/page

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r name text; do printf '  make %-15s %s\n' "$$name" "$$text"; done

run: release ## Build and run the service with the built-in lists (http://127.0.0.1:8083)
	target/release/proxy-checker serve

quickstart: release ## Build, write a configuration with a random key (data/), start, and print the line that asks for a proxy
	scripts/quickstart.sh

install: ## Install what `make release` built, with its unit, under PREFIX (/usr/local) and DESTDIR; never overwrites a configuration
	@BIN='$(BIN)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' scripts/install.sh install

uninstall: ## Take it away again, but for the configuration and what it learnt
	@BIN='$(BIN)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' scripts/install.sh uninstall

demo: release ## Show the service at work over mock proxies on this machine, without a network
	$(PYTHON) scripts/demo.py --bin-dir target/release

test: ## Run all tests, then the demo, the quick start, the walk through README and the fuzz targets (installs redis-server and libfaketime if they are missing)
	scripts/redis.sh
	scripts/faketime.sh
	$(CARGO) test --workspace --locked
	$(CARGO) build --workspace --locked
	$(PYTHON) scripts/demo.py --bin-dir target/debug
	$(PYTHON) scripts/test_quickstart.py --bin-dir target/debug
	$(PYTHON) scripts/walk.py --bin-dir target/debug
	$(PYTHON) scripts/test_seccomp.py
	$(PYTHON) scripts/test_security.py
	$(PYTHON) scripts/test_context.py
	$(MAKE) fuzz-smoke

test-api: ## Hold the API to its description, its examples and its clients (tools from PyPI, in target/)
	$(CARGO) build --workspace --locked
	$(PYTHON) scripts/test_api.py --bin-dir target/debug

test-page: ## Look at the status page with a headless Chromium (installed if missing); PICTURES=docs takes its pictures anew
	scripts/browser.sh
	@mkdir -p $(PICTURES)
	STATUS_PAGE_PICTURES=$(abspath $(PICTURES)) $(CARGO) test --locked -p proxy-checker --test page -- --test-threads=2

test-deploy: ## Hold the unit, limits and variables in deploy/ against systemd and the binary
	$(CARGO) build --locked
	$(PYTHON) scripts/test_deploy.py --bin-dir target/debug

test-monitoring: ## Hold monitoring/ against a real Prometheus that scrapes the service
	$(CARGO) build --workspace --locked
	$(PYTHON) scripts/test_monitoring.py --bin-dir target/debug

test-compose: ## Hold docker-compose.yml and deploy/cluster/ with a real Redis and a real HAProxy
	$(CARGO) build --locked
	$(PYTHON) scripts/test_compose.py --bin-dir target/debug

test-image: ## Build the image without a registry and run it (as root; a quarter of an hour the first time)
	$(PYTHON) scripts/test_seccomp.py
	$(CARGO) build --locked -p proxy-bench
	$(PYTHON) scripts/test_image.py --bin-dir target/debug

deb: ## Build a Debian package of the service, with its unit, limits and a key of the host's own: target/debian
	@scripts/tool.sh cargo-deb 3.8.0 >/dev/null
	$(CARGO) build --locked -p proxy-checker --profile $(DEB_PROFILE)
	scripts/manual.sh target/$(DEB_FOLDER)/proxy-checker target/manual
	PATH="$(CURDIR)/target/tools/bin:$$PATH" $(CARGO) deb --locked -p proxy-checker --profile $(DEB_PROFILE)

test-deb: deb ## Install, upgrade and purge that package in a Debian of its own (as root)
	$(PYTHON) scripts/test_deb.py target/debian/proxy-checker_*.deb

test-quickstart: ## Hold `make quickstart`, `make install` and `make uninstall`
	$(CARGO) build --workspace --locked
	$(PYTHON) scripts/test_quickstart.py --bin-dir target/debug

test-cluster: release ## Kill, stop and restart nodes and Redis in the middle of sweeps over 60 000 mock proxies
	scripts/redis.sh
	$(PYTHON) scripts/test_cluster.py --bin-dir target/release

lint: ## Hold the formatting and clippy without a warning
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy -p proxy-checker --test page --test faults --locked -- -D warnings

supply: ## Hold licences, advisories, sources, unused dependencies and the oldest Rust (installs its tools in target/)
	scripts/supply.sh

sbom: ## List what is in the program, as CycloneDX: target/sbom
	scripts/sbom.sh

coverage: ## Hold which lines the tests run; the report is target/coverage/html (long)
	scripts/coverage.sh

fuzz: ## Fuzz every parser of bytes from outside, FUZZ_SECONDS (600) each, FUZZ_JOBS (2) at once; TARGETS="a b" names some; needs a C++ compiler
	TARGETS='$(TARGETS)' JOBS=$(FUZZ_JOBS) tests/fuzz/run.sh $(FUZZ_SECONDS)

fuzz-smoke: ## The same for a few seconds each
	TARGETS='$(TARGETS)' JOBS=$(FUZZ_JOBS) tests/fuzz/run.sh 5

fuzz-corpus: ## Keep what fuzzing learnt in tests/fuzz/corpus, which `cargo test` replays
	TARGETS='$(TARGETS)' JOBS=$(FUZZ_JOBS) tests/fuzz/run.sh keep

show: release ## Measure: CPU, memory and truth of checks over 20 000 and 38 000 mock proxies
	$(PYTHON) scripts/show.py --bin-dir target/release

bench: release ## Run every scenario of docs/performance.md (long); tables, JSON and plots in target/bench
	$(BENCH) sweep --load good,refused
	$(BENCH) sweep --name sweep-lanes --load good --lanes 5000,10000 --steered yes --against raw
	$(BENCH) sweep --name sweep-mix --load mix,tarpit --lanes 19000 --steered yes --runs 3
	$(BENCH) sweep --name sweep-wide --load good,tarpit --lanes 38000 --shards 2 --steered no --runs 3
	$(BENCH) bound
	$(BENCH) handshakes --count 5000
	$(BENCH) sessions --count 19000 --runs 3
	$(CARGO) bench --locked --bench control
	$(CARGO) bench --locked --bench coordinator
	$(BENCH) shards
	$(BENCH) tune
	$(BENCH) first --runs 3
	$(BENCH) freshness
	$(PYTHON) scripts/nginx.py $(BENCH) api

soak: release ## Two hours of the service under churn: slopes of memory, descriptors and threads
	$(BENCH) soak

test-crash: ## Kill, damage and fill every kind of store, 200 times each (minutes)
	PROXY_CHECKER_CRASH=long $(CARGO) test --locked -p proxy-checker --test crash -- --nocapture

test-faults: ## Break what docs/reliability.md promises, at length and against a release build (a quarter of an hour)
	scripts/faketime.sh
	PROXY_CHECKER_FAULTS=long $(CARGO) test --release --locked -p proxy-checker --test faults -- --nocapture --test-threads=1

test-models: ## Hold ledger, schedule, coordinator, limits, selection and parsers against models, twenty times as often as make test (minutes)
	PROXY_CHECKER_FAULTS=long $(CARGO) test --locked -p proxy-shards -p proxy-checker --lib -- model properties api::rates

loom: ## Check our own protocols between threads in every order of their steps
	RUSTFLAGS='--cfg loom' $(CARGO) run --release --quiet --locked --manifest-path tests/loom/Cargo.toml --target-dir target/loom

asan: ## Run the tests of the probe ring with AddressSanitizer (x86_64; says what is missing elsewhere)
	scripts/asan.sh

miri: ## Run pure parts of the data plane in Miri, where that is installed
	scripts/miri.sh

test-attacks: ## Attack the API of a release build at length (minutes), and hold its latency meanwhile
	PROXY_CHECKER_ATTACKS=long $(CARGO) test --release --locked -p proxy-checker --test attacks -- --nocapture

truth: release ## Hold every verdict over 20 000 mock proxies against what is true of them
	$(PYTHON) scripts/truth.py --bin-dir target/release

release:
	$(CARGO) build --release --workspace --locked
