// Package metabase makes the dashboards in a Metabase, by its API: a database,
// a collection, a question of SQL for each chart, and dashboards of them. What
// is there by the same name in the collection is changed, not made again.
//
// The API: https://www.metabase.com/docs/latest/api
package metabase

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/dashboards"
)

// Options are what differs between installations.
type Options struct {
	// Database is the name of the database in Metabase. Where there is none
	// of that name, it is made from Connection.
	Database string
	// Connection is the database as Metabase reaches it.
	Connection dashboards.Connection
	// Collection is the name of the collection that holds the questions and
	// dashboards.
	Collection string
}

// Provision makes the dashboards, or brings those that it made before up to
// date, and returns their addresses. Cards and filters that users added to
// the dashboards stay. It makes nothing where the database does not hold the models.
func Provision(ctx context.Context, s Server, o Options) ([]string, error) {
	boards, _, err := dashboards.Load()
	if err != nil {
		return nil, err
	}
	c, err := s.login(ctx)
	if err != nil {
		return nil, err
	}
	database, err := c.database(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := c.check(ctx, database, o); err != nil {
		return nil, err
	}
	collection, err := c.collection(ctx, o.Collection)
	if err != nil {
		return nil, err
	}
	have, err := c.items(ctx, collection)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, b := range boards {
		cards := map[*dashboards.Chart]int{}
		for _, chart := range b.Charts() {
			q := question(chart, o.Connection.Models, database, collection)
			if cards[chart], err = c.put(ctx, "card", have, q["name"].(string), q); err != nil {
				return nil, err
			}
		}
		about := object{"name": b.Title, "description": b.Help, "collection_id": collection}
		id, err := c.put(ctx, "dashboard", have, b.Title, about)
		if err != nil {
			return nil, err
		}
		if err := c.layOut(ctx, id, b, cards); err != nil {
			return nil, err
		}
		addresses = append(addresses, strings.TrimSuffix(s.URL, "/")+"/dashboard/"+strconv.Itoa(id))
	}
	return addresses, nil
}

type (
	object = map[string]any
	list   = []any
)

// engines are what Metabase calls the databases. That of DuckDB is a driver
// of its community.
var engines = map[string]string{"postgres": "postgres", "duckdb": "duckdb"}

// database finds the database by its name, or makes it.
func (c *client) database(ctx context.Context, o Options) (int, error) {
	var all struct {
		Data []struct {
			ID     int    `json:"id"`
			Name   string `json:"name"`
			Engine string `json:"engine"`
		} `json:"data"`
	}
	if err := c.call(ctx, http.MethodGet, "/api/database", nil, &all); err != nil {
		return 0, err
	}
	engine := engines[o.Connection.Dialect]
	for _, d := range all.Data {
		if d.Name != o.Database {
			continue
		}
		if engine != "" && d.Engine != engine {
			return 0, fmt.Errorf("the database %s of Metabase is of the engine %s, not %s: name another one", d.Name, d.Engine, engine)
		}
		return d.ID, nil
	}
	var details object
	switch o.Connection.Dialect {
	case "postgres":
		details = object{
			"host": o.Connection.Host, "port": o.Connection.Port, "dbname": o.Connection.Database,
			"user": o.Connection.User, "password": o.Connection.Password, "ssl": false, "tunnel-enabled": false,
			"schema-filters-type": "inclusion", "schema-filters-patterns": o.Connection.Models,
		}
	case "duckdb":
		details = object{"database_file": o.Connection.File, "read_only": true}
	default:
		return 0, fmt.Errorf("there is no database %s in Metabase: make it there, or name a sink", o.Database)
	}
	var made struct {
		ID int `json:"id"`
	}
	body := object{"name": o.Database, "engine": engine, "details": details, "is_full_sync": true, "is_on_demand": false}
	err := c.call(ctx, http.MethodPost, "/api/database", body, &made)
	return made.ID, err
}

// check asks the database, by Metabase, whether it holds the models.
func (c *client) check(ctx context.Context, database int, o Options) error {
	sql := "SELECT count(*) AS n FROM " + o.Connection.Models + ".inventory"
	var answer struct {
		Status string `json:"status"`
		Error  string `json:"error"`
	}
	if err := c.call(ctx, http.MethodPost, "/api/dataset", native(database, sql), &answer); err != nil {
		return err
	}
	if answer.Status != "completed" {
		return fmt.Errorf("the database %s of Metabase does not answer %q: run dewpoint transform, and let its user read the schema: %s", o.Database, sql, answer.Error)
	}
	return nil
}

// native is a query of SQL.
func native(database int, sql string) object {
	return object{"type": "native", "database": database, "native": object{"query": sql, "template-tags": object{}}}
}

// collection finds the collection at the top by its name, or makes it.
func (c *client) collection(ctx context.Context, name string) (int, error) {
	var all []struct {
		ID       json.RawMessage `json:"id"` // a number, or "root"
		Name     string          `json:"name"`
		Location string          `json:"location"`
		Archived bool            `json:"archived"`
	}
	if err := c.call(ctx, http.MethodGet, "/api/collection", nil, &all); err != nil {
		return 0, err
	}
	for _, found := range all {
		if id, err := strconv.Atoi(string(found.ID)); err == nil && found.Name == name && found.Location == "/" && !found.Archived {
			return id, nil
		}
	}
	var made struct {
		ID int `json:"id"`
	}
	body := object{"name": name, "description": "Dashboards over the models of dewpoint.", "parent_id": nil}
	err := c.call(ctx, http.MethodPost, "/api/collection", body, &made)
	return made.ID, err
}

// items are the ids of what is in a collection, by model and name.
func (c *client) items(ctx context.Context, collection int) (map[[2]string]int, error) {
	all := map[[2]string]int{}
	for offset := 0; ; {
		query := url.Values{"models": {"card", "dashboard"}, "limit": {"200"}, "offset": {strconv.Itoa(offset)}}
		var page struct {
			Total int `json:"total"`
			Data  []struct {
				ID    int    `json:"id"`
				Model string `json:"model"`
				Name  string `json:"name"`
			} `json:"data"`
		}
		if err := c.call(ctx, http.MethodGet, fmt.Sprintf("/api/collection/%d/items?%s", collection, query.Encode()), nil, &page); err != nil {
			return nil, err
		}
		for _, i := range page.Data {
			all[[2]string{i.Model, i.Name}] = i.ID
		}
		if offset += len(page.Data); len(page.Data) == 0 || offset >= page.Total {
			return all, nil
		}
	}
}

// put makes a card or a dashboard, or changes the one of that name.
func (c *client) put(ctx context.Context, model string, have map[[2]string]int, name string, body object) (int, error) {
	if id, ok := have[[2]string{model, name}]; ok {
		return id, c.call(ctx, http.MethodPut, fmt.Sprintf("/api/%s/%d", model, id), body, nil)
	}
	var made struct {
		ID int `json:"id"`
	}
	if err := c.call(ctx, http.MethodPost, "/api/"+model, body, &made); err != nil {
		return 0, err
	}
	have[[2]string{model, name}] = made.ID
	return made.ID, nil
}

// heights of the rows, in Metabase's units; a dashboard is 24 of them wide.
var heights = map[string]int{"small": 3, "medium": 7, "large": 9}

// layOut puts the cards in their places on a dashboard, with its filters. The
// cards and filters of others stay.
func (c *client) layOut(ctx context.Context, id int, b *dashboards.Board, cards map[*dashboards.Chart]int) error {
	path := fmt.Sprintf("/api/dashboard/%d", id)
	var now struct {
		Cards      []object `json:"dashcards"`
		Parameters []object `json:"parameters"`
	}
	if err := c.call(ctx, http.MethodGet, path, nil, &now); err != nil {
		return err
	}
	var filters list
	own := map[any]bool{}
	for _, f := range dashboards.Filters {
		filters = append(filters, parameter(f))
		own[parameter(f)["id"]] = true
	}
	for _, p := range now.Parameters {
		if !own[p["id"]] {
			filters = append(filters, p)
		}
	}
	ours := map[int]bool{}
	for _, card := range cards {
		ours[card] = true
	}
	var others list
	places := map[int]object{} // by card
	for _, d := range now.Cards {
		if card, _ := d["card_id"].(float64); ours[int(card)] {
			places[int(card)] = d
		} else {
			others = append(others, d)
		}
	}
	var all list
	row := 0
	for _, r := range b.Rows {
		column := 0
		for _, chart := range r.Charts {
			card := cards[chart]
			var place any = -len(all) - 1 // a new one
			mappings := list{}
			for _, f := range chart.Filters() {
				mappings = append(mappings, object{"parameter_id": parameter(f)["id"], "card_id": card, "target": variable(f)})
			}
			if old := places[card]; old != nil {
				place = old["id"]
				mapped, _ := old["parameter_mappings"].([]any)
				for _, m := range mapped {
					if m, ok := m.(object); ok && !own[m["parameter_id"]] {
						mappings = append(mappings, m)
					}
				}
			}
			all = append(all, object{
				"id": place, "card_id": card, "row": row, "col": column, "size_x": chart.Width * 2, "size_y": heights[r.Height],
				"series": list{}, "parameter_mappings": mappings, "visualization_settings": object{"card.title": chart.Title},
			})
			column += chart.Width * 2
		}
		row += heights[r.Height]
	}
	return c.call(ctx, http.MethodPut, path, object{"dashcards": append(all, others...), "parameters": filters}, nil)
}
