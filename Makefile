# dewpoint: make help

export CGO_ENABLED := 1
TAGS := duckdb_arrow
GO := go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: help build build-iceberg demo dbt dashboards servers test test-long bench generate lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/dewpoint
	$(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/dewpoint ./cmd/dewpoint

build-iceberg: ## build bin/dewpoint-iceberg, which can write Iceberg tables too
	$(GO) build -trimpath -tags $(TAGS),iceberg -ldflags '$(LDFLAGS)' -o bin/dewpoint-iceberg ./cmd/dewpoint

demo: build ## replay the recorded estate into DuckDB and ask it four questions
	@examples/demo/run bin/dewpoint

dbt: build ## build and test the models on the demo estate with dbt
	@.ci/dbt

dashboards: build ## open the dashboards in Superset and Chromium, over both databases; -update in ARGS renews the pictures
	@.ci/superset
	cd dashboards/browser && $(GO) vet . && $(GO) test -count=1 -timeout 30m . $(ARGS)

servers: ## install what the tests run against: PostgreSQL, S3, Kubernetes, Snowflake emulator, dbt
	@.ci/servers

# What is concurrent is tested under the race detector.
CONCURRENT := ./extract/... ./normalize/... ./workflow/... ./react/notify ./react/program

# make lint has vetted this module.
test: servers ## run the tests; they start what they need themselves
	$(GO) test -vet=off -race -short -timeout 30m -tags $(TAGS) $(CONCURRENT)
	$(GO) test -vet=off -race -tags $(TAGS) -run 'TestConformance/(WritesAreConcurrent|ManyScopes|ParentsShareABatch)$$' ./sinks/duckdb
	$(GO) test -vet=off -short -timeout 20m -tags $(TAGS) $$($(GO) list ./... | grep -vxF "$$($(GO) list $(CONCURRENT))")
	$(GO) test -vet=off -timeout 20m -tags $(TAGS),iceberg -run 'Iceberg|Publish|Requests' ./sinks/parquet ./sinks/parquet/iceberg
	cd bench && $(GO) test -timeout 20m -tags $(TAGS) .

test-long: servers ## the same, with the sinks' suite once more without hashes
	$(GO) test -timeout 60m -tags $(TAGS) ./...

bench: build ## print the performance figures against their limits
	cd bench && $(GO) run -tags $(TAGS) .

generate: ## write everything that is generated; leaves no diff
	$(GO) generate -tags $(TAGS) ./...
	@.ci/dbt install
	cd dbt && $(GO) run ./gen -compile $$PWD/../.cache/dbt-1.11.16/bin/python

lint: ## gofumpt, vet, staticcheck
	$(GO) run mvdan.cc/gofumpt@v0.12.0 -l . | (! grep .)
	$(GO) vet -tags $(TAGS),iceberg ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -tags $(TAGS),iceberg ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -tags $(TAGS) ./sinks/parquet/...

clean: ## remove what was built and fetched
	rm -rf bin .cache
