package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// cpuSeconds is the CPU time of this process so far.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// rate is how many items a second of CPU time takes, the best of three turns
// of at least half a second.
func rate(items int, f func() error) (float64, error) {
	best := 0.0
	for range 3 {
		begun, n := cpuSeconds(), 0
		for cpuSeconds()-begun < 0.5 {
			if err := f(); err != nil {
				return 0, err
			}
			n += items
		}
		best = max(best, float64(n)/(cpuSeconds()-begun))
	}
	return best, nil
}

// decode measures how pages become batches against what decodes them into
// structs and stops there.
func decode() ([]figure, error) {
	cat, err := clouds.Load(catalog.Options{})
	if err != nil {
		return nil, err
	}
	const items = 1000
	page := appendPage(nil, benchRegion, benchAccount, 0, items, "")
	xml, err := ours(cat, "aws_ec2_instance", items, page)
	if err != nil {
		return nil, err
	}
	bare, err := oursWithoutEdges(cat, "aws_ec2_instance", items, page)
	if err != nil {
		return nil, err
	}
	sdk, err := typedClient(items, page)
	if err != nil {
		return nil, err
	}
	spec, doc, err := asJSON(cat, page)
	if err != nil {
		return nil, err
	}
	js, err := batches(spec, items, doc)
	if err != nil {
		return nil, err
	}
	spec.Edges = nil
	bareJS, err := batches(spec, items, doc)
	if err != nil {
		return nil, err
	}
	std, err := structs(spec.Sources[0].Shape, items, doc)
	if err != nil {
		return nil, err
	}
	per := func(a, b float64) string { return fmt.Sprintf("%.0f / %.0f per CPU-s", a, b) }
	return []figure{
		{what: "EC2 XML into batches with tags, hash / the SDK's typed client", value: bare / sdk, unit: "x", limit: 5, least: true, note: per(bare, sdk)},
		{what: "the same with edges", value: xml / sdk, unit: "x", limit: 5, least: true, note: per(xml, sdk)},
		{what: "the instances as JSON into batches with tags, hash / encoding/json", value: bareJS / std, unit: "x", limit: 4, least: true, note: per(bareJS, std)},
		{what: "the same with edges", value: js / std, unit: "x", note: per(js, std)},
	}, nil
}

func ours(cat *catalog.Catalogue, kind string, items int, page []byte) (float64, error) {
	e, ok := cat.Entry(kind)
	if !ok {
		return 0, fmt.Errorf("no kind %s", kind)
	}
	return batches(e.Spec, items, page)
}

func oursWithoutEdges(cat *catalog.Catalogue, kind string, items int, page []byte) (float64, error) {
	e, ok := cat.Entry(kind)
	if !ok {
		return 0, fmt.Errorf("no kind %s", kind)
	}
	s := e.Spec
	s.Edges = nil
	return batches(s, items, page)
}

// batches turns pages of source 0 into batches and drops them.
func batches(s normalize.Spec, items int, page []byte) (float64, error) {
	plan, err := normalize.Compile(s)
	if err != nil {
		return 0, err
	}
	b := plan.NewBuilder(memory.DefaultAllocator)
	b.Begin(normalize.Origin{
		Scope:     schema.Scope{Cloud: "aws", Account: benchAccount, Region: benchRegion, Kind: s.Kind.Name},
		Partition: "aws",
	})
	return rate(items, func() error {
		_, n, err := b.Page(page, nil)
		if err != nil {
			return err
		}
		if n != items {
			return fmt.Errorf("%d rows of %d items", n, items)
		}
		if b.Len() >= 4096 {
			b.Flush().Release()
		}
		return nil
	})
}

// canned answers every request with the same page.
type canned []byte

// Do implements the SDK's HTTP client.
func (c canned) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/xml"}},
		Body: io.NopCloser(bytes.NewReader(c)), ContentLength: int64(len(c)), Request: r,
	}, nil
}

func typedClient(items int, page []byte) (float64, error) {
	c := ec2.New(ec2.Options{
		Region: benchRegion, HTTPClient: canned(page), Credentials: credentials.NewStaticCredentialsProvider("bench", "bench", ""),
	})
	return rate(items, func() error {
		out, err := c.DescribeInstances(context.Background(), &ec2.DescribeInstancesInput{MaxResults: aws.Int32(1000)})
		if err != nil {
			return err
		}
		n := 0
		for _, r := range out.Reservations {
			n += len(r.Instances)
		}
		if n != items {
			return fmt.Errorf("%d of %d instances", n, items)
		}
		return nil
	})
}

// structs decodes the page by encoding/json into Go structs of the members
// that the description has, as a typed client's would be.
func structs(shape *normalize.Shape, items int, page []byte) (float64, error) {
	t := goType(shape)
	return rate(items, func() error { return json.Unmarshal(page, reflect.New(t).Interface()) })
}

func goType(s *normalize.Shape) reflect.Type {
	switch s.Type {
	case normalize.Structure:
		var fields []reflect.StructField
		for _, m := range s.Members {
			fields = append(fields, reflect.StructField{
				Name: "F" + m.Name, Type: reflect.PointerTo(goType(m.Shape)), Tag: reflect.StructTag(fmt.Sprintf("json:%q", m.Wire)),
			})
		}
		return reflect.StructOf(fields)
	case normalize.List:
		return reflect.SliceOf(goType(s.Elem))
	case normalize.Map:
		return reflect.MapOf(reflect.TypeFor[string](), goType(s.Elem))
	case normalize.Boolean:
		return reflect.TypeFor[bool]()
	case normalize.Integer:
		return reflect.TypeFor[int64]()
	case normalize.Float:
		return reflect.TypeFor[float64]()
	}
	return reflect.TypeFor[string]()
}
