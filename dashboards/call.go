package dashboards

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Call sends a request to a tool's API and decodes the JSON of its answer, of
// at most so many bytes, into out, unless that is nil. An answer that is no
// success is an error with what it says.
func Call(c *http.Client, req *http.Request, most int64, out any) (err error) {
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(text[:min(len(text), 2000)])))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
