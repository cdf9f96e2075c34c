package sinktest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the table of docs/sinks/README.md")

// TestSinksPage holds the last part of the page against the sinks that run the
// suite and their cannot.tsv.
func TestSinksPage(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "sinks", "README.md")
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "<!-- Below: go test ./sinks/sinktest -update -->\n"
	intro, _, ok := strings.Cut(string(have), mark)
	if !ok {
		t.Fatalf("%s lacks the mark %q", path, mark)
	}
	want := intro + mark + sinksTable(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(have) != want {
		t.Errorf("%s is out of date: go test ./sinks/sinktest -update", path)
	}
}

// sinksTable lists the sinks with what they cannot do.
func sinksTable(t *testing.T) string {
	tests, err := filepath.Glob(filepath.Join("..", "*", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, path := range tests {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if dir := filepath.Dir(path); bytes.Contains(text, []byte("\tsinktest.Run(t, ")) && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n| sink | of %d cases | case | why not |\n| --- | --- | --- | --- |\n", len(allCases()))
	for _, dir := range dirs {
		cannot, err := readCannot(filepath.Join(dir, "cannot.tsv"))
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(dir)
		if page := name + ".md"; exists(filepath.Join("..", "..", "docs", "sinks", page)) {
			name = fmt.Sprintf("[%s](%s)", name, page)
		}
		line := fmt.Sprintf("| %s | %d", name, len(allCases())-len(cannot))
		if len(cannot) == 0 {
			fmt.Fprintf(&b, "%s | | |\n", line)
		}
		for _, c := range allCases() {
			if reason, ok := cannot[c.name]; ok {
				fmt.Fprintf(&b, "%s | %s | %s |\n", line, c.name, strings.ReplaceAll(reason, "|", `\|`))
				line = "| |"
			}
		}
	}
	return b.String()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestCasesHaveNames keeps the names, by which sinks leave cases out, apart.
func TestCasesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range allCases() {
		if seen[c.name] || c.name == "" {
			t.Errorf("two cases are named %q", c.name)
		}
		seen[c.name] = true
	}
}

func TestCannot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cannot.tsv")
	for text, want := range map[string]int{
		"": 0, "ManyRows\tIt is small.\n": 1, "ManyRows\tIt is small.\nMillionRows\tToo.": 2,
		"ManyRows\n": -1, "ManyRows\t\n": -1, "Nonsense\tbecause\n": -1,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := readCannot(path)
		if err != nil && want != -1 || err == nil && len(all) != want {
			t.Errorf("%q: %v, %v", text, all, err)
		}
	}
}
