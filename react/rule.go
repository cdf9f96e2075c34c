package react

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react/timespan"
)

//go:embed rules/*.yaml
var bundledRules embed.FS

// Rule is a SELECT of resources and what is to be done to them.
type Rule struct {
	Name string `yaml:"name"`
	// Help says in a sentence what the rule takes.
	Help string `yaml:"help"`
	// Action is delete, tag, stop or start.
	Action action.Verb `yaml:"action"`
	// SQL selects the targets: _id and reason; other columns are evidence. The
	// columns expires (an instant) and expiration (a duration from the creation)
	// hold the text of tags: the row is a target once that time has come.
	// For the action tag, set_key and set_value are a tag to set, remove_key is
	// one to remove.
	SQL string `yaml:"sql"`
	// Policy, instead of SQL, says what tags must be; Action is tag.
	Policy []TagLimit `yaml:"policy"`
	// Reads are the tables and views that the SQL names. The action needs the
	// rows' own scopes to be complete.
	Reads []string `yaml:"reads"`
	// Absent are the kinds from whose absence the SQL reasons: their scopes in
	// the target's account must be complete and fresh, in two syncs in a row.
	Absent []string `yaml:"absent"`
	// With are kinds that go down with a target which they refer to, by a call
	// of their own before it.
	With []WithKind `yaml:"with"`
	// Unread are globs of kinds that need not have been read to know that
	// nothing of them refers to a target.
	Unread []string `yaml:"unread"`
	// Params are the values of {{param NAME}} in the SQL.
	Params map[string]string `yaml:"params"`
	// Grace is how long a resource must match before it is acted on.
	Grace Span `yaml:"grace"`
	// Limits bound a plan.
	Limits Limits `yaml:"limits"`
	// Accounts and Kinds are globs that targets must match; none is all.
	Accounts []string `yaml:"accounts"`
	Kinds    []string `yaml:"kinds"`

	// Schedule is when what a row's column schedule says nothing of is stopped
	// or started, as off=(M-F,19);on=(M-F,7);tz=Europe/Berlin, and SkipDays are
	// days, as 2026-12-25, on which nothing is. Action is stop or start.
	Schedule string   `yaml:"schedule" json:",omitempty"`
	SkipDays []string `yaml:"skip_days" json:",omitempty"`
	// Snapshot makes a snapshot of what is deleted before, of kinds that can.
	Snapshot bool `yaml:"snapshot" json:",omitempty"`
	// Empty deletes, for good, what is in buckets and repositories that are
	// deleted; without it one that is not empty stays.
	Empty bool `yaml:"empty" json:",omitempty"`
	// Propagation says what becomes of what a deleted object of Kubernetes owns:
	// background (the default) or foreground deletes it, orphan leaves it.
	Propagation string `yaml:"propagation" json:",omitempty"`

	// NotifyBefore says that grace runs from when somebody was told, and that
	// nothing is acted on before.
	NotifyBefore bool `yaml:"notify_before" json:"-"`

	// File is where the rule is from.
	File string `yaml:"-"`
}

// WithKind is a kind that goes down with a target. In a file it may be the
// name alone.
type WithKind struct {
	Kind string `yaml:"kind"`
	// Along is a condition of SQL on the kind's table: what meets it cannot be
	// deleted by itself and goes along with the target.
	Along string `yaml:"along"`
}

// UnmarshalYAML reads a name, or kind and along.
func (w *WithKind) UnmarshalYAML(unmarshal func(any) error) error {
	if err := unmarshal(&w.Kind); err == nil {
		return nil
	}
	type plain WithKind
	return unmarshal((*plain)(w))
}

// Limits bound a plan: one that is over is refused whole.
type Limits struct {
	// Max is how many resources a plan may act on, all that goes down with the
	// targets included.
	Max int `yaml:"max"`
	// Percent is the largest share of a kind's resources in an account, where
	// there are more than 10.
	Percent float64 `yaml:"percent"`
}

// The limits of a rule that has none of its own.
const (
	defaultMax     = 100
	defaultMaxTags = 1000
	defaultPercent = 25
)

// Span is a duration as timespan.Parse reads it.
type Span time.Duration

