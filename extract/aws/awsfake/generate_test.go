package awsfake

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

// TestGeneratedAnswersReadAsTheyWere writes generated outputs of every
// service and reads them again.
func TestGeneratedAnswersReadAsTheyWere(t *testing.T) {
	n := 0
	for _, name := range awsapi.Services() {
		svc, err := awsapi.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, opName := range sorted(svc.Operations) {
			op := svc.Operations[opName]
			// GetBucketNotification has two members of one name.
			if i%10 != 0 && name != "ec2" && name != "s3" || op.Output == nil || op.Output.Payload != "" || name == "s3" && (opName == "GetBucketLocation" || opName == "GetBucketNotification") {
				continue
			}
			seed := uint64(i % 8)
			out := Generate(svc, op, seed)
			if !reflect.DeepEqual(out, Generate(svc, op, seed)) {
				t.Fatalf("%s.%s differs from itself", name, opName)
			}
			r := &Request{Service: name, Operation: opName, svc: svc, op: op}
			res, err := success(r, out)
			if err != nil {
				t.Fatalf("%s.%s: %v", name, opName, err)
			}
			var back map[string]any
			switch svc.Protocol {
			case "json", "rest-json":
				back, err = jsonObject(op.Output, res.body)
			case "smithy-rpc-v2-cbor":
				back, err = cborObject(op.Output, res.body)
			default:
				body := res.body
				back, err = xmlOutput(op, body)
			}
			if err != nil {
				t.Fatalf("%s.%s: %v\n%s", name, opName, err, res.body)
			}
			n++
			if where := differ(op.Output, out, back, opName, svc.Protocol); where != "" {
				t.Errorf("%s: %s\n%.2000s", name, where, res.body)
			}
		}
	}
	if n < 1000 {
		t.Errorf("only %d operations", n)
	}
}

// xmlOutput reads an output below its wrappers.
func xmlOutput(op *api.Operation, body []byte) (map[string]any, error) {
	if op.ResultWrapper == "" {
		return xmlObject(op.Output, body)
	}
	wrapped := &api.Shape{Name: "Response", Type: "structure", Members: []api.Member{{Name: op.ResultWrapper, Shape: op.Output}}}
	m, err := xmlObject(wrapped, body)
	out, _ := m[op.ResultWrapper].(map[string]any)
	return out, err
}

// differ says where two values differ; empty if they do not. Flattened lists
// and maps, and structures in headers, cannot tell empty from absent.
func differ(s *api.Shape, want, got any, path, protocol string) string {
	if s.Document {
		return ""
	}
	switch s.Type {
	case "structure":
		w, _ := want.(map[string]any)
		g, _ := got.(map[string]any)
		for i := range s.Members {
			m := &s.Members[i]
			if m.Location != "" || m.XMLAttribute || m.JSONValue {
				continue
			}
			x, ok := w[m.Name]
			y, ok2 := g[m.Name]
			flat := m.Flat || m.Shape.Flat
			if ok != ok2 && !(flat && reflect.ValueOf(x).Len() == 0) {
				return path + "." + m.Name + " is lost or new"
			}
			if !ok || !ok2 {
				continue
			}
			if d := differ(m.Shape, x, y, path+"."+m.Name, protocol); d != "" {
				return d
			}
		}
		return ""
	case "list":
		w, _ := want.([]any)
		g, _ := got.([]any)
		if len(w) != len(g) {
			return path + " has another length"
		}
		for i := range w {
			if d := differ(s.Elem, w[i], g[i], path+"[]", protocol); d != "" {
				return d
			}
		}
		return ""
	case "map":
		w, _ := want.(map[string]any)
		g, _ := got.(map[string]any)
		if len(w) != len(g) {
			return path + " has another size"
		}
		for k := range w {
			if d := differ(s.Value, w[k], g[k], path+"{}", protocol); d != "" {
				return d
			}
		}
		return ""
	case "timestamp":
		w, _ := want.(time.Time)
		if g, ok := got.(time.Time); ok && w.Equal(g) {
			return ""
		}
		if f, ok := got.(float64); ok && math.Abs(f*1000-float64(w.UnixMilli())) < 1 {
			return ""
		}
		return path + " is another time"
	}
	if !reflect.DeepEqual(want, got) {
		return path + " has another value"
	}
	return ""
}
