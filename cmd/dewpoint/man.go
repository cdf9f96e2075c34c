package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) manCommand() *cobra.Command {
	var markdown string
	cmd := &cobra.Command{
		Use:    "man DIR",
		Short:  "Write man pages into a folder",
		Hidden: true,
		Args:   atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if markdown != "" {
				return os.WriteFile(markdown, commandsPage(cmd.Root()), 0o644)
			}
			if len(args) == 0 {
				return usagef("name the folder to write man pages into")
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return doc.GenManTree(cmd.Root(), &doc.GenManHeader{Section: "1", Source: "dewpoint " + buildVersion(), Manual: "Dewpoint"}, args[0])
		},
	}
	cmd.Flags().StringVar(&markdown, "markdown", "", "write one Markdown `file` of all commands instead")
	return cmd
}

// commandsPage is the page of all commands in the documentation.
func commandsPage(root *cobra.Command) []byte {
	root.InitDefaultCompletionCmd()
	var b bytes.Buffer
	b.WriteString("# Commands\n\n<!-- Written by go generate ./cmd/dewpoint. -->\n\n")
	b.WriteString(strings.TrimSpace(root.Long[:strings.Index(root.Long, "\n")]) + "\n\n")
	b.WriteString("| command | |\n| --- | --- |\n")
	var all []*cobra.Command
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			all = append(all, c)
			fmt.Fprintf(&b, "| [dewpoint %s](#dewpoint-%s) | %s |\n", c.Name(), c.Name(), c.Short)
		}
	}
	b.WriteString("\nExit codes: 0 complete, 3 partial (what could be read is stored), 1 failed, 2 the command line or the\nconfiguration is wrong.\n")
	b.WriteString("\n## Flags of all commands\n\n```text\n" + root.PersistentFlags().FlagUsages() + "```\n")
	for _, c := range all {
		commandSection(&b, c, "##")
	}
	return b.Bytes()
}

func commandSection(b *bytes.Buffer, c *cobra.Command, level string) {
	fmt.Fprintf(b, "\n%s %s\n\n%s\n", level, c.CommandPath(), c.Short+".")
	if c.Runnable() {
		fmt.Fprintf(b, "\n```text\n%s\n```\n", c.UseLine())
	}
	if c.Long != "" && c.Name() != "completion" && c.Parent().Name() != "completion" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(c.Long))
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\n```console\n%s\n```\n", strings.ReplaceAll(strings.TrimSpace(c.Example), "\n  ", "\n"))
	}
	if c.LocalNonPersistentFlags().HasAvailableFlags() {
		c.InitDefaultHelpFlag()
		fmt.Fprintf(b, "\n```text\n%s```\n", c.LocalNonPersistentFlags().FlagUsages())
	}
	if c.Name() == "completion" {
		b.WriteString("\n`dewpoint completion bash|zsh|fish|powershell` prints the script; `dewpoint completion SHELL --help` says how to\nload it.\n")
		return
	}
	for _, s := range c.Commands() {
		if s.IsAvailableCommand() {
			commandSection(b, s, level+"#")
		}
	}
}
