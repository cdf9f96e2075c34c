package k8s

import (
	"regexp"
	"strings"
)

var (
	eksARN  = regexp.MustCompile(`^arn:aws[a-z-]*:eks:[a-z0-9-]+:\d{12}:cluster/[A-Za-z0-9_-]+$`)
	gkeName = regexp.MustCompile(`^gke_([a-z0-9:.-]+)_([a-z0-9-]+)_([a-z0-9-]+)$`)
)

// host finds out who runs the cluster, from its version and from what the
// vendors' tools write into a kubeconfig: aws eks update-kubeconfig names the
// cluster by its ARN, gcloud by project, location and name.
func (c *Cluster) host(t target) {
	switch {
	case strings.Contains(c.Version, "-eks-"):
		c.Provider = "eks"
	case strings.Contains(c.Version, "-gke."):
		c.Provider = "gke"
	case strings.Contains(c.Server, ".azmk8s.io"):
		c.Provider = "aks"
	}
	for _, name := range []string{t.cluster, t.context} {
		if c.EKS == "" && eksARN.MatchString(name) {
			c.Provider, c.EKS = "eks", name
		}
		if m := gkeName.FindStringSubmatch(name); c.GKE == "" && m != nil {
			c.Provider = "gke"
			c.GKE = "//container.googleapis.com/projects/" + m[1] + "/locations/" + m[2] + "/clusters/" + m[3]
		}
	}
	if t.cfg.ExecProvider == nil || c.EKS != "" {
		return
	}
	args := t.cfg.ExecProvider.Args
	for i := range len(args) - 1 {
		switch args[i] {
		case "--cluster-name", "--cluster-id", "-i": // of aws and aws-iam-authenticator
			c.Provider, c.EKS = "eks", args[i+1]
		}
	}
}
