package workflow

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// AWSConfig says what to read in AWS.
type AWSConfig struct {
	// Accounts to read; by default the one of the default credentials.
	Accounts []AWSAccount `yaml:"accounts"`
	// Regions to read: names or globs ("us-*"). By default all that are
	// enabled in the account.
	Regions []string `yaml:"regions"`
}

// AWSAccount says how one account is entered.
type AWSAccount struct {
	// Profile is a profile of the AWS configuration files.
	Profile string `yaml:"profile"`
	// RoleARN is a role to assume, with the profile's or the default
	// credentials, or at the end of the chain in Via.
	RoleARN    string `yaml:"role_arn"`
	ExternalID string `yaml:"external_id"`
	// Via are roles to assume first, in this order.
	Via []string `yaml:"via"`
	// Regions overrides aws.regions for this account.
	Regions []string `yaml:"regions"`
}

func (c *AWSConfig) validate() error {
	for i, a := range c.Accounts {
		if len(a.Via) > 0 && a.RoleARN == "" {
			return fmt.Errorf("aws.accounts[%d]: via needs a role_arn to end at", i)
		}
		if a.ExternalID != "" && a.RoleARN == "" {
			return fmt.Errorf("aws.accounts[%d]: external_id needs a role_arn", i)
		}
	}
	return nil
}

// GCPConfig says what to read in Google Cloud.
type GCPConfig struct {
	// Projects are ids or numbers of projects; by default, without
	// Organization and Folders, the one of the default credentials.
	Projects []string `yaml:"projects"`
	// Organization and Folders are numbers; all projects below them are read.
	Organization string   `yaml:"organization"`
	Folders      []string `yaml:"folders"`
	// Include and Exclude choose among the projects below the organization and
	// the folders: by id or number ("prod-*"), "name:Shop *", "label:env=prod*".
	Include []string `yaml:"include"`
	Exclude []string `yaml:"exclude"`
	// Credentials is a file: a service account's key or the configuration of
	// a workload identity federation. By default the application default
	// credentials are used.
	Credentials string `yaml:"credentials"`
	// Impersonate are the e-mails of service accounts: the last is whom to be,
	// those before it the delegates on the way to it.
	Impersonate []string `yaml:"impersonate"`
	// Anonymous sends no credentials at all, for emulators.
	Anonymous bool `yaml:"anonymous"`
	// QuotaProject is whose quota the calls are counted against; "{project}"
	// is the one that is read. By default the credentials'.
	QuotaProject string `yaml:"quota_project"`
	// Universe is the domain of the cloud where it is not googleapis.com. By
	// default the credentials'.
	Universe string `yaml:"universe"`
	// AssetInventory names kinds that are read from the Cloud Asset Inventory
	// instead of their own APIs.
	AssetInventory []string `yaml:"asset_inventory"`
	// Endpoints are URLs by the name of an API, or "*" for all, in place of
	// Google's.
	Endpoints map[string]string `yaml:"endpoints"`
}

// KubernetesConfig says which clusters to read.
type KubernetesConfig struct {
	// Kubeconfig is the path of a kubeconfig; by default KUBECONFIG or
	// ~/.kube/config.
	Kubeconfig string `yaml:"kubeconfig"`
	// Contexts are names and globs of contexts; by default the current one.
	Contexts []string `yaml:"contexts"`
	// InCluster reads the cluster that dewpoint runs in.
	InCluster bool `yaml:"in_cluster"`
	// ClusterID is the account, by context or glob, of clusters in which the
	// namespace kube-system may not be read.
	ClusterID map[string]string `yaml:"cluster_id"`
	// Namespaces limits what is in namespaces to these.
	Namespaces []string `yaml:"namespaces"`
	// ConnectTimeout bounds how long a cluster is waited for that says nothing;
	// by default 10 s.
	ConnectTimeout Duration `yaml:"connect_timeout"`
}

// cloudNames are the clouds there are, which are keys of the configuration.
var cloudNames = []string{"aws", "gcp", "kubernetes"}

// cloudKeys are the clouds that a configuration has a key for.
func cloudKeys(n ast.Node) []string {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return nil
	}
	var out []string
	for _, v := range m.Values {
		if k := v.Key.String(); slices.Contains(cloudNames, k) {
			out = append(out, k)
		}
	}
	return out
}

// Clouds are those that are read.
func (c *Config) Clouds() []string {
	if len(c.clouds) == 0 {
		return []string{"aws"}
	}
	return c.clouds
}
