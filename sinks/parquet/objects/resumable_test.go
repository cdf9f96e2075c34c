package objects_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// resumable is a server of one resumable upload, as described on
// https://cloud.google.com/storage/docs/performing-resumable-uploads.
type resumable struct {
	t *testing.T
	// keep 2 stores half of what a request brings, in whole 256 KiB, as
	// Google may.
	keep int64

	mu     sync.Mutex
	data   []byte
	stored bool
}

func (s *resumable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Method == http.MethodDelete {
		s.t.Error("the upload is ended")
		return
	}
	if r.Method == http.MethodPost {
		w.Header().Set("Location", "http://"+r.Host+"/session?upload_id=1")
		return
	}
	span, total, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	if !ok {
		s.t.Errorf("%s with Content-Range %q", r.Method, r.Header.Get("Content-Range"))
	}
	last := false
	if span != "*" && !s.stored {
		var from, to int64
		if _, err := fmt.Sscanf(span, "%d-%d", &from, &to); err != nil || to-from+1 != int64(len(body)) {
			s.t.Errorf("Content-Range %q with %d bytes", r.Header.Get("Content-Range"), len(body))
		}
		if total == "*" && len(body)%(256<<10) != 0 {
			s.t.Errorf("a chunk of %d bytes that is not the last", len(body))
		}
		// What is stored already is not stored again.
		if have := int64(len(s.data)); from <= have && have <= to {
			body = body[have-from:]
			last = total == strconv.FormatInt(to+1, 10)
			if s.keep > 1 && len(body) > 1<<20 {
				body, last = body[:int64(len(body))/s.keep/(256<<10)*(256<<10)], false
			}
			s.data = append(s.data, body...)
		}
	}
	if last || s.stored {
		s.stored = true
		crc := binary.BigEndian.AppendUint32(nil, crc32.Checksum(s.data, crc32.MakeTable(crc32.Castagnoli)))
		_ = json.NewEncoder(w).Encode(map[string]string{
			"name": "p/kind/part-0.parquet", "size": strconv.Itoa(len(s.data)), "generation": "1", "crc32c": base64.StdEncoding.EncodeToString(crc),
		})
		return
	}
	if len(s.data) > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(s.data)-1))
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}
