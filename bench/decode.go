package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/extract/aws/catalog"
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
	cat, err := catalog.Load(catalog.Options{})
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
	functions := functionsPage(items)
	js, err := ours(cat, "aws_lambda_function", items, functions)
	if err != nil {
		return nil, err
	}
	std, err := structs("lambda", "ListFunctions", items, functions)
	if err != nil {
		return nil, err
	}
	per := func(a, b float64) string { return fmt.Sprintf("%.0f / %.0f per CPU-s", a, b) }
	return []figure{
		{what: "EC2 XML into batches with tags, hash / the SDK's typed client", value: bare / sdk, unit: "x", limit: 5, least: true, note: per(bare, sdk)},
		{what: "the same with edges", value: xml / sdk, unit: "x", limit: 5, least: true, note: per(xml, sdk)},
		{what: "Lambda JSON into batches with hash, edges / encoding/json structs", value: js / std, unit: "x", limit: 4, least: true, note: per(js, std)},
	}, nil
}

func ours(cat *catalog.Catalogue, kind string, items int, page []byte) (float64, error) {
	e, ok := cat.Entry(kind)
	if !ok {
		return 0, fmt.Errorf("no kind %s", kind)
	}
	return batches(listed(e.Spec), items, page)
}

// listed is a spec without what further calls would add.
func listed(s normalize.Spec) normalize.Spec {
	s.Sources = s.Sources[:1]
	s.Fields = slices.DeleteFunc(slices.Clone(s.Fields), func(f normalize.Field) bool { return f.Source > 0 })
	s.Edges = slices.DeleteFunc(slices.Clone(s.Edges), func(e normalize.EdgeExpr) bool { return e.Source > 0 })
	if s.Tags != nil && s.Tags.Source > 0 {
		s.Tags = nil
	}
	return s
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
func structs(service, op string, items int, page []byte) (float64, error) {
	svc, err := api.Lookup(service)
	if err != nil {
		return 0, err
	}
	t := goType(svc.Operations[op].Output, map[*api.Shape]bool{})
	return rate(items, func() error { return json.Unmarshal(page, reflect.New(t).Interface()) })
}

func goType(s *api.Shape, on map[*api.Shape]bool) reflect.Type {
	switch s.Type {
	case "structure":
		if on[s] {
			return reflect.TypeFor[json.RawMessage]()
		}
		on[s] = true
		defer delete(on, s)
		var fields []reflect.StructField
		for _, m := range s.Members {
			if m.Location != "" {
				continue
			}
			name := m.LocationName
			if name == "" {
				name = m.Name
			}
			fields = append(fields, reflect.StructField{
				Name: "F" + m.Name, Type: reflect.PointerTo(goType(m.Shape, on)),
				Tag: reflect.StructTag(fmt.Sprintf("json:%q", name)),
			})
		}
		return reflect.StructOf(fields)
	case "list":
		return reflect.SliceOf(goType(s.Elem, on))
	case "map":
		return reflect.MapOf(reflect.TypeFor[string](), goType(s.Value, on))
	case "boolean":
		return reflect.TypeFor[bool]()
	case "integer", "long":
		return reflect.TypeFor[int64]()
	case "float", "double", "timestamp":
		return reflect.TypeFor[float64]()
	}
	return reflect.TypeFor[string]()
}

// functionsPage is an answer of Lambda's ListFunctions, about 1.3 KB a function.
func functionsPage(n int) []byte {
	b := []byte(`{"Functions":[`)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"Architectures":["x86_64"],"CodeSha256":"kX1nVfQq4lrs+3EVrjVLdTYzNb4tCZ%06d=","CodeSize":%d,"Description":"Handles events of shop %d","Environment":{"Variables":{"STAGE":"prod","TABLE":"orders-%d"}},"EphemeralStorage":{"Size":512},`, i, 1000+i, i, i)
		b = fmt.Appendf(b, `"FunctionArn":"arn:aws:lambda:%s:%s:function:orders-%d","FunctionName":"orders-%d","Handler":"main.handler","LastModified":"2024-05-%02dT08:00:00.000+0000","Layers":[{"Arn":"arn:aws:lambda:%s:%s:layer:base:7","CodeSize":123456}],"LoggingConfig":{"LogFormat":"Text","LogGroup":"/aws/lambda/orders-%d"},`,
			benchRegion, benchAccount, i, i, 1+i%28, benchRegion, benchAccount, i)
		b = fmt.Appendf(b, `"MemorySize":%d,"PackageType":"Zip","RevisionId":"a6d2c1f0-0000-4000-8000-%012d","Role":"arn:aws:iam::%s:role/orders-%d","Runtime":"python3.13","RuntimeVersionConfig":{"RuntimeVersionArn":"arn:aws:lambda:%s::runtime:0cdcfbdefbc5e7d3343f73c2e2dd3cba17d61dea0686b404502a0c9ce83931b9"},"SnapStart":{"ApplyOn":"None","OptimizationStatus":"Off"},`,
			128+i%8*64, i, benchAccount, i%13, benchRegion)
		b = fmt.Appendf(b, `"Timeout":%d,"TracingConfig":{"Mode":"PassThrough"},"Version":"$LATEST","VpcConfig":{"Ipv6AllowedForDualStack":false,"SecurityGroupIds":["sg-%017x","sg-%017x"],"SubnetIds":["subnet-%017x","subnet-%017x"],"VpcId":"vpc-%017x"}}`,
			3+i%60, i%50, 50+i%7, i%40, i%39, i%10)
	}
	return append(b, `]}`...)
}
