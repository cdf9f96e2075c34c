package api

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

var errDamaged = errors.New("damaged API description")

// Decode reads the description of a service from the archive's notation:
// a table of strings, the service, its shapes, its errors, its operations.
// Numbers are varints, strings are indexes into the table.
func Decode(data []byte) (svc *Service, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(error)
			if !ok || !errors.Is(e, errDamaged) {
				panic(r)
			}
			svc, err = nil, e
		}
	}()
	d := decoder{data: data}
	d.table()
	svc = d.service()
	if len(d.data) != 0 {
		return nil, errDamaged
	}
	return svc, nil
}

type decoder struct {
	data    []byte
	strings []string
	shapes  []Shape
	errors  []Error
}

func (d *decoder) uint() uint64 {
	if len(d.data) > 0 && d.data[0] < 0x80 {
		v := d.data[0]
		d.data = d.data[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		panic(errDamaged)
	}
	d.data = d.data[n:]
	return v
}

// count reads the length of something of which each takes at least a byte.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.data)) {
		panic(errDamaged)
	}
	return int(n)
}

func (d *decoder) table() {
	lens := make([]int, d.count())
	total := 0
	for i := range lens {
		n := d.uint()
		if n > uint64(len(d.data)) {
			panic(errDamaged)
		}
		lens[i] = int(n)
		total += lens[i]
	}
	if total > len(d.data) {
		panic(errDamaged)
	}
	all := string(d.data[:total])
	d.data = d.data[total:]
	d.strings = make([]string, len(lens))
	for i, n := range lens {
		d.strings[i], all = all[:n], all[n:]
	}
}

func (d *decoder) string() string {
	i := d.uint()
	if i >= uint64(len(d.strings)) {
		panic(errDamaged)
	}
	return d.strings[i]
}

func (d *decoder) list() []string {
	l := make([]string, d.count())
	for i := range l {
		l[i] = d.string()
	}
	return l
}

func (d *decoder) float() *float64 {
	f := math.Float64frombits(bits.ReverseBytes64(d.uint()))
	return &f
}

// shape reads the number of a shape, 0 for none.
func (d *decoder) shape() *Shape {
	i := d.uint()
	if i == 0 {
		return nil
	}
	if i > uint64(len(d.shapes)) {
		panic(errDamaged)
	}
	return &d.shapes[i-1]
}

func (d *decoder) service() *Service {
	s := &Service{}
	for _, p := range []*string{
		&s.Name, &s.Title, &s.SDKID, &s.EndpointPrefix, &s.SigningName, &s.APIVersion, &s.Protocol,
		&s.JSONVersion, &s.TargetPrefix, &s.XMLNamespace, &s.Signature,
	} {
		*p = d.string()
	}
	f := d.uint()
	s.QueryCompatible = f&bitServiceQueryCompatible != 0
	if f&bitServiceRoot != 0 {
		s.RootURL, s.ServicePath, s.MTLSRootURL = d.string(), d.string(), d.string()
		for range d.count() {
			if s.Locations == nil {
				s.Locations = map[string]string{}
			}
			name := d.string()
			s.Locations[name] = d.string()
		}
	}
	d.shapes = make([]Shape, d.count())
	members := make([]Member, d.count())
	for i := range d.shapes {
		members = d.fill(&d.shapes[i], members)
	}
	d.errors = make([]Error, d.count())
	for i := range d.errors {
		f := d.uint()
		d.errors[i] = Error{Code: d.string(), Retryable: f&bitErrorRetryable != 0, Throttles: f&bitErrorThrottles != 0}
	}
	ops := make([]Operation, d.count())
	s.Operations = make(map[string]*Operation, len(ops))
	for i := range ops {
		d.operation(&ops[i])
		s.Operations[ops[i].Name] = &ops[i]
	}
	return s
}

func (d *decoder) fill(s *Shape, slab []Member) []Member {
	f := d.uint()
	s.Name = d.string()
	s.Type = d.string()
	for i, p := range []*string{
		&s.Doc, &s.ElemName, &s.KeyName, &s.ValName, &s.Payload, &s.LocationName, &s.XMLNamespace, &s.TimestampFormat,
	} {
		if f&(1<<i) != 0 {
			*p = d.string()
		}
	}
	if f&bitShapeMin != 0 {
		s.Min = d.float()
	}
	if f&bitShapeMax != 0 {
		s.Max = d.float()
	}
	if f&bitShapePattern != 0 {
		s.Pattern = d.string()
	}
	if f&bitShapeEnum != 0 {
		s.Enum = d.list()
	}
	if f&bitShapeRequired != 0 {
		s.Required = d.list()
	}
	s.Flat = f&bitShapeFlat != 0
	s.Sensitive = f&bitShapeSensitive != 0
	s.Document = f&bitShapeDocument != 0
	s.Union = f&bitShapeUnion != 0
	s.EventStream = f&bitShapeEventStream != 0
	switch s.Type {
	case "structure":
		n := d.count()
		if n > len(slab) {
			panic(errDamaged)
		}
		s.Members, slab = slab[:n:n], slab[n:]
		for i := range s.Members {
			d.member(&s.Members[i])
		}
	case "list":
		s.Elem = d.shape()
	case "map":
		s.Key = d.shape()
		s.Value = d.shape()
	}
	return slab
}

func (d *decoder) member(m *Member) {
	f := d.uint()
	m.Name = d.string()
	m.Shape = d.shape()
	if f&bitMemberDoc != 0 {
		m.Doc = d.string()
	}
	if f&bitMemberLocation != 0 {
		m.Location = d.string()
	}
	if f&bitMemberLocationName != 0 {
		m.LocationName = d.string()
	}
	if f&bitMemberQueryName != 0 {
		m.QueryName = d.string()
	}
	if f&bitMemberXMLNamespace != 0 {
		m.XMLNamespace = d.string()
	}
	if f&bitMemberTimestampFormat != 0 {
		m.TimestampFormat = d.string()
	}
	m.Flat = f&bitMemberFlat != 0
	m.XMLAttribute = f&bitMemberXMLAttribute != 0
	m.Sensitive = f&bitMemberSensitive != 0
	m.IdempotencyTok = f&bitMemberIdempotencyTok != 0
	m.HostLabel = f&bitMemberHostLabel != 0
	m.JSONValue = f&bitMemberJSONValue != 0
	m.Streaming = f&bitMemberStreaming != 0
}

func (d *decoder) operation(o *Operation) {
	f := d.uint()
	o.Name = d.string()
	o.Method = d.string()
	o.URI = d.string()
	o.Input = d.shape()
	o.Output = d.shape()
	if f&bitOpDoc != 0 {
		o.Doc = d.string()
	}
	if f&bitOpHostPrefix != 0 {
		o.HostPrefix = d.string()
	}
	if f&bitOpResultWrapper != 0 {
		o.ResultWrapper = d.string()
	}
	if f&bitOpVariant != 0 {
		o.Variant = d.string()
	}
	if f&bitOpPager != 0 {
		o.Pager = &Pager{InputTokens: d.list(), OutputTokens: d.list(), More: d.string(), Limit: d.string(), Results: d.list()}
	}
	o.Unsigned = f&bitOpUnsigned != 0
	o.Checksum = f&bitOpChecksum != 0
	o.Discovery = f&bitOpDiscovery != 0
	o.Deprecated = f&bitOpDeprecated != 0
	o.Errors = make([]Error, d.count())
	for i := range o.Errors {
		n := d.uint()
		if n >= uint64(len(d.errors)) {
			panic(errDamaged)
		}
		o.Errors[i] = d.errors[n]
	}
}
