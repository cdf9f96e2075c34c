package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// model is a service-2.json file.
type model struct {
	Metadata   metadata              `json:"metadata"`
	Operations map[string]*operation `json:"operations"`
	Shapes     map[string]*shape     `json:"shapes"`
}

type metadata struct {
	APIVersion         string          `json:"apiVersion"`
	EndpointPrefix     string          `json:"endpointPrefix"`
	JSONVersion        string          `json:"jsonVersion"`
	Protocol           string          `json:"protocol"`
	Protocols          []string        `json:"protocols"`
	ServiceFullName    string          `json:"serviceFullName"`
	ServiceID          string          `json:"serviceId"`
	SignatureVersion   string          `json:"signatureVersion"`
	Auth               []string        `json:"auth"`
	SigningName        string          `json:"signingName"`
	TargetPrefix       string          `json:"targetPrefix"`
	XMLNamespace       xmlNamespace    `json:"xmlNamespace"`
	AWSQueryCompatible json.RawMessage `json:"awsQueryCompatible"`
}

// xmlNamespace is a text, or an object with prefix and uri.
type xmlNamespace struct{ Prefix, URI string }

func (n *xmlNamespace) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &n.URI)
	}
	var o struct {
		Prefix string `json:"prefix"`
		URI    string `json:"uri"`
	}
	err := json.Unmarshal(b, &o)
	n.Prefix, n.URI = o.Prefix, o.URI
	return err
}

type operation struct {
	Name string `json:"name"`
	HTTP struct {
		Method     string `json:"method"`
		RequestURI string `json:"requestUri"`
	} `json:"http"`
	Input, Output *ref
	Errors        []ref  `json:"errors"`
	Documentation string `json:"documentation"`
	Endpoint      struct {
		HostPrefix string `json:"hostPrefix"`
	} `json:"endpoint"`
	EndpointDiscovery *struct {
		Required bool `json:"required"`
	} `json:"endpointdiscovery"`
	AuthType             string   `json:"authtype"`
	Auth                 []string `json:"auth"`
	HTTPChecksumRequired bool     `json:"httpChecksumRequired"`
	HTTPChecksum         struct {
		RequestChecksumRequired bool `json:"requestChecksumRequired"`
	} `json:"httpChecksum"`
	Deprecated          bool `json:"deprecated"`
	StaticContextParams map[string]struct {
		Value any `json:"value"`
	} `json:"staticContextParams"`
}

// ref refers to a shape and overrides its traits.
type ref struct {
	Shape            string       `json:"shape"`
	Documentation    string       `json:"documentation"`
	Location         string       `json:"location"`
	LocationName     string       `json:"locationName"`
	QueryName        string       `json:"queryName"`
	ResultWrapper    string       `json:"resultWrapper"`
	XMLNamespace     xmlNamespace `json:"xmlNamespace"`
	Flattened        bool         `json:"flattened"`
	XMLAttribute     bool         `json:"xmlAttribute"`
	TimestampFormat  string       `json:"timestampFormat"`
	IdempotencyToken bool         `json:"idempotencyToken"`
	HostLabel        bool         `json:"hostLabel"`
	JSONValue        bool         `json:"jsonvalue"`
	Streaming        bool         `json:"streaming"`
	Error            *errorInfo   `json:"error"`
	ContextParam     *struct {
		Name string `json:"name"`
	} `json:"contextParam"`
}

type errorInfo struct {
	Code           string `json:"code"`
	HTTPStatusCode int    `json:"httpStatusCode"`
}

type shape struct {
	Type            string       `json:"type"`
	Documentation   string       `json:"documentation"`
	Members         members      `json:"members"`
	Member          *ref         `json:"member"`
	Key             *ref         `json:"key"`
	Value           *ref         `json:"value"`
	Required        []string     `json:"required"`
	Enum            []string     `json:"enum"`
	Min             *float64     `json:"min"`
	Max             *float64     `json:"max"`
	Pattern         string       `json:"pattern"`
	LocationName    string       `json:"locationName"`
	XMLNamespace    xmlNamespace `json:"xmlNamespace"`
	TimestampFormat string       `json:"timestampFormat"`
	Payload         string       `json:"payload"`
	Flattened       bool         `json:"flattened"`
	Sensitive       bool         `json:"sensitive"`
	Document        bool         `json:"document"`
	Union           bool         `json:"union"`
	EventStream     bool         `json:"eventstream"`
	Streaming       bool         `json:"streaming"`
	Exception       bool         `json:"exception"`
	Error           *errorInfo   `json:"error"`
	Retryable       *struct {
		Throttling bool `json:"throttling"`
	} `json:"retryable"`
}

// members keeps the order of the file.
type members struct {
	names []string
	refs  map[string]*ref
}

func (m *members) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	m.names, m.refs = nil, map[string]*ref{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return fmt.Errorf("member name expected, got %v", t)
		}
		r := new(ref)
		if err := d.Decode(r); err != nil {
			return fmt.Errorf("member %s: %w", name, err)
		}
		m.names = append(m.names, name)
		m.refs[name] = r
	}
	return nil
}

// pagination is an entry of a paginators-1.json file.
type pagination struct {
	InputToken  texts  `json:"input_token"`
	OutputToken texts  `json:"output_token"`
	MoreResults string `json:"more_results"`
	LimitKey    string `json:"limit_key"`
	ResultKey   texts  `json:"result_key"`
}

// texts is one text or a list of them.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*t = make(texts, 1)
		return json.Unmarshal(b, &(*t)[0])
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// source is the newest version of a service in botocore's data.
type source struct {
	name   string
	model  *model
	pagers map[string]*pagination
	rules  *ruleset
}

// readSource reads the newest version of a service, with what botocore
// merges into it.
func readSource(w *wheel, name string) (*source, error) {
	versions := w.dirs("botocore/data/" + name)
	if len(versions) == 0 {
		return nil, fmt.Errorf("service %s has no version", name)
	}
	dir := path.Join("botocore/data", name, slices.Max(versions))
	s := &source{name: name, model: new(model)}
	if err := w.merged(dir, "service-2", s.model); err != nil {
		return nil, err
	}
	var p struct {
		Pagination map[string]*pagination `json:"pagination"`
	}
	if err := w.merged(dir, "paginators-1", &p); err != nil {
		return nil, err
	}
	s.pagers = p.Pagination
	rules, err := w.read(path.Join(dir, "endpoint-rule-set-1.json"))
	if err != nil {
		return nil, err
	}
	s.rules = new(ruleset)
	if err := json.Unmarshal(rules, s.rules); err != nil {
		return nil, fmt.Errorf("%s/endpoint-rule-set-1: %w", dir, err)
	}
	return s, nil
}

// protocol returns the protocol in use, of those the service has.
func (m metadata) protocol() string {
	has := m.Protocols
	if len(has) == 0 {
		has = []string{m.Protocol}
	}
	for _, p := range []string{"json", "ec2", "query", "rest-json", "rest-xml", "smithy-rpc-v2-cbor"} {
		if slices.Contains(has, p) {
			return p
		}
	}
	return strings.Join(has, ",")
}
