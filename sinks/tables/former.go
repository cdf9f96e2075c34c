package tables

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// Declaration is a kind as databases keep it in the column declared of kinds:
// JSON that is the same for the same kind.
func Declaration(k *schema.Kind) string {
	b, err := json.Marshal(k)
	if err != nil {
		panic("tables: " + err.Error())
	}
	return string(b)
}

// DeclarationSum is what SQL's md5 makes of the declaration.
func DeclarationSum(k *schema.Kind) string {
	sum := md5.Sum([]byte(Declaration(k)))
	return hex.EncodeToString(sum[:])
}

// Former reads what a database remembers of kinds: rows of their name and
// declaration, and of the name and _scope of what is in their tables.
func Former(declared, scopes [][]string) ([]sinks.FormerKind, error) {
	all := make([]sinks.FormerKind, len(declared))
	for i, r := range declared {
		k := &schema.Kind{}
		if err := json.Unmarshal([]byte(r[1]), k); err != nil {
			return nil, fmt.Errorf("the declaration that kinds has of %s: %w", r[0], err)
		}
		k.Name = r[0] // a renaming that did not come to a commit
		all[i].Kind = k
	}
	return WithScopes(all, scopes)
}

// WithScopes sorts the kinds and gives each the scopes of rows of a name and
// a _scope.
func WithScopes(all []sinks.FormerKind, scopes [][]string) ([]sinks.FormerKind, error) {
	slices.SortFunc(all, func(a, b sinks.FormerKind) int { return cmp.Compare(a.Kind.Name, b.Kind.Name) })
	slices.SortFunc(scopes, slices.Compare)
	for _, r := range slices.CompactFunc(scopes, slices.Equal) {
		i, ok := slices.BinarySearchFunc(all, r[0], func(f sinks.FormerKind, name string) int { return cmp.Compare(f.Kind.Name, name) })
		if !ok {
			continue
		}
		s, ok := schema.ParseScope(r[1], r[0])
		if !ok {
			return nil, fmt.Errorf("a row of %s has the _scope %q, which is none", r[0], r[1])
		}
		all[i].Scopes = append(all[i].Scopes, s)
	}
	return all, nil
}
