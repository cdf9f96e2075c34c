package k8s

import (
	"errors"
	"io/fs"

	"k8s.io/client-go/tools/clientcmd"
)

// CurrentContext is the current context of the kubeconfig in the usual places
// and the file it stands in. Both are empty where there is no kubeconfig.
func CurrentContext() (context, file string, err error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err := rules.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	if c, ok := config.Contexts[config.CurrentContext]; ok {
		return config.CurrentContext, c.LocationOfOrigin, nil
	}
	return "", "", nil
}
