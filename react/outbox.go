package react

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
)

// Parcel is something that is to be delivered at least once. It is in the
// outbox from before the first attempt until it was taken.
type Parcel struct {
	// ID is the same for the same parcel, however often it is put.
	ID uuid.UUID `json:"id"`
	At time.Time `json:"at"`
	// Kind is message or program, To the channel or the job.
	Kind string          `json:"kind"`
	To   string          `json:"to"`
	Body json.RawMessage `json:"body"`
}

// Outbox keeps what is being delivered. Both stores are one.
type Outbox interface {
	// Parcels are all, oldest first.
	Parcels(ctx context.Context) ([]Parcel, error)
	PutParcel(ctx context.Context, p Parcel) error
	DropParcel(ctx context.Context, id uuid.UUID) error
}

var outboxBucket = []byte("outbox")

func sortParcels(all []Parcel) {
	slices.SortStableFunc(all, func(a, b Parcel) int { return a.At.Compare(b.At) })
}

// Parcels implements Outbox.
func (s *FileStore) Parcels(context.Context) (out []Parcel, err error) {
	err = filed(s, outboxBucket, func(p Parcel) { out = append(out, p) })
	sortParcels(out)
	return out, err
}

// PutParcel implements Outbox.
func (s *FileStore) PutParcel(_ context.Context, p Parcel) error {
	return s.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(outboxBucket)
		if err != nil {
			return err
		}
		v, err := json.Marshal(p)
		if err != nil {
			return err
		}
		return b.Put(p.ID[:], v)
	})
}

// DropParcel implements Outbox.
func (s *FileStore) DropParcel(_ context.Context, id uuid.UUID) error {
	return s.update(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(outboxBucket); b != nil {
			return b.Delete(id[:])
		}
		return nil
	})
}

// Parcels implements Outbox.
func (s *PostgresStore) Parcels(ctx context.Context) (out []Parcel, err error) {
	if err := documents(ctx, s.db, func(p Parcel) { out = append(out, p) }, "SELECT CAST(doc AS text) FROM outbox"); err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	sortParcels(out)
	return out, nil
}

// PutParcel implements Outbox.
func (s *PostgresStore) PutParcel(ctx context.Context, p Parcel) error {
	doc, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, fmt.Sprintf("INSERT INTO outbox (id, at, doc) VALUES (%s, %s, %s::jsonb) ON CONFLICT (id) DO NOTHING",
		Postgres.uuid(p.ID.String()), Postgres.instant(p.At), literal(string(doc))))
	if err != nil {
		return fmt.Errorf("write the outbox: %w", err)
	}
	return nil
}

// DropParcel implements Outbox.
func (s *PostgresStore) DropParcel(ctx context.Context, id uuid.UUID) error {
	if _, err := s.db.ExecContext(ctx, "DELETE FROM outbox WHERE id = "+Postgres.uuid(id.String())); err != nil {
		return fmt.Errorf("write the outbox: %w", err)
	}
	return nil
}
