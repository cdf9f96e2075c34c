package api

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

//go:embed actions.txt.zst
var actionData []byte

// actionLevels are the access levels, by the letter that stands for them.
var actionLevels = map[byte]string{'L': "List", 'R': "Read", 'T': "Tagging", 'W': "Write", 'P': "Permissions management"}

// actions are the lines of the list: a service's prefix, then its actions,
// each after the letter of its level.
var actions = sync.OnceValue(func() map[string]byte {
	data, err := unzstd().DecodeAll(actionData, nil)
	if err != nil {
		panic("api: embedded actions: " + err.Error())
	}
	levels := map[string]byte{}
	prefix := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if p, ok := strings.CutSuffix(line, ":"); ok {
			prefix = p
			continue
		}
		levels[prefix+":"+line[1:]] = line[0]
	}
	return levels
})

// ActionExists says whether IAM has the action: "ec2:DescribeInstances".
// The service's authorization reference is the source:
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html.
func ActionExists(action string) bool {
	_, ok := actions()[action]
	return ok
}

// ActionLevel returns the access level of an IAM action: List, Read, Tagging,
// Write or Permissions management; empty if there is no such action.
func ActionLevel(action string) string { return actionLevels[actions()[action]] }

// NearActions returns up to three actions of the same service that have
// similar names.
func NearActions(action string) []string {
	prefix, name, _ := strings.Cut(action, ":")
	var names []string
	for a := range actions() {
		if p, n, _ := strings.Cut(a, ":"); p == prefix {
			names = append(names, n)
		}
	}
	found := api.Near(name, names)
	for i, n := range found {
		found[i] = prefix + ":" + n
	}
	return found
}
