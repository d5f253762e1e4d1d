# Everything here needs git, Go and make, and nothing else.

GO      ?= go
VERSION ?= 0.1.0
TAGS    := grpcnotrace
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 20s
BENCH   ?= .
export CGO_ENABLED ?= 0

.PHONY: help up build test check e2e race bench fuzz oracle clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: build ## build coracle and run it in the foreground (ARGS="--era modern" for flags)
	./bin/coracle up $(ARGS)

build: ## build bin/coracle
	$(GO) build -trimpath -tags $(TAGS) -ldflags "$(LDFLAGS)" -o bin/coracle ./cmd/coracle

test: check race ## check the code, and run all tests under the race detector, the scripts with kubectl included

race:
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -tags $(TAGS) -timeout 20m ./...

check: ## gofmt, go vet, staticcheck, tidiness, and that imports run one way
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not formatted by gofmt: $$unformatted"; exit 1; }
	$(GO) vet -tags $(TAGS) ./...
	$(GO) tool -modfile=tools/go.mod staticcheck -tags $(TAGS) ./...
	$(GO) mod tidy -diff
	$(GO) test -tags $(TAGS) -run 'TestImports|TestBinarySize' ./e2e/structure

e2e: ## run the scripts alone (RUN=token-in-pod for one of them, KUBECTL_MINOR=1.32 for another kubectl)
	$(GO) test -tags $(TAGS) -count=1 ./e2e -run 'TestScripts/$(RUN)'

bench: ## run the benchmarks, and measure start, stop, memory and size
	$(GO) test -tags $(TAGS) -run '^$$' -bench '$(BENCH)' -benchmem ./storage/... ./authn/... ./rbac/... ./apiserver/...
	$(GO) test -tags $(TAGS) -count=1 -v -run TestFigures ./e2e -figures

fuzz: ## run each fuzz target for FUZZTIME
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -tags $(TAGS) -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -tags $(TAGS) -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; \
	done

oracle: ## build the real kube-apiserver and etcd, and compare answers (takes minutes)
	cd e2e/oracle && $(GO) build -trimpath -o ../../.cache/oracle/ ./cmd/...
	@echo "built .cache/oracle/kube-apiserver and .cache/oracle/etcd"

clean: ## remove what was built
	rm -rf bin .cache
