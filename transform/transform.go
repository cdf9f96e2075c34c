// Package transform builds the models of the dbt project in a sink, without
// dbt or by it, and asks them what goes down with a resource and how two are
// related. The models go in as dbt compiles them for the sink's dialect
// (package dbt); what comes out are tables and views in a schema beside
// dewpoint's.
package transform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/dbt"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// Models says whether models can be built in a sink, and returns it as one.
func Models(s sinks.Sink) (sinks.Modeller, error) {
	m, ok := s.(sinks.Modeller)
	if !ok {
		return nil, fmt.Errorf("%s: models are built in DuckDB, Postgres and Snowflake: sync to one of them as well, or read these files with dbt", s.URL())
	}
	return m, nil
}

// Built is a model that was built.
type Built struct {
	Name  string
	Table bool
	Took  time.Duration
}

// Run builds all models in a sink in the order of their dependencies. told, if
// not nil, is called after each.
func Run(ctx context.Context, m sinks.Modeller, told func(Built), options ...Option) ([]Built, error) {
	models, _, err := dbt.Compiled(m.Dialect())
	if err != nil {
		return nil, err
	}
	if prices := chosen(options).prices; prices != "" {
		more, err := readPrices(prices)
		if err != nil {
			return nil, err
		}
		for i := range models {
			if models[i].Name == priceSeed {
				models[i].Rows = append(models[i].Rows, more[1:]...)
			}
		}
	}
	var all []Built
	err = m.Build(ctx, models, func(model sinks.Model, took time.Duration) {
		b := Built{Name: model.Name, Table: model.Table, Took: took}
		all = append(all, b)
		if told != nil {
			told(b)
		}
	})
	return all, err
}

// RunDBT builds and tests the models by dbt: command is the program and its
// first arguments, args follow after "build". The project is the one in dir
// or, if dir is empty, the bundled one, which alone takes prices of a file.
func RunDBT(ctx context.Context, m sinks.Modeller, command []string, dir string, args []string, out io.Writer, options ...Option) (err error) {
	work, err := os.MkdirTemp("", "dewpoint-dbt-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if dir == "" {
		dir = filepath.Join(work, "project")
		if err := os.CopyFS(dir, dbt.Project()); err != nil {
			return err
		}
		if prices := chosen(options).prices; prices != "" {
			if err := addPrices(filepath.Join(dir, "seeds", priceSeed+".csv"), prices); err != nil {
				return err
			}
		}
	}
	profiles := dir
	if _, err := os.Stat(filepath.Join(dir, "profiles.yml")); err != nil {
		profiles = filepath.Join(work, "profile")
		b, err := fs.ReadFile(dbt.Project(), "profiles.yml")
		if err != nil {
			return err
		}
		if err := os.MkdirAll(profiles, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(profiles, "profiles.yml"), b, 0o600); err != nil {
			return err
		}
	}
	full := append(command[1:len(command):len(command)], "build", "--project-dir", dir, "--profiles-dir", profiles,
		"--target-path", filepath.Join(work, "target"), "--log-path", filepath.Join(work, "logs"))
	cmd := exec.CommandContext(ctx, command[0], append(full, args...)...)
	cmd.Env = append(os.Environ(), m.Environment()...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("%s is not installed: pip install dbt-core dbt-%s, or leave --dbt out", command[0], m.Dialect())
		}
		return fmt.Errorf("%s build: %w", strings.Join(command, " "), err)
	}
	return nil
}
