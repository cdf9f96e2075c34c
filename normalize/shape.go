package normalize

// ShapeType is the type of a value in a vendor's document.
type ShapeType uint8

// The shape types.
const (
	Structure ShapeType = iota + 1 // also unions
	List
	Map // keys are strings
	String
	Boolean
	Integer // any width up to int64
	BigInteger
	Float
	Time
	Blob     // base64 text in JSON and XML; a column of it is text
	Document // free-form JSON
)

// TimeFormat is the wire format of a time, known from the description or
// the catalogue. The magnitude of a number never chooses the unit.
type TimeFormat uint8

// The time formats. A token of the other JSON type (a string where a number
// is described, or the other way round) may choose the family, not the unit.
const (
	TimeISO      TimeFormat = iota + 1 // ISO 8601 in all its spellings
	TimeHTTP                           // RFC 1123
	EpochSeconds                       // number, float or string
	EpochMillis                        // number or string
	EpochMicros                        // number or string
	EpochNanos                         // number or string
)

// Shape describes a document or a part of it, whatever cloud it is from.
// Shapes may be recursive; they are not changed once a Plan is compiled.
type Shape struct {
	Name string
	Type ShapeType
	// Members of a structure, in the order of the description.
	Members []Member
	// Elem is the element of a list or the value of a map.
	Elem *Shape
	// DropKeys are keys of a map whose values are secret: skipped.
	DropKeys []string
	// ElemName, KeyName and ValueName are the XML tags of list elements
	// ("member", "item") and of map entries ("entry" with "key", "value").
	// A flattened list or map repeats the member's own tag instead.
	ElemName, EntryName, KeyName, ValueName string
	Time                                    TimeFormat
	Doc                                     string
}

// Member is a member of a structure.
type Member struct {
	// Name is the description's; columns and JSON keys are made from it.
	Name string
	// Wire is the JSON key or the XML tag (without prefix) in the body.
	Wire  string
	Shape *Shape
	Doc   string
	// Flat lists and maps stand in XML without a wrapping element.
	Flat bool
	// Attr members are XML attributes.
	Attr bool
	// Header members come from the HTTP header Wire, not from the body.
	Header bool
	// Payload members are the body itself: a structure, or raw text.
	Payload bool
	// Drop members are secret or unwanted: skipped without being counted.
	Drop bool
	// Sensitive members are marked so by the description; Drop decides.
	Sensitive bool
	// Set lists are unordered: they are written sorted.
	Set bool
	// Time overrides Shape.Time; for strings and integers it makes a time.
	Time TimeFormat
}

// Member returns the member with the description's name, nil if there is none.
func (s *Shape) Member(name string) *Member {
	for i := range s.Members {
		if s.Members[i].Name == name {
			return &s.Members[i]
		}
	}
	return nil
}
