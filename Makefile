# Everything here needs git, Go and make, and nothing else.

GO       ?= go
VERSION  ?= 0.1.0
LDFLAGS  := -s -w -funcalign=8 -X main.version=$(VERSION)
BIN      ?= bin/coracle
FUZZTIME ?= 20s
BENCH    ?= .

# Large, mostly generated, and seldom run: compiled without inlining, see docs/adr/0006-size-before-speed.md.
LARGE := k8s.io/api k8s.io/client-go k8s.io/kube-openapi k8s.io/apiextensions-apiserver \
  github.com/google/gnostic-models github.com/google/cel-go github.com/antlr4-go google.golang.org/protobuf \
  github.com/go-openapi github.com/spf13 go.yaml.in/yaml golang.org/x/net \
  k8s.io/apiserver coracle/apiserver/admission k8s.io/streaming k8s.io/cri-streaming github.com/moby/spdystream github.com/json-iterator github.com/fxamacker github.com/prometheus \
  k8s.io/component-base k8s.io/component-helpers k8s.io/kube-aggregator coracle/cmd coracle/counterparts coracle/controllers coracle/kubelet-sim \
  coracle/cluster coracle/authn/pki coracle/authn/oidc coracle/apiserver/why coracle/apiserver/catalog coracle/apiserver/openapi coracle/apiserver/customresource \
  coracle/apiserver/crdvalidation coracle/apiserver/authz/config coracle/apiserver/audit github.com/pelletier github.com/fsnotify github.com/go-viper \
  github.com/sagikazarmark github.com/blang golang.org/x/text golang.org/x/oauth2 go.opentelemetry.io github.com/emicklei gopkg.in

# The same flags for every build, so that checks, tests and the binary share what was compiled once.
# grpcnotrace: see docs/dependencies.md.
export GOFLAGS     ?= -trimpath -tags=grpcnotrace $(LARGE:%=-gcflags=%/...=-l)
export CGO_ENABLED ?= 0

# The race detector needs a C compiler. Where there is none the tests run without it, and `make test` says so.
RACE := $(shell command -v $$(CGO_ENABLED=1 $(GO) env CC) >/dev/null 2>&1 && echo -race)

.PHONY: help up build test check e2e race bench fuzz compare counterparts eks clients oracle clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: build ## build coracle and run it in the foreground (ARGS="--era modern" for flags)
	@exec ./bin/coracle up $(ARGS)

build: ## build bin/coracle (BIN=path for another place)
	$(GO) build -ldflags "$(LDFLAGS)" -o $(BIN) ./cmd/coracle

test: check race ## check the code, and run all tests under the race detector, the scripts with kubectl included

race:
	@$(if $(RACE),:,echo "there is no C compiler: the tests run without the race detector")
	$(if $(RACE),CGO_ENABLED=1) $(GO) test $(RACE) -shuffle=on -timeout 20m ./...

check: ## gofmt, go vet, staticcheck, tidiness, and that imports run one way
	@unformatted=$$(git ls-files '*.go' | while read -r f; do test ! -e "$$f" || gofmt -l "$$f"; done); \
	  test -z "$$unformatted" || { echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	$(GO) test ./e2e/structure

e2e: ## run the scripts alone (RUN=token-in-pod for one of them, KUBECTL_MINOR=1.32 for another kubectl)
	$(GO) test -count=1 ./e2e -run 'TestScripts/$(RUN)'

bench: ## run the benchmarks, and measure start, stop, memory and size (BENCH=Evaluate for some of them)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./storage/... ./authn/... ./rbac/... ./apiserver/... ./kubelet-sim/...
	$(GO) test -count=1 -v -run 'TestFigures|TestSpeed' -timeout 30m ./e2e -figures

fuzz: ## run each fuzz target for FUZZTIME (20s)
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; \
	done

compare: ## hold the authorizers and the default policy against Kubernetes' own code, on more than a million random requests
	cd apiserver/authz/compare && $(GO) test -count=1 -v ./...

counterparts: build ## try Dex, oidc-provider, nginx, openssl and clients of other languages against it; what is not installed is, where apt-get can be run
	@for p in nginx openssl npm; do \
	  command -v $$p >/dev/null || test -x /usr/sbin/$$p || \
	  { test "$$(id -u)" = 0 && apt-get install -y -qq --no-install-recommends $$p; } || echo "$$p is not installed, and this is not root of a Debian"; \
	done; /usr/bin/python3 -c 'import kubernetes' 2>/dev/null || \
	  { test "$$(id -u)" = 0 && apt-get install -y -qq --no-install-recommends python3-kubernetes; } || echo "python3-kubernetes is not installed, and this is not root of a Debian"
	cd e2e/counterparts && COUNTERPARTS=all $(GO) test -count=1 ./...

eks: build ## log in with tokens of the real aws-iam-authenticator (with the kubectl that the scripts have built, or that of the path)
	cd e2e/eks && KUBECTL="$$(ls $(CURDIR)/.cache/kubectl-1.37-*/kubectl 2>/dev/null | head -n 1)" $(GO) test -count=1 ./...

clients: build ## run an operator of controller-runtime, with its webhooks and an election, and Helm 3 and 4 against it (takes minutes to build)
	cd e2e/controllerruntime && $(GO) test -count=1 ./...
	cd e2e/helm && KUBECTL="$$(ls $(CURDIR)/.cache/kubectl-1.37-*/kubectl 2>/dev/null | head -n 1)" $(GO) test -count=1 ./...

oracle: build ## compare our answers with those of the real kube-apiserver (takes minutes to build)
	cd e2e/oracle && $(GO) build -o ../../.cache/oracle/ ./cmd/...
	cd e2e/oracle && ../../.cache/oracle/compare -etcd ../../.cache/oracle/etcd -kube-apiserver ../../.cache/oracle/kube-apiserver \
	  -coracle ../../bin/coracle -kubectl "$$(ls $(CURDIR)/.cache/kubectl-1.37-*/kubectl 2>/dev/null | head -n 1)" corpus/*.txt corpus/*.txtar corpus/kinds/*.yaml

clean: ## remove what was built
	rm -rf bin .cache
