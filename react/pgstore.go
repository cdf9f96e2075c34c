package react

import (
	"cmp"
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
	// Lease is how long a lease keeps others out whose holder does not renew it,
	// a minute if zero.
	Lease time.Duration

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

// PutAction implements Store. Who lost a lease, or has not renewed it in time,
// enters no intent any more, and what it learns late of its calls does not
// change what another has seen done.
func (s *PostgresStore) PutAction(ctx context.Context, a Action) error {
	doc, err := json.Marshal(a)
	if err != nil {
		return err
	}
	held := "true"
	s.held.Range(func(name, token any) bool {
		held += fmt.Sprintf(" AND EXISTS (SELECT FROM react_leases WHERE name = %s AND token = %s AND expires_at > now())", literal(name.(string)), Postgres.uuid(token.(string)))
		return true
	})
	enters := "true"
	if a.State == Intent {
		enters = held
	}
	r, err := s.db.ExecContext(ctx, fmt.Sprintf(`INSERT INTO actions (action_id, plan_id, began_at, at, state, doc) SELECT %s, %s, %s, %s, %s, %s::jsonb WHERE %s
		ON CONFLICT (action_id) DO UPDATE SET at = excluded.at, state = excluded.state, doc = excluded.doc WHERE actions.state <> 'done' OR %s`,
		Postgres.uuid(a.ID.String()), Postgres.uuid(a.Plan.String()), Postgres.instant(a.Began), Postgres.instant(a.At), literal(string(a.State)), literal(string(doc)), enters, held))
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	if n, err := r.RowsAffected(); err == nil && n == 0 && a.State == Intent {
		return fmt.Errorf("write the ledger: %w", errLapsed)
	}
	return nil
}

// errLapsed ends what is done under a lease.
var errLapsed = errors.New("the lease was not renewed in time, so that another process may take it over: apply the plan again to go on")

func (s *PostgresStore) term() time.Duration { return cmp.Or(s.Lease, time.Minute) }

// Lock implements Store by a row that is renewed until it is released, four
// times in its term. The context ends when it was not for three quarters of it.
func (s *PostgresStore) Lock(ctx context.Context, name string) (context.Context, func() error, error) {
	host, _ := os.Hostname()
	token, holder := uuid.NewString(), fmt.Sprintf("process %d on host %s", os.Getpid(), host)
	take := func(ctx context.Context) (bool, error) {
		r, err := s.db.ExecContext(ctx, fmt.Sprintf(`INSERT INTO react_leases (name, token, holder, expires_at) VALUES (%[1]s, %[2]s, %[3]s, now() + interval '%[4]d milliseconds')
			ON CONFLICT (name) DO UPDATE SET token = excluded.token, holder = excluded.holder, expires_at = excluded.expires_at
			WHERE react_leases.token = excluded.token OR react_leases.expires_at < now()`, literal(name), Postgres.uuid(token), literal(holder), s.term().Milliseconds()))
		if err != nil {
			return false, fmt.Errorf("take the lease %s: %w", name, err)
		}
		n, err := r.RowsAffected()
		return n == 1, err
	}
	asked := time.Now()
	ok, err := take(ctx)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		other := "another process"
		err := s.db.QueryRowContext(ctx, "SELECT holder FROM react_leases WHERE name = "+literal(name)).Scan(&other)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, nil, err
		}
		return nil, nil, &LockedError{Name: name, Holder: other}
	}
	s.held.Store(name, token)
	held, lapse := context.WithCancelCause(ctx)
	beat, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if !s.renew(beat, asked, take) {
			lapse(fmt.Errorf("%s: %w", name, errLapsed))
		}
	}()
	return held, func() error {
		stop()
		<-done
		lapse(nil)
		s.held.Delete(name)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, err := s.db.ExecContext(end, "DELETE FROM react_leases WHERE name = "+literal(name)+" AND token = "+Postgres.uuid(token))
		return err
	}, nil
}

// renew keeps a lease, which was asked for at an instant, until ctx ends. It is
// false when another may hold it soon, or does.
func (s *PostgresStore) renew(ctx context.Context, asked time.Time, take func(context.Context) (bool, error)) bool {
	tick := time.NewTicker(s.term() / 4)
	defer tick.Stop()
	for {
		lapses := asked.Add(s.term() * 3 / 4)
		select {
		case <-ctx.Done():
			return true
		case <-tick.C:
		case <-time.After(time.Until(lapses)):
		}
		now := time.Now()
		beat, cancel := context.WithDeadline(ctx, lapses)
		ok, err := take(beat)
		cancel()
		switch {
		case ctx.Err() != nil:
			return true
		case err == nil && ok:
			asked = now
		case err == nil, !time.Now().Before(lapses):
			return false
		}
	}
}
