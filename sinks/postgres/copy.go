package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// target is a staging table and how its rows are sent.
type target struct {
	copy       string // the COPY statement
	schema     *arrow.Schema
	positioned bool
	jsonb      func(i int) bool
	rows       atomic.Int64 // sent so far
}

// newTarget names a staging table and its columns.
func (s *Sink) newTarget(table string, columns []string, sc *arrow.Schema) *target {
	return &target{
		copy:   fmt.Sprintf("COPY %s.%s (%s) FROM STDIN (FORMAT binary)", ident(s.cfg.staging), ident(table), idents("", columns)),
		schema: sc, jsonb: func(int) bool { return false },
	}
}

// kindTarget is the staging table of a kind: the rows' positions and the
// columns of its batches.
func (s *Sink) kindTarget(k *schema.Kind) *target {
	columns := []string{"_pos"}
	batch := k.BatchColumns()
	for _, c := range batch {
		columns = append(columns, c.Name)
	}
	t := s.newTarget(k.Name, columns, k.BatchSchema())
	t.positioned = true
	t.jsonb = func(i int) bool { return batch[i].Type == schema.JSON }
	return t
}

// copier sends record batches to staging tables by several connections. A
// COPY goes on while batches of its table come.
type copier struct {
	sink *Sink
	ctx  context.Context
	stop context.CancelFunc
	jobs chan job

	mu      sync.Mutex
	workers int
	err     error
	failed  chan struct{} // closed with the first error
	ended   sync.WaitGroup
	open    sync.WaitGroup // jobs that are not yet sent
}

type job struct {
	to    *target
	rec   arrow.RecordBatch
	first int64
}

// What a COPY sends at most, so that it ends before a statement timeout, and
// what is encoded at once.
const (
	copyBytes  = 256 << 20
	chunkBytes = 60 << 10
)

// idleTime is how long a connection may have been idle to be used again.
const idleTime = 20 * time.Second

func newCopier(ctx context.Context, s *Sink) *copier {
	c := &copier{sink: s, jobs: make(chan job, 2), failed: make(chan struct{})}
	c.ctx, c.stop = context.WithCancel(ctx)
	return c
}

// put queues a batch. It blocks while all connections are busy.
func (c *copier) put(to *target, rec arrow.RecordBatch, first int64) error {
	rec.Retain()
	c.open.Add(1)
	to.rows.Add(rec.NumRows())
	j := job{to, rec, first}
	select {
	case c.jobs <- j:
		c.start(1)
		return nil
	default:
		c.start(c.sink.cfg.connections)
	}
	select {
	case c.jobs <- j:
		return nil
	case <-c.failed:
	case <-c.ctx.Done():
	}
	c.done(j)
	return c.cause()
}

func (c *copier) done(j job) {
	if j.rec != nil {
		j.rec.Release()
	}
	c.open.Done()
}

// start adds a worker up to a number of them.
func (c *copier) start(most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.workers >= most || c.err != nil {
		return
	}
	c.workers++
	c.ended.Go(c.work)
}

// flush waits until everything is sent and returns the first error.
func (c *copier) flush() error {
	c.open.Wait()
	return c.cause()
}

// close ends the workers; what is queued is dropped.
func (c *copier) close() {
	c.stop()
	c.ended.Wait()
	for {
		select {
		case j := <-c.jobs:
			c.done(j)
		default:
			return
		}
	}
}

func (c *copier) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		return c.ctx.Err()
	}
	return c.err
}

func (c *copier) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && err != nil {
		c.err = err
		close(c.failed)
	}
}

// work is one connection's life. After an error it goes on to drop batches, so
// that nobody waits for them.
func (c *copier) work() {
	w := &worker{copier: c, encoders: map[*target]*encoder{}}
	defer func() {
		if w.conn != nil {
			w.conn.close()
		}
	}()
	var next *job
	for {
		var j job
		if next != nil {
			j, next = *next, nil
		} else {
			select {
			case j = <-c.jobs:
			case <-c.ctx.Done():
				return
			}
		}
		if c.cause() != nil {
			c.done(j)
			continue
		}
		var err error
		if next, err = w.send(j); err != nil {
			c.fail(err)
		}
	}
}

// worker is a connection with its encoders.
type worker struct {
	*copier
	conn     *conn
	used     time.Time // when conn was last used
	encoders map[*target]*encoder
	buf      []byte
}

// send copies a batch and those of the same table that wait behind it. It
// returns the batch of another table that it met.
func (w *worker) send(j job) (*job, error) {
	s := &copyStream{worker: w, to: j.to}
	err := s.run(j)
	for _, j := range s.sent {
		w.done(j)
	}
	if err != nil {
		return s.next, fmt.Errorf("stage: %w", err)
	}
	return s.next, nil
}

