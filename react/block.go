package react

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// surroundings reads what refers to members from outside, to name it, and
// references that may be to them.
func (s *planning) surroundings(ctx context.Context, units []*unit) error {
	var ids, texts []string
	for _, u := range units {
		for uid := range u.members {
			for _, l := range s.inward[uid] {
				if s.facts[l.from] == nil && l.onDelete != string(schema.None) {
					ids = append(ids, l.from)
				}
			}
			if f := s.facts[uid]; f != nil {
				texts = append(texts, f.ID, f.Name, f.URN)
			}
		}
	}
	slices.Sort(ids)
	more, err := s.Estate.facts(ctx, slices.Compact(ids))
	if err != nil {
		return err
	}
	maps.Copy(s.facts, more)
	slices.Sort(texts)
	texts = slices.DeleteFunc(slices.Compact(texts), func(t string) bool { return t == "" })
	vague, err := s.Estate.links(ctx, "to_id IS NULL AND resolution = 'ambiguous' AND to_ref IN (%s)", texts, each(s.Estate.text))
	if err != nil {
		return err
	}
	for _, l := range vague {
		s.vague[l.toRef] = append(s.vague[l.toRef], l)
	}
	return s.readHalves(ctx, units)
}

// text writes a text as a literal.
func (e *Estate) text(s string) string {
	if e.Dialect == Snowflake {
		s = strings.ReplaceAll(s, `\`, `\\`)
	}
	return literal(s)
}

// inspect finds what forbids to delete a member, but for what refers to it.
func (s *planning) inspect(u *unit) {
	root := s.facts[u.root]
	for _, uid := range slices.Sorted(maps.Keys(u.members)) {
		f := s.facts[uid]
		if f == nil {
			continue // blocked already
		}
		name := "it"
		if uid != u.root {
			name = f.Shown()
		}
		if why := s.guard.why(f); why != "" && uid == u.root {
			u.block("%s", why)
		} else if why != "" {
			u.block("%s: %s", name, why)
		}
		if uid != u.root {
			switch {
			case f.Account != root.Account || f.Cloud != root.Cloud:
				u.block("%s is in another account, %s", name, f.Account)
			case f.Tags == nil && s.Calls.Taggable(f.Kind):
				u.block("the tags of %s are not known: it may be protected", name)
			case f.unread != "":
				u.block("details of %s could not be read: %s", name, f.unread)
			case s.changed(uid) != "":
				u.block("%s: %s", name, s.changed(uid))
			}
			if owner, of := s.owner(root), s.owner(f); of != "" && of != owner {
				u.block("%s is owned by %s", name, of)
			}
		}
		for _, l := range s.owned[uid] {
			if l.to == "" || u.members[l.to] == nil {
				u.block("%s is managed by %s %s", name, l.toKind, l.toRef)
			}
		}
		if by := manager(f); by != "" && uid == u.root {
			u.block("%s is managed by %s", name, by)
		}
		if why := s.fresh.of(f.Kind, f.scope, s.since); why != "" {
			u.block("%s", why)
		}
		for _, kind := range s.referrers(f.Kind) {
			if matchesAny(s.rule.Unread, kind) {
				continue
			}
			why := s.fresh.in(kind, f.Cloud, f.Account, s.since)
			if s.Kinds[kind].Cloud != f.Cloud {
				why = s.fresh.anywhere(kind, s.since)
			}
			if why == "" {
				why = s.half(kind, f)
			}
			if why != "" {
				u.block("what refers to %s is not known: %s", name, why)
			}
		}
		for _, text := range []string{f.ID, f.Name, f.URN} {
			for _, l := range s.vague[text] {
				if text != "" && (l.toKind == f.Kind || l.toKind == "*" || l.toKind == "") && l.onDelete != string(schema.None) {
					u.block("a %s may refer to %s: its reference to %q is ambiguous", l.fromKind, name, text)
				}
			}
		}
	}
}

// needed blocks units of which something is needed by what stays and does not
// refer to it, as the subnets of a route table.
func (s *planning) needed(ctx context.Context, units []*unit) error {
	gone := map[string]bool{}
	var ids []string
	for _, u := range units {
		for uid, m := range u.members {
			gone[uid] = true
			if f := s.facts[uid]; f != nil && !m.along && s.isNeeded(f.Kind) {
				ids = append(ids, uid)
			}
		}
	}
	slices.Sort(ids)
	out, err := s.Estate.links(ctx, "from_id IN (%s) AND to_id IS NOT NULL", slices.Compact(ids), s.Estate.Dialect.uuids())
	if err != nil {
		return err
	}
	for _, l := range out {
		if _, needed := s.Calls.Detaches(l.fromKind, l.relation, l.toKind); !needed || gone[l.to] {
			continue
		}
		for _, u := range units {
			if u.members[l.from] != nil {
				u.block("%s is needed by %s %s", s.name(u, l.from), l.toKind, l.toRef)
			}
		}
	}
	return nil
}

// isNeeded says whether others may need resources of a kind that these refer to.
func (s *planning) isNeeded(kind string) bool {
	k := s.Kinds[kind]
	return k != nil && slices.ContainsFunc(k.Edges, func(e schema.Edge) bool {
		_, needed := s.Calls.Detaches(kind, e.Relation, e.To)
		return needed
	})
}

// manager is what made an object of Kubernetes and would make it anew, by the
// labels that Helm, Argo CD, Flux and OLM set.
func manager(f *fact) string {
	if f.Cloud != "kubernetes" {
		return ""
	}
	if v := f.Tags["app.kubernetes.io/managed-by"]; v != "" {
		return v
	}
	for _, m := range [][2]string{
		{"argocd.argoproj.io/instance", "Argo CD"}, {"helm.toolkit.fluxcd.io/name", "Flux"}, {"kustomize.toolkit.fluxcd.io/name", "Flux"}, {"olm.owner", "OLM"},
	} {
		if v := f.Tags[m[0]]; v != "" {
			return m[1] + ": " + v
		}
	}
	return ""
}

func (s *planning) owner(f *fact) string {
	for _, k := range s.Settings.OwnerTags {
		if v := f.Tags[k]; v != "" {
			return v
		}
	}
	return ""
}

// referrers are the kinds that can refer to a kind so that it matters,
// optional ones that are never read left out: those are not in the estate.
func (s *planning) referrers(kind string) []string {
	var out []string
	for _, k := range s.Kinds {
		for _, e := range k.Edges {
			if e.To == kind && matters(&e) && !slices.Contains(out, k.Name) {
				out = append(out, k.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// matters says whether references of an edge can forbid a deletion.
func matters(e *schema.Edge) bool { return e.OnDelete != schema.None && e.Relation != "managed_by" }

// settle blocks units whose members are referred to from outside of what goes
// down, until nothing changes: a unit that is blocked stays, and so does what
// its members refer to.
func (s *planning) settle(units []*unit) {
	for changed := true; changed; {
		changed = false
		down := map[string]bool{}
		for _, u := range units {
			if len(u.blockers) == 0 {
				for uid := range u.members {
					down[uid] = true
				}
			}
		}
		for _, u := range units {
			for uid := range u.members {
				for _, l := range s.inward[uid] {
					if down[l.from] || u.members[l.from] != nil || l.onDelete == string(schema.None) {
						continue
					}
					before := len(u.blockers)
					u.block("%s is referred to by %s (%s)", s.name(u, uid), s.shown(l), l.relation)
					changed = changed || before == 0
				}
			}
		}
	}
}

func (s *planning) name(u *unit, uid string) string {
	if uid == u.root {
		return "it"
	}
	return s.facts[uid].Shown()
}

func (s *planning) shown(l link) string {
	if f := s.facts[l.from]; f != nil {
		return f.Shown()
	}
	return l.fromKind + " " + l.from
}
