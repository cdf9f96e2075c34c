// Package schema says what lands in SQL, in the terms of no particular
// database: kinds with typed columns and edges, the scopes they are read in,
// and the record batches that carry them from a cloud to the sinks.
//
// It is the leaf of the module: it imports Arrow and the standard library only.
package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

// Type is a column's type, wide enough from the first day never to need
// widening. Sinks map it to their own.
type Type uint8

// The types and their Arrow form.
const (
	Bool          Type = iota + 1 // bool
	Int64                         // int64
	Float64                       // float64
	Text                          // utf8 without NUL or lone surrogates
	Timestamp                     // timestamp[us, UTC], year 1 to 9999
	JSON                          // utf8: canonical JSON, keys sorted, no spaces
	TextMap                       // map<utf8, utf8>, keys unique and sorted
	UUID                          // fixed_size_binary[16]
	BoolList                      // list<bool>
	Int64List                     // list<int64>
	Float64List                   // list<float64>
	TextList                      // list<utf8>
	TimestampList                 // list<timestamp[us, UTC]>
)

var typeNames = [...]string{
	Bool: "bool", Int64: "int64", Float64: "float64", Text: "text", Timestamp: "timestamp", JSON: "json",
	TextMap: "map", UUID: "uuid", BoolList: "bool[]", Int64List: "int64[]", Float64List: "float64[]",
	TextList: "text[]", TimestampList: "timestamp[]",
}

func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// MarshalText writes the type's name.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the type's name.
func (t *Type) UnmarshalText(text []byte) error {
	for i, name := range typeNames {
		if name != "" && name == string(text) {
			*t = Type(i)
			return nil
		}
	}
	return fmt.Errorf("schema: no type is named %q", text)
}

// List returns the list type whose elements are t, or 0 if there is none.
func (t Type) List() Type {
	switch t {
	case Bool:
		return BoolList
	case Int64:
		return Int64List
	case Float64:
		return Float64List
	case Text:
		return TextList
	case Timestamp:
		return TimestampList
	}
	return 0
}

// Elem returns the type of a list's elements, or 0 if t is no list.
func (t Type) Elem() Type {
	switch t {
	case BoolList:
		return Bool
	case Int64List:
		return Int64
	case Float64List:
		return Float64
	case TextList:
		return Text
	case TimestampList:
		return Timestamp
	}
	return 0
}

var (
	timestampType = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	uuidType      = &arrow.FixedSizeBinaryType{ByteWidth: 16}
	textMapType   = arrow.MapOf(arrow.BinaryTypes.String, arrow.BinaryTypes.String)
)

// Arrow returns the Arrow type that a batch holds the column in.
func (t Type) Arrow() arrow.DataType {
	switch t {
	case Bool:
		return arrow.FixedWidthTypes.Boolean
	case Int64:
		return arrow.PrimitiveTypes.Int64
	case Float64:
		return arrow.PrimitiveTypes.Float64
	case Text, JSON:
		return arrow.BinaryTypes.String
	case Timestamp:
		return timestampType
	case TextMap:
		return textMapType
	case UUID:
		return uuidType
	}
	if e := t.Elem(); e != 0 {
		return arrow.ListOf(e.Arrow())
	}
	panic("schema: no Arrow type for " + t.String())
}

// Column is one column of a kind's table.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	// Doc is one line of plain text from the vendor's description.
	Doc string `json:"doc,omitempty"`
	// Path is where the value stands in the vendor's answer.
	Path string `json:"path,omitempty"`
	// Call names the detail call that fills the column; empty for the list
	// call. When the call fails for a row, the row keeps its old value and
	// names the column in _unread.
	Call string `json:"call,omitempty"`
	// Volatile columns change by themselves (counters, last used): they are
	// updated in place, are not part of _hash and make no history.
	Volatile bool `json:"volatile,omitempty"`
}

// OnDelete says what becomes of a referrer when what it refers to is deleted.
type OnDelete string

// The declared consequences; Block is the default.
const (
	Block   OnDelete = "block"   // the referent cannot be deleted while the referrer stands
	Cascade OnDelete = "cascade" // the referrer cannot outlive the referent
	Detach  OnDelete = "detach"  // a call unlinks them first
	None    OnDelete = "none"    // the referrer does not care
)

// Match says what an edge's reference is compared with.
type Match string

// The ways a reference names its target.
const (
	MatchID   Match = "id"   // the target's id, or its urn where the value is one
	MatchName Match = "name" // the target's name, unique in account and region
	// MatchRegionName is the target's region and name with a slash between
	// them, unique in the account: Kubernetes' namespace/name, global/name for
	// what has no namespace. It ends at the first slash and is compared with
	// nothing else.
	MatchRegionName Match = "region_name"
)

