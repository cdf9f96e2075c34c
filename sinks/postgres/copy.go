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
	"github.com/apache/arrow-go/v18/arrow/util"

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
	sink  *Sink
	ctx   context.Context
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond // of what follows
	queued  map[*target][]job
	bytes   int64 // of what is queued
	open    int   // batches that are queued or being sent
	workers int
	err     error // the first one: all batches are dropped after it
	closed  bool
}

type job struct {
	to    *target
	rec   arrow.RecordBatch
	first int64
	bytes int64
}

// What a COPY sends at most, so that it ends before a statement timeout, what
// is encoded at once, what is queued at most, and how much of what goes along
// with the rows is gathered before it interrupts them.
const (
	copyBytes   = 256 << 20
	chunkBytes  = 60 << 10
	queueBytes  = 24 << 20
	gatherBytes = 8 << 20
)

// idleTime is how long a connection may have been idle to be used again.
const idleTime = 20 * time.Second

func newCopier(ctx context.Context, s *Sink) *copier {
	c := &copier{sink: s, queued: map[*target][]job{}}
	c.changed = sync.NewCond(&c.mu)
	c.ctx, c.stop = context.WithCancel(ctx)
	return c
}

// put queues a batch. It blocks while all connections are busy.
func (c *copier) put(to *target, rec arrow.RecordBatch, first int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes > 0 {
		c.start(c.sink.cfg.connections)
	}
	for c.bytes > queueBytes && c.err == nil && !c.closed {
		c.changed.Wait()
	}
	if c.err != nil {
		return c.err
	}
	if c.closed {
		return context.Canceled
	}
	rec.Retain()
	j := job{to: to, rec: rec, first: first, bytes: util.TotalRecordSize(rec)}
	to.rows.Add(rec.NumRows())
	c.queued[to] = append(c.queued[to], j)
	c.bytes += j.bytes
	c.open++
	c.start(1)
	c.changed.Broadcast()
	return nil
}

// start adds a worker up to a number of them, under the lock.
func (c *copier) start(most int) {
	if c.workers < most && c.err == nil && !c.closed {
		c.workers++
		c.ended.Go(c.work)
	}
}

// take returns a batch of the table that is asked for, if one waits. Without a
// table it waits for any: rows come first, and what goes along with them once
// enough of it has come together or no rows wait.
func (c *copier) take(of *target) (job, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for of == nil && !c.closed {
		var most int64
		for t, jobs := range c.queued {
			var n int64
			for _, j := range jobs {
				n += j.bytes
			}
			if !t.positioned && n < gatherBytes {
				n = 0 // behind all rows
			}
			if len(jobs) > 0 && n+1 > most {
				of, most = t, n+1
			}
		}
		if of == nil {
			c.changed.Wait()
		}
	}
	if c.closed || len(c.queued[of]) == 0 {
		return job{}, false
	}
	j := c.queued[of][0]
	c.queued[of] = c.queued[of][1:]
	c.bytes -= j.bytes
	c.changed.Broadcast()
	return j, true
}

// done drops batches that are sent or never will be.
func (c *copier) done(jobs ...job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range jobs {
		if j.rec != nil {
			j.rec.Release()
		}
		c.open--
	}
	c.changed.Broadcast()
}

// flush waits until everything is sent and returns the first error.
func (c *copier) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.open > 0 && c.err == nil && !c.closed {
		c.changed.Wait()
	}
	if c.err == nil && c.closed {
		return context.Canceled
	}
	return c.err
}

// close ends the workers; what is queued is dropped.
func (c *copier) close() {
	c.mu.Lock()
	c.closed = true
	c.changed.Broadcast()
	c.mu.Unlock()
	c.stop()
	c.ended.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, jobs := range c.queued {
		for _, j := range jobs {
			j.rec.Release()
		}
	}
	c.queued, c.bytes, c.open = map[*target][]job{}, 0, 0
}

func (c *copier) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.changed.Broadcast()
}

// work is one connection's life: until the copier is closed or a COPY fails.
func (c *copier) work() {
	w := &worker{copier: c, encoders: map[*target]*encoder{}}
	defer func() {
		if w.conn != nil {
			w.conn.close()
		}
	}()
	for {
		j, ok := c.take(nil)
		if !ok {
			return
		}
		if err := w.send(j); err != nil {
			c.fail(err)
			return
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

// send copies a batch and those of the same table that wait behind it.
func (w *worker) send(j job) error {
	s := &copyStream{worker: w, to: j.to}
	err := s.run(j)
	w.done(s.sent...)
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	return nil
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
	s.encode(j)
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
	row  int
	buf  []byte
	pos  int // what of buf is read
	read int
	last bool // the trailer is in buf
}

func (s *copyStream) encode(j job) {
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
	j, ok := s.copier.take(s.to)
	if !ok {
		return false
	}
	// The batch before is encoded; its COPY is not yet over, but its memory
	// can go.
	s.sent[len(s.sent)-1].rec.Release()
	s.sent[len(s.sent)-1].rec = nil
	s.sent = append(s.sent, j)
	s.encode(j)
	return true
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
