package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
)

// Check writes an object, tries to write it again under conditions that do not
// hold, and removes it. It fails where the store cannot be written to, or
// where it ignores the conditions, as some servers do that speak the protocol
// of S3: two writers would not notice each other there.
func Check(ctx context.Context, st Store) (err error) {
	key := "check-" + rand.Text()
	if _, err := st.Create(ctx, key, []byte(rand.Text())); err != nil {
		return err
	}
	defer func() {
		if derr := st.Delete(context.WithoutCancel(ctx), key); err == nil {
			err = derr
		}
	}()
	if _, err := st.Create(ctx, key, []byte(rand.Text())); !errors.Is(err, fs.ErrExist) {
		return conditionError(st, "If-None-Match: *", err)
	}
	_, info, err := st.Get(ctx, key)
	if err != nil {
		return err
	}
	if info, err = st.Replace(ctx, key, []byte(rand.Text()), info.Tag); err != nil {
		return err
	}
	stale := info.Tag
	if _, err := st.Replace(ctx, key, []byte(rand.Text()), info.Tag); err != nil {
		return err
	}
	if _, err := st.Replace(ctx, key, []byte(rand.Text()), stale); !errors.Is(err, ErrChanged) {
		return conditionError(st, "If-Match", err)
	}
	return nil
}

func conditionError(st Store, header string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: the server ignores %s, so two syncs could not exclude each other: use a server that has conditional writes", st.URL(), header)
}
