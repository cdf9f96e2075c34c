package workflow

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/react/notify"
)

// Config is the content of dewpoint.yaml. Every key may be left out: without
// a file, dewpoint reads what the default credentials see into
// ./dewpoint.duckdb. "${NAME}" in a value is the environment variable.
type Config struct {
	// Sinks are the databases to write to, by URL. "${NAME}" in the place of
	// a user, a password or a parameter's value may hold any character.
	Sinks []string `yaml:"sinks"`
	// AWS, GCP and Kubernetes say what to read there. A cloud is read if its
	// key is in the file; without any of them, AWS is.
	AWS        AWSConfig        `yaml:"aws"`
	GCP        GCPConfig        `yaml:"gcp"`
	Kubernetes KubernetesConfig `yaml:"kubernetes"`
	// Kinds selects what to read; by default everything but optional kinds.
	Kinds KindsConfig `yaml:"kinds"`
	// Catalogue are files or folders with kinds of your own, or changes to
	// the built-in ones.
	Catalogue []string `yaml:"catalogue"`
	// React says what is made of the tables: metrics.
	React ReactConfig `yaml:"react"`
	// Notify are channels to people and programs, by name.
	Notify map[string]*notify.Channel `yaml:"notify"`
	// Jobs are done on events of a cycle and on schedules, by name.
	Jobs map[string]*Job `yaml:"jobs"`
	// Serve says when dewpoint serve does a cycle, and where it answers.
	Serve ServeConfig `yaml:"serve"`
	// Prices is the CSV file of list prices that dewpoint prices refresh writes
	// and estimated costs of models, metrics and plans are made of, besides
	// the bundled ones.
	Prices string `yaml:"prices"`
	// Workers is how many lists are read at once, over all accounts and
	// regions; each holds one page in memory. Default 64.
	Workers int `yaml:"workers"`
	// HistoryRetention is how long rows of resource_history are kept: 400d.
	// 0 keeps them for ever.
	HistoryRetention Duration `yaml:"history_retention"`
	// LockTimeout is how long to wait for another process that holds the
	// database. Default 1m.
	LockTimeout Duration `yaml:"lock_timeout"`
	// ScopeTimeout ends the reading of a list that takes longer. Default 30m.
	ScopeTimeout Duration `yaml:"scope_timeout"`

	// path is the file it was read from, empty for the defaults.
	path string
	// clouds are those whose key is in the file.
	clouds []string
}

// KindsConfig selects kinds by name, service or glob.
type KindsConfig struct {
	// Only reads these: aws_ec2_instance, aws_iam_*, ec2.
	Only []string `yaml:"only"`
	// Skip leaves these out.
	Skip []string `yaml:"skip"`
}

// ReactConfig says what is made of the tables.
type ReactConfig struct {
	// Metrics are folders of metrics of your own, as .sql files.
	Metrics []string `yaml:"metrics"`
	// MetricsRetention is how long rows of the table metrics are kept: 400d.
	// 0 keeps them for ever.
	MetricsRetention Duration `yaml:"metrics_retention"`
	// OwnerTags say whose a resource is; the first that is set counts.
	OwnerTags []string `yaml:"owner_tags"`
	// RequiredTags are those that every resource should have.
	RequiredTags []string `yaml:"required_tags"`
	// ExpiresTags hold the instant at which a resource ends, ExpirationTags
	// the time from its creation; the first that is set counts.
	ExpiresTags    []string `yaml:"expires_tags"`
	ExpirationTags []string `yaml:"expiration_tags"`
	// Rules are those in force, by name, with what is changed in them.
	Rules map[string]react.Change `yaml:"rules"`
	// RuleFolders hold rules of your own, as .yaml files.
	RuleFolders []string `yaml:"rule_folders"`
	// Protect says what is never touched.
	Protect ProtectConfig `yaml:"protect"`
	// Fresh is how old a complete reading may be that a rule acts on.
	Fresh Duration `yaml:"fresh"`
	// MaxPerDay is how many resources all rules may delete in 24 hours.
	MaxPerDay int `yaml:"max_per_day"`
	// AWS is how AWS accounts are entered to act in them, with credentials that
	// may write. Without any nothing can be applied.
	AWS []ActingAccount `yaml:"aws"`
	// GCP is as whom projects of Google are acted in; the first entry that a
	// project matches counts.
	GCP []ActingProject `yaml:"gcp"`
	// Kubernetes is how clusters are entered to act in them; the first entry
	// that leads to a cluster counts.
	Kubernetes []ActingClusters `yaml:"kubernetes"`
	// Patience is how long a call is repeated that something is in the way of,
	// and how long a deletion is waited for.
	Patience Duration `yaml:"patience"`
	// State is the file that holds marks and the ledger, where the first sink
	// is no Postgres.
	State string `yaml:"state"`
}

