package k8s

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/transport"
)

// target is a cluster as the configuration names it.
type target struct {
	context string // inCluster for the cluster that dewpoint runs in
	cluster string // the name in the kubeconfig
	cfg     *rest.Config
	exec    bool // a program gives the credentials
	err     error
}

// targets finds the clusters that the options select. Without contexts it is
// the kubeconfig's current one, or, where there is no kubeconfig, the cluster
// that dewpoint runs in.
func targets(o *Options) ([]target, error) {
	var out []target
	if o.InCluster {
		t, err := inClusterTarget(o)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		if o.Kubeconfig == "" && o.Inline == "" && len(o.Contexts) == 0 {
			return out, nil
		}
	}
	config, err := loadKubeconfig(o)
	if err != nil {
		return nil, err
	}
	globs := o.Contexts
	if len(globs) == 0 {
		if config.CurrentContext == "" {
			if !o.InCluster && len(config.Contexts) == 0 {
				t, err := inClusterTarget(o)
				if errors.Is(err, rest.ErrNotInCluster) {
					err = fmt.Errorf("there is no cluster to read: %s is no kubeconfig with contexts, and dewpoint does not run in a cluster: set kubernetes.kubeconfig, or KUBECONFIG", kubeconfigName(o))
				}
				if err != nil {
					return nil, err
				}
				return append(out, t), nil
			}
			return nil, fmt.Errorf("%s has no current context: name contexts, of which it has %q", kubeconfigName(o), slices.Sorted(maps.Keys(config.Contexts)))
		}
		globs = []string{config.CurrentContext}
	}
	seen := map[string]bool{}
	for _, g := range globs {
		found := false
		for _, name := range slices.Sorted(maps.Keys(config.Contexts)) {
			if ok, err := path.Match(g, name); err != nil {
				return nil, fmt.Errorf("context %q: the glob is malformed", g)
			} else if !ok && g != name {
				continue
			}
			found = true
			if !seen[name] {
				seen[name] = true
				out = append(out, contextTarget(config, name, o))
			}
		}
		if !found {
			return nil, fmt.Errorf("no context %q in the kubeconfig; it has %q", g, slices.Sorted(maps.Keys(config.Contexts)))
		}
	}
	return out, nil
}

func loadKubeconfig(o *Options) (*clientcmdapi.Config, error) {
	if o.Inline != "" {
		c, err := clientcmd.Load([]byte(o.Inline))
		if err != nil {
			return nil, fmt.Errorf("inline kubeconfig: %w", err)
		}
		return c, nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	c, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return c, nil
}

func contextTarget(config *clientcmdapi.Config, name string, o *Options) target {
	t := target{context: name, cluster: config.Contexts[name].Cluster}
	cfg, err := clientcmd.NewNonInteractiveClientConfig(*config, name, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		t.err = fmt.Errorf("context %s: %w", name, err)
		return t
	}
	if cfg.ExecProvider != nil {
		t.exec = true
		limitExec(cfg.ExecProvider, o.ExecTimeout)
	}
	t.cfg = o.connecting(cfg)
	return t
}

// kubeconfigName says where the kubeconfig is looked for.
func kubeconfigName(o *Options) string {
	switch {
	case o.Inline != "":
		return "the inline kubeconfig"
	case o.Kubeconfig != "":
		return o.Kubeconfig
	}
	return strings.Join(clientcmd.NewDefaultClientConfigLoadingRules().Precedence, " or ")
}

// connecting lifts client-go's own limit of 5 requests a second and bounds how
// long a connection is waited for. A token in a file is read every minute, and
// when the server does not know it any more.
func (o *Options) connecting(cfg *rest.Config) *rest.Config {
	cfg.QPS = -1
	if file := cfg.BearerTokenFile; file != "" {
		cfg.BearerToken, cfg.BearerTokenFile = "", ""
		cfg.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(file)))
	}
	cfg.Dial = (&net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second}).DialContext
	return cfg
}

// limitExec makes a program that gives credentials unable to ask questions,
// and to run for long: client-go waits for it without end.
func limitExec(e *clientcmdapi.ExecConfig, d time.Duration) {
	e.InteractiveMode = clientcmdapi.NeverExecInteractiveMode
	e.StdinUnavailable = true
	e.StdinUnavailableMessage = "dewpoint runs without anybody to ask"
	if timeout, err := exec.LookPath("timeout"); err == nil {
		seconds := strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
		e.Args = append([]string{"-k", "1", seconds, e.Command}, e.Args...)
		e.Command = timeout
	}
}
