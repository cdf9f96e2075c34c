//go:build !unix

package k8s

func isReadOnly(error) bool { return false }
