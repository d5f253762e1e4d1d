package structure

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// judges are the files that decide whether something is over: certificates, tokens, requests for them. They take the time from
// the clock that they are given (cluster.Config.Now), so that one clock decides about all of it.
func judges() []string {
	return []string{
		"authn/*.go", "authn/*/*.go", "cluster/*.go", "kubelet-sim/*.go", "kubelet-sim/certificate/*.go", "kubelet-sim/server/*.go", "kubelet-sim/shell/*.go",
		"controllers/bootstrap/*.go", "controllers/certificates/*.go", "controllers/legacytokencleaner/*.go", "controllers/rootca/*.go", "controllers/token/*.go",
		"apiserver/token*.go", "apiserver/callout/*.go", "apiserver/audit/*.go", "apiserver/authz/webhook/*.go", "apiserver/kubelet.go", "apiserver/catalog/certificates*.go", "apiserver/catalog/authentication*.go",
	}
}

// measures are files that take the machine's time, since they measure how long something takes, or how long is left of a
// context or a connection, whose deadlines are by that clock. What they verify they verify by the clock that is given all the same.
func measures() []string {
	return []string{"cluster/log.go", "cluster/coalesce.go", "apiserver/callout/client.go", "apiserver/kubelet.go"}
}

// TestExpiryIsJudgedByTheClockThatIsGiven fails with each look at the machine's own clock, also where it is hidden: in a
// verification of certificates that is told no time, by Go's own code.
func TestExpiryIsJudgedByTheClockThatIsGiven(t *testing.T) {
	files, verified := 0, 0
	for _, pattern := range judges() {
		paths, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pattern)))
		if err != nil || len(paths) == 0 {
			t.Fatalf("there is nothing in %s: %v", pattern, err)
		}
		for _, path := range paths {
			name, _ := filepath.Rel(filepath.Join("..", ".."), path)
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files++
			for _, look := range looksAtTheMachinesClock(file) {
				if look.measures && slices.Contains(measures(), filepath.ToSlash(name)) {
					continue
				}
				t.Errorf("%s: %s", set.Position(look.at), look.what)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if l, ok := n.(*ast.CompositeLit); ok && called(l.Type) == "VerifyOptions" {
					verified++
				}
				return true
			})
		}
	}
	if files < 50 || verified < 3 {
		t.Errorf("%d files verify %d times: is this test looking in the right place?", files, verified)
	}
}

type look struct {
	at       token.Pos
	what     string
	measures bool // it asks for the time, for whatever purpose
}

func looksAtTheMachinesClock(file *ast.File) []look {
	var all []look
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			f, from := called(n.Fun), of(n.Fun)
			if from == "time" && (f == "Now" || f == "Since" || f == "Until") || from == "metav1" && (f == "Now" || f == "NowMicro") {
				all = append(all, look{n.Pos(), from + "." + f + " is the machine's clock; ask the one that was given", true})
			}
			if from == "rest" && (f == "HTTPClientFor" || f == "TransportFor" || f == "TLSConfigFor") {
				all = append(all, look{n.Pos(), "rest." + f + " verifies the server by the machine's clock; see coracle/authn/remote", false})
			}
		case *ast.CompositeLit:
			has := func(field string) bool {
				return slices.ContainsFunc(n.Elts, func(e ast.Expr) bool {
					kv, ok := e.(*ast.KeyValueExpr)
					return ok && called(kv.Key) == field
				})
			}
			skips := slices.ContainsFunc(n.Elts, func(e ast.Expr) bool {
				kv, ok := e.(*ast.KeyValueExpr)
				return ok && called(kv.Key) == "InsecureSkipVerify" && called(kv.Value) == "true"
			})
			switch {
			case called(n.Type) == "VerifyOptions" && !has("CurrentTime"):
				all = append(all, look{n.Pos(), "x509.VerifyOptions without CurrentTime verify by the machine's clock", false})
			case called(n.Type) == "Config" && of(n.Type) == "tls" && !has("Time") && !skips && !has("GetCertificate"):
				all = append(all, look{n.Pos(), "a tls.Config without Time verifies the server by the machine's clock", false})
			}
		}
		return true
	})
	return all
}

func TestLooksAtTheMachinesClock(t *testing.T) {
	for text, want := range map[string]int{
		"if time.Now().After(c.NotAfter) {}":                       1,
		"_ = time.Until(end) + time.Since(begin)":                  2,
		"at = metav1.Now()":                                        1,
		"if c.Now == nil { c.Now = time.Now }":                     0,
		"_ = c.now().After(end)":                                   0,
		"c.Verify(x509.VerifyOptions{Roots: r})":                   1,
		"c.Verify(x509.VerifyOptions{Roots: r, CurrentTime: now})": 0,
		"_ = &tls.Config{RootCAs: r}":                              1,
		"_ = &tls.Config{RootCAs: r, Time: now}":                   0,
		"c, err := rest.HTTPClientFor(config)":                     1,
		"_ = &tls.Config{InsecureSkipVerify: true}":                0,
		"_ = &tls.Config{InsecureSkipVerify: wanted}":              1,
		"_ = &tls.Config{GetCertificate: f}":                       0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc f() {"+text+"}", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := looksAtTheMachinesClock(file); len(got) != want {
			t.Errorf("%s: %d looks, want %d", text, len(got), want)
		}
	}
}
