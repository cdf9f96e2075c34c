// Package grafana makes the dashboards of what changes with time for Grafana:
// one over Postgres, one over Prometheus, with the files that provision them.
package grafana

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"io/fs"

	"github.com/dewpoint-data/dewpoint/dashboards"
)

//go:embed provisioning
var provisioning embed.FS

// Options are what differs between installations.
type Options struct {
	Dewpoint string // dewpoint's schema in Postgres
	Models   string // that of the models
}

// Default are the options of the files in this repository.
var Default = Options{Dewpoint: "dewpoint", Models: "dewpoint_models"}

type (
	object = map[string]any
	list   = []any
)

// Dashboards are the dashboards by file name.
func Dashboards(o Options) (map[string][]byte, error) {
	all, err := dashboards.LoadSeries()
	if err != nil {
		return nil, err
	}
	postgres := &source{
		uid: "dewpoint", plugin: "grafana-postgresql-datasource", title: "dewpoint over time", accounts: object{
			"query": "SELECT DISTINCT labels ->> 'account' FROM " + o.Dewpoint + ".metrics WHERE name = 'resources' ORDER BY 1",
		},
		target: func(s *dashboards.Series) object {
			return object{"rawSql": s.Postgres(o.Dewpoint, o.Models), "format": "time_series", "rawQuery": true, "editorMode": "code"}
		},
	}
	prometheus := &source{
		uid: "dewpoint-prometheus", plugin: "prometheus", title: "dewpoint over time (Prometheus)", accounts: object{
			"query": object{"query": "label_values(dewpoint_resources, account)", "refId": "accounts"},
		},
		target: func(s *dashboards.Series) object {
			if s.Prometheus() == "" {
				return nil
			}
			return object{"expr": s.Prometheus(), "legendFormat": legend(s), "editorMode": "code", "range": true}
		},
	}
	files := map[string][]byte{}
	for name, src := range map[string]*source{"dewpoint.json": postgres, "dewpoint-prometheus.json": prometheus} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(src.dashboard(all)); err != nil {
			return nil, err
		}
		files[name] = b.Bytes()
	}
	return files, nil
}

// Files are the dashboards and what provisions them, by path.
func Files(o Options) (map[string][]byte, error) {
	boards, err := Dashboards(o)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, text := range boards {
		files["dashboards/"+name] = text
	}
	err = fs.WalkDir(provisioning, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = provisioning.ReadFile(path)
		return err
	})
	return files, err
}

// source is a data source of Grafana and how it is asked.
type source struct {
	uid, plugin, title string
	accounts           object // the query of the variable account
	// target is the query of a series; nil where the source has none.
	target func(*dashboards.Series) object
}

func (src *source) ref() object { return object{"type": src.plugin, "uid": "${datasource}"} }

func (src *source) dashboard(all []*dashboards.Series) object {
	var panels list
	for _, s := range all {
		target := src.target(s)
		if target == nil {
			continue
		}
		target["refId"], target["datasource"] = "A", src.ref()
		n := len(panels)
		panels = append(panels, object{
			"id": n + 1, "type": "timeseries", "title": s.Title, "description": s.Help, "datasource": src.ref(), "targets": list{target},
			"gridPos":     object{"x": n % 2 * 12, "y": n / 2 * 8, "w": 12, "h": 8},
			"fieldConfig": object{"defaults": fields(s), "overrides": list{}},
			"options": object{
				"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": list{}},
				"tooltip": object{"mode": "multi", "sort": "desc"},
			},
		})
	}
	account := object{
		"name": "account", "label": "Account", "type": "query", "datasource": src.ref(), "multi": true, "includeAll": true, "refresh": 2, "sort": 1,
		"current": object{"text": list{"All"}, "value": list{"$__all"}},
	}
	for key, value := range src.accounts {
		account[key] = value
	}
	return object{
		"uid": src.uid, "title": src.title, "tags": list{"dewpoint"}, "timezone": "utc", "editable": true, "schemaVersion": 39, "refresh": "5m",
		"time": object{"from": "now-30d", "to": "now"}, "panels": panels, "annotations": object{"list": list{}}, "graphTooltip": 1,
		"templating": object{"list": list{
			object{
				"name": "datasource", "label": "Database", "type": "datasource", "query": src.plugin, "refresh": 1,
				"current": object{"text": src.uid, "value": src.uid},
			},
			account,
		}},
	}
}

// units are what Grafana calls them.
var units = map[string]string{"": "short", "bytes": "bytes", "seconds": "s", "ratio": "percentunit"}

func fields(s *dashboards.Series) object {
	custom := object{"drawStyle": "line", "lineInterpolation": "stepAfter", "lineWidth": 1, "fillOpacity": 10, "showPoints": "auto", "spanNulls": true}
	if s.Stack {
		custom["fillOpacity"], custom["stacking"] = 30, object{"mode": "normal", "group": "A"}
	}
	f := object{"unit": units[s.Unit], "min": 0, "custom": custom}
	if s.Unit == "ratio" {
		f["max"] = 1
	}
	return f
}

// legend is the name of a line in Prometheus.
func legend(s *dashboards.Series) string {
	text := ""
	for _, l := range s.By {
		text += " {{" + l + "}}"
	}
	return cmp.Or(text, " "+s.Title)[1:]
}
