package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// answer answers probes and Prometheus at an address, if it is not empty, until
// the function returned is called.
func (s *Server) answer(listen string) (address string, shutdown func(), err error) {
	if listen == "" {
		return "", func() {}, nil
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, fmt.Errorf("serve.listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.exposition.Handler(s.metrics.all()...))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	return listener.Addr().String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		<-done
	}, nil
}

// readyz says whether this process leads, or knows who does.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	state := struct {
		Ready  bool   `json:"ready"`
		Leads  bool   `json:"leads"`
		Leader string `json:"leader,omitempty"`
		Doing  string `json:"doing,omitempty"`
		Ending bool   `json:"ending,omitempty"`
	}{(s.leads || s.standby != "") && !s.ending, s.leads, s.standby, s.doing, s.ending}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if !state.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(state)
}
