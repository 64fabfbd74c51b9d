# The front door. Meson does the building; `make` sees to it first that what is needed is installed.
#
#   make           builds build/bawn
#   make demo      a hijacked agent against a real client and real servers
#   make test      every test, also under the sanitizers, and some seconds of each fuzz target
#   make bench     the figures of docs/performance.md, beside the peers they are compared with
#   make fuzz      a minute of each fuzz target;  make soak: ten minutes of each, and of the family
#   make install   into PREFIX (and below DESTDIR)
#   make clean     removes every build folder

BUILD = build
PREFIX = /usr/local
FUZZ_SECONDS = 60
SOAK_SECONDS = 600

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/deps build
	@meson setup $(BUILD) --prefix=$(PREFIX)
	@echo '$(PREFIX)' >$(BUILD)/prefix

demo:
	@tools/deps build test
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) node tests/e2e/demo.mjs

test:
	@tools/deps build test
	@BUILD=$(BUILD) PREFIX=$(PREFIX) tools/test

bench:
	@tools/deps build test bench
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) bench/run

fuzz:
	@tools/deps build test
	@tools/fuzz $(FUZZ_SECONDS)

soak:
	@tools/deps build test
	@$(MAKE) --no-print-directory all
	@tools/fuzz $(SOAK_SECONDS)
	@BAWN_ROUNDS=200 $(BUILD)/tests/unit/unit-auditlog_crash
	@BUILD=$(BUILD) node tests/scenario/soak.mjs $(SOAK_SECONDS)
	@BUILD=$(BUILD) BAWN_KILLS=500 node tests/scenario/faults-approvals.mjs
	@BUILD=$(BUILD) BAWN_ROUNDS=1000 BAWN_KILLS=120 node --test-name-pattern='64 calls at once on|killed at' tests/e2e/agent-approvals.mjs

# The build folder may be of an earlier make, with another PREFIX. Nothing is rebuilt when it is the same: this may be root's turn.
install: all
	@{ mkdir -p '$(DESTDIR)$(PREFIX)/bin' && test -w '$(DESTDIR)$(PREFIX)/bin'; } 2>/dev/null || \
		{ echo 'make install: cannot write in $(DESTDIR)$(PREFIX): do it as root, or say PREFIX=$$HOME/.local' >&2; exit 1; }
	@test "$$(cat $(BUILD)/prefix 2>/dev/null)" = '$(PREFIX)' || \
		{ meson configure $(BUILD) --prefix=$(PREFIX) && ninja -C $(BUILD) && echo '$(PREFIX)' >$(BUILD)/prefix; }
	@meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) build-sanitize build-fuzz

.PHONY: all demo test bench fuzz soak install clean
