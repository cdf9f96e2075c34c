package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

var _ sinks.Checker = (*Sink)(nil)

// Check reads the latest manifest and the lease. That files can be written is
// told on disk by the folder's permissions; in a bucket only a sync tries it.
func (s *Sink) Check(ctx context.Context) []sinks.Finding {
	base, err := loadLatest(ctx, s.store)
	if err != nil {
		return []sinks.Finding{{About: "connection", Level: sinks.Problem, Text: err.Error()}}
	}
	findings := []sinks.Finding{{About: "connection", Text: s.URL() + " can be read"}}
	if base.Number == 0 {
		findings = append(findings, sinks.Finding{About: "schema", Text: "there is no estate yet: the first sync makes it"})
	} else {
		findings = append(findings, sinks.Finding{About: "schema", Text: fmt.Sprintf("manifest %d of %s: %d kinds, %d resources",
			base.Number, base.CreatedAt.Format(time.RFC3339), len(base.cat.Kinds), base.rows("resources", ""))})
	}
	findings = append(findings, s.checkLock(ctx))
	if s.local != "" {
		findings = append(findings, s.checkFolder())
	}
	if s.catalog != nil {
		findings = append(findings, s.checkCatalog(ctx))
	}
	return findings
}

// checkCatalog asks the Iceberg catalog. A sync commits without it.
func (s *Sink) checkCatalog(ctx context.Context) sinks.Finding {
	if err := s.catalog.Check(ctx); err != nil {
		return sinks.Finding{About: "connection", Level: sinks.Notice, Text: err.Error()}
	}
	return sinks.Finding{About: "connection", Text: "the Iceberg catalog " + s.catalog.URI() + " answers"}
}

func (s *Sink) checkLock(ctx context.Context) sinks.Finding {
	held, number, _, err := findLease(ctx, s.store)
	switch {
	case err != nil:
		return sinks.Finding{About: "lock", Level: sinks.Problem, Text: err.Error()}
	case number > 0 && held.live(time.Now()):
		return sinks.Finding{About: "lock", Level: sinks.Notice, Text: "held by " + held.holder()}
	}
	return sinks.Finding{About: "lock", Text: "no sync holds it"}
}

// checkFolder looks at the folder, or at the one that it will be made in.
func (s *Sink) checkFolder() sinks.Finding {
	for dir := s.local; ; dir = filepath.Dir(dir) {
		fi, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir):
			continue
		case err != nil:
			return sinks.Finding{About: "privileges", Level: sinks.Problem, Text: err.Error()}
		case !fi.IsDir():
			return sinks.Finding{About: "privileges", Level: sinks.Problem, Text: dir + " is no folder: name another place"}
		case !writable(dir):
			return sinks.Finding{About: "privileges", Level: sinks.Problem, Text: "nothing can be written in " + dir + ": make it writable for this user"}
		}
		return sinks.Finding{About: "privileges", Text: dir + " can be written"}
	}
}
