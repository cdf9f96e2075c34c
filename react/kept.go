package react

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/dewpoint-data/dewpoint/react/timespan"
)

// KeptPlan is a plan in the state, for whoever applies it.
type KeptPlan struct {
	ID        uuid.UUID `json:"id"`
	Rule      string    `json:"rule"`
	MadeAt    time.Time `json:"made_at"`
	MadeBy    string    `json:"made_by"`
	ExpiresAt time.Time `json:"expires_at"`
	// Ready is how many resources would be acted on.
	Ready int `json:"ready"`
}

// Plans keeps plans, by their ids. Both stores are one.
type Plans interface {
	// KeepPlan keeps a plan of which something can be done, and drops those
	// that are older by keptTime.
	KeepPlan(ctx context.Context, p *Plan, by string) error
	// KeptPlans are all, oldest first.
	KeptPlans(ctx context.Context) ([]KeptPlan, error)
	// KeptPlan is one of them, nil where there is none.
	KeptPlan(ctx context.Context, id uuid.UUID) (*Plan, error)
}

var (
	_ Plans = (*FileStore)(nil)
	_ Plans = (*PostgresStore)(nil)
)

// keptTime is how long a plan is kept. It can be begun for an hour; one whose
// application was interrupted is gone on with later.
const keptTime = 30 * timespan.Day

var plansBucket = []byte("plans")

// keptFile is a plan in the file of the state.
type keptFile struct {
	KeptPlan
	Plan json.RawMessage `json:"plan"`
}

func keptOf(p *Plan, by string) KeptPlan {
	return KeptPlan{ID: p.ID, Rule: p.Rule, MadeAt: p.Now, MadeBy: by, ExpiresAt: p.ExpiresAt, Ready: len(p.Ready())}
}

func sortKept(all []KeptPlan) {
	slices.SortFunc(all, func(a, b KeptPlan) int { return cmp.Or(a.MadeAt.Compare(b.MadeAt), cmp.Compare(a.Rule, b.Rule)) })
}

// KeepPlan implements Plans.
func (s *FileStore) KeepPlan(_ context.Context, p *Plan, by string) error {
	k := keptOf(p, by)
	if k.Ready == 0 {
		return nil
	}
	doc, err := json.Marshal(p)
	if err != nil {
		return err
	}
	v, err := json.Marshal(keptFile{k, doc})
	if err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(plansBucket)
		if err != nil {
			return err
		}
		var old [][]byte
		err = b.ForEach(func(id, v []byte) error {
			var f keptFile
			err := json.Unmarshal(v, &f)
			if f.MadeAt.Before(k.MadeAt.Add(-keptTime)) {
				old = append(old, slices.Clone(id))
			}
			return err
		})
		for _, id := range old {
			if err == nil {
				err = b.Delete(id)
			}
		}
		if err != nil {
			return err
		}
		return b.Put(p.ID[:], v)
	})
}

// KeptPlans implements Plans.
func (s *FileStore) KeptPlans(context.Context) (out []KeptPlan, err error) {
	err = filed(s, plansBucket, func(f keptFile) { out = append(out, f.KeptPlan) })
	sortKept(out)
	return out, err
}

// KeptPlan implements Plans.
func (s *FileStore) KeptPlan(_ context.Context, id uuid.UUID) (p *Plan, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(plansBucket)
		if b == nil {
			return nil
		}
		v := b.Get(id[:])
		if v == nil {
			return nil
		}
		var f keptFile
		if err := json.Unmarshal(v, &f); err != nil {
			return err
		}
		p = &Plan{}
		return json.Unmarshal(f.Plan, p)
	})
	return p, err
}

// KeepPlan implements Plans.
func (s *PostgresStore) KeepPlan(ctx context.Context, p *Plan, by string) error {
	k := keptOf(p, by)
	if k.Ready == 0 {
		return nil
	}
	doc, err := json.Marshal(p)
	if err != nil {
		return err
	}
	for _, q := range []string{
		"DELETE FROM plans WHERE made_at < " + Postgres.instant(k.MadeAt.Add(-keptTime)),
		fmt.Sprintf("INSERT INTO plans (id, rule, made_at, made_by, expires_at, ready, doc) VALUES (%s, %s, %s, %s, %s, %d, %s::jsonb) ON CONFLICT (id) DO NOTHING",
			Postgres.uuid(k.ID.String()), literal(k.Rule), Postgres.instant(k.MadeAt), literal(k.MadeBy), Postgres.instant(k.ExpiresAt), k.Ready, literal(string(doc))),
	} {
		if _, err := s.db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("keep the plan: %w", err)
		}
	}
	return nil
}

// KeptPlans implements Plans.
func (s *PostgresStore) KeptPlans(ctx context.Context) (out []KeptPlan, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT CAST(id AS text), rule, made_at, made_by, expires_at, ready FROM plans")
	if err != nil {
		return nil, fmt.Errorf("read the plans: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k KeptPlan
		if err := rows.Scan(&k.ID, &k.Rule, &k.MadeAt, &k.MadeBy, &k.ExpiresAt, &k.Ready); err != nil {
			return nil, fmt.Errorf("read the plans: %w", err)
		}
		k.MadeAt, k.ExpiresAt = k.MadeAt.UTC(), k.ExpiresAt.UTC()
		out = append(out, k)
	}
	sortKept(out)
	return out, rows.Err()
}

// KeptPlan implements Plans.
func (s *PostgresStore) KeptPlan(ctx context.Context, id uuid.UUID) (p *Plan, err error) {
	if err := documents(ctx, s.db, func(x Plan) { p = &x }, "SELECT CAST(doc AS text) FROM plans WHERE id = "+Postgres.uuid(id.String())); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	return p, nil
}
