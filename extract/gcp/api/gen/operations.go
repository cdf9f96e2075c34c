package main

import (
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// written are the verbs of methods that change something and are kept all the
// same: those that actions on resources need.
var written = map[string]bool{
	"delete": true, "destroy": true, "patch": true, "update": true, "setLabels": true, "createSnapshot": true,
	"start": true, "stop": true, "suspend": true, "resume": true, "reset": true,
	"setDeletionProtection": true, "detachDisk": true, "resize": true, "setResourceLabels": true,
	"disable": true, "enable": true, "undelete": true, "removePeering": true,
}

// read are the beginnings of the verbs of methods that only read although
// they are POST.
var read = []string{"list", "search", "get", "aggregated", "query", "batchGet", "fetch", "lookup"}

// wanted says whether a method is one that dewpoint or a user's catalogue
// could call.
func wanted(m *method) bool {
	verb := m.ID[strings.LastIndexByte(m.ID, '.')+1:]
	if m.HTTPMethod == "GET" || written[verb] {
		return true
	}
	if m.HTTPMethod != "POST" {
		return false
	}
	for _, r := range read {
		if strings.HasPrefix(verb, r) {
			return true
		}
	}
	return false
}

// pager says how an operation pages, nil if it does not: some return a token
// that they do not take.
func pager(op *api.Operation) *api.Pager {
	if op.Output == nil || op.Input.Member("pageToken") == nil || op.Output.Member("nextPageToken") == nil {
		return nil
	}
	p := &api.Pager{InputTokens: []string{"pageToken"}, OutputTokens: []string{"nextPageToken"}}
	for _, name := range []string{"maxResults", "pageSize"} {
		if op.Input.Member(name) != nil {
			p.Limit = name
			break
		}
	}
	for i := range op.Output.Members {
		m := &op.Output.Members[i]
		switch {
		case m.Shape.Type == "list" && m.Shape.Elem.Type == "structure" && !strings.Contains(strings.ToLower(m.Name), "warning"):
		case m.Shape.Type == "map" && m.Shape.Value.Type == "structure" && !m.Shape.Value.Document: // an aggregated list
		default:
			continue
		}
		p.Results = append(p.Results, m.Name)
	}
	return p
}
