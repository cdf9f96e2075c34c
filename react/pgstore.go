package react

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// PostgresStore is a Store in the tables marks, actions and react_leases of a
// Postgres.
type PostgresStore struct {
	db *sql.DB
	// held are the tokens of the leases taken, by name.
	held sync.Map
}

// NewPostgresStore returns the store in a database, which Close closes.
func NewPostgresStore(db *sql.DB) *PostgresStore { return &PostgresStore{db: db} }

// Close implements Store.
func (s *PostgresStore) Close() error { return s.db.Close() }

// Marks implements Store.
func (s *PostgresStore) Marks(ctx context.Context, rule string) (map[string]Mark, error) {
	out := map[string]Mark{}
	err := documents(ctx, s.db, func(m Mark) { out[m.UID] = m }, "SELECT CAST(doc AS text) FROM marks WHERE rule = "+literal(rule))
	if err != nil {
		return nil, fmt.Errorf("read the marks: %w", err)
	}
	return out, nil
}

// documents reads a column of JSON texts.
func documents[T any](ctx context.Context, db *sql.DB, take func(T), q string) error {
	rows, err := db.QueryContext(ctx, q)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		var v T
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return err
		}
		take(v)
	}
	return rows.Err()
}

// SetMarks implements Store.
func (s *PostgresStore) SetMarks(ctx context.Context, rule string, put []Mark, remove []string) error {
	if len(put) == 0 && len(remove) == 0 {
		return nil
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the marks: %w", err)
	}
	defer tx.Rollback()
	var ids, values []string
	for _, m := range put {
		doc, err := json.Marshal(m)
		if err != nil {
			return err
		}
		ids = append(ids, m.UID)
		values = append(values, fmt.Sprintf("(%s, %s::uuid, %s::jsonb)", literal(rule), literal(m.UID), literal(string(doc))))
	}
	err = chunked(append(ids, remove...), func(list string) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM marks WHERE rule = "+literal(rule)+" AND _id IN ("+list+")")
		return err
	}, Postgres.uuids())
	for len(values) > 0 && err == nil {
		n := min(len(values), atOnce)
		_, err = tx.ExecContext(ctx, "INSERT INTO marks (rule, _id, doc) VALUES "+strings.Join(values[:n], ", "))
		values = values[n:]
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("write the marks: %w", err)
	}
	return nil
}

// Actions implements Store.
func (s *PostgresStore) Actions(ctx context.Context, f ActionFilter) ([]Action, error) {
	q := "SELECT CAST(doc AS text) FROM actions WHERE at >= " + Postgres.instant(f.Since)
	if f.Plan != uuid.Nil {
		q += " AND plan_id = " + Postgres.uuid(f.Plan.String())
	}
	var out []Action
	if err := documents(ctx, s.db, func(a Action) { out = append(out, a) }, q); err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	sortActions(out)
	return out, nil
}

// PutAction implements Store. Who lost a lease to another enters no intent any
// more.
func (s *PostgresStore) PutAction(ctx context.Context, a Action) error {
	doc, err := json.Marshal(a)
	if err != nil {
		return err
	}
	held := ""
	if a.State == Intent {
		s.held.Range(func(name, token any) bool {
			held += fmt.Sprintf(" AND EXISTS (SELECT FROM react_leases WHERE name = %s AND token = %s)", literal(name.(string)), Postgres.uuid(token.(string)))
			return true
		})
	}
	r, err := s.db.ExecContext(ctx, fmt.Sprintf(`INSERT INTO actions (action_id, plan_id, began_at, at, state, doc) SELECT %s, %s, %s, %s, %s, %s::jsonb WHERE true%s
		ON CONFLICT (action_id) DO UPDATE SET at = excluded.at, state = excluded.state, doc = excluded.doc`,
		Postgres.uuid(a.ID.String()), Postgres.uuid(a.Plan.String()), Postgres.instant(a.Began), Postgres.instant(a.At), literal(string(a.State)), literal(string(doc)), held))
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	if n, err := r.RowsAffected(); err == nil && n == 0 {
		return errors.New("write the ledger: another process took the lease over, since this one did not renew it in time: apply the plan again to go on")
	}
	return nil
}

// How long a lease is good for and how often it is renewed.
const (
	leaseTime  = time.Minute
	leaseRenew = 15 * time.Second
)

// Lock implements Store by a row that is renewed until it is released.
func (s *PostgresStore) Lock(ctx context.Context, name string) (func() error, error) {
	host, _ := os.Hostname()
	token, holder := uuid.NewString(), fmt.Sprintf("process %d on host %s", os.Getpid(), host)
	take := func(ctx context.Context) (bool, error) {
		r, err := s.db.ExecContext(ctx, fmt.Sprintf(`INSERT INTO react_leases (name, token, holder, expires_at) VALUES (%[1]s, %[2]s, %[3]s, now() + interval '%[4]d seconds')
			ON CONFLICT (name) DO UPDATE SET token = excluded.token, holder = excluded.holder, expires_at = excluded.expires_at
			WHERE react_leases.token = excluded.token OR react_leases.expires_at < now()`, literal(name), Postgres.uuid(token), literal(holder), int(leaseTime.Seconds())))
		if err != nil {
			return false, fmt.Errorf("take the lease %s: %w", name, err)
		}
		n, err := r.RowsAffected()
		return n == 1, err
	}
	ok, err := take(ctx)
	if err != nil {
		return nil, err
	}
	if !ok {
		other := "another process"
		err := s.db.QueryRowContext(ctx, "SELECT holder FROM react_leases WHERE name = "+literal(name)).Scan(&other)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		return nil, &LockedError{Name: name, Holder: other}
	}
	s.held.Store(name, token)
	beat, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(leaseRenew)
		defer tick.Stop()
		for {
			select {
			case <-beat.Done():
				return
			case <-tick.C:
				// One that fails is made up for by the next.
				_, _ = take(beat)
			}
		}
	}()
	return func() error {
		stop()
		<-done
		s.held.Delete(name)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, err := s.db.ExecContext(end, "DELETE FROM react_leases WHERE name = "+literal(name)+" AND token = "+Postgres.uuid(token))
		return err
	}, nil
}
