package parquet

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// oldRows is what the commit knows of a kind's rows before the sync, by the
// number of the row in its table.
type oldRows struct {
	n      int
	ids    [][16]byte
	hash   [][16]byte
	scope  []uint32 // of tx.scopes
	sync   []uint32 // of commit.syncIDs
	owner  []uint32 // the account that it belongs to, of commit.accounts
	flags  []uint8
	lookup *idTable
}

const (
	oldUnread  = 1 << iota // columns of it are unread, or it has no hash
	oldOwner               // its scope is its owner's
	oldSeen                // a scope reported it in this sync
	oldEnded               // it goes
	oldChanged             // it has another row in its place
)

// loadOld reads a kind's narrow columns.
func (m *commit) loadOld(ctx context.Context, table string) (*oldRows, error) {
	n := int(m.t.base.rows(table, ""))
	o := &oldRows{
		ids: make([][16]byte, 0, n), hash: make([][16]byte, 0, n), scope: make([]uint32, 0, n), sync: make([]uint32, 0, n), owner: make([]uint32, 0, n), flags: make([]uint8, 0, n),
	}
	var lastScope, lastAccount string
	scope := uint32(none)
	err := readTable(ctx, m.t.sink.store, m.t.base.Files[table], []string{"_id", "_hash", "_scope", "_sync_id", "_unread", "account"}, func(cols []arrow.Array, _ int64, n int) error {
		ids, hashes, scopes, syncs, accounts := cols[0].(*array.String), cols[1].(*array.String), cols[2].(*array.String), cols[3].(*array.String), cols[5].(*array.String)
		lastSync, syncNumber := "", uint32(none)
		lastOwner, owner := "", uint32(none)
		for i := range n {
			id, ok := parseUUID(ids.Value(i))
			if !ok {
				return fmt.Errorf("%q is no _id", ids.Value(i))
			}
			hash, hashed := parseUUID(hashes.Value(i))
			if s := scopes.Value(i); scope == none || s != lastScope {
				scope = m.t.scopes.number(s)
				lastScope = m.t.scopes.list[scope]
				lastAccount = part(lastScope, 1)
			}
			if s := syncs.Value(i); syncNumber == none || s != lastSync {
				lastSync = s
				syncNumber = m.syncIDs.number(s)
			}
			var flags uint8
			if !hashed || cols[4] != nil && !cols[4].IsNull(i) {
				flags |= oldUnread
			}
			if a := accounts.Value(i); owner == none || a != lastOwner {
				lastOwner = a
				owner = m.accounts.number(a)
			}
			if accounts.Value(i) == lastAccount {
				flags |= oldOwner
			}
			o.ids, o.hash = append(o.ids, id), append(o.hash, hash)
			o.scope, o.sync, o.flags = append(o.scope, scope), append(o.sync, syncNumber), append(o.flags, flags)
			o.owner = append(o.owner, owner)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	o.n = len(o.ids)
	o.lookup = newIDTable(&o.ids, o.n)
	for i := range o.n {
		if _, fresh := o.lookup.add(uint32(i)); !fresh {
			return nil, fmt.Errorf("%s holds %s twice", table, textUUID(o.ids[i]))
		}
	}
	return o, nil
}

// part is a part of a scope's id: cloud, account, region, parent.
func part(scope string, n int) string {
	for range n {
		_, rest, ok := strings.Cut(scope, "/")
		if !ok {
			return ""
		}
		scope = rest
	}
	p, _, _ := strings.Cut(scope, "/")
	return p
}

func textUUID(id [16]byte) string { return string(appendUUID(nil, id[:])) }

// textTail is the UUID at the end of a scope of a for-each kind.
func textTail(scope string) (id [16]byte, ok bool) {
	if len(scope) < 36 {
		return id, false
	}
	return parseUUID(scope[len(scope)-36:])
}
