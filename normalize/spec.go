package normalize

import "github.com/dewpoint-data/dewpoint/schema"

// Format is the notation of a document.
type Format uint8

// The formats.
const (
	JSON Format = iota + 1
	XML
)

// Spec says how the documents of a kind become rows. Compile checks it once
// and makes a Plan of it; nothing is looked up by name in the row loop.
type Spec struct {
	Kind *schema.Kind
	// Sources[0] is the list call, whose document is a page; the others are
	// detail calls, whose document belongs to one row.
	Sources []Source

	// ID are expressions over the item of source 0; their values, joined by
	// "/", are the row's id. A row without one that is not optional is a
	// problem, not a row.
	ID []Expr
	// URN, Name, Account and Region are templates; an empty one gives NULL
	// (URN, Name) or the scope's own (Account, Region). A template of which
	// an expression has no value gives NULL, or the scope's own.
	URN, Name, Account, Region Template
	// Located rows are of many scopes: each is of the scope whose region is
	// the row's own. Builder.Located says how many there are of each.
	Located bool
	// Names, if any, says what name stands for another: Google's project ids
	// for project numbers. It is safe for concurrent use; FullName and Project
	// ask it.
	Names func(name string) (string, bool)
	// CreatedAt and UpdatedAt, nil if the vendor does not say.
	CreatedAt, UpdatedAt *TimeExpr
	// Tags, nil where the kind cannot be tagged or nobody can tell.
	Tags *TagExpr
	// Fields fill Kind.Columns.
	Fields []Field
	// Edges fill Kind.Edges, by index.
	Edges []EdgeExpr
	// Captures are what the caller wants to read from an item of source 0
	// to form further requests: Item.Capture(i).
	Captures []Expr
}

// Source is a call whose documents feed the rows.
type Source struct {
	// Call is the operation's name, for problems and _unread.
	Call   string
	Format Format
	// Shape is that of the whole output.
	Shape *Shape
	// Wrap are the XML elements around the output's members, outermost
	// first ("ListUsersResponse", "ListUsersResult"); a root with several
	// names has them with "|" between. A body with others is not the output:
	// a failed page. Empty for JSON.
	Wrap []string
	// Items is the path from the output to the items of a page, for source
	// 0 and for batch details (whose caller splits the page); for a detail
	// of one row it is the path to the sub-document that fields start from.
	Items Path
	// Tokens are paths from the output to what the pager needs; Page.Tokens
	// holds their values in the same order, of several the last. Source 0 and paged details only.
	Tokens []Path
	// Match is the path, from an item of a batch detail, to the value that
	// says which item of source 0 it belongs to.
	Match Path
	// Failures is the path from the output to entries that say which items
	// failed inside a 2xx answer; empty if the call has none. FailureKey and
	// FailureCode are the paths from such an entry to the value that names
	// the item and to the error code.
	Failures                Path
	FailureKey, FailureCode Path
}

// Path leads from one document to values in it. Member names are the
// description's. The empty path is the document itself.
type Path []Step

// Step is one step of a path.
type Step struct {
	// Member to go to: of a structure, or a key of a map; empty with Each or
	// Values on a list or map itself.
	Member string
	// Each goes to every element of the list that Member is.
	Each bool
	// Values goes to every value of the map that Member is; Keys to every key.
	Values, Keys bool
}

// Expr is a path with transforms, from the item of a source.
type Expr struct {
	Source int
	// Up leaves the item for the structure that holds it: 1 is the element
	// of the next outer list in the items path. Source 0 only.
	Up   int
	Path Path
	// Tag takes the value of this tag instead of a path.
	Tag string
	// Header takes this HTTP header of the source's answer instead of a path.
	Header string
	// Parent takes a value of the parent's item instead of a path, for kinds
	// listed for each of another: 1 is the first of Origin.Parent.
	Parent int
	// Var takes account, region or partition instead of a path, as in a
	// template.
	Var        string
	Transforms []Transform
	// Optional parts of an id may lack a value: the id goes without them.
	Optional bool
}

// Transform changes a text. The set is closed.
type Transform struct {
	Op  TransformOp
	Arg string
}

// TransformOp names a transform.
type TransformOp uint8

// The transforms. One that does not apply (no such separator, no JSON
// or quantity) yields its input, but for ARNPart, StartsWith and Contains, which
// yield nothing.
// FullName, Location and Project are about the names of Google's resources:
// https://cloud.google.com/iam/docs/full-resource-names.
const (
	AfterLast   TransformOp = iota + 1 // what stands after the last Arg
	BeforeFirst                        // what stands before the first Arg
	StripPrefix                        // without the prefix Arg
	ARNPart                            // part of an ARN: partition, service, region, account, resource, id
	URLDecode                          // percent-decoding
	ParseJSON                          // the text is a JSON document; Arg, if any, is a key in it
	First                              // the first of several values
	Split                              // several values, separated by Arg
	Lower                              // lower case
	StartsWith                         // the value if it begins with Arg, else nothing
	Contains                           // the value if Arg is in it, else nothing
	BeforeLast                         // what stands before the last Arg
	FullName                           // the full resource name of a self link or a relative name; Arg is its service
	Location                           // the zone, region or location in a resource name; global where it has none
	Project                            // the project in a resource name, or of a number
	Quantity                           // a Kubernetes quantity (100m, 1Gi) as a decimal number
)

// Template is text with expressions in it; empty if len is 0.
type Template []TemplatePart

// TemplatePart is literal text, a variable of the scope or an expression.
type TemplatePart struct {
	Text string
	// Var is account, region or partition: the row's own where it is made
	// after Account and Region, the reader's in those two.
	Var  string
	Expr *Expr
	// Field is a field of the edge's Each, from 1.
	Field int
}

// TimeExpr is an expression that yields a time.
type TimeExpr struct {
	Expr
	Format TimeFormat // 0: as the shape says
}

// TagExpr says where tags are. The shape of what it leads to says how they
// are written: a list of structures with key and value members, or a map.
type TagExpr struct {
	Expr
	Key, Value string // members of the list's structures, e.g. TagKey and TagValue
}

// Field fills one of the kind's columns.
type Field struct {
	Column int // index into Kind.Columns, whose Type says what is built
	Expr
	Time TimeFormat // for timestamps: 0 is as the shape says
	Set  bool       // a list in any order: written sorted
}

// EdgeExpr yields the references of one of Kind.Edges. Empty values yield none.
type EdgeExpr struct {
	Edge int
	Expr
	// Template, if any, makes the reference instead of Expr: one for each
	// value of the expression in it that has several. A part without a value
	// makes none.
	Template Template
	// Each, if any, makes one reference of the template for each of several
	// structures.
	Each *Each
}

// Each are structures of the item, of each of which some texts belong
// together: the namespace and the name of one subject among several.
type Each struct {
	// Path leads to the structures, Fields from one of them to texts.
	Path   Path
	Fields []Path
	// When are conditions that a structure must meet to make a reference.
	When []EachCondition
}

// EachCondition is met where a field, from 1, has one of the values.
type EachCondition struct {
	Field  int
	Values []string
}
