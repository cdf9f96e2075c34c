package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/react/notify"
)

// untold are the targets of a plan of which nobody was told, those that wait
// for their grace included.
func untold(p *react.Plan) []react.Target {
	all := slices.Concat(p.Ready(), p.Waiting)
	return slices.DeleteFunc(all, func(t react.Target) bool { return !t.NotifiedAt.IsZero() })
}

// notices says whether there is anything to tell of before it is done.
func (x *round) notices() bool {
	return slices.ContainsFunc(x.report.Plans, func(p *react.Plan) bool {
		return len(x.Config.React.Rules[p.Rule].Notify) > 0 && len(untold(p)) > 0
	})
}

// giveNotice tells the channels of rules what they newly take, each resource
// once. That somebody was told is marked when all channels have taken it.
func (x *round) giveNotice(ctx context.Context) (err error) {
	store, err := OpenStore(ctx, x.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var failed []error
	for _, p := range x.report.Plans {
		targets, channels := untold(p), x.Config.React.Rules[p.Rule].Notify
		if len(targets) == 0 || len(channels) == 0 {
			continue
		}
		rule := x.inForce[findRule(x.inForce, p.Rule)]
		err := x.send(ctx, channels, notice(rule, p, targets, x.applying[p.Rule]))
		if err == nil {
			var uids []string
			for _, t := range targets {
				uids = append(uids, t.UID)
			}
			err = react.Notified(ctx, store, p, time.Now(), uids)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// sayDone tells the channels of rules what was done.
func (x *round) sayDone(ctx context.Context) error {
	var failed []error
	for _, o := range x.report.Outcomes {
		if channels := x.Config.React.Rules[o.Rule].Notify; len(channels) > 0 {
			failed = append(failed, x.jobs.send(ctx, channels, done(o)))
		}
	}
	return errors.Join(failed...)
}

// send sends a message to channels; one that fails leaves the others alone.
func (x *round) send(ctx context.Context, channels []string, m *notify.Message) error {
	return sendTo(ctx, x.Sender, x.Config, channels, m)
}

func sendTo(ctx context.Context, s *notify.Sender, c *Config, channels []string, m *notify.Message) error {
	var failed []error
	for _, name := range channels {
		failed = append(failed, s.Send(ctx, name, c.Notify[name], m))
	}
	return errors.Join(failed...)
}

// verbs are what is done to resources, in a sentence.
var verbs = map[action.Verb]string{action.Delete: "deleted", action.Tag: "tagged"}

// notice is what is said of what a rule newly takes.
func notice(rule *react.Rule, p *react.Plan, targets []react.Target, applied bool) *notify.Message {
	verb := verbs[rule.Action]
	if verb == "" {
		verb = "acted on (" + string(rule.Action) + ")"
	}
	m := &notify.Message{
		Event: "notice", Severity: "warning", Group: "rule/" + p.Rule, At: time.Now().UTC().Truncate(time.Second),
		Title:   fmt.Sprintf("%s: %s to be %s", p.Rule, counted(len(targets)), verb),
		Text:    rule.Help,
		Columns: []string{"kind", "id", "name", "account", "region", "owner", "reason", "due"},
	}
	if applied {
		m.Text += " They will be " + verb + " when they are due and still match."
	} else {
		m.Text += " Nothing is done by itself: the rule is planned only."
	}
	var whom []string
	for _, t := range targets {
		whom = append(whom, t.UID+" "+t.Incarnation)
		due := t.DueAt
		if due.IsZero() {
			due = p.Now
		}
		m.Rows = append(m.Rows, resourceRow(t.Resource, map[string]any{
			"owner": t.Owner, "reason": t.Reason, "due": due.UTC().Format("2006-01-02 15:04 UTC"), "saving": t.Saving,
		}))
	}
	slices.Sort(whom)
	m.Key = uuid.NewSHA1(uuid.NameSpaceOID, []byte("dewpoint notice "+p.Rule+" "+p.RuleHash+"\n"+strings.Join(whom, "\n"))).String()
	m.Data = map[string]any{"rule": p.Rule, "plan_id": p.ID, "targets": targets}
	return m
}

// done is what is said of a plan that was applied.
func done(o Outcome) *notify.Message {
	m := &notify.Message{
		Key:   uuid.NewSHA1(o.Plan.ID, []byte("applied")).String(),
		Event: "applied", Severity: "info", Group: "rule/" + o.Rule, At: time.Now().UTC().Truncate(time.Second),
		Columns: []string{"result", "kind", "id", "name", "account", "region", "owner", "why"},
		Data:    o,
	}
	n, saved := 0, 0.0
	for _, r := range o.Results {
		result, why := "done", r.Target.Why()
		if r.Done {
			n, saved = n+1, saved+r.Saving
		} else {
			result, why = "left", r.Why
			m.Severity = "warning"
		}
		m.Rows = append(m.Rows, resourceRow(r.Resource, map[string]any{"result": result, "owner": r.Owner, "why": why}))
	}
	m.Title = fmt.Sprintf("%s: %d of %s done", o.Rule, n, counted(len(o.Results)))
	if saved > 0 {
		m.Fields = append(m.Fields, notify.Field{Name: "Saved a month", Value: fmt.Sprintf("about %.2f", saved)})
	}
	if o.Err != nil {
		m.Severity, m.Text = "error", o.Err.Error()
		m.Title = o.Rule + ": the plan could not be applied"
	}
	return m
}

func resourceRow(r action.Resource, more map[string]any) map[string]any {
	row := map[string]any{"kind": r.Kind, "id": r.ID, "name": r.Name, "account": r.Account, "region": r.Region, "_id": r.UID}
	for k, v := range more {
		row[k] = v
	}
	return row
}

func counted(n int) string {
	if n == 1 {
		return "1 resource"
	}
	return fmt.Sprintf("%d resources", n)
}

// Notify sends a message to the channel of a configuration.
func Notify(ctx context.Context, s *notify.Sender, c *Config, channel string, m *notify.Message) error {
	return sendTo(ctx, s, c, []string{channel}, m)
}
