package notify

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

type object = map[string]any

// slackEscaper escapes as https://docs.slack.dev/messaging/formatting-message-text says.
var slackEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slack is a message of blocks. The limits are those of
// https://docs.slack.dev/reference/block-kit/blocks.
func slack(m *Message) object {
	escape := slackEscaper.Replace
	section := func(text string) object {
		return object{"type": "section", "text": object{"type": "mrkdwn", "text": text}}
	}
	blocks := []any{object{"type": "header", "text": object{"type": "plain_text", "text": truncate(150, sign(m)+m.Title)}}}
	if m.Text != "" {
		blocks = append(blocks, section(truncate(3000, escape(m.Text))))
	}
	var fields []any
	for i, f := range m.Fields {
		if i == 10 {
			break
		}
		fields = append(fields, object{"type": "mrkdwn", "text": truncate(2000, "*"+escape(f.Name)+"*\n"+escape(f.Value))})
	}
	if len(fields) > 0 {
		blocks = append(blocks, object{"type": "section", "fields": fields})
	}
	if table := m.table(30); table != "" {
		blocks = append(blocks, section("```\n"+truncate(2900, escape(strings.ReplaceAll(table, "```", "'''")))+"\n```"))
	}
	blocks = append(blocks, object{"type": "context", "elements": []any{object{"type": "plain_text", "text": truncate(2000, footer(m))}}})
	return object{"text": truncate(3000, escape(m.Title)), "blocks": blocks}
}

// sign is a mark of what needs a look.
func sign(m *Message) string {
	switch {
	case m.Resolved:
		return "✅ "
	case m.Severity == "error":
		return "🔴 "
	case m.Severity == "warning":
		return "🟠 "
	}
	return ""
}

func footer(m *Message) string {
	return "dewpoint · " + m.Event + " · " + m.At.UTC().Format("2006-01-02 15:04:05 UTC") + " · " + m.Key
}

// teams is an adaptive card, as a workflow's webhook takes it:
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using.
// What is over the limit of a message is left out.
func teams(m *Message) object {
	for most := 8000; ; most /= 2 {
		card := teamsCard(m, most)
		if b, err := json.Marshal(card); err != nil || len(b) <= 28<<10 {
			return card
		}
	}
}

// teamsCard has so many letters at most in its text and in its table.
func teamsCard(m *Message, most int) object {
	block := func(text string, more object) object {
		b := object{"type": "TextBlock", "text": text, "wrap": true}
		for k, v := range more {
			b[k] = v
		}
		return b
	}
	body := []any{block(truncate(200, sign(m)+m.Title), object{"size": "Large", "weight": "Bolder"})}
	if m.Text != "" {
		body = append(body, block(truncate(most, m.Text), nil))
	}
	var facts []any
	for _, f := range m.Fields {
		facts = append(facts, object{"title": f.Name, "value": truncate(min(300, most), f.Value)})
		if len(facts) == 20 {
			break
		}
	}
	if len(facts) > 0 {
		body = append(body, object{"type": "FactSet", "facts": facts})
	}
	if table := m.table(30); table != "" {
		body = append(body, object{"type": "CodeBlock", "codeSnippet": truncate(most, table), "language": "PlainText"})
	}
	body = append(body, block(footer(m), object{"size": "Small", "isSubtle": true}))
	return object{"type": "message", "attachments": []any{object{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil,
		"content": object{
			"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
			"body": body, "msteams": object{"width": "Full"},
		},
	}}}
}

// eventsV2 is where PagerDuty takes events.
const eventsV2 = "https://events.pagerduty.com/v2/enqueue"

// pagerDuty is an event, as https://developer.pagerduty.com/docs/send-alert-event
// describes it. Messages of a group are one incident, which a resolved one ends.
func (c *Channel) pagerDuty(m *Message) (*request, error) {
	key, err := c.RoutingKey.Value()
	if err != nil {
		return nil, err
	}
	address, err := c.URL.Value()
	if err != nil {
		return nil, err
	}
	if address == "" {
		address = eventsV2
	}
	group := m.Group
	if group == "" {
		group = m.Key
	}
	event := object{"routing_key": key, "dedup_key": truncate(255, "dewpoint/"+group), "event_action": "resolve"}
	if !m.Resolved {
		details := object{"event": m.Event, "key": m.Key}
		if m.Text != "" {
			details["text"] = truncate(8000, m.Text)
		}
		for _, f := range m.Fields {
			details[f.Name] = truncate(2000, f.Value)
		}
		if len(m.Rows) > 0 {
			// An event may have 512 KB.
			details["rows"] = m.Rows[:min(len(m.Rows), 100)]
		}
		event["event_action"], event["client"] = "trigger", "dewpoint"
		event["payload"] = object{
			"summary": truncate(1024, m.Title), "source": "dewpoint", "severity": m.Severity, "component": m.Event,
			"timestamp": m.At.UTC().Format(time.RFC3339), "custom_details": details,
		}
	}
	b, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	return &request{address, http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {m.Key}}, b}, nil
}
