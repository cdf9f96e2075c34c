package gcp

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
)

// errorBody is an error as Google writes it, with the reasons of either of
// the two shapes: https://cloud.google.com/apis/design/errors#error_model and
// https://cloud.google.com/storage/docs/json_api/v1/status-codes.
type errorBody struct {
	Code    int           `json:"code,omitempty"`
	Message string        `json:"message,omitempty"`
	Status  string        `json:"status,omitempty"`
	Errors  []errorItem   `json:"errors,omitempty"`
	Details []errorDetail `json:"details,omitempty"`
}

type errorItem struct {
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

type errorDetail struct {
	Type       string            `json:"@type,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	RetryDelay string            `json:"retryDelay,omitempty"`
}

const errorInfo = "type.googleapis.com/google.rpc.ErrorInfo"

// judge returns the error that an answer is, or nil.
func (o *operation) judge(e *APIError, status int, _ http.Header, body []byte) *APIError {
	e.HTTPStatus = status
	if status < 200 || status > 299 {
		e.refusal(body)
		return e
	}
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	fault := ""
	switch {
	case len(trimmed) == 0:
		if o.empty {
			return nil
		}
		fault = "the answer is empty"
	case trimmed[0] == '{' && (o.hasError || !isError(trimmed)):
		return nil
	case trimmed[0] == '{' || trimmed[0] == '[' && isError(bytes.TrimSpace(trimmed[1:])):
		// An error document under a success.
		if e.refusal(body); e.Status != "" || len(e.reasons) > 0 || e.Message != "" {
			return e
		}
		fault = "the answer is an error"
	default:
		fault = "the answer is no JSON object"
	}
	e.class, e.Code, e.Message, e.Body = classUnusable, "", fault, extract.Excerpt(body)
	return e
}

// isError says whether an object's first member is the error.
func isError(b []byte) bool {
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("{")))
	return bytes.HasPrefix(b, []byte(`"error"`))
}

// refusal reads an answer that is not a success.
func (e *APIError) refusal(body []byte) {
	e.class = classAnswer
	var b errorBody
	if raw, text := unwrapError(body); raw != nil {
		_ = json.Unmarshal(raw, &b)
	} else {
		b.Message = text
	}
	e.Status, e.Message = b.Status, b.Message
	for _, d := range b.Details {
		switch {
		case d.Reason != "":
			e.reasons = append(e.reasons, d.Reason)
			if v := d.Metadata["consumer"]; v != "" && e.Consumer == "" {
				e.Consumer = v
			}
		case strings.HasSuffix(d.Type, "google.rpc.RetryInfo"):
			if t, err := time.ParseDuration(d.RetryDelay); err == nil {
				e.after = min(max(t, 0), time.Minute)
			}
		}
	}
	for _, i := range b.Errors {
		if i.Reason != "" {
			e.reasons = append(e.reasons, i.Reason)
		}
		if e.Message == "" {
			e.Message = i.Message
		}
	}
	switch {
	case len(e.reasons) > 0:
		e.Code = e.reasons[0]
	case e.Status != "":
		e.Code = e.Status
	default:
		e.Code = strconv.Itoa(e.HTTPStatus)
	}
	if e.Message == "" && e.Status == "" {
		e.Body = extract.Excerpt(body)
	}
	// The older shape names the project in its text alone.
	if m := disabledIn.FindStringSubmatch(e.Message); e.Consumer == "" && m != nil && e.ServiceDisabled() {
		e.Consumer = "projects/" + m[1]
	}
}

var disabledIn = regexp.MustCompile(`has not been used in project ([a-z0-9:.-]+[a-z0-9]) before`)

// unwrapError finds the error in an answer: an object, one in a list, or the
// text of an OAuth server.
func unwrapError(body []byte) (object []byte, text string) {
	type wrapper struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
	}
	var w wrapper
	if json.Unmarshal(body, &w) != nil {
		var list []wrapper
		if json.Unmarshal(body, &list) != nil || len(list) == 0 {
			return nil, ""
		}
		w = list[0]
	}
	if len(w.Error) > 0 && w.Error[0] == '{' {
		return w.Error, ""
	}
	if json.Unmarshal(w.Error, &text) == nil && w.Description != "" {
		text += ": " + w.Description
	}
	return nil, text
}

// conceal masks the token in what an answer says.
func (e *APIError) conceal(token string) {
	if len(token) < 8 {
		return
	}
	e.Message = strings.ReplaceAll(e.Message, token, "***")
	e.Body = strings.ReplaceAll(e.Body, token, "***")
}
