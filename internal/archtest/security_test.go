package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/security.md says of each requirement which test shows that it is met.
// The tests are there, and no row is without one or the word Operator.
func TestSecurityPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := testNames(t)
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || !regexp.MustCompile(`^ \d+\.\d+\.\d+`).MatchString(cells[0]) {
			continue
		}
		rows++
		named := regexp.MustCompile(`\b[a-z]+\.(Test|Fuzz)\w+`).FindAllString(cells[3], -1)
		if len(named) == 0 && !strings.Contains(cells[3], "*Operator*") {
			t.Errorf("no test in: %s", line)
		}
		for _, name := range named {
			if !known[name] {
				t.Errorf("%s does not exist, named in: %s", name, line)
			}
		}
	}
	if rows < 50 {
		t.Errorf("only %d rows were read", rows)
	}
}

// testNames are all tests as package.Name.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	name := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pkg := regexp.MustCompile(`(?m)^package (\w+?)(_test)?$`).FindSubmatch(text)
		for _, found := range name.FindAllSubmatch(text, -1) {
			names[string(pkg[1])+"."+string(found[1])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
