package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/extract/aws/catalog"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) permissionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "permissions",
		Short:   "Print the least permissions that reading needs",
		GroupID: "setup",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("name the cloud: dewpoint permissions aws")
		},
	}
	var only, skip []string
	var split string
	aws := &cobra.Command{
		Use:   "aws",
		Short: "Print the IAM policy that reading AWS needs",
		Long: `Prints a policy document with the actions of the calls that the selected kinds
are read by, and nothing else. A managed policy holds 6,144 characters; --split
writes the whole as several of them.`,
		Example: `  $ dewpoint permissions aws
  $ dewpoint permissions aws --only aws_ec2_instance --only iam
  $ dewpoint permissions aws --split policies`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			if len(only) > 0 {
				c.Kinds.Only = only
			}
			cat, err := workflow.LoadCatalogue(c)
			if err != nil {
				return err
			}
			entries, err := cat.Select(c.Kinds.Only, append(c.Kinds.Skip, skip...))
			if err != nil {
				return &usageError{err}
			}
			policy, err := cat.ReadPolicy(entries)
			if err != nil {
				return err
			}
			if split != "" {
				return a.splitPolicy(policy, split)
			}
			_, err = a.out.Out.Write(append(policy, '\n'))
			return err
		},
	}
	list(aws, &only, "only", "for these `kinds`: name, service or glob")
	list(aws, &skip, "skip", "leave these `kinds` out")
	complete(aws, "only", a.completeKinds)
	complete(aws, "skip", a.completeKinds)
	aws.Flags().StringVar(&split, "split", "", "write policies that fit into a managed policy to this `folder`")
	cmd.AddCommand(aws)
	return cmd
}

// splitPolicy writes a policy as files that each fit into a managed policy.
func (a *app) splitPolicy(policy []byte, dir string) error {
	parts, err := catalog.SplitPolicy(policy)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, p := range parts {
		path := filepath.Join(dir, fmt.Sprintf("dewpoint-read-%d.json", i+1))
		if err := os.WriteFile(path, append(p, '\n'), 0o644); err != nil {
			return err
		}
		fmt.Fprintln(a.out.Out, path)
	}
	return nil
}
