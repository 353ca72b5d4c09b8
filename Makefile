# iamwatch: unusual IAM activity, found inside PostgreSQL
#
#	make demo	see it work, in a cluster of its own
#	make check	run every test, in clusters of its own
#	make check-matrix	the same on each PostgreSQL that can be had here
#	make check-reproducible	two builds give the same files
#	make check-packages	build and test the zip for PGXN and the Debian package
#	make bench	measure it, in a cluster of its own
#	make bench-detection	measure how well it detects, beside its peers (TRACK, OPTIONS)
#	make fuzz	feed it odd input, ten million times (FUZZ_INPUTS)
#	make check-sanitize	run tests under sanitizers and valgrind
#	make check-assert	run tests in a server that was built with assertions
#	make reference	write docs/reference.md from the comments of all objects
#	make indent	lay out the C sources as pgindent does
#	make, make install, make installcheck: as every extension

EXTENSION = iamwatch
EXTVERSION = 1.0.0

MODULE_big = iamwatch
OBJS = $(sort $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c)))
TREE_HEADERS = $(wildcard src/*/*.h)

# The install script is put together from these, in this order.
PARTS = header overview baseline/dayset \
	event/types event/parse event/documents event/products event/columns baseline/tables baseline/settled baseline/by_name detect/tables detect/lookups \
	baseline/locks config/copies config/detectors config/catalogue event/providers event/targets config/shipped config/limits config/checks event/rejected \
	baseline/exclusion detect/score baseline/context baseline/learn \
	detect/context_score detect/risk \
	operate/read config/inventory config/inventory_aws config/inventory_gcp config/inventory_learn detect/alerts \
	operate/nodes operate/watch operate/maintain operate/backfill_work operate/backfill operate/backfill_alerts operate/context_backfill operate/process \
	analyst/backtest baseline/views analyst/names analyst/playbook \
	analyst/triage analyst/suppressions config/constraints analyst/notify analyst/explain analyst/why \
	analyst/incidents analyst/incidents_keep operate/everywhere operate/status analyst/exports analyst/report operate/move operate/comments operate/privileges
SCRIPT = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA_built = $(SCRIPT)
SCRIPTS = bin/iamwatch_load
DATA = $(wildcard sql/$(EXTENSION)--*--*.sql)
EXTRA_CLEAN = sql/config/shipped.sql

# pg_regress would take a part of the script for the test.
TESTS = $(basename $(notdir $(wildcard test/sql/*.sql)))
ifneq ($(filter $(notdir $(PARTS)),$(TESTS)),)
$(error a test in test/sql has the name of a part in sql: $(filter $(notdir $(PARTS)),$(TESTS)))
endif
REGRESS = $(TESTS)
REGRESS_OPTS = --inputdir=test --load-extension=iamwatch
ISOLATION = $(basename $(notdir $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=iamwatch

PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers

# No path of the machine that builds, in debugging information or elsewhere.
PG_CFLAGS += -ffile-prefix-map=$(CURDIR)=.

# Every session loads the library anew, unless the server has.  So what the files
# call of each other is bound once; start-up code, of which nothing here needs any,
# asks no library of the server for what none has; there are two segments to map.
ifeq ($(shell uname -s),Linux)
SHLIB_LINK += -Wl,-Bsymbolic -nostartfiles -Wl,-z,noseparate-code
endif

ifneq ($(filter demo check check-matrix check-reproducible check-packages check-sanitize check-assert bench bench-detection fuzz reference indent,$(MAKECMDGOALS)),)

# These work before there is a server to build for, so PGXS stays out.
demo check bench fuzz reference:
	@test/setup $@
	@test/run $@
bench-detection:
	@test/setup $@
	@test/run $@ $(TRACK) $(OPTIONS)
check-sanitize:
	@test/setup $@
	@test/sanitize

check-assert:
	@test/setup
	@test/assert

check-matrix:
	@test/matrix

check-reproducible:
	@test/setup
	@test/reproducible

check-packages:
	@test/setup
	@test/packages

indent:
	@test/indent

else

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else
all install installcheck:
	@echo "no server headers found by $(PG_CONFIG); install them, or run: make check" >&2; exit 1
endif

$(OBJS): $(TREE_HEADERS)

$(SCRIPT): $(PARTS:%=sql/%.sql) Makefile
	for part in $(PARTS); do cat sql/$$part.sql; echo; done > $@.new
	mv $@.new $@

CATALOGUE = $(sort $(wildcard data/catalogue/*.csv))
TARGETS = $(sort $(wildcard data/targets/*.csv))

sql/config/shipped.sql: $(CATALOGUE) $(TARGETS) data/catalogue.awk data/targets.awk
	awk -f data/catalogue.awk $(CATALOGUE) > $@.new
	awk -f data/targets.awk $(TARGETS) >> $@.new
	mv $@.new $@

endif

dist:
	git archive --format zip --prefix=$(EXTENSION)-$(EXTVERSION)/ \
		-o $(EXTENSION)-$(EXTVERSION).zip HEAD

.PHONY: demo check check-matrix check-reproducible check-packages check-sanitize check-assert bench bench-detection fuzz \
	reference indent dist
