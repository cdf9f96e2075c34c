package metabase_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/dashboards"
	"github.com/dewpoint-data/dewpoint/dashboards/metabase"
)

type object = map[string]any

// fake answers as Metabase's documentation says that it does: the answers in
// testdata and what was made before. It refuses what the documentation does
// not have.
type fake struct {
	t         *testing.T
	broken    bool // the database holds no models
	databases []any
	colls     []any
	things    map[string]map[int]object // by model and id
	next      int
	calls     []string
}

func newFake(t *testing.T) (*fake, *httptest.Server) {
	f := &fake{t: t, next: 100, things: map[string]map[int]object{"card": {}, "dashboard": {}}}
	var all object
	f.recorded("databases.json", &all)
	f.databases = all["data"].([]any)
	f.recorded("collections.json", &f.colls)
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s
}

func (f *fake) recorded(name string, v any) {
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// allowed are the members that the documentation has of each body.
var allowed = map[string][]string{
	"POST /api/session":    {"username", "password", "token"},
	"POST /api/database":   {"name", "engine", "details", "is_full_sync", "is_on_demand", "schedules", "auto_run_queries", "cache_ttl", "connection_source"},
	"POST /api/dataset":    {"database", "type", "native", "query", "pretty"},
	"POST /api/collection": {"name", "description", "parent_id", "namespace", "authority_level"},
	"POST /api/card": {
		"name", "description", "display", "type", "collection_id", "collection_position", "dataset_query", "visualization_settings",
		"parameters", "parameter_mappings", "result_metadata", "cache_ttl", "dashboard_id", "dashboard_tab_id", "entity_id",
	},
	"POST /api/dashboard": {"name", "description", "collection_id", "collection_position", "parameters", "cache_ttl"},
	"PUT /api/card": {
		"name", "description", "display", "type", "collection_id", "collection_position", "collection_preview", "dataset_query",
		"visualization_settings", "parameters", "parameter_mappings", "result_metadata", "cache_ttl", "archived", "enable_embedding", "embedding_params",
	},
	"PUT /api/dashboard": {
		"name", "description", "collection_id", "collection_position", "parameters", "dashcards", "tabs", "width", "archived", "points_of_interest",
		"caveats", "show_in_getting_started", "enable_embedding", "embedding_params", "position", "cache_ttl", "auto_apply_filters",
	},
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if r.URL.Path != "/api/session" && r.Header.Get("x-api-key") != "mb_key" && r.Header.Get("X-Metabase-Session") != "session" {
		http.Error(w, "Unauthenticated", http.StatusUnauthorized)
		return
	}
	var body object
	if r.Method != http.MethodGet {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			f.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		kind := r.Method + " /api/" + parts[1]
		for key, value := range body {
			if !slices.Contains(allowed[kind], key) {
				f.t.Errorf("%s has no %s", kind, key)
			}
			if value == "" {
				http.Error(w, fmt.Sprintf(`{"errors":{%q:"value must be a non-blank string."}}`, key), http.StatusBadRequest)
				return
			}
		}
	}
	reply := func(v any) {
		if err := json.NewEncoder(w).Encode(v); err != nil {
			f.t.Error(err)
		}
	}
	id := 0
	if len(parts) > 2 {
		var err error
		if id, err = strconv.Atoi(parts[2]); err != nil {
			http.Error(w, "Not found.", http.StatusNotFound)
			return
		}
	}
	switch route := r.Method + " " + strings.Join(parts[1:2], "") + strings.Repeat("/:id", min(len(parts)-2, 1)) + strings.Join(parts[min(3, len(parts)):], ""); route {
	case "POST session":
		if body["password"] != "secret" {
			http.Error(w, `{"errors":{"password":"did not match stored password"}}`, http.StatusUnauthorized)
			return
		}
		reply(object{"id": "session"})
	case "GET database":
		reply(object{"data": f.databases, "total": len(f.databases)})
	case "POST database":
		body["id"] = f.new()
		f.databases = append(f.databases, body)
		reply(body)
	case "POST dataset":
		w.WriteHeader(http.StatusAccepted)
		name := "dataset_completed.json"
		if f.broken {
			name = "dataset_failed.json"
		}
		var answer object
		f.recorded(name, &answer)
		reply(answer)
	case "GET collection":
		reply(f.colls)
	case "POST collection":
		body["id"], body["location"], body["archived"] = f.new(), "/", false
		f.colls = append(f.colls, body)
		reply(body)
	case "GET collection/:iditems":
		f.items(r, id, reply)
	case "POST card", "POST dashboard":
		body["id"], body["dashcards"] = f.new(), []any{}
		f.things[parts[1]][body["id"].(int)] = body
		reply(body)
	case "GET dashboard/:id", "PUT card/:id", "PUT dashboard/:id":
		thing, ok := f.things[parts[1]][id]
		if !ok {
			http.Error(w, "Not found.", http.StatusNotFound)
			return
		}
		maps.Copy(thing, body)
		if cards, ok := body["dashcards"].([]any); ok {
			f.place(cards)
		}
		reply(thing)
	default:
		http.Error(w, "API endpoint does not exist.", http.StatusNotFound)
	}
}

func (f *fake) new() int { f.next++; return f.next }

// items answers with pages of seven, whatever is asked for.
func (f *fake) items(r *http.Request, collection int, reply func(any)) {
	var all []any
	for _, model := range r.URL.Query()["models"] {
		for _, id := range slices.Sorted(maps.Keys(f.things[model])) {
			if thing := f.things[model][id]; thing["collection_id"] == float64(collection) {
				all = append(all, object{"id": id, "model": model, "name": thing["name"], "collection_position": nil, "fully_parameterized": true})
			}
		}
	}
	offset, err := strconv.Atoi(r.URL.Query().Get("offset"))
	if err != nil {
		f.t.Error(err)
	}
	end := min(offset+7, len(all))
	reply(object{"total": len(all), "data": append([]any{}, all[min(offset, end):end]...), "limit": 7, "offset": offset, "models": []any{"card", "dashboard"}})
}

// place gives new cards of a dashboard their ids, and checks the grid.
func (f *fake) place(cards []any) {
	taken := map[[2]int]bool{}
	for _, c := range cards {
		c := c.(object)
		for _, key := range []string{"id", "card_id", "row", "col", "size_x", "size_y"} {
			if _, ok := c[key].(float64); !ok && (key != "card_id" || c[key] != nil) {
				f.t.Errorf("the %s of a card is %v", key, c[key])
			}
		}
		if c["id"].(float64) < 0 {
			c["id"] = float64(f.new())
		}
		for x := range int(c["size_x"].(float64)) {
			for y := range int(c["size_y"].(float64)) {
				at := [2]int{int(c["col"].(float64)) + x, int(c["row"].(float64)) + y}
				if taken[at] || at[0] >= 24 {
					f.t.Errorf("two cards are at %v, or it is beside the dashboard", at)
				}
				taken[at] = true
			}
		}
	}
}

func (f *fake) count(call string) int {
	n := 0
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

var options = metabase.Options{
	Database: "dewpoint", Collection: "dewpoint",
	Connection: dashboards.Connection{Dialect: "postgres", Models: "dewpoint_models", Host: "db", Port: 5432, User: "bi", Password: "secret", Database: "estate"},
}

// TestProvision makes the dashboards twice: the second time nothing is made,
// and what a user put on a dashboard stays.
func TestProvision(t *testing.T) {
	f, s := newFake(t)
	server := metabase.Server{URL: s.URL + "/", Key: "mb_key"}
	boards, _, err := dashboards.Load()
	if err != nil {
		t.Fatal(err)
	}
	charts := 0
	for _, b := range boards {
		charts += len(b.Charts())
	}
	addresses, err := metabase.Provision(t.Context(), server, options)
	if err != nil {
		t.Fatal(err)
	}
	if len(addresses) != len(boards) || !strings.HasPrefix(addresses[0], s.URL+"/dashboard/") {
		t.Errorf("the dashboards are at %q", addresses)
	}
	if n, m := len(f.things["card"]), len(f.things["dashboard"]); n != charts || m != len(boards) {
		t.Errorf("%d cards and %d dashboards were made of %d charts and %d boards", n, m, charts, len(boards))
	}
	if n := f.count("POST /api/collection"); n != 1 {
		t.Errorf("%d collections were made: one that is archived or not at the top is another one", n)
	}
	details := f.databases[1].(object)["details"].(object)
	if details["host"] != "db" || details["dbname"] != "estate" || details["password"] != "secret" || details["port"] != float64(5432) {
		t.Errorf("the database is %v", details)
	}
	for _, d := range f.things["dashboard"] {
		mine := object{"id": 9000.0, "card_id": nil, "row": 500.0, "col": 0.0, "size_x": 4.0, "size_y": 1.0, "visualization_settings": object{"text": "ours"}}
		d["dashcards"] = append(d["dashcards"].([]any), mine)
		d["parameters"] = append(d["parameters"].([]any), object{"id": "mine", "name": "Mine", "slug": "mine", "type": "string/="})
		first := d["dashcards"].([]any)[0].(object)
		first["parameter_mappings"] = append(first["parameter_mappings"].([]any), object{"parameter_id": "mine", "card_id": first["card_id"], "target": "x"})
	}
	before := f.placed()

	f.calls = nil
	again, err := metabase.Provision(t.Context(), server, options)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(addresses, again) {
		t.Errorf("the dashboards are at %q, then at %q", addresses, again)
	}
	for _, call := range []string{"POST /api/database", "POST /api/collection", "POST /api/card", "POST /api/dashboard"} {
		if n := f.count(call); n != 0 {
			t.Errorf("%s is called %d times by a second provisioning", call, n)
		}
	}
	if after := f.placed(); !maps.Equal(before, after) {
		t.Errorf("cards were at %v, then at %v", before, after)
	}
}

// placed are the cards of all dashboards by the ids of their places.
func (f *fake) placed() map[string]string {
	all := map[string]string{}
	for id, d := range f.things["dashboard"] {
		for _, c := range d["dashcards"].([]any) {
			c := c.(object)
			all[fmt.Sprint(id, " ", c["id"])] = fmt.Sprint(c["card_id"], c["row"], c["col"], c["parameter_mappings"], d["parameters"])
		}
	}
	return all
}

// TestCards holds that the questions are those of the boards and that their
// settings name columns that they have.
func TestCards(t *testing.T) {
	f, s := newFake(t)
	if _, err := metabase.Provision(t.Context(), metabase.Server{URL: s.URL, Key: "mb_key"}, options); err != nil {
		t.Fatal(err)
	}
	boards, _, err := dashboards.Load()
	if err != nil {
		t.Fatal(err)
	}
	cards := map[any]object{}
	for _, c := range f.things["card"] {
		cards[c["name"]] = c
	}
	for _, b := range boards {
		for _, c := range b.Charts() {
			card := cards[b.Title+": "+c.Title]
			if card == nil {
				t.Errorf("there is no card of %s", c.Name())
				continue
			}
			query := card["dataset_query"].(object)["native"].(object)["query"]
			if query != metabase.SQL(c, "dewpoint_models") {
				t.Errorf("%s asks\n%s", c.Name(), query)
			}
			tags := card["dataset_query"].(object)["native"].(object)["template-tags"].(object)
			if n := strings.Count(query.(string), "{{"); n != len(tags) || n != len(c.Filters()) {
				t.Errorf("%s has %d variables, %d tags and %d filters", c.Name(), n, len(tags), len(c.Filters()))
			}
			settings := card["visualization_settings"].(object)
			for key := range settings["column_settings"].(object) {
				var name []string
				if err := json.Unmarshal([]byte(key), &name); err != nil || len(name) != 2 || !strings.Contains(query.(string), ` AS "`+name[1]+`"`) {
					t.Errorf("%s formats a column %s", c.Name(), key)
				}
			}
			if dimensions, ok := settings["graph.dimensions"].([]any); ok && len(dimensions) != len(c.By) {
				t.Errorf("%s is drawn by %v", c.Name(), dimensions)
			}
		}
	}
}

// TestFilters holds that the filters of a dashboard set variables that its
// questions have.
func TestFilters(t *testing.T) {
	f, s := newFake(t)
	if _, err := metabase.Provision(t.Context(), metabase.Server{URL: s.URL, Key: "mb_key"}, options); err != nil {
		t.Fatal(err)
	}
	set := 0
	for _, d := range f.things["dashboard"] {
		known := map[any]bool{}
		for _, p := range d["parameters"].([]any) {
			known[p.(object)["id"]] = true
		}
		for _, c := range d["dashcards"].([]any) {
			card := f.things["card"][int(c.(object)["card_id"].(float64))]
			tags := card["dataset_query"].(object)["native"].(object)["template-tags"].(object)
			mappings := c.(object)["parameter_mappings"].([]any)
			if len(mappings) != len(tags) {
				t.Errorf("%s: %d filters set %d variables", card["name"], len(mappings), len(tags))
			}
			for _, m := range mappings {
				set++
				tag := m.(object)["target"].([]any)[1].([]any)[1].(string)
				if !known[m.(object)["parameter_id"]] || tags[tag] == nil || m.(object)["card_id"] != c.(object)["card_id"] {
					t.Errorf("%s: a filter sets %v", card["name"], m)
				}
			}
		}
	}
	if set == 0 {
		t.Error("no filter sets anything")
	}
}

// TestRefusals holds that nothing is made where it could not be used.
func TestRefusals(t *testing.T) {
	f, s := newFake(t)
	for want, c := range map[string]struct {
		server metabase.Server
		broken bool
		change func(*metabase.Options)
	}{
		"Unauthenticated": {server: metabase.Server{Key: "wrong"}},
		"did not match":   {server: metabase.Server{Username: "ann", Password: "wrong"}},
		"does not exist":  {server: metabase.Server{Username: "ann", Password: "secret"}, broken: true},
		"is of the engine h2": {server: metabase.Server{Key: "mb_key"}, change: func(o *metabase.Options) {
			o.Database = "Sample Database"
		}},
		"no database other": {server: metabase.Server{Key: "mb_key"}, change: func(o *metabase.Options) {
			o.Database, o.Connection = "other", dashboards.Connection{Models: "dewpoint_models"}
		}},
	} {
		c.server.URL, f.broken = s.URL, c.broken
		o := options
		if c.change != nil {
			c.change(&o)
		}
		if _, err := metabase.Provision(t.Context(), c.server, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("instead of %q the error is %v", want, err)
		}
	}
	if len(f.things["card"])+len(f.things["dashboard"])+f.count("POST /api/collection") > 0 {
		t.Errorf("something was made: %q", f.calls)
	}
}
