package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	awscatalog "github.com/dewpoint-data/dewpoint/extract/aws/catalog"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	gcpcatalog "github.com/dewpoint-data/dewpoint/extract/gcp/catalog"
	k8scatalog "github.com/dewpoint-data/dewpoint/extract/k8s/catalog"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) permissionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "permissions",
		Short:   "Print the least permissions that reading needs",
		GroupID: "setup",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("name the cloud: dewpoint permissions aws, gcp or kubernetes")
		},
	}
	cmd.AddCommand(a.awsPermissions(), a.gcpPermissions(), a.kubernetesPermissions())
	return cmd
}

func (a *app) awsPermissions() *cobra.Command {
	var split string
	var write bool
	var kinds selector
	aws := &cobra.Command{
		Use:   "aws",
		Short: "Print the IAM policy that reading AWS needs",
		Long: `Prints a policy document with the actions of the calls that the selected kinds
are read by, and nothing else. A managed policy holds 6,144 characters; --split
writes the whole as several of them.

--write prints the policy of what applies plans instead: the calls that read one
resource, delete it and set or remove its tags. It belongs to a role of its own.`,
		Example: `  $ dewpoint permissions aws
  $ dewpoint permissions aws --write --only aws_ec2_volume
  $ dewpoint permissions aws --only aws_ec2_instance --only iam
  $ dewpoint permissions aws --split policies`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			entries, err := kinds.of(a, "aws")
			if err != nil {
				return err
			}
			verb, of := "read", awscatalog.ReadPolicy
			if write {
				verb, of = "write", awscatalog.WritePolicy
			}
			policy, err := of(entries)
			if err != nil {
				return err
			}
			if split != "" {
				return a.splitPolicy(policy, split, verb)
			}
			_, err = a.out.Out.Write(append(policy, '\n'))
			return err
		},
	}
	kinds.flags(a, aws)
	aws.Flags().BoolVar(&write, "write", false, "for applying plans instead of for reading")
	aws.Flags().StringVar(&split, "split", "", "write policies that fit into a managed policy to this `folder`")
	return aws
}

func (a *app) gcpPermissions() *cobra.Command {
	var project, write bool
	var kinds selector
	gcp := &cobra.Command{
		Use:   "gcp",
		Short: "Print the custom role that reading Google Cloud needs",
		Long: `Prints the definition of a custom role with the permissions of the calls that
the selected kinds are read by, and of finding the projects, and nothing else.
A role of a project has none of those that organisations and folders are for.
Kinds that the configuration reads from the Cloud Asset Inventory take its
permission instead of their own.

--write prints the role of what applies plans instead: the calls that read one
resource, delete it and set its labels, and ask how far that is. It belongs to a
service account of its own.`,
		Example: `  $ dewpoint permissions gcp > role.yaml
  $ dewpoint permissions gcp --write --only gcp_compute_disk
  $ dewpoint permissions gcp --project --only gcp_compute_instance`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			entries, err := kinds.of(a, "gcp")
			if err != nil {
				return err
			}
			if write {
				_, err = a.out.Out.Write(gcpcatalog.WriteRole(entries, project))
				return err
			}
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			_, err = a.out.Out.Write(gcpcatalog.ReadRole(entries, project, c.GCP.AssetInventory))
			return err
		},
	}
	kinds.flags(a, gcp)
	gcp.Flags().BoolVar(&write, "write", false, "for applying plans instead of for reading")
	gcp.Flags().BoolVar(&project, "project", false, "a role of one project")
	return gcp
}

func (a *app) kubernetesPermissions() *cobra.Command {
	var name string
	var write bool
	var kinds selector
	kubernetes := &cobra.Command{
		Use:   "kubernetes",
		Short: "Print the ClusterRole that reading Kubernetes needs",
		Long: `Prints a ClusterRole that may list the selected kinds and discover what the
cluster serves, and nothing else. Who may list secrets may read them, so they are
in it only when they are asked for by name.

--write prints the role of what applies plans instead: to read, delete and label
single objects. It belongs to a service account of its own. Custom resources are
added to either by their group and name.`,
		Example: `  $ dewpoint permissions kubernetes > role.yaml
  $ dewpoint permissions kubernetes --write --only kubernetes_pod
  $ dewpoint permissions kubernetes --only kubernetes_pod --only kubernetes_node`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			entries, err := kinds.of(a, "kubernetes")
			if err != nil {
				return err
			}
			of := k8scatalog.ClusterRole
			if write {
				of = k8scatalog.WriteRole
			}
			role, err := of(name, entries)
			if err != nil {
				return err
			}
			_, err = a.out.Out.Write(role)
			return err
		},
	}
	kinds.flags(a, kubernetes)
	kubernetes.Flags().BoolVar(&write, "write", false, "for applying plans instead of for reading")
	kubernetes.Flags().StringVar(&name, "name", "dewpoint", "the `name` of the role")
	return kubernetes
}

// selector are the kinds that a policy is for.
type selector struct{ only, skip []string }

func (s *selector) flags(a *app, cmd *cobra.Command) {
	list(cmd, &s.only, "only", "for these `kinds`: name, service or glob")
	list(cmd, &s.skip, "skip", "leave these `kinds` out")
	complete(cmd, "only", a.completeKinds)
	complete(cmd, "skip", a.completeKinds)
}

// of are the kinds of a cloud that the flags and the configuration select.
func (s *selector) of(a *app, cloud string) ([]*catalog.Entry, error) {
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	cat, err := workflow.LoadCatalogue(c)
	if err != nil {
		return nil, err
	}
	return workflow.CloudKinds(c, cat, cloud, s.only, s.skip)
}

// splitPolicy writes a policy as files that each fit into a managed policy.
func (a *app) splitPolicy(policy []byte, dir, verb string) error {
	parts, err := awscatalog.SplitPolicy(policy)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, p := range parts {
		path := filepath.Join(dir, fmt.Sprintf("dewpoint-%s-%d.json", verb, i+1))
		if err := os.WriteFile(path, append(p, '\n'), 0o644); err != nil {
			return err
		}
		fmt.Fprintln(a.out.Out, path)
	}
	return nil
}
