package superset

import (
	"fmt"

	"github.com/dewpoint-data/dewpoint/dashboards"
)

// rowHeights are in Superset's units of eight pixels.
var rowHeights = map[string]int{"small": 17, "medium": 42, "large": 54}

// colours keep a value's colour the same in all charts.
var colours = object{
	"aws": "#F5A623", "gcp": "#4285F4", "kubernetes": "#5AC189",
	"its own tags": "#5AC189", "what it hangs on": "#A1D9B5", "no owner": "#E04355",
	"complete": "#5AC189", "denied": "#E04355", "failed": "#B3261E", "throttled": "#FCC700", "timed_out": "#FF7F44",
	"for long": "#E04355", "of late": "#FCC700", "since when is unknown": "#B2B2B2",
	"created": "#5AC189", "ended": "#E04355",
}

func dashboard(b *dashboards.Board) object {
	title := "dewpoint: " + b.Title
	position := object{
		"DASHBOARD_VERSION_KEY": "v2",
		"ROOT_ID":               object{"id": "ROOT_ID", "type": "ROOT", "children": list{"GRID_ID"}},
		"HEADER_ID":             object{"id": "HEADER_ID", "type": "HEADER", "meta": object{"text": title}},
	}
	var rows list
	number := 0 // Superset replaces it by the chart's own
	outside := map[string]list{}
	for i, r := range b.Rows {
		row := fmt.Sprintf("ROW-%d", i+1)
		rows = append(rows, row)
		var children list
		for _, c := range r.Charts {
			number++
			key := "CHART-" + c.Name()
			children = append(children, key)
			position[key] = object{
				"id": key, "type": "CHART", "children": list{}, "parents": list{"ROOT_ID", "GRID_ID", row},
				"meta": object{
					"chartId": number, "uuid": id("chart", c.Name()), "sliceName": c.Title,
					"width": c.Width, "height": rowHeights[r.Height],
				},
			}
			for _, f := range dashboards.Filters {
				if c.Query.Type(f.Column) == "" {
					outside[f.Column] = append(outside[f.Column], number)
				}
			}
		}
		position[row] = object{
			"id": row, "type": "ROW", "children": children, "parents": list{"ROOT_ID", "GRID_ID"},
			"meta": object{"background": "BACKGROUND_TRANSPARENT"},
		}
	}
	position["GRID_ID"] = object{"id": "GRID_ID", "type": "GRID", "children": rows, "parents": list{"ROOT_ID"}}
	var native list
	for _, f := range dashboards.Filters {
		excluded := outside[f.Column]
		if excluded == nil {
			excluded = list{}
		}
		native = append(native, object{
			"id": "NATIVE_FILTER-" + f.Column, "name": f.Title, "type": "NATIVE_FILTER", "filterType": "filter_select",
			"targets":         list{object{"datasetUuid": id("dataset", "inventory"), "column": object{"name": f.Column}}},
			"defaultDataMask": object{"extraFormData": object{}, "filterState": object{}, "ownState": object{}},
			"controlValues": object{
				"multiSelect": true, "enableEmptyFilter": false, "defaultToFirstItem": false, "inverseSelection": false, "searchAllOptions": false,
			},
			"cascadeParentIds": list{}, "scope": object{"rootPath": list{"ROOT_ID"}, "excluded": excluded}, "description": "",
		})
	}
	return object{
		"dashboard_title": title, "description": b.Help, "slug": "dewpoint-" + b.Name, "uuid": id("dashboard", b.Name), "version": "1.0.0",
		"published": true, "css": "", "position": position,
		"metadata": object{
			"native_filter_configuration": native, "filter_bar_orientation": "HORIZONTAL", "cross_filters_enabled": true,
			"color_scheme": "supersetColors", "label_colors": colours, "refresh_frequency": 0, "chart_configuration": object{}, "timed_refresh_immune_slices": list{},
			"expanded_slices": object{}, "default_filters": "{}",
		},
	}
}
