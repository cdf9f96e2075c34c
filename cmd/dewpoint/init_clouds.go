package main

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"

	"github.com/dewpoint-data/dewpoint/extract/k8s"
)

// otherCloud is a cloud besides AWS of which something was found.
type otherCloud struct {
	cloud string
	what  string // for people
	name  string // of the project or the context
	from  string // where it was found
}

// otherClouds finds the files that lead to Google Cloud and to Kubernetes. It
// asks no server.
func otherClouds() []otherCloud {
	var out []otherCloud
	if file := googleCredentials(); file != "" {
		project := cmp.Or(os.Getenv("GOOGLE_CLOUD_PROJECT"), os.Getenv("CLOUDSDK_CORE_PROJECT"), "the credentials' project")
		out = append(out, otherCloud{"gcp", "Google Cloud", project, file})
	}
	if name, file, err := k8s.CurrentContext(); err == nil && name != "" {
		out = append(out, otherCloud{"kubernetes", "Kubernetes", name, file})
	}
	return out
}

func has(others []otherCloud, cloud string) bool {
	return slices.ContainsFunc(others, func(o otherCloud) bool { return o.cloud == cloud })
}

// googleCredentials is the file of the application default credentials, empty
// where there is none.
func googleCredentials() string {
	if f := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"); f != "" {
		return f
	}
	dir := os.Getenv("CLOUDSDK_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".config", "gcloud")
	}
	f := filepath.Join(dir, "application_default_credentials.json")
	if _, err := os.Stat(f); err != nil {
		return ""
	}
	return f
}
