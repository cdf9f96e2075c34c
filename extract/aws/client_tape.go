package aws

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/dewpoint-data/dewpoint/extract"
)

// tapeKey identifies the call on a tape.
func (r *Request) tapeKey() (extract.TapeKey, error) {
	in, err := canonicalInput(r.Input)
	return extract.TapeKey{Account: r.Account.ID, Region: r.region(), Service: r.Service.Name, Operation: r.Op.Name, Input: in}, err
}

// play answers a call from the tape.
func (c *Client) play(op *operation, r Request) (*Response, error) {
	k, err := r.tapeKey()
	if err != nil {
		return nil, err
	}
	x, err := c.opts.Player.Play(k)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	for name, v := range x.Header {
		h.Set(name, v)
	}
	if e := op.judge(c.errorFor(op, r, endpoint{}), x.Status, h, x.Body); e != nil {
		return nil, e
	}
	return &Response{Body: x.Body, Header: h, Status: x.Status}, nil
}

// record gives the recorder what came of a call: an answer, or a refusal.
func (c *Client) record(op *operation, r Request, resp *Response, err error) error {
	// Calls that find out who the caller is are made before the account is known.
	if c.opts.Recorder == nil || r.Account.ID == "" || secretive(op.svc.Name, op.op.Name) {
		return nil
	}
	k, kerr := r.tapeKey()
	if kerr != nil {
		return kerr
	}
	var x extract.Exchange
	var e *APIError
	switch {
	case err == nil:
		x = extract.Exchange{Status: resp.Status, Header: op.keptHeaders(resp.Header), Body: resp.Body}
		if r.Redact != nil {
			x.Body = r.Redact(x.Body)
		}
	case errors.As(err, &e) && e.class == classAnswer:
		x = e.exchange(op.svc.Protocol)
	default:
		return nil // the network's failures are not the cloud's state
	}
	return c.opts.Recorder.Record(k, x)
}

// keptHeaders are the headers that belong to the output.
func (o *operation) keptHeaders(h http.Header) map[string]string {
	kept := map[string]string{}
	keep := func(name string) {
		if v := h.Get(name); v != "" {
			kept[http.CanonicalHeaderKey(name)] = v
		}
	}
	keep("Content-Type")
	keep("Etag")
	if o.op.Output != nil {
		for i := range o.op.Output.Members {
			switch m := &o.op.Output.Members[i]; m.Location {
			case "header":
				if m.LocationName != "" {
					keep(m.LocationName)
				} else {
					keep(m.Name)
				}
			case "headers":
				for name := range h {
					if strings.HasPrefix(strings.ToLower(name), strings.ToLower(m.LocationName)) {
						keep(name)
					}
				}
			}
		}
	}
	return kept
}

// secretive reports operations whose answers are credentials, of which none
// is recorded.
func secretive(service, op string) bool {
	switch service {
	case "sts":
		return op != "GetCallerIdentity"
	case "sso", "sso-oidc", "signin", "cognito-identity", "cognito-idp":
		return !strings.HasPrefix(op, "List") && !strings.HasPrefix(op, "Describe")
	case "ec2":
		return op == "GetPasswordData" || op == "CreateKeyPair"
	case "ecr", "ecr-public":
		return op == "GetAuthorizationToken"
	case "codeartifact":
		return op == "GetAuthorizationToken"
	case "iam":
		return op == "CreateAccessKey" || op == "CreateServiceSpecificCredential" || op == "ResetServiceSpecificCredential" || op == "CreateVirtualMFADevice"
	case "secretsmanager":
		return op == "GetSecretValue" || op == "BatchGetSecretValue" || op == "GetRandomPassword"
	case "ssm":
		return strings.HasPrefix(op, "GetParameter")
	case "kms":
		return strings.HasPrefix(op, "GenerateDataKey") || op == "Decrypt"
	case "redshift", "redshift-serverless":
		return strings.HasPrefix(op, "GetClusterCredentials") || op == "GetCredentials"
	}
	return false
}

// exchange is the refusal as the service could have said it: code and message
// without what else the answer quoted.
func (e *APIError) exchange(protocol string) extract.Exchange {
	x := extract.Exchange{Status: e.Status}
	if e.Status >= 200 && e.Status < 300 {
		x.Status = http.StatusBadRequest
	}
	if _, err := strconv.Atoi(e.Code); err == nil {
		return x
	}
	switch protocol {
	case "json", "rest-json":
		x.Header = map[string]string{"Content-Type": "application/json"}
		if e.OldCode != "" {
			x.Header["X-Amzn-Query-Error"] = e.OldCode + ";Sender"
		}
		x.Body, _ = json.Marshal(map[string]string{"__type": e.Code, "message": e.Message})
	case "smithy-rpc-v2-cbor":
		x.Header = map[string]string{"Content-Type": "application/cbor"}
		x.Body = cbor.Encode(cbor.Map{"__type": cbor.String(e.Code), "message": cbor.String(e.Message)})
	default:
		x.Header = map[string]string{"Content-Type": "text/xml"}
		var b bytes.Buffer
		b.WriteString("<ErrorResponse><Error><Code>")
		_ = xml.EscapeText(&b, []byte(e.Code))
		b.WriteString("</Code><Message>")
		_ = xml.EscapeText(&b, []byte(e.Message))
		b.WriteString("</Message></Error></ErrorResponse>")
		x.Body = b.Bytes()
	}
	return x
}
