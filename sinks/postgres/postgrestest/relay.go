package postgrestest

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// Relay passes connections on to a server until it is cut. What comes then is
// taken and goes nowhere, as on a network that has lost its other half.
type Relay struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// NewRelay listens on a free port of 127.0.0.1. The caller closes it.
func (s *Server) NewRelay() (*Relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{listener: l, target: fmt.Sprintf("127.0.0.1:%d", s.Port)}
	go r.serve()
	return r, nil
}

// URL is that of a database of the server, by way of the relay.
func (r *Relay) URL(direct string) string {
	return strings.Replace(direct, r.target, r.listener.Addr().String(), 1)
}

func (r *Relay) serve() {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", r.target)
		if err != nil {
			in.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, in, out)
		r.mu.Unlock()
		go r.pass(in, out)
		go r.pass(out, in)
	}
}

// pass copies until an end closes, or to nowhere once the relay is cut.
func (r *Relay) pass(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		r.mu.Lock()
		cut := r.cut
		r.mu.Unlock()
		if cut {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if n > 0 {
			if _, failed := to.Write(buffer[:n]); failed != nil {
				return
			}
		}
		if err != nil {
			to.Close()
			return
		}
	}
}

// Cut stops passing anything on.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = true
}

// Mend passes on what is connected from now on, and ends what was cut.
func (r *Relay) Mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = false
	r.end()
}

// Close ends all connections.
func (r *Relay) Close() {
	r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
}

func (r *Relay) end() {
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}
