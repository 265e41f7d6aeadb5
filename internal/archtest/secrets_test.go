package archtest

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// sources calls fn for every Go file of the project that is no test.
func sources(t *testing.T, fn func(path string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"testdata", "bin", "tools", ".git"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err == nil {
			fn(strings.TrimPrefix(path, root+"/"), set, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func text(set *token.FileSet, n ast.Node) string {
	var b strings.Builder
	if err := printer.Fprint(&b, set, n); err != nil {
		return err.Error()
	}
	return b.String()
}

// secretName is how the project calls what must not be compared step by step:
// keys, secrets, tokens, signatures, and what they are told apart by.
var secretName = regexp.MustCompile(`(?i)(secret|signature|\bmac\b|hmac|checksum|digest|passw|token|apikey|api_key|keyhash|secrethash|\bsig\b|securehash|secure_hash|vpc_SecureHash|AttemptKey|keyOf|pageKey|\botp\b|accesscode|access_code)`)

// public are comparisons that look like ones of secrets and are none. Each
// stands here with the reason, by file and expression.
var public = map[string]string{
	`admin/body.go: token`:                       "a token of JSON",
	`dialect/tiki/query.go: p.token != "{"`:      "a token of GraphQL",
	`dialect/tiki/query.go: p.token == "{"`:      "a token of GraphQL",
	`dialect/tiki/query.go: p.token != token`:    "a token of GraphQL",
	`rail/bankfeed/sepay.go: s.Mode == modeHMAC`: "the mode that an operator set",
}

// Keys and MACs are compared by internal/auth, hmac.Equal or crypto/subtle, in
// a time that tells nothing. This finds ==, !=, switch, bytes.Equal and the like
// on anything whose name says that it is a secret (ASVS 11.2.4).
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	met := map[string]bool{}
	sources(t, func(path string, set *token.FileSet, file *ast.File) {
		if kit := filepath.Base(filepath.Dir(path)); strings.HasPrefix(path, "test/") || strings.HasPrefix(path, "rail/sandbox/") || strings.HasSuffix(kit, "test") {
			return // tests and simulators have nobody's secrets
		}
		for _, n := range comparisons(set, file) {
			found := path + ": " + text(set, n)
			met[found] = true
			if _, ok := public[found]; !ok {
				t.Errorf("%s: %s compares a secret step by step: use auth.SameString, auth.Equal or hmac.Equal", set.Position(n.Pos()), text(set, n))
			}
		}
	})
	for found := range public {
		if !met[found] {
			t.Errorf("%q is met no more: take it off the list", found)
		}
	}
}

// The search finds each kind of comparison, and leaves alone what tells nothing.
func TestComparisonsAreFound(t *testing.T) {
	const source = `package p
func f() {
	_ = given == c.Secret
	_ = "x" != r.Header.Get(signatureHeader) && signature != want
	_ = bytes.Equal(mac, want)
	_ = strings.EqualFold(a, token)
	switch apiKey { case "a": }
	_ = known[secret]
	_ = slices.Contains(tokens, given)

	_ = secret == "" || len(secret) == 32 || mac == nil
	_ = fields["signature"]
	_ = (user == "") != (password == "")
	_ = hmac.Equal(mac, want) && auth.SameString(secret, given)
}`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, n := range comparisons(set, file) {
		lines = append(lines, set.Position(n.Pos()).Line)
	}
	slices.Sort(lines)
	if want := []int{3, 4, 4, 5, 6, 7, 8, 9}; !slices.Equal(lines, want) {
		t.Errorf("found at lines %v, want %v", lines, want)
	}
}

// comparisons are the nodes of a file that compare something named like a
// secret in the ordinary way.
func comparisons(set *token.FileSet, file *ast.File) (found []ast.Node) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if (n.Op == token.EQL || n.Op == token.NEQ) && !trivial(n.X) && !trivial(n.Y) && (secret(set, n.X) || secret(set, n.Y)) {
				found = append(found, n)
			}
		case *ast.CallExpr:
			if slices.Contains(comparers, text(set, n.Fun)) && slices.ContainsFunc(n.Args, func(e ast.Expr) bool { return secret(set, e) }) {
				found = append(found, n)
			}
		case *ast.SwitchStmt:
			if n.Tag != nil && secret(set, n.Tag) {
				found = append(found, n.Tag)
			}
		case *ast.IndexExpr:
			// A map looks its keys up step by step too.
			if secret(set, n.Index) {
				found = append(found, n)
			}
		}
		return true
	})
	return found
}

var comparers = []string{"bytes.Equal", "bytes.EqualFold", "bytes.Compare", "strings.EqualFold", "strings.Compare", "strings.HasPrefix", "strings.HasSuffix", "strings.Contains",
	"slices.Equal", "slices.Contains", "reflect.DeepEqual", "cmp.Compare"}

// trivial is a comparison with nothing: whether there is a secret at all, or
// how long it is, is no secret.
func trivial(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value == `""` || e.Kind == token.INT
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "true" || e.Name == "false" || strings.HasPrefix(e.Name, "err")
	case *ast.ParenExpr: // of two things that are the case or not
		inner, ok := e.X.(*ast.BinaryExpr)
		return ok && (inner.Op == token.EQL || inner.Op == token.NEQ)
	}
	return false
}

// secret says whether an expression is named like a secret. Its length is none.
func secret(set *token.FileSet, e ast.Expr) bool {
	if call, ok := e.(*ast.CallExpr); ok {
		if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "len" {
			return false
		}
	}
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		return false // the name of a header or of a field
	}
	return secretName.MatchString(text(set, e))
}

// sealing are the contexts for which secrets are sealed. Each has a row in
// sealedColumns of core/reseal.go; otherwise what is sealed for it could not be
// opened any more after its key was taken away.
var sealing = []string{"f.SecretContext()", "f.APIContext()", "k.SecretContext()", "conn.ConfigContext()", "keyContext(k.ID)", "settingContext(name)"}

func TestWhatIsSealedCanBeResealed(t *testing.T) {
	sources(t, func(path string, set *token.FileSet, file *ast.File) {
		if strings.HasPrefix(path, "internal/vault/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 2 {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Seal" && !slices.Contains(sealing, text(set, call.Args[1])) {
				t.Errorf("%s: sealed for %s: add its column to sealedColumns in core/reseal.go, and the context here", set.Position(n.Pos()), text(set, call.Args[1]))
			}
			return true
		})
	})
}
