package dashboards

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Connection is a database that holds the models, as BI tools are told of it.
type Connection struct {
	Dialect string // duckdb or postgres
	Models  string // the schema of the models
	File    string // of duckdb

	Host, User, Password, Database string
	Port                           int
}

// Connect makes a connection of the environment by which dbt finds a database
// (sinks.Modeller) and the schema of the models.
func Connect(dialect, models string, environment []string) (Connection, error) {
	env := map[string]string{}
	for _, e := range environment {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	c := Connection{Dialect: dialect, Models: strings.Trim(models, `"`)}
	switch dialect {
	case "duckdb":
		c.File = env["DEWPOINT_DUCKDB"]
	case "postgres":
		c.Host, c.User, c.Password, c.Database = env["PGHOST"], env["PGUSER"], env["PGPASSWORD"], env["PGDATABASE"]
		port, err := strconv.Atoi(env["PGPORT"])
		if err != nil {
			return c, fmt.Errorf("the port of Postgres: %w", err)
		}
		c.Port = port
	default:
		return c, fmt.Errorf("dashboards are provisioned over DuckDB and Postgres, not over %s", dialect)
	}
	return c, nil
}

// SQLAlchemy is the URI of the database for SQLAlchemy, with the password.
func (c Connection) SQLAlchemy() string {
	if c.Dialect == "duckdb" {
		return "duckdb:///" + c.File
	}
	u := url.URL{Scheme: "postgresql+psycopg2", Host: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), Path: "/" + c.Database, User: url.User(c.User)}
	if c.Password != "" {
		u.User = url.UserPassword(c.User, c.Password)
	}
	if strings.HasPrefix(c.Host, "/") { // a socket
		u.Host = ""
		u.RawQuery = url.Values{"host": {c.Host}, "port": {strconv.Itoa(c.Port)}}.Encode()
	}
	return u.String()
}
