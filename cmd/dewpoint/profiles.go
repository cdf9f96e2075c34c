package main

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// profiles are the names of the profiles in the shared AWS configuration
// files, without the default one, sorted. Files that cannot be read have none.
func profiles() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	var names []string
	for _, f := range []struct{ env, name, prefix string }{
		{"AWS_CONFIG_FILE", "config", "profile "},
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials", ""},
	} {
		path := os.Getenv(f.env)
		if path == "" {
			path = filepath.Join(home, ".aws", f.name)
		}
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			line := strings.TrimSpace(lines.Text())
			section, _, ok := strings.Cut(strings.TrimPrefix(line, "["), "]")
			if !ok || !strings.HasPrefix(line, "[") {
				continue
			}
			name, ok := strings.CutPrefix(strings.TrimSpace(section), f.prefix)
			name = strings.TrimSpace(name)
			if ok && name != "" && name != "default" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		_ = file.Close()
	}
	slices.Sort(names)
	return names
}
