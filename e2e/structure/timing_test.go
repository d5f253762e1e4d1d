package structure

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecretsAreComparedInConstantTime looks for comparisons that end at the first byte that differs, between two values of
// which one is called a secret. How long such a comparison takes tells how much of a guess is right; crypto/subtle and the
// lookup of a hash do not tell.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	secret := regexp.MustCompile(`(?i)^(token|secret|password|signature|raw|mac|digest)$`)
	careful, files := 0, 0
	for _, room := range []string{"authn", "counterparts"} {
		err := filepath.WalkDir(filepath.Join("..", "..", room), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			files++
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BinaryExpr:
					if (n.Op == token.EQL || n.Op == token.NEQ) && (secret.MatchString(called(n.X)) && variable(n.Y) || secret.MatchString(called(n.Y)) && variable(n.X)) {
						t.Errorf("%s compares a secret with %s; crypto/subtle does so in constant time", set.Position(n.Pos()), n.Op)
					}
				case *ast.CallExpr:
					switch f := called(n.Fun); {
					case f == "ConstantTimeCompare" || f == "Equal" && of(n.Fun) == "hmac":
						careful++
					case (f == "Equal" || f == "EqualFold" || f == "Compare") && len(n.Args) == 2 && (secret.MatchString(called(n.Args[0])) || secret.MatchString(called(n.Args[1]))):
						t.Errorf("%s compares a secret by %s; crypto/subtle does so in constant time", set.Position(n.Pos()), f)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if careful == 0 || files == 0 {
		t.Errorf("%d files compare %d secrets in constant time: is this test looking in the right place?", files, careful)
	}
}

// of is the package, or the value, of which something is called.
func of(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		return called(s.X)
	}
	return ""
}

// called is the last name in an expression.
func called(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.ParenExpr:
		return called(e.X)
	case *ast.CallExpr:
		if f := called(e.Fun); len(e.Args) == 1 && f != "len" { // a conversion
			return called(e.Args[0])
		}
	}
	return ""
}

// variable tells whether an expression is anything but a constant that stands there.
func variable(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return false
	case *ast.Ident:
		return e.Name != "nil" && e.Name != "true" && e.Name != "false"
	}
	return true
}