// Edge declares that rows of a kind refer to rows of another.
type Edge struct {
	// To is the target's kind; empty where only the urn says it.
	To string `json:"to"`
	// Ref is the path of the reference in the vendor's answer.
	Ref      string   `json:"ref"`
	Relation string   `json:"relation"`
	Match    Match    `json:"match"`
	OnDelete OnDelete `json:"on_delete"`
	// Unread is what _unread has where the detail calls failed that tell: these
	// references of the row are not known then. It is empty where the list call
	// tells.
	Unread []string `json:"-"`
}

// KeyScope says within what an id is unique.
type KeyScope string

// The key scopes.
const (
	KeyGlobal  KeyScope = "global"
	KeyAccount KeyScope = "account"
	KeyRegion  KeyScope = "region"
)

// Kind is one kind of resource and the table that holds it.
// It is immutable once built.
type Kind struct {
	// Name is the table's name: <cloud>_<service>_<noun>.
	Name string `json:"name"`
	// Key is the name the kind was born with; it never changes and is part
	// of every row's _id.
	Key      string   `json:"key"`
	Cloud    string   `json:"cloud"`
	Service  string   `json:"service"`
	KeyScope KeyScope `json:"key_scope"`
	Doc      string   `json:"doc"`
	// Parent is the kind that a for-each kind is listed for.
	Parent string `json:"parent,omitempty"`
	// Columns are the kind's own, after the Unified ones.
	Columns []Column `json:"columns"`
	Edges   []Edge   `json:"edges,omitempty"`
	// Base maps the kind into the unified view of its base, nil if it has none.
	Base *Base `json:"base,omitempty"`
	// Definition identifies the calls, parameters and catalogue entry that
	// rows come from. Where it changed since the last sync, rows that are no
	// longer returned end as out_of_scope, not as deleted.
	Definition string `json:"definition"`
	// Renamed lists former names, kept as views.
	Renamed []string `json:"renamed,omitempty"`
}

// Unified are the columns that every kind table begins with.
// Batches carry all of them but SyncIDColumn, which the sink sets.
var Unified = []Column{
	{Name: "_id", Type: UUID, Doc: "Stable identity: UUIDv5 of cloud, account, key scope, kind and id."},
	{Name: "id", Type: Text, Doc: "The vendor's identifier, unique within the kind's key scope."},
	{Name: "name", Type: Text, Doc: "What people call the resource."},
	{Name: "kind", Type: Text, Doc: "The kind, which is also the table's name."},
	{Name: "tags", Type: TextMap, Doc: "Tags or labels. NULL is unknown or cannot be tagged, empty is none."},
	{Name: "created_at", Type: Timestamp, Doc: "When the resource was created, UTC."},
	{Name: "updated_at", Type: Timestamp, Doc: "When the resource was last changed, as the vendor says, UTC."},
	{Name: "cloud", Type: Text, Doc: "aws, gcp or kubernetes."},
	{Name: "account", Type: Text, Doc: "The owner: AWS account id, Google project id, Kubernetes cluster uid."},
	{Name: "region", Type: Text, Doc: "The region or location the resource is in; global where it has none."},
	{Name: "urn", Type: Text, Doc: "The name that is unique across the cloud: ARN, full resource name, uid."},
	{Name: "_scope", Type: Text, Doc: "The scope that reported the row."},
	{Name: "_hash", Type: UUID, Doc: "128 bits over the columns that are neither NULL nor volatile."},
	{Name: "_unread", Type: TextList, Doc: "Columns whose detail call failed in the last sync; NULL when all was read."},
	SyncIDColumn,
}

// SyncIDColumn is the last of the unified columns.
var SyncIDColumn = Column{Name: "_sync_id", Type: UUID, Doc: "The sync that last changed the row."}

// Positions of the unified columns in a batch.
const (
	ColID = iota
	ColVendorID
	ColName
	ColKind
	ColTags
	ColCreatedAt
	ColUpdatedAt
	ColCloud
	ColAccount
	ColRegion
	ColURN
	ColScope
	ColHash
	ColUnread
	NumBatchUnified // the kind's own columns follow
)

// BatchSchema returns the Arrow schema of the kind's batches: the unified
// columns without _sync_id, then the kind's own. All fields are nullable.
func (k *Kind) BatchSchema() *arrow.Schema {
	cols := k.BatchColumns()
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// BatchColumns returns the columns of a batch in order.
func (k *Kind) BatchColumns() []Column {
	cols := make([]Column, 0, NumBatchUnified+len(k.Columns))
	cols = append(cols, Unified[:NumBatchUnified]...)
	return append(cols, k.Columns...)
}

// TableColumns returns the columns of the kind's table in order.
func (k *Kind) TableColumns() []Column {
	cols := make([]Column, 0, len(Unified)+len(k.Columns))
	cols = append(cols, Unified...)
	return append(cols, k.Columns...)
}

// Column returns the kind's own or a unified column by name.
func (k *Kind) Column(name string) (Column, bool) {
	for _, c := range k.Columns {
		if c.Name == name {
			return c, true
		}
	}
	for _, c := range Unified {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// HashDefinition returns a short digest of anything that JSON can hold.
func HashDefinition(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("schema: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
