// Package k8s reads Kubernetes clusters. Open finds the clusters that a
// kubeconfig, or the pod that dewpoint runs in, gives access to, and what each
// of them serves: client-go loads the configuration, authenticates and
// discovers, the types come from package api and from the clusters' OpenAPI.
// Source lists what the catalogue and the discovery name, page by page, and
// its answers go into record batches as those of every cloud do.
package k8s