// ProtectConfig says what is never touched.
type ProtectConfig struct {
	// Tags protect what bears them: a key, or KEY=GLOB.
	Tags []string `yaml:"tags"`
	// IDs, Accounts and Kinds are globs.
	IDs      []string `yaml:"ids"`
	Accounts []string `yaml:"accounts"`
	Kinds    []string `yaml:"kinds"`
	// SQL are statements that select the _id of what is protected.
	SQL []string `yaml:"sql"`
	// Allow are globs of accounts that may be acted in though their name looks
	// like production's, or is not known.
	Allow []string `yaml:"allow"`
}

// Duration is a time.Duration that also knows days: 400d.
type Duration time.Duration

var daysPattern = regexp.MustCompile(`^(\d+)d(.*)$`)

// UnmarshalYAML reads 90s, 30m, 12h, 400d or 1d12h.
func (d *Duration) UnmarshalYAML(b []byte) error {
	s := strings.Trim(strings.TrimSpace(string(b)), `"'`)
	if s == "0" {
		*d = 0
		return nil
	}
	var days time.Duration
	rest := s
	if m := daysPattern.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > 36500 {
			return fmt.Errorf("%q is too long", s)
		}
		days, rest = time.Duration(n)*24*time.Hour, m[2]
	}
	var v time.Duration
	if rest != "" || days == 0 {
		var err error
		if v, err = time.ParseDuration(rest); err != nil {
			return fmt.Errorf("%q is no duration: write 90s, 30m, 12h or 400d", s)
		}
	}
	if days+v < 0 {
		return fmt.Errorf("%q is negative", s)
	}
	*d = Duration(days + v)
	return nil
}

// DefaultConfig is what holds where the file says nothing.
func DefaultConfig() *Config {
	return &Config{
		Sinks:            []string{"duckdb:dewpoint.duckdb"},
		Workers:          64,
		HistoryRetention: Duration(400 * 24 * time.Hour),
		LockTimeout:      Duration(time.Minute),
		ScopeTimeout:     Duration(30 * time.Minute),
		Serve:            ServeConfig{Schedule: "0 * * * *", Timezone: "UTC", CatchUp: "once", Listen: "127.0.0.1:9955", Lease: Duration(time.Minute)},
		React: ReactConfig{
			MetricsRetention: Duration(400 * 24 * time.Hour), OwnerTags: []string{"owner"}, RequiredTags: []string{"owner"},
			ExpiresTags: react.DefaultSettings().ExpiresTags, ExpirationTags: react.DefaultSettings().ExpirationTags,
			Protect: ProtectConfig{Tags: react.DefaultProtection().Tags}, Fresh: Duration(3 * time.Hour), MaxPerDay: 500, Patience: Duration(15 * time.Minute), State: "dewpoint.state",
		},
	}
}

// ConfigError is a mistake in the configuration; its text has file and line.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }
func (e *ConfigError) Unwrap() error { return e.Err }

// lockTimeout is LockTimeout as sinks take it: not to wait is negative there.
func (c *Config) lockTimeout() time.Duration {
	if c.LockTimeout == 0 {
		return -1
	}
	return time.Duration(c.LockTimeout)
}

// Path is the file the configuration was read from; empty for the defaults.
func (c *Config) Path() string { return c.path }

// LoadConfig reads a file over the defaults. Where the path is empty it takes
// dewpoint.yaml, if there is one.
func LoadConfig(path string) (*Config, error) {
	c := DefaultConfig()
	b, err := os.ReadFile(defaultPath(path))
	switch {
	case errors.Is(err, os.ErrNotExist) && path == "":
		return c, nil
	case err != nil:
		return nil, &ConfigError{fmt.Errorf("read the configuration: %w", err)}
	}
	c.path = defaultPath(path)
	if err := c.decode(b); err != nil {
		return nil, &ConfigError{fmt.Errorf("%s: %w", c.path, err)}
	}
	return c, nil
}

