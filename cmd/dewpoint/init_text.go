package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
)

// configText writes dewpoint.yaml: what is in use as keys, the rest as
// comments.
func configText(tried []found, others []otherCloud, chosen, regions []string) []byte {
	var b bytes.Buffer
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	w("# What dewpoint reads and where it writes. Every key may be left out.")
	w("# All keys: docs/configuration.md. ${NAME} is an environment variable.")
	w("")
	w("# The databases to write to, by URL: docs/sinks/README.md has them.")
	w("sinks:")
	w("  - duckdb:dewpoint.duckdb")
	w("")
	w("# A cloud is read when its key is here.")
	// AWS stays in where nothing at all was found: there is something to try.
	aws := len(others) == 0 || slices.ContainsFunc(tried, func(f found) bool { return f.err == nil })
	mark := func(on bool, key string) {
		if on {
			w("%s:", key)
		} else {
			w("# %s:", key)
		}
	}
	mark(aws, "aws")
	accounts := false
	for _, f := range tried {
		if f.profile == "" {
			continue
		}
		if !accounts {
			w("  # The accounts to read, by profile or by a role to assume; without them the")
			w("  # one of the default credentials.")
			if len(chosen) > 0 {
				w("  accounts:")
			} else {
				w("  # accounts:")
			}
			accounts = true
		}
		note := ""
		if f.err == nil {
			note = "  # " + strings.TrimSpace(f.account.ID+" "+term.Clean(f.account.Name))
		}
		if len(chosen) > 0 {
			w("    - profile: %s%s", yamlString(f.profile), note)
		} else {
			w("  #   - profile: %s%s", yamlString(f.profile), note)
		}
	}
	if !accounts {
		w("  # The accounts to read, by profile or by a role to assume; without them the")
		w("  # one of the default credentials.")
		w("  # accounts:")
		w("  #   - profile: production")
	}
	w("  #   - role_arn: arn:aws:iam::111122223333:role/reader")
	w("  #     external_id: ${EXTERNAL_ID}")
	w("  # The regions to read, names or globs; without them all that are enabled.")
	if len(regions) > 0 {
		w("  regions:")
		for _, r := range regions {
			w("    - %s", yamlString(r))
		}
	} else {
		w("  # regions: [eu-west-1, us-*]")
	}
	w("")
	w("# Google Cloud: by default the project of the application default credentials.")
	mark(has(others, "gcp"), "gcp")
	w("  # projects: [shop-prod, shop-staging]")
	w("  # organization: \"123456789012\"")
	w("  # exclude: [\"sandbox-*\", \"label:env=test\"]")
	w("")
	w("# Kubernetes: by default the current context of the kubeconfig.")
	mark(has(others, "kubernetes"), "kubernetes")
	w("  # contexts: [\"prod-*\"]")
	w("")
	w("# The kinds to read, by name, service or glob: see dewpoint kinds.")
	w("# kinds:")
	w("#   only: [ec2, aws_iam_*]")
	w("#   skip: [aws_ec2_snapshot]")
	w("")
	w("# Kinds of your own, or changes to the built-in ones.")
	w("# catalogue: [kinds.yaml]")
	w("")
	w("# Clean-up rules to plan after each dewpoint run, and whom to tell: see dewpoint")
	w("# react rules, docs/react.md, docs/notifications.md.")
	w("# notify:")
	w("#   chat: {type: slack, url: \"file:/run/secrets/slack-url\"}")
	w("# react:")
	w("#   rules:")
	w("#     unattached-volumes: {grace: 14d, notify: [chat]}")
	w("")
	w("# When dewpoint serve does a round, and where it answers: docs/serve.md.")
	w("# serve:")
	w("#   schedule: 0 * * * *")
	w("#   listen: 127.0.0.1:9955")
	w("")
	w("# How many lists are read at once, and how long one may take.")
	w("# workers: 64")
	w("# scope_timeout: 30m")
	w("# How long former values are kept in resource_history.")
	w("# history_retention: 400d")
	w("# How long to wait for another process that holds the database.")
	w("# lock_timeout: 1m")
	return b.Bytes()
}

// yamlString quotes a text where YAML would read something else.
func yamlString(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 && strings.IndexFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' }) == 0 {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
