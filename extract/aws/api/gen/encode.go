package main

import (
	"encoding/binary"
	"maps"
	"math"
	"math/bits"
	"slices"

	"github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/extract/aws/api/internal/notation"
)

// encode writes a service in the notation that api.Decode reads.
func encode(s *api.Service) []byte {
	e := &encoder{index: map[string]uint64{"": 0}, table: []string{""}, numbers: map[*api.Shape]uint64{}, errors: map[api.Error]uint64{}}
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
	e.uint(bit(s.QueryCompatible, notation.ServiceQueryCompatible))
	members := 0
	for _, sh := range e.shapes {
		members += len(sh.Members)
	}
	e.uint(uint64(len(e.shapes)))
	e.uint(uint64(members))
	for _, sh := range e.shapes {
		e.shape(sh)
	}
	var errs []api.Error
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
		e.uint(bit(x.Retryable, notation.ErrorRetryable) | bit(x.Throttles, notation.ErrorThrottles))
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
	shapes  []*api.Shape
	numbers map[*api.Shape]uint64
	errors  map[api.Error]uint64
}

// number gives the shape and all it refers to a number.
func (e *encoder) number(s *api.Shape) {
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

func (e *encoder) shape(s *api.Shape) {
	texts := []string{s.Doc, s.ElemName, s.KeyName, s.ValName, s.Payload, s.LocationName, s.XMLNamespace, s.TimestampFormat}
	e.uint(flags(texts...) | bit(s.Min != nil, notation.ShapeMin) | bit(s.Max != nil, notation.ShapeMax) |
		bit(s.Pattern != "", notation.ShapePattern) | bit(s.Enum != nil, notation.ShapeEnum) | bit(s.Required != nil, notation.ShapeRequired) |
		bit(s.Flat, notation.ShapeFlat) | bit(s.Sensitive, notation.ShapeSensitive) | bit(s.Document, notation.ShapeDocument) |
		bit(s.Union, notation.ShapeUnion) | bit(s.EventStream, notation.ShapeEventStream))
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

func (e *encoder) member(m *api.Member) {
	texts := []string{m.Doc, m.Location, m.LocationName, m.QueryName, m.XMLNamespace, m.TimestampFormat}
	e.uint(flags(texts...) | bit(m.Flat, notation.MemberFlat) | bit(m.XMLAttribute, notation.MemberXMLAttribute) |
		bit(m.Sensitive, notation.MemberSensitive) | bit(m.IdempotencyTok, notation.MemberIdempotencyTok) |
		bit(m.HostLabel, notation.MemberHostLabel) | bit(m.JSONValue, notation.MemberJSONValue) | bit(m.Streaming, notation.MemberStreaming))
	e.string(m.Name)
	e.uint(e.numbers[m.Shape])
	e.texts(texts...)
}

func (e *encoder) operation(o *api.Operation) {
	texts := []string{o.Doc, o.HostPrefix, o.ResultWrapper, o.Variant}
	e.uint(flags(texts...) | bit(o.Pager != nil, notation.OpPager) | bit(o.Unsigned, notation.OpUnsigned) |
		bit(o.Checksum, notation.OpChecksum) | bit(o.Discovery, notation.OpDiscovery) | bit(o.Deprecated, notation.OpDeprecated))
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