func defaultPath(path string) string {
	if path == "" {
		return "dewpoint.yaml"
	}
	return path
}

func (c *Config) decode(b []byte) error {
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return yamlError(err, nil)
	}
	exp := &expander{}
	for _, doc := range file.Docs {
		ast.Walk(exp, doc)
	}
	if exp.err != nil {
		return exp.err
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil
	}
	if err := yaml.NewDecoder(bytes.NewReader(nil), yaml.Strict()).DecodeFromNode(file.Docs[0].Body, c); err != nil {
		return yamlError(err, file.Docs[0])
	}
	c.clouds = cloudKeys(file.Docs[0].Body)
	return c.validate()
}

func (c *Config) validate() error {
	if len(c.Sinks) == 0 {
		return errors.New("sinks is empty: name at least one, e.g. duckdb:dewpoint.duckdb")
	}
	if c.Workers < 1 || c.Workers > 4096 {
		return fmt.Errorf("workers is %d: it must be between 1 and 4096", c.Workers)
	}
	for _, p := range c.React.GCP {
		if err := p.validate(); err != nil {
			return err
		}
	}
	if err := c.validateNotify(); err != nil {
		return err
	}
	if err := c.Serve.validate(); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	if err := c.validateJobs(); err != nil {
		return err
	}
	return c.AWS.validate()
}

func (c *Config) validateNotify() error {
	for _, name := range slices.Sorted(maps.Keys(c.Notify)) {
		if c.Notify[name] == nil {
			return fmt.Errorf("notify.%s is empty: give it a type", name)
		}
		if err := c.Notify[name].Validate(); err != nil {
			return fmt.Errorf("notify.%s: %w", name, err)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(c.React.Rules)) {
		if err := c.channels(c.React.Rules[rule].Notify); err != nil {
			return fmt.Errorf("react.rules.%s: %w", rule, err)
		}
	}
	return nil
}

// channels says whether all channels of those names are there.
func (c *Config) channels(names []string) error {
	for _, n := range names {
		if c.Notify[n] == nil {
			return fmt.Errorf("there is no channel %q in notify", n)
		}
	}
	return nil
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expander replaces ${NAME} in string values.
type expander struct{ err error }

// Visit implements ast.Visitor.
func (e *expander) Visit(n ast.Node) ast.Visitor {
	s, ok := n.(*ast.StringNode)
	if !ok || !strings.Contains(s.Value, "${") {
		return e
	}
	missing := ""
	if strings.HasPrefix(s.GetPath(), "$.sinks[") {
		s.Value, missing = expandURL(s.Value)
	} else {
		s.Value = variable.ReplaceAllStringFunc(s.Value, func(m string) string {
			v, ok := os.LookupEnv(m[2 : len(m)-1])
			if !ok {
				missing = m[2 : len(m)-1]
			}
			return v
		})
	}
	if missing != "" && e.err == nil {
		e.err = fmt.Errorf("line %d: the environment variable %s is not set", s.Token.Position.Line, missing)
	}
	s.Token.Value = s.Value
	return e
}

// ActingAccount says how an AWS account is entered to act in it.
type ActingAccount struct {
	// Profile, RoleARN, ExternalID and Via are as in AWSAccount.
	Profile    string   `yaml:"profile"`
	RoleARN    string   `yaml:"role_arn"`
	ExternalID string   `yaml:"external_id"`
	Via        []string `yaml:"via"`
}

// ActingProject says as whom projects of Google are acted in.
type ActingProject struct {
	// Projects are globs of ids; none is all.
	Projects []string `yaml:"projects"`
	// Credentials, Impersonate, QuotaProject and Anonymous are as in GCPConfig,
	// whose endpoints and universe count here as well.
	Credentials  string   `yaml:"credentials"`
	Impersonate  []string `yaml:"impersonate"`
	QuotaProject string   `yaml:"quota_project"`
	Anonymous    bool     `yaml:"anonymous"`
}

// ActingClusters says how clusters are entered to act in them.
type ActingClusters struct {
	// Kubeconfig, Contexts, InCluster and ClusterID are as in KubernetesConfig.
	Kubeconfig string            `yaml:"kubeconfig"`
	Contexts   []string          `yaml:"contexts"`
	InCluster  bool              `yaml:"in_cluster"`
	ClusterID  map[string]string `yaml:"cluster_id"`
}
