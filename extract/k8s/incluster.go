package k8s

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"
)

// inCluster is the context of the cluster that dewpoint runs in.
const inCluster = "in-cluster"

// serviceAccount is the folder in which a pod finds its service account.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// inClusterTarget is the cluster that dewpoint runs in, as the pod's service
// account, whose token the kubelet renews. Its error is rest.ErrNotInCluster
// outside of a cluster.
func inClusterTarget(o *Options) (target, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return target{}, fmt.Errorf("in_cluster: %w", rest.ErrNotInCluster)
	}
	dir := cmp.Or(o.ServiceAccountDir, serviceAccount)
	token, authority := filepath.Join(dir, "token"), filepath.Join(dir, "ca.crt")
	cfg := &rest.Config{Host: "https://" + net.JoinHostPort(host, port), BearerTokenFile: token}
	b, err := os.ReadFile(token)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return target{}, fmt.Errorf("in_cluster: the pod has no service account: %w: set serviceAccountName, and automountServiceAccountToken to true", err)
	case err != nil:
		return target{}, fmt.Errorf("in_cluster: the service account's token: %w", err)
	case len(b) == 0:
		return target{}, fmt.Errorf("in_cluster: the service account's token %s is empty", token)
	}
	// Where there is no authority of the cluster's own the system's count.
	if _, err := certutil.NewPool(authority); err == nil {
		cfg.CAFile = authority
	} else if !errors.Is(err, fs.ErrNotExist) {
		return target{}, fmt.Errorf("in_cluster: the cluster's certificates %s: %w", authority, err)
	}
	return target{context: inCluster, cluster: inCluster, cfg: o.connecting(cfg)}, nil
}
