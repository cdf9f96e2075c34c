package workflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/dbt"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/schema"
)

// SelectKinds are the kinds that a configuration selects, of the clouds that
// it reads. What only a cluster knows is not among them.
func SelectKinds(c *Config, cat *catalog.Catalogue) ([]*catalog.Entry, error) {
	return selectKnown(cat, c.Clouds(), c.Kinds.Only, c.Kinds.Skip)
}

// CloudKinds are the kinds of one cloud that words select, over what a
// configuration says, whether or not it reads the cloud. What only a cluster
// knows is not among them; a word of the caller's that means it is an error.
func CloudKinds(c *Config, cat *catalog.Catalogue, cloud string, only, skip []string) ([]*catalog.Entry, error) {
	if len(only) == 0 {
		if only = known(cat, c.Kinds.Only); len(only) == 0 && len(c.Kinds.Only) > 0 {
			return nil, nil
		}
	}
	entries, err := cat.Select(only, append(known(cat, c.Kinds.Skip), skip...))
	if err != nil {
		return nil, &ConfigError{err}
	}
	return slices.DeleteFunc(entries, func(e *catalog.Entry) bool { return e.Kind.Cloud != cloud }), nil
}

// ModelKinds are the kinds that the dbt project reads. Their tables always
// exist, so that its models run whatever is collected.
func ModelKinds(cat *catalog.Catalogue) ([]*schema.Kind, error) {
	names, err := dbt.Sources()
	if err != nil {
		return nil, err
	}
	all := catalog.Kinds(cat.Entries())
	return slices.DeleteFunc(all, func(k *schema.Kind) bool { return !slices.Contains(names, k.Name) }), nil
}

// selectKinds are the kinds of some clouds that words select.
func selectKinds(cat *catalog.Catalogue, clouds, only, skip []string) ([]*catalog.Entry, error) {
	entries, err := cat.Select(only, skip)
	if err != nil {
		return nil, &ConfigError{err}
	}
	own := slices.DeleteFunc(slices.Clone(entries), func(e *catalog.Entry) bool { return !slices.Contains(clouds, e.Kind.Cloud) })
	if len(own) == 0 && len(entries) > 0 {
		other := entries[0].Kind.Cloud
		return nil, &ConfigError{fmt.Errorf("%s is of %s, which is not read: dewpoint.yaml has %s; add the key %s (\"%s: {}\" is enough)",
			entries[0].Kind.Name, other, strings.Join(clouds, " and "), other, other)}
	}
	return own, nil
}

// selectKnown is selectKinds where no cluster has said what it serves: words
// that may mean that select nothing.
func selectKnown(cat *catalog.Catalogue, clouds, only, skip []string) ([]*catalog.Entry, error) {
	words := known(cat, only)
	if len(words) == 0 && len(only) > 0 {
		return nil, nil
	}
	return selectKinds(cat, clouds, words, known(cat, skip))
}

// known are the words without those that the catalogue does not know and a
// cluster may: names and globs of kinds of Kubernetes, and API groups.
func known(cat *catalog.Catalogue, words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		_, err := cat.Select([]string{w}, nil)
		return err != nil && (strings.HasPrefix(w, "kubernetes_") || strings.Contains(w, "."))
	})
}

// concerns says whether words may select kinds of a cloud: those that the
// catalogue does not know may be what a cluster serves.
func concerns(cat *catalog.Catalogue, only []string, cloud string) bool {
	if len(only) == 0 {
		return true
	}
	entries, err := cat.Select(only, nil)
	return err != nil || slices.ContainsFunc(entries, func(e *catalog.Entry) bool { return e.Kind.Cloud == cloud })
}
