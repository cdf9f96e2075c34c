package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/react/notify"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) notifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "notify",
		Short:   "List the channels of notifications, and try one",
		GroupID: "setup",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List the channels of the configuration",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			t := term.NewTable("CHANNEL", "TYPE", "RULES").Keep(2)
			for _, name := range slices.Sorted(maps.Keys(c.Notify)) {
				var rules []string
				for _, r := range slices.Sorted(maps.Keys(c.React.Rules)) {
					if slices.Contains(c.React.Rules[r].Notify, name) {
						rules = append(rules, r)
					}
				}
				t.Row(name, c.Notify[name].Type, strings.Join(rules, ", "))
			}
			return t.Write(a.out)
		},
	}, a.notifyTestCommand())
	return cmd
}

func (a *app) notifyTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test CHANNEL...",
		Short: "Send a message to channels, to see that it arrives",
		Long: `Sends a message with a table of two rows to channels of notify in the
configuration. PagerDuty opens an incident and closes it.`,
		RunE: func(_ *cobra.Command, names []string) error {
			if len(names) == 0 {
				return usagef("name a channel: dewpoint notify list lists them")
			}
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			known := slices.Sorted(maps.Keys(c.Notify))
			for _, n := range names {
				if !slices.Contains(known, n) {
					return usagef("there is no channel %q in notify%s", n, suggest(n, known))
				}
			}
			ctx, cancel := interruptible()
			defer cancel()
			s := &notify.Sender{}
			for _, n := range names {
				m := testMessage()
				err := workflow.Notify(ctx, s, c, n, m)
				if err == nil && c.Notify[n].Type == "pagerduty" {
					m.Resolved = true
					err = workflow.Notify(ctx, s, c, n, m)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(a.out.Out, "%s has taken it.\n", n)
			}
			return nil
		},
	}
}

func testMessage() *notify.Message {
	host, _ := os.Hostname()
	return &notify.Message{
		Key: uuid.NewString(), Event: "test", Severity: "info", Group: "test", At: time.Now().UTC().Truncate(time.Second),
		Title: "A test of dewpoint", Text: "Somebody tried this channel by dewpoint notify test. There is nothing to do.",
		Fields:  []notify.Field{{Name: "Host", Value: host}},
		Columns: []string{"kind", "id", "owner"},
		Rows:    []map[string]any{{"kind": "aws_ec2_volume", "id": "vol-0example1", "owner": "ann"}, {"kind": "aws_ec2_volume", "id": "vol-0example2", "owner": nil}},
	}
}