func (s *copyStream) run(j job) error {
	s.sent = append(s.sent, j)
	w := s.worker
	var err error
	// What stands between may have dropped a connection that was idle.
	if w.conn != nil && time.Since(w.used) > idleTime {
		w.conn.close()
		w.conn = nil
	}
	defer func() { w.used = time.Now() }()
	if w.conn == nil {
		if w.conn, err = w.sink.connect(w.ctx); err != nil {
			return err
		}
	}
	if s.enc = w.encoders[j.to]; s.enc == nil {
		if s.enc, err = newEncoder(j.to.schema, j.to.positioned, j.to.jsonb); err != nil {
			return err
		}
		w.encoders[j.to] = s.enc
	}
	s.take(j)
	s.buf = append(w.buf[:0], copyHeader...)
	defer func() { w.buf = s.buf[:0] }()
	timeout := w.sink.cfg.statementTimeout > 0
	if timeout {
		if err := w.conn.begin(w.ctx); err != nil {
			return err
		}
	}
	if _, err := w.conn.pg.CopyFrom(w.ctx, s, j.to.copy); err != nil {
		return w.conn.failed(err, j.to.copy)
	}
	if timeout {
		return w.conn.exec(w.ctx, "COMMIT")
	}
	return nil
}

// copyStream is the data of one COPY.
type copyStream struct {
	*worker
	to   *target
	enc  *encoder
	sent []job // all that belong to the COPY, the last one being encoded
	next *job
	row  int
	buf  []byte
	pos  int // what of buf is read
	read int
	last bool // the trailer is in buf
}

func (s *copyStream) take(j job) {
	s.enc.open(j.rec)
	s.row = 0
}

// Read encodes rows as they are asked for.
func (s *copyStream) Read(p []byte) (int, error) {
	if s.pos == len(s.buf) {
		if s.last {
			return 0, io.EOF
		}
		s.buf, s.pos = s.buf[:0], 0
	}
	if !s.last && s.pos == 0 {
		s.fill()
	}
	n := copy(p, s.buf[s.pos:])
	s.pos += n
	s.read += n
	return n, nil
}

func (s *copyStream) fill() {
	for len(s.buf) < chunkBytes {
		j := s.sent[len(s.sent)-1]
		if s.row < int(j.rec.NumRows()) {
			s.buf = s.enc.row(s.buf, s.row, j.first+int64(s.row))
			s.row++
			continue
		}
		if !s.more() {
			s.buf = append(s.buf, copyTrailer...)
			s.last = true
			return
		}
	}
}

// more takes a waiting batch of the same table.
func (s *copyStream) more() bool {
	if s.read > copyBytes {
		return false
	}
	select {
	case j := <-s.jobs:
		if j.to != s.to {
			s.next = &j
			return false
		}
		// The batch before is encoded; its COPY is not yet over, but its
		// memory can go.
		s.sent[len(s.sent)-1].rec.Release()
		s.sent[len(s.sent)-1].rec = nil
		s.sent = append(s.sent, j)
		s.take(j)
		return true
	default:
		return false
	}
}

// store is the stage.Store of a sync.
type store struct {
	*copier
	kinds                   []*target
	readings, edges, scopes *target
	// long says of the columns of textIndexes whether a text is too long for
	// an index.
	long map[string]*atomic.Bool
}

func (s *Sink) newStore(c *copier, kinds []*schema.Kind) *store {
	names := func(sc *arrow.Schema) []string {
		var all []string
		for _, f := range sc.Fields() {
			name := f.Name
			if name == "row_pos" {
				name = "pos"
			}
			all = append(all, name)
		}
		return all
	}
	st := &store{
		copier:   c,
		long:     map[string]*atomic.Bool{"id": {}, "name": {}, "urn": {}},
		readings: s.newTarget("_readings", names(stage.ReadingSchema), stage.ReadingSchema),
		edges:    s.newTarget("_edges", names(stage.EdgeSchema), stage.EdgeSchema),
		scopes:   s.newTarget("_scopes", names(stage.ScopeSchema), stage.ScopeSchema),
	}
	for _, k := range kinds {
		st.kinds = append(st.kinds, s.kindTarget(k))
	}
	return st
}

func (s *store) PutRows(k *stage.Kind, rec arrow.RecordBatch, first int64) error {
	for column, i := range map[string]int{"id": schema.ColVendorID, "name": schema.ColName, "urn": schema.ColURN} {
		if longest(rec.Column(i)) > longText {
			s.long[column].Store(true)
		}
	}
	return s.put(s.kinds[k.Index], rec, first)
}

// longest returns the length of the longest text.
func longest(a arrow.Array) int32 {
	s, ok := a.(*array.String)
	if !ok || s.Len() == 0 {
		return 0
	}
	var n int32
	offsets := s.ValueOffsets()
	for i := range s.Len() {
		n = max(n, offsets[i+1]-offsets[i])
	}
	return n
}

func (s *store) PutReadings(rec arrow.RecordBatch) error { return s.put(s.readings, rec, 0) }
func (s *store) PutEdges(rec arrow.RecordBatch) error    { return s.put(s.edges, rec, 0) }
func (s *store) PutScopes(rec arrow.RecordBatch) error   { return s.put(s.scopes, rec, 0) }

// load sends records to a table of the transaction that the connection is in.
func (c *conn) load(ctx context.Context, to *target, rec arrow.RecordBatch) error {
	enc, err := newEncoder(to.schema, to.positioned, to.jsonb)
	if err != nil {
		return err
	}
	enc.open(rec)
	buf := append([]byte{}, copyHeader...)
	for i := range int(rec.NumRows()) {
		buf = enc.row(buf, i, 0)
	}
	if _, err := c.pg.CopyFrom(ctx, bytes.NewReader(append(buf, copyTrailer...)), to.copy); err != nil {
		return c.failed(err, to.copy)
	}
	return nil
}