// UnmarshalYAML reads 14d, 2 weeks, P1D.
func (s *Span) UnmarshalYAML(b []byte) error {
	text := strings.Trim(strings.TrimSpace(string(b)), `"'`)
	if text == "0" {
		*s = 0
		return nil
	}
	d, err := timespan.Parse(text)
	if err == nil && d < 0 {
		err = fmt.Errorf("%q is negative", text)
	}
	*s = Span(d)
	return err
}

// BundledRules are the rules that dewpoint ships, by name. They do nothing
// until the configuration names them.
func BundledRules() []*Rule {
	all, err := readRules(bundledRules, "rules", "bundled")
	if err != nil {
		panic("react: " + err.Error())
	}
	return all
}

// LoadRules reads the rules of a folder: files *.yaml, a rule each.
func LoadRules(dir string) ([]*Rule, error) { return readRules(os.DirFS(dir), ".", dir) }

func readRules(fsys fs.FS, dir, shown string) ([]*Rule, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	var out []*Rule
	for _, entry := range entries {
		if entry.IsDir() || path.Ext(entry.Name()) != ".yaml" {
			continue
		}
		text, err := fs.ReadFile(fsys, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the rules: %w", err)
		}
		r := &Rule{File: shown + "/" + entry.Name()}
		if err := decodeRule(text, r); err != nil {
			return nil, fmt.Errorf("%s: %w", r.File, err)
		}
		if i := slices.IndexFunc(out, func(o *Rule) bool { return o.Name == r.Name }); i >= 0 {
			return nil, fmt.Errorf("%s: the rule %s is in %s already", r.File, r.Name, out[i].File)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *Rule) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func decodeRule(text []byte, r *Rule) error {
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(r); err != nil {
		var y yaml.Error
		if errors.As(err, &y) && y.GetToken() != nil {
			p := y.GetToken().Position
			return fmt.Errorf("line %d, column %d: %s", p.Line, p.Column, y.GetMessage())
		}
		return err
	}
	return r.validate()
}

var ruleName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func (r *Rule) validate() error {
	switch {
	case !ruleName.MatchString(r.Name):
		return fmt.Errorf("name is %q: take lower case letters, digits and -", r.Name)
	case !slices.Contains([]action.Verb{action.Delete, action.Tag, action.Stop, action.Start}, r.Action):
		return fmt.Errorf("action is %q: take delete, tag, stop or start", r.Action)
	case (strings.TrimSpace(r.SQL) == "") == (len(r.Policy) == 0):
		return errors.New("give either sql or policy")
	case len(r.Policy) > 0 && r.Action != action.Tag:
		return errors.New("policy needs action: tag")
	case len(r.Policy) == 0 && len(r.Reads) == 0:
		return errors.New("reads is empty: list the tables and views that the SQL names")
	case r.Limits.Max < 0 || r.Limits.Percent < 0 || r.Limits.Percent > 100:
		return errors.New("limits must not be negative, percent at most 100")
	case r.Action != action.Delete && len(r.With) > 0:
		return errors.New("with needs action: delete")
	case (r.Schedule != "" || len(r.SkipDays) > 0) && r.Action != action.Stop && r.Action != action.Start:
		return errors.New("schedule and skip_days need action: stop or start")
	case r.Snapshot && r.Action != action.Delete:
		return errors.New("snapshot needs action: delete")
	case r.Empty && r.Action != action.Delete:
		return errors.New("empty needs action: delete")
	case !slices.Contains([]string{"", "background", "foreground", orphan}, r.Propagation):
		return fmt.Errorf("propagation is %q: take background, foreground or orphan", r.Propagation)
	}
	for _, globs := range [][]string{r.Accounts, r.Kinds, r.Unread} {
		if err := validGlobs(globs); err != nil {
			return err
		}
	}
	if _, err := ParseSchedule(r.Schedule, Schedule{}); err != nil {
		return err
	}
	for _, d := range r.SkipDays {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			return fmt.Errorf("skip_days: %q is no day: write 2026-12-25", d)
		}
	}
	for i := range r.Policy {
		if err := r.Policy[i].compile(); err != nil {
			return fmt.Errorf("policy[%d]: %w", i, err)
		}
	}
	return nil
}

// orphan is the propagation that leaves what an object owns.
const orphan = "orphan"

// options are how the rule wants deletions to be made of a resource.
func (r *Rule) options(of *action.Resource) action.Options {
	o := action.Options{Snapshot: r.Snapshot, Empty: r.Empty}
	if of.Cloud == "kubernetes" {
		o.Propagation = r.Propagation
	}
	return o
}

func validGlobs(globs []string) error {
	for _, g := range globs {
		if _, err := path.Match(g, ""); err != nil {
			return fmt.Errorf("%q is no glob", g)
		}
	}
	return nil
}

// matches says whether one of the globs fits; no glob fits all.
func matches(globs []string, text string) bool {
	if len(globs) == 0 {
		return true
	}
	return matchesAny(globs, text)
}

// matchesAny says whether one of the globs fits; validGlobs has seen them.
func matchesAny(globs []string, text string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return fits(g, text) })
}

