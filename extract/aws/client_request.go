package aws

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// request serialises the input. What it returns lacks scheme and host.
func (o *operation) request(ctx context.Context, r Request) (*smithyhttp.Request, error) {
	values, err := o.complete(r.Input)
	if err != nil {
		return nil, err
	}
	req := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	in := &input{root: o.input, values: values}
	ctx = middleware.WithOperationName(ctx, o.op.Name)
	err = o.protocol.SerializeRequest(ctx, o.schema, in, req)
	if in.err != nil {
		return nil, in.err
	}
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if m := labels.FindStringSubmatch(req.URL.RawPath); m != nil {
		return nil, fmt.Errorf("missing member %s, which stands in the path of the request", o.memberOf(m[1]))
	}
	for name, vs := range serviceHeaders(o.svc) {
		if req.Header.Get(name) == "" {
			req.Header[name] = vs
		}
	}
	if o.op.Checksum {
		if err := checksum(req); err != nil {
			return nil, err
		}
	}
	for name, vs := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = vs
	}
	return req, nil
}

// labels are what is left of a URI's labels when no value was given.
var labels = regexp.MustCompile(`\{([A-Za-z0-9_.-]+)\+?\}`)

// memberOf is the name of the member that fills a label of the URI.
func (o *operation) memberOf(label string) string {
	if o.input != nil {
		for _, f := range o.input.order {
			if f.schema.MemberName() == label {
				return f.member.Name
			}
		}
	}
	return label
}

// complete checks what stands in the path and the host, whose lack the
// protocols would not notice, and fills idempotency tokens in.
func (o *operation) complete(values map[string]any) (map[string]any, error) {
	if o.input == nil {
		if len(values) > 0 {
			return nil, fmt.Errorf("the operation takes no input")
		}
		return nil, nil
	}
	if values == nil {
		values = map[string]any{}
	}
	copied := false
	for _, f := range o.input.order {
		m := f.member
		switch v := values[m.Name]; {
		case v != nil:
		case m.Location == "uri":
			return nil, fmt.Errorf("missing member %s, which stands in the path of the request", m.Name)
		case m.IdempotencyTok:
			if !copied {
				values, copied = clone(values), true
			}
			values[m.Name] = uuid.NewString()
		}
	}
	return values, nil
}

func clone(m map[string]any) map[string]any {
	c := make(map[string]any, len(m)+1)
	for k, v := range m {
		c[k] = v
	}
	return c
}

// hostPrefix is what stands before the endpoint's host.
func (o *operation) hostPrefix(values map[string]any) (string, error) {
	prefix := o.op.HostPrefix
	if !strings.Contains(prefix, "{") {
		return prefix, nil
	}
	for _, f := range o.input.order {
		if v, ok := values[f.member.Name].(string); ok && f.member.HostLabel {
			prefix = strings.ReplaceAll(prefix, "{"+f.member.Name+"}", v)
		}
	}
	if m := labels.FindStringSubmatch(prefix); m != nil {
		return "", fmt.Errorf("missing member %s, which stands in the host of the request", m[1])
	}
	if err := smithyhttp.ValidateEndpointHost(prefix + "host"); err != nil {
		return "", fmt.Errorf("a member of the host of the request: %w", err)
	}
	return prefix, nil
}

// serviceHeaders are the headers without which services answer something
// other than their descriptions say.
func serviceHeaders(svc *api.Service) http.Header {
	switch {
	case svc.Name == "apigateway":
		// Otherwise the answer is HAL, with other names.
		return http.Header{"Accept": {"application/json"}}
	case svc.Name == "glacier":
		return http.Header{"X-Amz-Glacier-Version": {svc.APIVersion}}
	case svc.QueryCompatible:
		return http.Header{"X-Amzn-Query-Mode": {"true"}}
	}
	return nil
}

// checksum adds the hash of the body that some of S3's writes insist on.
func checksum(req *smithyhttp.Request) error {
	h := md5.New()
	if s := req.GetStream(); s != nil {
		if _, err := io.Copy(h, s); err != nil {
			return err
		}
		if err := req.RewindStream(); err != nil {
			return err
		}
	}
	req.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(h.Sum(nil)))
	return nil
}
