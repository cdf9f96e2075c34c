package aws

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/document"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// oracle reads an operation's answers with smithy-go's decoder, by a schema
// made of the description.
type oracle struct {
	protocol smithyhttp.ClientProtocol
	schema   *smithy.OperationSchema
	output   *node
	fields   map[*smithy.Schema]*field
}

func newOracle(svc *api.Service, op *api.Operation) (*oracle, error) {
	protocol, err := protocolOf(svc)
	if err != nil {
		return nil, err
	}
	c := compiler{protocol: svc.Protocol, nodes: map[*api.Shape]*node{}}
	o := &oracle{protocol: protocol, output: c.root(op.Output), fields: map[*smithy.Schema]*field{}}
	o.index(o.output)
	for _, n := range c.nodes {
		o.index(n)
	}
	o.schema = smithy.NewOperationSchema(smithy.NewSchema(smithy.ShapeID{Name: op.Name}, smithy.ShapeTypeOperation, 0), nil, o.output.schema)
	return o, nil
}

func (o *oracle) index(n *node) {
	for _, f := range n.order {
		o.fields[f.schema] = f
	}
}

// read returns an output in member names: texts, booleans, lists and maps;
// integers as json.Number, floats, times, blobs in base64.
func (o *oracle) read(header http.Header, body []byte) (map[string]any, error) {
	res := &smithyhttp.Response{Response: &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(bytes.NewReader(body))}}
	out := &collector{o: o}
	err := o.protocol.DeserializeResponse(context.Background(), o.schema, &smithy.TypeRegistry{}, res, out)
	return out.v, err
}

// collector implements smithy.Deserializable for any shape.
type collector struct {
	o *oracle
	v map[string]any
}

// Deserialize implements smithy.Deserializable.
func (c *collector) Deserialize(d smithy.ShapeDeserializer) error {
	v, err := c.o.structure(d, c.o.output.schema)
	c.v = v
	return err
}

func (o *oracle) structure(d smithy.ShapeDeserializer, s *smithy.Schema) (map[string]any, error) {
	out := map[string]any{}
	err := smithy.ReadStruct(d, s, func(m *smithy.Schema) error {
		f := o.fields[m]
		v, err := o.value(d, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.member.Name, err)
		}
		out[f.member.Name] = v
		return nil
	})
	return out, err
}

// element reads a value that may be null.
func (o *oracle) element(d smithy.ShapeDeserializer, f *field) (any, error) {
	if null, err := d.ReadNil(f.schema); null || err != nil {
		return nil, err
	}
	return o.value(d, f)
}

func (o *oracle) value(d smithy.ShapeDeserializer, f *field) (any, error) {
	s, shape := f.schema, f.node.shape
	if shape.Document {
		var v document.Value
		if err := d.ReadDocument(s, &v); err != nil {
			return nil, err
		}
		return v.(document.Opaque).Value, nil
	}
	switch shape.Type {
	case "structure":
		return o.structure(d, s)
	case "list":
		out := []any{}
		err := smithy.ReadList(d, s, func() error {
			v, err := o.element(d, f.node.elem)
			out = append(out, v)
			return err
		})
		return out, err
	case "map":
		out := map[string]any{}
		err := smithy.ReadMap(d, s, func(k string) error {
			v, err := o.element(d, f.node.val)
			out[validText(k)] = v
			return err
		})
		return out, err
	case "boolean":
		return scalarOf(d.ReadBool, s)
	case "integer", "long":
		v, err := scalarOf(d.ReadInt64, s)
		return json.Number(strconv.FormatInt(v, 10)), err
	case "float", "double":
		return scalarOf(d.ReadFloat64, s)
	case "timestamp":
		return scalarOf(d.ReadTime, s)
	case "blob":
		v, err := scalarOf(d.ReadBlob, s)
		return base64.StdEncoding.EncodeToString(v), err
	}
	v, err := scalarOf(d.ReadString, s)
	return validText(v), err
}

func scalarOf[T any](read func(*smithy.Schema, *T) error, s *smithy.Schema) (v T, err error) {
	err = read(s, &v)
	return v, err
}

// validText is the text that normalize makes of one that no column can hold.
func validText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// empty says whether smithy-go found nothing in the body.
func (o *oracle) empty(v map[string]any) bool {
	for name, x := range v {
		part, _ := x.(map[string]any)
		if o.output.members[name].member.Location == "" && (name != o.output.shape.Payload || part == nil || len(part) > 0) {
			return false
		}
	}
	return true
}