// fits matches a glob whose * stands for slashes as well.
func fits(glob, text string) bool {
	ok, _ := path.Match(strings.ReplaceAll(glob, "/", "\x01"), strings.ReplaceAll(text, "/", "\x01"))
	return ok
}

func (r *Rule) max() int {
	switch {
	case r.Limits.Max != 0:
		return r.Limits.Max
	case r.Action == action.Tag:
		return defaultMaxTags
	}
	return defaultMax
}

func (r *Rule) percent() float64 {
	if r.Limits.Percent == 0 {
		return defaultPercent
	}
	return r.Limits.Percent
}

// Change applies to a rule what the configuration says of it.
type Change struct {
	Params   map[string]string `yaml:"params"`
	Grace    *Span             `yaml:"grace"`
	Max      int               `yaml:"max"`
	Percent  float64           `yaml:"percent"`
	Accounts []string          `yaml:"accounts"`
	Kinds    []string          `yaml:"kinds"`
	Unread   []string          `yaml:"unread"`
	Policy   []TagLimit        `yaml:"policy"`
	Schedule string            `yaml:"schedule"`
	SkipDays []string          `yaml:"skip_days"`
	Snapshot *bool             `yaml:"snapshot"`
	Empty    *bool             `yaml:"empty"`
	// Notify are channels that are told what the rule newly takes, and what was
	// done; NotifyBefore is as in Rule.
	Notify       []string `yaml:"notify"`
	NotifyBefore bool     `yaml:"notify_before"`
	// Apply has dewpoint run and dewpoint serve carry out what the rule plans.
	Apply bool `yaml:"apply"`
}

// Changed returns the rule with a change.
func (r *Rule) Changed(c Change) (*Rule, error) {
	out := *r
	out.Params = maps.Clone(r.Params)
	for k, v := range c.Params {
		if _, ok := out.Params[k]; !ok {
			return nil, fmt.Errorf("rule %s has no parameter %q: it has %s", r.Name, k, strings.Join(slices.Sorted(maps.Keys(r.Params)), ", "))
		}
		out.Params[k] = v
	}
	if c.Grace != nil {
		out.Grace = *c.Grace
	}
	if c.Max != 0 {
		out.Limits.Max = c.Max
	}
	if c.Percent != 0 {
		out.Limits.Percent = c.Percent
	}
	if len(c.Accounts) > 0 {
		out.Accounts = c.Accounts
	}
	if len(c.Kinds) > 0 {
		out.Kinds = c.Kinds
	}
	if len(c.Unread) > 0 {
		out.Unread = c.Unread
	}
	if len(c.Policy) > 0 {
		out.Policy = c.Policy
	}
	if c.Schedule != "" {
		out.Schedule = c.Schedule
	}
	if len(c.SkipDays) > 0 {
		out.SkipDays = c.SkipDays
	}
	if c.Snapshot != nil {
		out.Snapshot = *c.Snapshot
	}
	if c.Empty != nil {
		out.Empty = *c.Empty
	}
	out.NotifyBefore = out.NotifyBefore || c.NotifyBefore
	if out.NotifyBefore && len(c.Notify) == 0 {
		return nil, fmt.Errorf("rule %s: notify_before needs notify: name the channels to tell", r.Name)
	}
	if err := out.validate(); err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.Name, err)
	}
	return &out, nil
}

// Hash identifies what the rule says: a plan and its grace are for one.
func (r *Rule) Hash() string {
	c := *r
	c.File = ""
	b, err := json.Marshal(c)
	if err != nil {
		panic("react: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
