package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
)

// TestPages runs every console block of the documentation, page by page, each
// in a folder of its own with an estate that has been synced. YAML blocks of
// CONTRIBUTING.md are written to the files that the text names before. Lines
// below a command are what it must print.
func TestPages(t *testing.T) {
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	env := map[string]string{}
	withEstate(t, func(k, v string) { env[k] = v })
	for _, k := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		env[k] = filepath.Join(base, k)
	}
	profile := "[default]\nregion = us-east-1\n"
	for _, name := range []string{"production", "staging"} {
		profile += "[profile " + name + "]\nregion = us-east-1\naws_access_key_id = AKIA111122223333\naws_secret_access_key = secret\n"
	}
	write(t, env["AWS_CONFIG_FILE"], profile)
	env["AWS_EC2_METADATA_DISABLED"], env["HOME"] = "true", base
	shell := func(t *testing.T, env map[string]string, dir, command string) (string, int) {
		cmd := exec.Command("bash", "-c", command)
		cmd.Dir = dir
		cmd.Env = os.Environ()
		for k, v := range env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		var out, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if err != nil {
			t.Logf("%s\n%s%s", command, out.String(), stderr.String())
		}
		return out.String(), cmd.ProcessState.ExitCode()
	}
	first := t.TempDir()
	if _, code := shell(t, env, first, "dewpoint sync -q"); code != 0 {
		t.Fatalf("the first sync ends with %d", code)
	}
	database, err := os.ReadFile(filepath.Join(first, "dewpoint.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pages(t) {
		if filepath.Base(path) == "story.md" {
			continue // told by testdata/script/story.txtar
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir, env := t.TempDir(), maps.Clone(env)
			if filepath.Base(path) == "postgres.md" {
				withPostgres(t, env)
			}
			write(t, filepath.Join(dir, "dewpoint.duckdb"), string(database))
			write(t, filepath.Join(dir, "report.sql"), "SELECT count(*) FROM resources")
			if err := os.Symlink(filepath.Join(repo, "examples"), filepath.Join(dir, "examples")); err != nil {
				t.Fatal(err)
			}
			files := filepath.Base(path) == "CONTRIBUTING.md"
			for _, s := range steps(string(text), files) {
				if s.file != "" {
					write(t, filepath.Join(dir, s.file), s.text)
					continue
				}
				out, code := shell(t, env, dir, s.text)
				if code != 0 {
					t.Errorf("%s: exit code %d", s.text, code)
				}
				if s.output != "" && !prints(out, s.output) {
					t.Errorf("%s prints\n%s\nnot, as the page says,\n%s", s.text, out, s.output)
				}
			}
		})
	}
}

// withPostgres starts a server for one page and names it as psql is told.
func withPostgres(t *testing.T, env map[string]string) {
	t.Helper()
	if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") == "1" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	server, err := postgrestest.Start(postgrestest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	env["PGHOST"], env["PGPORT"], env["PGUSER"], env["PGSSLMODE"] = "127.0.0.1", strconv.Itoa(server.Port), "postgres", "disable"
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// step is a command and what it prints, or a file to write.
type step struct{ text, output, file string }

var fileName = regexp.MustCompile("`([a-z/._-]+\\.yaml)`")

func steps(text string, files bool) []step {
	var out []step
	var language, named string
	var block []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "```") && language == "":
			language, block = line[3:]+" ", nil
		case line == "```":
			switch {
			case language == "console ":
				out = append(out, commands(block)...)
			case language == "yaml " && files:
				out = append(out, step{file: named, text: strings.Join(block, "\n") + "\n"})
			}
			language = ""
		case language != "":
			block = append(block, line)
		default:
			for _, m := range fileName.FindAllStringSubmatch(line, -1) {
				named = m[1]
			}
		}
	}
	return out
}

func commands(block []string) []step {
	var out []step
	for _, line := range block {
		n := len(out)
		switch command, ok := strings.CutPrefix(line, "$ "); {
		case ok:
			out = append(out, step{text: command})
		case n > 0 && strings.Count(out[n-1].text, `"`)%2 == 1: // a quotation goes on
			out[n-1].text += "\n" + line
		case n > 0:
			out[n-1].output += line + "\n"
		}
	}
	return out
}

var unsteady = regexp.MustCompile(`(?m)\b(in )?[0-9.]+(s|m[0-9]{2}s| [kMG]?B)\b|\b20[0-9-]{8} [0-9:]{5}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9,]+ (calls|edges|kinds|rows|rows read)\b|^total .*`)

// prints compares an output with what a page says, without what differs from
// run to run or as kinds are added: times, sizes, sums. A line of three dots stands for any lines.
func prints(out, page string) bool {
	steady := func(s string) string { return strings.TrimSpace(unsteady.ReplaceAllString(s, "#")) }
	parts := strings.Split("\n"+steady(page)+"\n", "\n...\n")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	pattern := "(?s)^" + strings.Join(parts, "\n(.*\n)?") + "$"
	return regexp.MustCompile(pattern).MatchString("\n" + steady(out) + "\n")
}

func TestPrints(t *testing.T) {
	for _, c := range []struct {
		out, page string
		want      bool
	}{
		{"a\nb\n", "a\nb", true},
		{"a\nb\nc\nd\n", "a\n...\nd", true},
		{"a\nd\n", "a\n...\nd", true},
		{"a\nb\n", "a\n...\nd", false},
		{"took in 1.5s (12.3 MB)", "took in 2m07s (1.0 kB)", true},
		{"a.b", "axb", false},
	} {
		if got := prints(c.out, c.page); got != c.want {
			t.Errorf("prints(%q, %q) = %v", c.out, c.page, got)
		}
	}
}

// TestContributedKindsAreSound holds the kinds of CONTRIBUTING.md against the
// rules for built-in ones, which they become by being moved.
func TestContributedKindsAreSound(t *testing.T) {
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, s := range steps(string(text), true) {
		if filepath.Dir(s.file) != "kinds" || filepath.Ext(s.file) != ".yaml" {
			continue
		}
		path := filepath.Join(t.TempDir(), "kind.yaml")
		write(t, path, s.text)
		files[s.file] = path
		if !strings.HasPrefix(s.text, "# yaml-language-server: $schema=schema.json\n") {
			t.Errorf("%s does not name its schema", s.file)
		}
	}
	for file, kind := range map[string]string{"kinds/codeartifact.yaml": "aws_codeartifact_domain", "kinds/apigateway.yaml": "gcp_apigateway_api"} {
		if files[file] == "" {
			t.Errorf("CONTRIBUTING.md has no %s", file)
			continue
		}
		c, err := clouds.Load(catalog.Options{Files: []string{files[file]}})
		if err != nil {
			t.Error(err)
		} else if _, ok := c.Entry(kind); !ok {
			t.Errorf("%s is not in the catalogue", kind)
		}
	}
}
