// Command fill serves what the demo estate has beside AWS, runs a command
// against it and ends with its exit code.
//
//	fill COMMAND...
//
// It starts two Kubernetes API servers, which the command finds in KUBECONFIG
// under the names that the clouds' tools give to contexts, and a fake Google
// Cloud, which it finds through DEWPOINT_GCP_ENDPOINT. What the clusters name of
// AWS stands in DEMO_AWS, which fill.py sets.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// The contexts of the two clusters.
const (
	eks = "arn:aws:eks:eu-central-1:111111111111:cluster/shop-eks"
	gke = "gke_example-shop_europe-west1_shop-gke"
)

func main() {
	code, err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "fill:", err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context, command []string) (int, error) {
	if len(command) == 0 {
		return 0, errors.New("name the command to run")
	}
	var ids aws
	if err := json.Unmarshal([]byte(os.Getenv("DEMO_AWS")), &ids); err != nil {
		return 0, fmt.Errorf("DEMO_AWS: %w", err)
	}
	dir, err := os.MkdirTemp("", "dewpoint-demo-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	config := api.NewConfig()
	for name, manifest := range map[string]string{eks: "aws.yaml", gke: "google.yaml"} {
		s, err := cluster(ctx, filepath.Join("kubernetes", manifest), ids)
		if err != nil {
			return 0, err
		}
		defer s.Stop()
		add(config, name, s)
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		return 0, err
	}
	g, err := google(filepath.Join("google", "shop.yaml"))
	if err != nil {
		return 0, err
	}
	defer g.Close()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "DEWPOINT_GCP_ENDPOINT="+g.URL)
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}
