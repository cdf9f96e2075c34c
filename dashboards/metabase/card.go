package metabase

import (
	"encoding/json"

	"github.com/dewpoint-data/dewpoint/dashboards"
)

// displays are what Metabase calls the charts.
var displays = map[string]string{
	"number": "scalar", "bars": "row", "columns": "bar", "area": "area", "share": "pie", "table": "table",
}

// question is a chart as a saved question of SQL.
func question(c *dashboards.Chart, models string, database, collection int) object {
	q := object{
		"name": c.Board.Title + ": " + c.Title, "description": nil, "display": displays[c.Is], "type": "question",
		"collection_id": collection, "dataset_query": native(database, c.SQL(models)), "visualization_settings": settings(c),
	}
	if c.Help != "" { // an empty text is refused
		q["description"] = c.Help
	}
	return q
}

// numbers are the formats of measures.
var numbers = map[string]object{
	"count": {"number_style": "decimal", "decimals": 0}, "decimal": {"number_style": "decimal", "decimals": 1},
	"ratio": {"number_style": "percent", "decimals": 1}, "usd": {"number_style": "currency", "currency": "USD", "decimals": 2},
}

func settings(c *dashboards.Chart) object {
	columns := object{}
	var shown []string
	for _, m := range c.Show {
		columns[columnKey(m.As)] = numbers[m.Format]
		shown = append(shown, m.As)
	}
	s := object{"column_settings": columns}
	switch c.Is {
	case "share":
		s["pie.dimension"], s["pie.metric"] = c.By[0], c.Show[0].As
	case "bars", "columns", "area":
		s["graph.dimensions"], s["graph.metrics"] = c.By, shown
		if len(c.By) > 1 || c.Is == "area" {
			s["stackable.stack_type"] = "stacked"
		}
	}
	return s
}

// columnKey names a column of a result, as Metabase keys its settings.
func columnKey(name string) string {
	key, err := json.Marshal([]string{"name", name})
	if err != nil {
		panic("metabase: " + err.Error()) // texts always have a JSON
	}
	return string(key)
}
