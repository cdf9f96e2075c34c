package catalog

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and review the diff:\n%s", file, got)
	}
}

// TestColumns holds every word that makes or changes columns: each
// testdata/columns_*.yaml has its columns in the text beside it.
func TestColumns(t *testing.T) {
	files, err := filepath.Glob("testdata/columns_*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := load(f, string(text))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		var b strings.Builder
		for _, e := range c.Entries() {
			b.WriteString(e.Columns())
		}
		golden(t, strings.TrimSuffix(filepath.Base(f), ".yaml")+".txt", b.String())
	}
}

func TestWhatIsSensitiveIsDropped(t *testing.T) {
	const file = `service: cognito-idp
kinds:
  aws_cognitoidp_user_pool:
    list: ListUserPools
    items: UserPools[]
    id: Id
    name: Name
  aws_cognitoidp_user:
    for_each: aws_cognitoidp_user_pool
    list: ListUsers
    input: {UserPoolId: "{parent.Id}"}
    items: Users[]
    id: ["{parent.Id}", Username]
    drop: [Attributes]
`
	c, err := load("f.yaml", file)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Entry("aws_cognitoidp_user")
	if _, ok := e.Kind.Column("attributes"); ok {
		t.Error("what is dropped is a column")
	}
	item := e.Spec.Sources[0].Shape.Member("Users").Shape.Elem
	if item.Member("Username").Drop {
		t.Error("the id is dropped though it decides the rows")
	}
	if !item.Member("Attributes").Drop {
		t.Error("what is dropped stays in the description")
	}
	if tok := e.Spec.Sources[0].Shape.Member("PaginationToken"); tok.Drop {
		t.Error("the token is dropped")
	}

	// A user's file need not decide: what is sensitive is dropped.
	dir := t.TempDir()
	write(t, dir, "f.yaml", "service: organizations\nkinds:\n  aws_organizations_member:\n    list: ListAccounts\n    items: Accounts[]\n    id: Id\n")
	c, err = Load(aws(), Options{Dirs: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	e, _ = c.Entry("aws_organizations_member")
	for _, col := range []string{"email", "item_name"} {
		if _, ok := e.Kind.Column(col); ok {
			t.Errorf("%s is a column", col)
		}
	}
	if !e.Spec.Sources[0].Shape.Member("Accounts").Shape.Elem.Member("Email").Drop {
		t.Error("Email is not dropped")
	}
}
