package awsfake

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
)

// Error is an error of a service, sent in its protocol.
type Error struct {
	Code, Message string
	// Status is 400 if it is 0.
	Status int
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// failure writes an error in the protocol of the service.
func failure(r *Request, err error) *response {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: "InternalFailure", Message: err.Error(), Status: 500}
	}
	res := &response{status: e.Status, code: e.Code, header: http.Header{}}
	if res.status == 0 {
		res.status = 400
	}
	if r.Method == http.MethodHead {
		return res
	}
	text := func(s string) string {
		var b bytes.Buffer
		_ = xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	switch p := r.svc.Protocol; p {
	case "json", "rest-json":
		res.header.Set("Content-Type", contentType(r))
		doc := map[string]any{"message": e.Message}
		if p == "json" {
			doc["__type"] = "com.amazonaws." + r.Service + "#" + e.Code
		} else {
			res.header.Set("x-amzn-ErrorType", e.Code+":http://internal.amazon.com/coral/com.amazonaws."+r.Service+"/")
		}
		if r.svc.QueryCompatible {
			res.header.Set("x-amzn-query-error", e.Code+";Sender")
		}
		res.body, _ = json.Marshal(doc)
	case "smithy-rpc-v2-cbor":
		res.header.Set("Content-Type", contentType(r))
		res.header.Set("smithy-protocol", "rpc-v2-cbor")
		res.body = appendCBOR(nil, map[string]any{"__type": "com.amazonaws." + r.Service + "#" + e.Code, "message": e.Message})
	case "ec2":
		res.header.Set("Content-Type", "text/xml;charset=UTF-8")
		res.body = fmt.Appendf(nil, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>0</RequestID></Response>",
			text(e.Code), text(e.Message))
	default:
		res.header.Set("Content-Type", "text/xml")
		if r.Service == "s3" {
			res.body = fmt.Appendf(nil, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message><RequestId>0</RequestId></Error>", text(e.Code), text(e.Message))
			break
		}
		res.body = fmt.Appendf(nil, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>0</RequestId></ErrorResponse>", text(e.Code), text(e.Message))
	}
	return res
}

func contentType(r *Request) string {
	switch r.svc.Protocol {
	case "json":
		return "application/x-amz-json-" + r.svc.JSONVersion
	case "rest-json":
		return "application/json"
	case "smithy-rpc-v2-cbor":
		return "application/cbor"
	}
	return "text/xml"
}
