package api

import (
	"encoding/binary"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// Encode writes a service in the notation that Decode reads.
func Encode(s *Service) []byte {
	e := &encoder{index: map[string]uint64{"": 0}, table: []string{""}, numbers: map[*Shape]uint64{}, errors: map[Error]uint64{}}
	ops := slices.Sorted(maps.Keys(s.Operations))
	for _, n := range ops {
		e.number(s.Operations[n].Input)
		e.number(s.Operations[n].Output)
	}
	for _, t := range []string{
		s.Name, s.Title, s.SDKID, s.EndpointPrefix, s.SigningName, s.APIVersion, s.Protocol,
		s.JSONVersion, s.TargetPrefix, s.XMLNamespace, s.Signature,
	} {
		e.string(t)
	}
	e.uint(bit(s.QueryCompatible, bitServiceQueryCompatible) | bit(s.RootURL != "", bitServiceRoot))
	if s.RootURL != "" {
		for _, t := range []string{s.RootURL, s.ServicePath, s.MTLSRootURL} {
			e.string(t)
		}
		e.uint(uint64(len(s.Locations)))
		for _, n := range slices.Sorted(maps.Keys(s.Locations)) {
			e.string(n)
			e.string(s.Locations[n])
		}
	}
	members := 0
	for _, sh := range e.shapes {
		members += len(sh.Members)
	}
	e.uint(uint64(len(e.shapes)))
	e.uint(uint64(members))
	for _, sh := range e.shapes {
		e.shape(sh)
	}
	var errs []Error
	for _, n := range ops {
		for _, x := range s.Operations[n].Errors {
			if _, ok := e.errors[x]; !ok {
				e.errors[x] = uint64(len(errs))
				errs = append(errs, x)
			}
		}
	}
	e.uint(uint64(len(errs)))
	for _, x := range errs {
		e.uint(bit(x.Retryable, bitErrorRetryable) | bit(x.Throttles, bitErrorThrottles))
		e.string(x.Code)
	}
	e.uint(uint64(len(ops)))
	for _, n := range ops {
		e.operation(s.Operations[n])
	}
	out := binary.AppendUvarint(nil, uint64(len(e.table)))
	for _, t := range e.table {
		out = binary.AppendUvarint(out, uint64(len(t)))
	}
	for _, t := range e.table {
		out = append(out, t...)
	}
	return append(out, e.out...)
}

type encoder struct {
	out     []byte
	table   []string
	index   map[string]uint64
	shapes  []*Shape
	numbers map[*Shape]uint64
	errors  map[Error]uint64
}

// number gives the shape and all it refers to a number.
func (e *encoder) number(s *Shape) {
	if s == nil || e.numbers[s] != 0 {
		return
	}
	e.shapes = append(e.shapes, s)
	e.numbers[s] = uint64(len(e.shapes))
	for i := range s.Members {
		e.number(s.Members[i].Shape)
	}
	e.number(s.Elem)
	e.number(s.Key)
	e.number(s.Value)
}

func bit(set bool, b uint64) uint64 {
	if set {
		return b
	}
	return 0
}

func (e *encoder) uint(v uint64) { e.out = binary.AppendUvarint(e.out, v) }

func (e *encoder) string(s string) {
	i, ok := e.index[s]
	if !ok {
		i = uint64(len(e.table))
		e.table = append(e.table, s)
		e.index[s] = i
	}
	e.uint(i)
}

func (e *encoder) list(l []string) {
	e.uint(uint64(len(l)))
	for _, s := range l {
		e.string(s)
	}
}

func (e *encoder) float(f float64) { e.uint(bits.ReverseBytes64(math.Float64bits(f))) }

// texts writes those that are not empty; their bits are announced in the flags.
func (e *encoder) texts(l ...string) {
	for _, s := range l {
		if s != "" {
			e.string(s)
		}
	}
}

func flags(l ...string) uint64 {
	var f uint64
	for i, s := range l {
		f |= bit(s != "", 1<<i)
	}
	return f
}

func (e *encoder) shape(s *Shape) {
	texts := []string{s.Doc, s.ElemName, s.KeyName, s.ValName, s.Payload, s.LocationName, s.XMLNamespace, s.TimestampFormat}
	e.uint(flags(texts...) | bit(s.Min != nil, bitShapeMin) | bit(s.Max != nil, bitShapeMax) |
		bit(s.Pattern != "", bitShapePattern) | bit(s.Enum != nil, bitShapeEnum) | bit(s.Required != nil, bitShapeRequired) |
		bit(s.Flat, bitShapeFlat) | bit(s.Sensitive, bitShapeSensitive) | bit(s.Document, bitShapeDocument) |
		bit(s.Union, bitShapeUnion) | bit(s.EventStream, bitShapeEventStream))
	e.string(s.Name)
	e.string(s.Type)
	e.texts(texts...)
	if s.Min != nil {
		e.float(*s.Min)
	}
	if s.Max != nil {
		e.float(*s.Max)
	}
	e.texts(s.Pattern)
	if s.Enum != nil {
		e.list(s.Enum)
	}
	if s.Required != nil {
		e.list(s.Required)
	}
	switch s.Type {
	case "structure":
		e.uint(uint64(len(s.Members)))
		for i := range s.Members {
			e.member(&s.Members[i])
		}
	case "list":
		e.uint(e.numbers[s.Elem])
	case "map":
		e.uint(e.numbers[s.Key])
		e.uint(e.numbers[s.Value])
	}
}

func (e *encoder) member(m *Member) {
	texts := []string{m.Doc, m.Location, m.LocationName, m.QueryName, m.XMLNamespace, m.TimestampFormat}
	e.uint(flags(texts...) | bit(m.Flat, bitMemberFlat) | bit(m.XMLAttribute, bitMemberXMLAttribute) |
		bit(m.Sensitive, bitMemberSensitive) | bit(m.IdempotencyTok, bitMemberIdempotencyTok) |
		bit(m.HostLabel, bitMemberHostLabel) | bit(m.JSONValue, bitMemberJSONValue) | bit(m.Streaming, bitMemberStreaming))
	e.string(m.Name)
	e.uint(e.numbers[m.Shape])
	e.texts(texts...)
}

func (e *encoder) operation(o *Operation) {
	texts := []string{o.Doc, o.HostPrefix, o.ResultWrapper, o.Variant}
	e.uint(flags(texts...) | bit(o.Pager != nil, bitOpPager) | bit(o.Unsigned, bitOpUnsigned) |
		bit(o.Checksum, bitOpChecksum) | bit(o.Discovery, bitOpDiscovery) | bit(o.Deprecated, bitOpDeprecated))
	e.string(o.Name)
	e.string(o.Method)
	e.string(o.URI)
	e.uint(e.numbers[o.Input])
	e.uint(e.numbers[o.Output])
	e.texts(texts...)
	if p := o.Pager; p != nil {
		e.list(p.InputTokens)
		e.list(p.OutputTokens)
		e.string(p.More)
		e.string(p.Limit)
		e.list(p.Results)
	}
	e.uint(uint64(len(o.Errors)))
	for _, x := range o.Errors {
		e.uint(e.errors[x])
	}
}
