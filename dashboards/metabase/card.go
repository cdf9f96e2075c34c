package metabase

import (
	"encoding/json"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/dashboards"
)

// displays are what Metabase calls the charts.
var displays = map[string]string{
	"number": "scalar", "bars": "row", "columns": "bar", "area": "area", "share": "pie", "table": "table",
}

// SQL is a chart's question with Metabase's optional clauses for the filters
// of its dashboard: a clause in brackets counts where its variable has a value.
func SQL(c *dashboards.Chart, models string) string {
	var conditions []string
	for _, f := range c.Filters() {
		conditions = append(conditions, "[[AND "+f.Column+" = {{"+f.Column+"}}]]")
	}
	return c.SQL(models, conditions...)
}

// filterID is the id of a filter on every dashboard.
func filterID(f dashboards.Filter) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/dewpoint-data/dewpoint/dashboards/filter/"+f.Column)).String()
}

// variable is what a filter sets in a question.
func variable(f dashboards.Filter) list { return list{"variable", list{"template-tag", f.Column}} }

// parameter is a filter as dashboards have it.
func parameter(f dashboards.Filter) object {
	return object{"id": filterID(f)[:8], "name": f.Title, "slug": f.Column, "type": "string/=", "sectionId": "string"}
}

// question is a chart as a saved question of SQL.
func question(c *dashboards.Chart, models string, database, collection int) object {
	query := native(database, SQL(c, models))
	tags, parameters := object{}, list{}
	for _, f := range c.Filters() {
		tags[f.Column] = object{"id": filterID(f), "name": f.Column, "display-name": f.Title, "type": "text"}
		parameters = append(parameters, object{"id": filterID(f), "name": f.Title, "slug": f.Column, "type": "category", "target": variable(f)})
	}
	query["native"].(object)["template-tags"] = tags
	q := object{
		"name": c.Board.Title + ": " + c.Title, "description": nil, "display": displays[c.Is], "type": "question",
		"collection_id": collection, "dataset_query": query, "parameters": parameters, "visualization_settings": settings(c),
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
