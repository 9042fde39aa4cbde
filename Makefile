# Everything from a fresh checkout: `make compare` measures, `make test` tests.
.PHONY: compare test clusters check install browser open clean

VENV := .venv
BIN := $(VENV)/bin

compare: install
	$(BIN)/python -m compare $(ARGS)

test: install browser open
	$(BIN)/python -m tests $(ARGS)

# Builds the image and tests the clusters of containers; needs Docker with Compose.
clusters: install
	docker compose --profile tools build --quiet
	$(BIN)/python -m tests $(or $(ARGS),clusters)

# What CI checks before it runs the tests.
check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(VENV)/.complete

# Rebuilt from nothing when the lock changes: a half-updated environment is measured by nobody.
$(VENV)/.complete: requirements.lock pyproject.toml install.sh
	./install.sh $(VENV)
	touch $@

browser:
	@./install.sh --browser

open: install
	@./install.sh --open $(VENV)

clean:
	rm -rf $(VENV)
