package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// OpenState opens a database for what rules remember: its tables marks,
// actions, plans, outbox and react_leases, by their plain names, for reading and
// writing. The caller closes it.
func OpenState(ctx context.Context, url string) (*sql.DB, error) {
	s, err := Open(ctx, url, Options{})
	if err != nil {
		return nil, err
	}
	db, err := s.database(false)
	if err != nil {
		return nil, err
	}
	var found bool
	err = db.QueryRowContext(ctx, "SELECT to_regclass("+literal(ident(s.cfg.schema)+".plans")+") IS NOT NULL").Scan(&found)
	switch {
	case err != nil:
		err = fmt.Errorf("connect to %s: %w", s.URL(), s.explain(err))
	case !found:
		err = fmt.Errorf("%s has no table plans: run dewpoint sync with this version first", s.URL())
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}
