package aws

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dewpoint-data/dewpoint/extract"
)

// refusal reads an answer that is not a success.
func (o *operation) refusal(e *APIError, status int, h http.Header, body []byte) {
	e.class, e.Status = classAnswer, status
	e.Code, e.Message = o.errorCode(status, h, body)
	e.OldCode, _, _ = strings.Cut(h.Get("X-Amzn-Query-Error"), ";")
	e.RequestID = requestID(h, body)
	if e.Code == "" {
		e.Code = strconv.Itoa(status)
		e.Body = extract.Excerpt(body)
	}
	for _, d := range o.op.Errors {
		if d.Code == e.Code {
			e.retryable = e.retryable || d.Retryable
			e.throttles = e.throttles || d.Throttles
		}
	}
}

// errorCode has the protocol decode the error. Both are empty where the body
// is no error document.
func (o *operation) errorCode(status int, h http.Header, body []byte) (code, message string) {
	if status >= 200 && status < 300 {
		status = http.StatusBadRequest // an error document under a success
	}
	resp := &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body))}}
	err := o.protocol.DeserializeResponse(context.Background(), o.schema, &smithy.TypeRegistry{}, resp, nil)
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() == "UnknownError" {
		// API Gateway's own refusals have no code, but may have a message.
		if errors.As(err, &api) && api.ErrorMessage() != "UnknownError" {
			message = api.ErrorMessage()
		}
		return "", message
	}
	if message = api.ErrorMessage(); message == "UnknownError" {
		message = ""
	}
	return api.ErrorCode(), message
}

// unusable tells why the body of a success cannot be the output: proxies and
// captive portals answer 200 with a page, and some services an error document.
func (o *operation) unusable(h http.Header, body []byte) string {
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if len(trimmed) == 0 || o.rawPayload() {
		return ""
	}
	switch o.svc.Protocol {
	case "query", "ec2":
		if root := rootElement(trimmed); root != o.op.Name+"Response" {
			return "the answer's root is " + describe(root) + ", not " + o.op.Name + "Response"
		}
	case "rest-xml":
		switch root := rootElement(trimmed); strings.ToLower(root) {
		case "", "html", "error", "errorresponse":
			return "the answer's root is " + describe(root)
		}
	case "json", "rest-json":
		if trimmed[0] != '{' && trimmed[0] != '[' {
			return "the answer is not JSON"
		}
	}
	return ""
}

func describe(root string) string {
	if root == "" {
		return "not XML"
	}
	return root
}

// rawPayload reports that the body is the value of one member and has no form
// of its own.
func (o *operation) rawPayload() bool {
	out := o.op.Output
	if out == nil || out.Payload == "" {
		return false
	}
	m := out.Member(out.Payload)
	return m != nil && (m.Shape.Type == "blob" || m.Shape.Type == "string" || m.Streaming)
}

// rootElement is the local name of a document's root, empty if it is not XML.
func rootElement(body []byte) string {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.RawToken()
		if err != nil {
			return ""
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t.Name.Local
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return ""
			}
		}
	}
}

// requestIDs matches the id in the error documents of the XML protocols.
var requestIDs = regexp.MustCompile(`<(?:RequestId|RequestID|requestId)>([^<]{1,100})<`)

func requestID(h http.Header, body []byte) string {
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Request-Id", "X-Amz-Requestid", "X-Amz-Cf-Id"} {
		if v := h.Get(name); v != "" {
			return v
		}
	}
	if m := requestIDs.FindSubmatch(body); m != nil {
		return string(m[1])
	}
	return ""
}

// conceal masks credentials in what a service says. Answers to a request with
// a wrong signature quote the request, its session token included.
func conceal(text string, c aws.Credentials) string {
	for _, marker := range []string{"The Canonical String for this request", "The canonical string for this request", "<CanonicalRequest>", "<StringToSign>"} {
		if i := strings.Index(text, marker); i >= 0 {
			text = strings.TrimSpace(text[:i])
		}
	}
	for _, secret := range []string{c.SecretAccessKey, c.SessionToken, c.AccessKeyID} {
		if len(secret) >= 8 {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}
